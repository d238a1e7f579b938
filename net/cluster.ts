/**
 * A whole cluster in one process: for anyone's tests, and for denamo's own.
 *
 * Without a seed the nodes run on the real clock, talk over loopback sockets and keep their files in a
 * temporary directory. With a seed they run, the same code, in a simulation: time passes only while
 * {@link Cluster.run} waits, machines can be killed and links cut, and the same seed gives the same history.
 *
 * @module
 */

import { LIMITS } from "../actors/runtime/limits.ts";
import type { Environment } from "../actors/runtime/environment.ts";
import { realEnvironment, removeDirectory, temporaryDirectory } from "../actors/runtime/real/mod.ts";
import { drawFaults, type Fault } from "../actors/simulated/faults.ts";
import type { LogLine } from "../actors/simulated/log.ts";
import { Nemesis, type Trouble, type Victims } from "../actors/simulated/nemesis.ts";
import { Simulation } from "../actors/simulated/simulation.ts";
import { Client, type ConnectOptions } from "./client.ts";
import { type ClusterOptions, judgeOptions } from "./cluster_options.ts";
import { storeDirectory } from "../storage/engines.ts";
import { LEFT, Node, type NodeOptions, REMOVED } from "./node.ts";
import { hintsDirectory } from "./hint_memory.ts";
import type { OperatorProtocol, Refusal } from "../actors/operator/protocol.ts";
import type { Body } from "../actors/runtime/protocol.ts";
import { journalDirectory } from "./node_memory.ts";
import { settingsOf } from "./node_options.ts";
import { restartPoisoned, untilServing } from "./recovery.ts";

export type { ClusterOptions };

/** The data directory of a simulated node, on the disk of its machine. */
const SIMULATED_PATH = "data";
/** Put aside on it, for little that is written; on a real disk nothing, for a cluster that is soon gone. */
const SIMULATED_RESERVE_BYTES = 16 * 1024;
/** The first simulated node's port; the others follow. */
const FIRST_PORT = 3001;

/** Simulated milliseconds that {@link Cluster.run} lets pass before it gives up. */
const RUN_LIMIT_MS = 600_000;

/** So many of the last troubles an error tells of. */
const MOST_TROUBLES = 30;
/** So long faults go on that nobody heals. */
const FAULTS_MS = RUN_LIMIT_MS;
/** After healing every node serves within so many simulated milliseconds, or {@link Cluster.heal} rejects. */
const HEAL_LIMIT_MS = 60_000;
const JOIN_LIMIT_MS = 20_000;

const LEVELS: readonly string[] = ["debug", "info", "warn", "error", "silent"];

/** An error of the class of another, with all that it carries and another message; that one is its cause. */
function likeness(cause: unknown, message: string): Error {
  const error = new Error(message, { cause });
  if (!(cause instanceof Error)) return error;
  const { message: _message, cause: _cause, stack: _stack, ...more } = cause;
  Object.defineProperty(Object.assign(error, more), "name", { value: cause.name });
  return Object.setPrototypeOf(error, Object.getPrototypeOf(cause));
}

/** The simulated machine of a node. */
function machineOf(index: number): string {
  return `node${index + 1}`;
}

/** Where a simulated node listens. */
function addressOf(index: number): string {
  return `127.0.0.1:${FIRST_PORT + index}`;
}

/**
 * Nodes that know each other.
 *
 * @example Your application, while everything goes wrong that may
 * ```ts
 * import { Cluster } from "../mod.ts";
 * import { assert } from "@std/assert";
 *
 * for (let seed = 1; seed <= 3; seed++) {
 *   await using cluster = await Cluster.inProcess({ seed, faults: ["loss", "two-way", "power", "pause"] });
 *   await cluster.run(async () => { // here time passes, and things go wrong
 *     const client = await cluster.connect();
 *     const taken: string[] = [];
 *     for (let n = 0; n < 20; n++) {
 *       await client.put(`order ${n}`, "shoes").then(() => taken.push(`order ${n}`), () => {});
 *       await cluster.sleep(500);
 *     }
 *     await cluster.heal();
 *     for (const order of taken) assert((await client.get(order)).values.length > 0, `${order} is lost`);
 *   }); // an error says the seed, and what had gone wrong
 * }
 * ```
 *
 * @example A fault of your own choice
 * ```ts
 * import { Cluster } from "../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * // Three nodes, a write, a machine lost, a read: in a simulation, in milliseconds.
 * await using cluster = await Cluster.inProcess({ nodes: 3, seed: 7 });
 * await cluster.run(async () => {
 *   const client = await cluster.connect();
 *   await client.put("foo", "bar");
 *   cluster.kill(2);
 *   const { values } = await client.get("foo");
 *   assertEquals(new TextDecoder().decode(values[0]), "bar");
 * });
 * ```
 */
