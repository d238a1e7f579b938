/**
 * One life of an actor: everything that must not outlive a crash.
 *
 * Handlers and their state, timers, `onStop` tasks, the ask being answered and the right to send all hang on one
 * object. A callback, timer or promise that comes late finds that object dead and does nothing: no numbers to
 * compare, nothing to forget.
 *
 * @module
 */

import type { ActorContext } from "./actor.ts";
import type { Asker } from "./asks.ts";
import type { Cell, Host } from "./cell.ts";
import type { Log, Timer } from "./environment.ts";
import type { Address, Protocol, Ref } from "./protocol.ts";
import { ActorRef } from "./ref.ts";
import { errorMessage } from "./supervisor.ts";

/** Does what a kind of message asks for. */
export type Handler = (body: unknown, from: Address | undefined) => unknown;

/** An actor between one start and the stop or crash that ends it. */
export class Incarnation {
  /** Until it stops or crashes. */
  alive = true;
  /** From when its last `onStop` task is done. */
  gone = false;
  /** From when its start succeeded. */
  handlers: ReadonlyMap<string, Handler> | undefined;
  /** While the promise of a handler is pending. */
  waiting = false;
  /** Who asked for what is being handled now. */
  asker: Asker | null = null;
  /** Who asked for what a reentrant actor has under way. */
  readonly aside: Set<Asker> = new Set();
  /** Rejects at its end, with the reason. */
  readonly ended: PromiseWithResolvers<never> = Promise.withResolvers<never>();
  /** Resolves when it is gone; of interest once it has ended. */
  cleaned: Promise<void> = Promise.resolve();
  readonly #host: Host;
  readonly #log: Log;
  readonly #timers = new Set<Timer>();
  readonly #tasks: (() => void | Promise<void>)[] = [];

  /** @param cell where it lives @param log the actor's */
  constructor(readonly cell: Cell, host: Host, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  /** From here on nothing it left behind has any effect, except that its `onStop` tasks run. */
  end(reason: unknown): void {
    this.alive = false;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.asker?.fail("crashed");
    this.asker = null;
    for (const asker of this.aside) asker.fail("crashed");
    this.aside.clear();
    this.#host.asks.abort(this);
    this.ended.reject(reason);
    this.cleaned = this.#cleanUp();
  }

  /** What the actor is given. */
  context(): ActorContext<Protocol> {
    const ref = <Q extends Protocol>(to: string | Address): Ref<Q> => new ActorRef<Q>(this.#host, to, this);
    return {
      self: ref(this.cell.name),
      environment: this.#host.environment,
      log: this.#log,
      ref,
      announce: (actor, kind, body) => this.#announce(actor, kind, body),
      after: (delayMs, kind, body) => this.#tellLater(delayMs, kind, body),
      onStop: (task) => {
        if (this.gone) void this.#runTask(task);
        else this.#tasks.push(task);
      },
      crash: (error) => this.cell.fail(this, error),
    };
  }

  #announce(actor: string, kind: string, body: unknown): void {
    const cell = this.alive ? this.#host.find(actor) : undefined;
    if (cell !== undefined) cell.force({ kind, body, from: this.cell.address, asker: null });
    else this.#host.deadLetters.add({ node: this.#host.node, actor }, kind, "no-actor");
  }

  #tellLater(delayMs: number, kind: string, body: unknown): Timer {
    if (!this.alive) return { cancel: () => {} };
    const due = this.#host.environment.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      this.cell.force({ kind, body, from: this.cell.address, asker: null });
    });
    const timer: Timer = {
      cancel: () => {
        this.#timers.delete(timer);
        due.cancel();
      },
    };
    this.#timers.add(timer);
    return timer;
  }

  async #cleanUp(): Promise<void> {
    await undefined; // not in the middle of what crashed
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      await this.#runTask(task);
    }
    this.gone = true;
  }

  async #runTask(task: () => void | Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.#log.error("an onStop task failed", { error: errorMessage(error) });
    }
  }
}
