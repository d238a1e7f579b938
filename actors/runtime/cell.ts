/**
 * One named place in a system, where the incarnations of an actor live one after the other.
 *
 * The cell outlives them: it keeps the name and the mailbox, so a ref stays good over a restart, and messages
 * wait while nobody is home.
 *
 * A handler that returns a value costs no promise. One that returns a promise makes the actor wait for it.
 *
 * @module
 */

import type { AnyActorSpec } from "./actor.ts";
import type { Asker } from "./asks.ts";
import type { Environment, Log } from "./environment.ts";
import { type Handler, Incarnation } from "./incarnation.ts";
import { LIMITS } from "./limits.ts";
import { Mailbox } from "./mailbox.ts";
import { type Address, AskError, type TellResult } from "./protocol.ts";
import type { PostOffice } from "./ref.ts";
import type { Runnable, Scheduler } from "./scheduler.ts";
import { type Child, errorMessage } from "./supervisor.ts";

/** What waits in a mailbox. */
export interface Message {
  /** Its kind. */
  readonly kind: string;
  /** Its body. */
  readonly body: unknown;
  /** The actor that sent it, if one did. */
  readonly from: Address | undefined;
  /** Who waits for the answer; null for a tell. */
  readonly asker: Asker | null;
}

/** What a cell needs of its system. */
export interface Host extends PostOffice {
  /** Handed to every actor. */
  readonly environment: Environment;
  /** Whose turn it is. */
  readonly scheduler: Scheduler;
}

/** What an actor did since the system began. */
export interface ActorStats {
  /** Its name. */
  readonly name: string;
  /** Incarnations after the first. */
  readonly restarts: number;
  /** Messages waiting now. */
  readonly mailboxDepth: number;
  /** Messages handled. */
  readonly handled: number;
  /** Messages refused because the mailbox was full. */
  readonly overloaded: number;
  /** Asks dropped because nobody waited for the answer any more. */
  readonly expired: number;
}

/** Only a handler object's own functions are messages: nobody far away may call `constructor`. */
function handlerTable(handlers: object): ReadonlyMap<string, Handler> {
  const table = new Map<string, Handler>();
  for (const [kind, handler] of Object.entries(handlers)) {
    if (typeof handler === "function") table.set(kind, handler.bind(handlers));
  }
  if (table.size === 0) throw new TypeError("an actor's start must return an object with its handlers in it");
  return table;
}

/** See the module. */
export class Cell implements Child, Runnable {
  /** See {@link Child.name}. */
  readonly name: string;
  /** Its address. */
  readonly address: Address;
  readonly #host: Host;
  readonly #spec: AnyActorSpec;
  readonly #log: Log;
  readonly #mailbox: Mailbox<Message>;
  #life: Incarnation | undefined;
  #onCrash: (error: unknown) => void = () => {};
  /** In the run queue, or running. */
  #ready = false;
  /** Stopped for good. */
  #closed = false;
  #starts = 0;
  #handled = 0;
  #overloaded = 0;
  #expired = 0;

  /** @param spec the actor */
  constructor(host: Host, spec: AnyActorSpec) {
    this.name = spec.name;
    this.address = { node: host.node, actor: spec.name };
    this.#host = host;
    this.#spec = spec;
    this.#log = host.environment.log.with({ actor: spec.name });
    this.#mailbox = new Mailbox(spec.mailboxCapacity ?? LIMITS.mailbox);
  }

