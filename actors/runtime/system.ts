/**
 * An actor system: one node's tree of actors, and the post office between them and the rest of the world.
 *
 * Threads that share memory and lock it are hard to reason about one at a time; an actor (C. Hewitt, P. Bishop,
 * R. Steiger, "A Universal Modular Actor Formalism for Artificial Intelligence", IJCAI 1973) shares nothing,
 * takes one message at a time and answers by sending others. Here the gain is not parallelism, a node runs on one
 * thread, but that a piece of it can fail and be replaced, that its inputs can be replayed, and that a message to
 * another machine looks like one to the neighbour.
 *
 * @module
 */

import { Asks, RemoteAsker } from "./asks.ts";
import type { AnyActorSpec } from "./actor.ts";
import { type ActorStats, Cell, type Host } from "./cell.ts";
import { DeadLetters } from "./dead_letters.ts";
import type { Environment } from "./environment.ts";
import type { Address, Envelope, Protocol, Ref, TellResult, Transport } from "./protocol.ts";
import { ActorRef } from "./ref.ts";
import { Scheduler } from "./scheduler.ts";
import { type Child, errorMessage, Supervisor, type SupervisorSpec } from "./supervisor.ts";

/** What a system is made of. */
export interface SystemOptions {
  /** This node's id: 32 hex digits, as in {@link Address.node}. */
  readonly node: string;
  /** Handed to every actor. */
  readonly environment: Environment;
  /** The way to other nodes; without one, whatever is sent to them is lost. */
  readonly transport?: Transport;
}

/** Figures of a system since it began. */
export interface SystemStats {
  /** One entry per actor, in the order they start. */
  readonly perActor: readonly ActorStats[];
  /** Messages nobody handled. */
  readonly deadLetters: number;
  /** Messages and answers to other nodes that the transport did not take. */
  readonly remoteLost: number;
  /** Asks of this node under way. */
  readonly asksPending: number;
}

/**
 * A node's actors.
 *
 * @example
 * ```ts
 * import { type ActorSpec, ActorSystem, realEnvironment } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * type CounterProtocol = { add: [{ amount: number }, void]; total: [Record<never, never>, number] };
 *
 * const counter: ActorSpec<CounterProtocol> = {
 *   name: "counter",
 *   start() {
 *     let total = 0;
 *     return {
 *       add: ({ amount }) => { total += amount; },
 *       total: () => total,
 *     };
 *   },
 * };
 *
 * const node = "00000000000000000000000000000001";
 * const system = new ActorSystem({ node, environment: realEnvironment({ node, logLevel: "silent" }) });
 * await system.start({
 *   name: "root",
 *   strategy: "one-for-one",
 *   intensity: { restarts: 3, withinMs: 5000 },
 *   children: [counter],
 * });
 * const ref = system.ref<CounterProtocol>("counter");
 * ref.tell("add", { amount: 2 });
 * ref.tell("add", { amount: 3 });
 * assertEquals(await ref.ask("total", {}, { timeoutMs: 1000 }), 5);
 * await system.stop();
 * ```
 */
export class ActorSystem {
  /**
   * Resolves when the system has ended: `stopped`, why it could not start, or why the root supervisor gave up,
   * in words for a process's last line.
   */
  readonly terminated: Promise<{ reason: string }>;
  readonly #host: Host;
  readonly #cells = new Map<string, Cell>();
  readonly #ended = Promise.withResolvers<{ reason: string }>();
  #root: Supervisor | undefined;
  #transport: Transport | undefined;
  #remoteLost = 0;
  #ending = false;