export class Cluster implements AsyncDisposable {
  /** The world of a simulated cluster: faults, time, traces. Null on the real clock. */
  readonly simulation: Simulation | null;
  readonly #options: ClusterOptions;
  readonly #directory: string | null;
  readonly #nodes: (Node | null)[] = [];
  /** Nodes that ended because they are no members any more. */
  readonly #removed = new Set<number>();
  /** How often each node was started by its nemesis. */
  readonly #starts: number[] = [];
  readonly #ports: number[] = [];
  readonly #ids = new Map<number, string>();
  readonly #nemesis: Nemesis | null;
  #isTroubled = false;
  #isRunning = false;
  #clients = 0;

  private constructor(options: ClusterOptions, directory: string | null) {
    const { seed, onLog, onMessage } = options;
    this.#options = options;
    this.#directory = directory;
    const least = LEVELS.indexOf(options.node?.logLevel ?? "debug");
    const hear = onLog && ((line: LogLine) => LEVELS.indexOf(line.level) >= least && onLog(line));
    const watch = { ...(hear && { onLog: hear }), ...(onMessage && { onMessage }) };
    this.simulation = seed === undefined ? null : new Simulation({ seed, ...watch });
    this.#nemesis = this.simulation && new Nemesis(
      this.simulation,
      this.#victims(),
      this.simulation.environment("nemesis").clock,
      () => Array.from({ length: this.#clients }, (_, index) => `client${index + 1}`),
    );
  }

  /** Start the nodes and join them; resolves when every one of them is a member. */
  static async inProcess(options: ClusterOptions = {}): Promise<Cluster> {
    judgeOptions(options);
    const directory = options.seed === undefined ? await temporaryDirectory("denamo-cluster-") : null;
    const cluster = new Cluster(options, directory);
    await cluster.run(async () => {
      const count = options.nodes ?? 3;
      for (let index = 0; index < count; index++) await cluster.start(index);
      const first = await cluster.connect({ to: [0] });
      for (let index = 1; index < count; index++) {
        const client = await cluster.connect({ to: [index] });
        const joined = await client.admin("join", { known: cluster.node(0).address });
        await client.close();
        if (!joined.ok) throw new Error(`node ${index} could not join: ${joined.message}`);
      }
      await cluster.#agree(count);
      await first.close();
    });
    cluster.#isTroubled = options.faults !== undefined;
    return cluster;
  }

  /** What went wrong so far, in a simulated cluster: simulated milliseconds, whom it befell, what it was. */
  get troubles(): readonly Trouble[] {
    return this.#nemesis?.log ?? [];
  }

  /** How often nodes were started again by what {@link ClusterOptions.faults} brought. */
  get restarts(): number {
    return this.#nemesis?.restarts ?? 0;
  }

  /** The nodes that run, in order. */
  get nodes(): readonly Node[] {
    return this.#nodes.filter((node) => node !== null);
  }

  /** Where the running nodes are reached, `host:port` each. */
  get addresses(): readonly string[] {
    return this.nodes.map((node) => node.address);
  }

  /** A node by its index, 0 the first. Throws when it does not run. */
  node(index: number): Node {
    const node = this.#nodes[index];
    if (!node) throw new Error(`node ${index} does not run`);
    return node;
  }

  /** A client of the nodes with these indexes, in this order; of all that run when none are named. */
  async connect(options: ConnectOptions & { readonly to?: readonly number[] } = {}): Promise<Client> {
    this.#mustRun("connect");
    const { to, ...rest } = options;
    // A simulated node has its address whether it runs or not.
    const addresses = to
      ? to.map((index) => this.simulation ? addressOf(index) : this.node(index).address)
      : this.addresses;
    const environment = this.simulation?.environment(`client${++this.#clients}`);
    return await Client.connect([...addresses], {
      ...this.#options.client,
      ...(environment && { environment }),
      ...rest,
    });
  }

  /** Start the node with this index, for the first time or again, on what its directory holds. */
  async start(index: number): Promise<Node> {
    if (this.#nodes[index]) throw new Error(`node ${index} runs already`);
    const port = this.simulation ? FIRST_PORT + index : this.#ports[index] ?? 0;
    const path = this.simulation ? SIMULATED_PATH : `${this.#directory}/node_${index + 1}`;
    const { node = {}, cores = {} } = this.#options;
    const own = typeof cores === "function" ? cores(index) : cores;
    const options: NodeOptions = {
      logLevel: "silent",
      ...node,
      host: "127.0.0.1",
      port,
      storage: { reserveBytes: this.simulation ? SIMULATED_RESERVE_BYTES : 0, ...node.storage, path },
    };
    const environment = this.#environment(index, options);
    const started = await Node.start(options, environment, own);
    this.#nodes[index] = started;
    this.#ports[index] = started.endpoint.port;
    this.#ids.set(index, started.id);
    void started.terminated.then(({ reason }) => {
      if (reason === REMOVED || reason === LEFT) this.#removed.add(index);
      if (this.#nodes[index] !== started) return;
      this.#nodes[index] = null;
      this.simulation?.killNode(machineOf(index)); // its process is over
    });
    return started;
  }

  #environment(index: number, { logLevel }: NodeOptions): Environment {
    const name = machineOf(index);
    return this.simulation?.environment(name) ??
      realEnvironment({ node: name, ...(logLevel !== undefined && { logLevel }) });
  }

  /**
   * `kill -9`, or with `power` a power cut, which loses what was not synced; of a node that is just starting too.
   * Simulated clusters only.
   */
  kill(index: number, { power = false }: { readonly power?: boolean } = {}): void {
    if (this.simulation === null) throw new Error("only a simulated node can be killed; use stop()");
    const machine = machineOf(index);
    if (!this.simulation.isAlive(machine)) throw new Error(`node ${index} does not run`);
    this.#nodes[index] = null;
    if (power) this.simulation.crashNode(machine);
    else this.simulation.killNode(machine);
  }

  /** Stop one node as SIGTERM would. */
  async stop(index: number): Promise<void> {
    const node = this.node(index);
    this.#nodes[index] = null;
    await node.stop();
  }

  /**
   * Do something with the cluster and give what it gives. In a simulation this is where time passes: everything
   * that `task` waits for must be of the simulation, and it may take ten simulated minutes. With
   * {@link ClusterOptions.faults} this is also where things begin to go wrong. An error says with which seed, and
   * what had gone wrong before it; it is of the class of the one thrown, which is its cause.
   */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.simulation === null) return await task();
    if (this.#isRunning) {
      throw new Error("run: it is not over yet: await the last one first; within run() no other is needed");
    }
    if (this.#isTroubled) void this.#nemesis?.play(this.#timetable());
    this.#isTroubled = false;
    this.#isRunning = true;
    try {
      return await this.simulation.complete(task(), RUN_LIMIT_MS);
    } catch (error) {
      throw this.#explained(error);
    } finally {
      this.#isRunning = false;
    }
  }

  /** The same error, as far as assertions can tell, which also says how to have it again. */
  #explained(error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error);
    const seed = `seed ${this.#options.seed}: `;
    const troubles = this.troubles.slice(-MOST_TROUBLES).map(({ atMs, what }) =>
      `  ${Math.round(atMs)} ms: ${what}`
    );
    const lines = [
      message.startsWith(seed) ? message : `${seed}${message}`,
      ...(troubles.length > 0 ? ["What had gone wrong by then:", ...troubles] : []),
    ];
    return likeness(error, lines.join("\n"));
  }