  /** What it did so far. */
  stats(): ActorStats {
    return {
      name: this.name,
      restarts: Math.max(0, this.#starts - 1),
      mailboxDepth: this.#mailbox.length,
      handled: this.#handled,
      overloaded: this.#overloaded,
      expired: this.#expired,
    };
  }

  /** Take a message in, up to the mailbox's limit. */
  accept(message: Message): TellResult {
    if (this.#closed) {
      this.#host.deadLetters.add(this.address, message.kind, "no-actor");
      return "dead";
    }
    if (!this.#mailbox.offer(message)) {
      this.#overloaded++;
      return "overloaded";
    }
    if (!this.#ready) this.#wake();
    return "sent";
  }

  /** Take a message in, whatever the mailbox's limit says. */
  force(message: Message): void {
    this.#mailbox.force(message);
    this.#wake();
  }

  /** See {@link Child.start}. */
  async start(onCrash: (error: unknown) => void): Promise<void> {
    const life = new Incarnation(this, this.#host, this.#log);
    this.#life = life;
    this.#onCrash = onCrash;
    this.#starts++;
    try {
      const starting = (async () => await this.#spec.start(life.context() as never))();
      const handlers = await Promise.race([life.ended.promise, starting]);
      if (!life.alive) await life.ended.promise; // it ended between the two
      life.handlers = handlerTable(handlers);
    } catch (error) {
      this.#end(life, error);
      throw error;
    }
    this.#wake();
  }

  /** See {@link Child.stop}: a handler at work is not waited for. */
  async stop(forGood: boolean): Promise<void> {
    this.#closed ||= forGood;
    if (this.#life === undefined) return this.#flush();
    this.#end(this.#life, new Error(`actor ${this.name} was stopped`));
    if (forGood) this.#flush();
    await this.#life.cleaned;
  }

  /** Make the incarnation that lives here now crash; nothing happens when there is none. */
  crash(error: unknown): void {
    if (this.#life !== undefined) this.fail(this.#life, error);
  }

  /** The crash of an incarnation; of one that is gone already it is no news. */
  fail(life: Incarnation, error: unknown): void {
    if (!life.alive) {
      this.#log.debug("an incarnation that is gone failed", { error: errorMessage(error) });
      return;
    }
    this.#end(life, error);
    if (life.handlers === undefined) return; // start() reports it
    this.#log.error("actor crashed", { error: errorMessage(error), stack: (error as Error)?.stack });
    this.#onCrash(error);
  }

  /** See {@link Runnable.run}. */
  run(limit: number): number {
    let handled = 0;
    while (handled < limit && this.#canRun()) {
      const message = this.#mailbox.take();
      if (message === undefined) break;
      handled++;
      this.#handle(this.#life as Incarnation, message);
    }
    this.#handled += handled;
    this.#ready = false;
    if (this.#mailbox.length > 0) this.#wake();
    return handled;
  }

  #canRun(): boolean {
    const life = this.#life;
    return life !== undefined && life.alive && !life.waiting && life.handlers !== undefined;
  }

  #wake(): void {
    if (this.#ready || this.#mailbox.length === 0 || !this.#canRun()) return;
    this.#ready = true;
    this.#host.scheduler.ready(this);
  }

  #handle(life: Incarnation, message: Message): void {
    const { kind, asker } = message;
    if (asker !== null && !asker.waiting()) {
      this.#expired++;
      return;
    }
    const handler = life.handlers?.get(kind);
    if (handler === undefined) {
      this.#host.deadLetters.add(this.address, kind, "no-handler");
      asker?.fail("dead");
      return;
    }
    life.asker = asker;
    try {
      const reply = handler(message.body, message.from);
      if (reply instanceof Promise) this.#await(life, reply);
      else this.#finish(life, reply);
    } catch (error) {
      this.fail(life, error);
    }
  }

  #await(life: Incarnation, reply: Promise<unknown>): void {
    if (this.#spec.reentrant) return this.#awaitAside(life, reply);
    life.waiting = true;
    const done = (value: unknown) => {
      life.waiting = false;
      this.#finish(life, value);
      this.#wake();
    };
    reply.then(done, (error) => this.fail(life, error));
  }

  /** Beside the others. Where one it asked in turn has failed it, only this ask fails with it. */
  #awaitAside(life: Incarnation, reply: Promise<unknown>): void {
    const asker = life.asker;
    life.asker = null;
    if (asker !== null) life.aside.add(asker);
    const done = (value: unknown) => {
      if (asker === null || !life.aside.delete(asker)) return;
      asker.answer(value);
    };
    const failed = (error: unknown) => {
      if (!(error instanceof AskError)) return this.fail(life, error);
      if (asker !== null && life.aside.delete(asker)) asker.fail("crashed");
    };
    reply.then(done, failed);
  }

  #finish(life: Incarnation, reply: unknown): void {
    life.asker?.answer(reply);
    life.asker = null;
  }

  #end(life: Incarnation, reason: unknown): void {
    if (!life.alive) return;
    life.end(reason);
    this.#flush();
  }

  /** Nobody will handle what waits: tell those who asked. */
  #flush(): void {
    for (let message = this.#mailbox.take(); message !== undefined; message = this.#mailbox.take()) {
      if (message.asker !== null) message.asker.fail(this.#closed ? "dead" : "crashed");
      else this.#host.deadLetters.add(this.address, message.kind, this.#closed ? "no-actor" : "crashed");
    }
  }
}