  /** A system without actors; {@link ActorSystem.start} makes them. */
  constructor({ node, environment, transport }: SystemOptions) {
    const { clock, random, log } = environment;
    this.terminated = this.#ended.promise;
    this.#transport = transport;
    this.#host = {
      node,
      environment,
      asks: new Asks(clock, random),
      deadLetters: new DeadLetters(log),
      scheduler: new Scheduler(clock),
      find: (actor) => this.#cells.get(actor),
      send: (envelope) => this.#send(envelope),
    };
  }

  /**
   * Start the tree, each actor after the one before it is ready. When one cannot start, those before it are
   * stopped and the promise rejects with its error. Once per system. Throws on a name used twice.
   */
  async start(root: SupervisorSpec): Promise<void> {
    if (this.#root !== undefined || this.#ending) throw new Error("an actor system starts once");
    this.#root = this.#supervisor(root);
    try {
      await this.#root.start((error) => void this.#terminate(errorMessage(error)));
    } catch (error) {
      await this.#terminate(`could not start: ${errorMessage(error)}`);
      throw error;
    }
  }

  /**
   * Stop the actors, last started first, and end every ask. Handlers at work are not waited for, `onStop` tasks
   * are. Stopping twice does nothing.
   */
  async stop(): Promise<void> {
    await this.#terminate("stopped");
  }

  /** A ref on an actor; messages sent through it have no sender. A string names an actor of this node. */
  ref<P extends Protocol>(to: string | Address): Ref<P> {
    return new ActorRef<P>(this.#host, to);
  }

  /** Set or change the way to other nodes. */
  setTransport(transport: Transport): void {
    this.#transport = transport;
  }

  /**
   * Take in an envelope that came from another node: a message for an actor here, or the answer to an ask made
   * here. The failure of an ask is sent back as well as returned. `dead` for an answer: nobody waits for it (any
   * more), or it comes from someone who was not asked. Bodies must have been validated: a handler that throws
   * crashes its actor, whoever sent the message.
   */
  deliver(envelope: Envelope): TellResult {
    const { to, from, kind, body, ask } = envelope;
    if (kind === "" && ask !== undefined) return this.#host.asks.settle(envelope) ? "sent" : "dead";
    const asker = ask === undefined
      ? null
      : new RemoteAsker(envelope, this.#host.environment.clock, this.#host.send);
    const sender = from.actor === "" ? undefined : from;
    const result = this.#accept(to, { kind, body, from: sender, asker });
    if (result !== "sent") asker?.fail(result);
    return result;
  }

  /** Figures for `status` and metrics. */
  stats(): SystemStats {
    return {
      perActor: [...this.#cells.values()].map((cell) => cell.stats()),
      deadLetters: this.#host.deadLetters.count,
      remoteLost: this.#remoteLost,
      asksPending: this.#host.asks.size,
    };
  }

  /**
   * Make an actor crash as if its handler had thrown `error`: for tests and administration. Nothing happens
   * while it is down already. Throws when there is no such actor.
   */
  crash(actorName: string, error: Error = new Error("crashed on request")): void {
    const cell = this.#cells.get(actorName);
    if (cell === undefined) throw new Error(`there is no actor ${actorName}`);
    cell.crash(error);
  }

  #accept(to: Address, message: Parameters<Cell["accept"]>[0]): TellResult {
    const cell = to.node === this.#host.node ? this.#cells.get(to.actor) : undefined;
    if (cell !== undefined) return cell.accept(message);
    this.#host.deadLetters.add(to, message.kind, "no-actor");
    return "dead";
  }

  #send(envelope: Envelope): boolean {
    if (this.#transport?.send(envelope)) return true;
    this.#remoteLost++;
    return false;
  }

  #supervisor(spec: SupervisorSpec): Supervisor {
    const children = spec.children.map((child): Child =>
      "children" in child ? this.#supervisor(child) : this.#cell(child)
    );
    return new Supervisor(spec, children, this.#host.environment);
  }

  #cell(spec: AnyActorSpec): Cell {
    if (spec.name === "") throw new Error("an actor needs a name");
    if (this.#cells.has(spec.name)) throw new Error(`two actors are named ${spec.name}`);
    const cell = new Cell(this.#host, spec);
    this.#cells.set(spec.name, cell);
    return cell;
  }

  async #terminate(reason: string): Promise<void> {
    if (!this.#ending) {
      this.#ending = true;
      await this.#root?.stop(true);
      this.#host.asks.abort();
      this.#host.scheduler.close();
      this.#ended.resolve({ reason });
    }
    await this.terminated;
  }
}