  /** Let time pass; within {@link Cluster.run} of a simulated cluster it is simulated. */
  async sleep(ms: number): Promise<void> {
    this.#mustRun("sleep");
    const { clock } = this.simulation?.environment("nemesis") ?? this.#environment(0, {});
    await new Promise<void>((resolve) => void clock.after(ms, resolve));
  }

  /** Throws where what is waited for would never come. */
  #mustRun(call: string): void {
    if (this.simulation === null || this.#isRunning) return;
    throw new Error(`${call}: in a simulation time passes only within run()`);
  }

  /**
   * Within {@link Cluster.run} of a simulated cluster: the end of all faults. Links, disks and clocks are well again,
   * whatever was stopped goes on, whatever is down starts, a node with a poisoned store is restarted. Resolves when
   * every member serves and is connected to all others; rejects, with what each says of itself, when that takes more
   * than a simulated minute.
   */
  async heal(): Promise<void> {
    this.#mustRun("heal");
    const mustStart = (isUp?: boolean) => {
      if (isUp === false) throw new Error(`not all nodes start: ${this.troubles.at(-1)?.what}`);
    };
    const patient = {
      running: () => Array.from(this.#nodes.keys()).filter((index) => this.#nodes[index]), // some never started
      address: addressOf,
      connect: (index: number) => this.connect({ to: [index] }),
      restart: async (index: number) => mustStart(await this.#nemesis?.restart(index, HEAL_LIMIT_MS)),
      sleep: (ms: number) => this.sleep(ms),
    };
    mustStart(await this.#nemesis?.heal(HEAL_LIMIT_MS, () => restartPoisoned(patient)));
    // A connection that has lost something is out of step, and nobody knows before a ping goes unanswered.
    if (this.simulation !== null) await this.sleep(LIMITS.peerMuteMs);
    await untilServing(patient, HEAL_LIMIT_MS);
  }

  #timetable(): Fault[] {
    const { faults = [], nodes = 3 } = this.#options;
    const kinds = faults.filter((fault) => typeof fault === "string");
    const given = faults.filter((fault) => typeof fault !== "string");
    if (kinds.length === 0) return given.sort((a, b) => a.atMs - b.atMs);
    const random = this.simulation!.random.fork("faults");
    return drawFaults(random, { nodes, forMs: FAULTS_MS, kinds, all: true });
  }

  /** Tells whether the latest start of a node is still the one that is the latest now. */
  #lifeOf(index: number): () => boolean {
    const start = this.#starts[index];
    return () => this.#starts[index] === start;
  }

  /** This cluster as its nemesis sees it. */
  #victims(): Victims {
    return {
      count: this.#options.machines ?? this.#options.nodes ?? 3,
      store: storeDirectory(SIMULATED_PATH, settingsOf(this.#options.node ?? {}).engine),
      hints: hintsDirectory(SIMULATED_PATH),
      journal: journalDirectory(SIMULATED_PATH),
      machine: machineOf,
      isUp: (index) => this.simulation!.isAlive(machineOf(index)),
      kill: (index, power) => this.kill(index, { power }),
      stop: async (index) => {
        const isSameLife = this.#lifeOf(index);
        await this.stop(index).catch(() => {});
        if (isSameLife()) this.simulation!.killNode(machineOf(index)); // its process is over
      },
      start: async (index) => {
        this.#starts[index] = (this.#starts[index] ?? 0) + 1;
        const isLatest = this.#lifeOf(index);
        try {
          await this.start(index);
        } catch (error) {
          // Its process is over; but who was killed while starting may say so when the next one starts already.
          if (isLatest()) this.simulation!.killNode(machineOf(index));
          throw error;
        }
      },
      crash: (index, actor) => this.node(index).crash(actor),
      join: (index) =>
        // Not all through one: members that propose at the same time are what votes are for.
        this.#ask(index, "join", { known: addressOf(index % (this.#options.nodes ?? 3)) }),
      members: {
        leave: (index) => this.#ask(index, "leave", {}),
        forceRemove: async (index) =>
          await this.#ask(this.#memberBut(index), "forceRemove", {
            id: this.#ids.get(index) ?? "",
            alive: true, // whoever does this knows better
          }),
        replace: async (index, heir) => {
          const known = addressOf(this.#memberBut(index, heir));
          return await this.#ask(heir, "replace", { known, old: this.#ids.get(index) ?? "" });
        },
        cancel: (index) => this.#ask(index, "cancel", {}),
        isRemoved: (index) => this.#removed.has(index),
      },
    };
  }

  /** A node that runs, and is none of these; one of the first members where possible. */
  #memberBut(...others: readonly number[]): number {
    const running = [...this.#nodes.keys()].filter((index) => this.#nodes[index] && !others.includes(index));
    if (running.length === 0) throw new Error("nobody is there to be asked");
    return running[0]!;
  }

  /** Have a node change the membership; rejects when it refuses. */
  async #ask<K extends "join" | "leave" | "forceRemove" | "replace" | "cancel">(
    index: number,
    kind: K,
    body: Body<OperatorProtocol, K>,
  ): Promise<void> {
    const client = await this.connect({ to: [index] });
    try {
      const outcome: { ok: true } | Refusal = await client.admin(kind, body, { timeoutMs: JOIN_LIMIT_MS });
      if (!outcome.ok) throw new Error(outcome.message);
    } finally {
      await client.close();
    }
  }

  /** Resolves when every node has the ring with `count` members. */
  async #agree(count: number): Promise<void> {
    const { clock } = this.#environment(0, {});
    const clients = await Promise.all(this.#nodes.map((_, index) => this.connect({ to: [index] })));
    for (;;) {
      const states = await Promise.all(clients.map((client) => client.admin("status", {})));
      if (states.every(({ members, alive }) => members === count && alive === count)) break;
      await new Promise<void>((resolve) => void clock.after(20, resolve));
    }
    await Promise.all(clients.map((client) => client.close()));
  }

  /** Stop every node; a temporary directory is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isTroubled = false;
    this.#nemesis?.stop();
    await this.run(async () => {
      await Promise.all(this.#nodes.map((node, index) => node && this.stop(index)));
    });
    if (this.#directory !== null) await removeDirectory(this.#directory);
  }
}
