/**
 * Whose turn it is: one queue of actors that have messages, drained from one microtask.
 *
 * A turn of the event loop that brings a message should carry it through every hop (connection, coordinator,
 * replica store, and back) before any socket is written, so that what one turn produced leaves in one write
 * (DESIGN section 12). A microtask does that: it runs before the event loop looks at sockets again. It also
 * starves them when the work never ends, so after `LIMITS.messagesPerTurn` messages in one turn the rest waits
 * for the next. How is the next turn noticed? By a timer of 0 ms, set when a turn turns out to be a long one:
 * when it fires, the loop has turned.
 *
 * An actor gets `LIMITS.messagesPerSlice` messages and then goes to the end of the queue, so that none waits for
 * another's backlog.
 *
 * @module
 */

import type { Clock, Timer } from "./environment.ts";
import { LIMITS } from "./limits.ts";
import { Mailbox } from "./mailbox.ts";

/** Something with messages to handle. */
export interface Runnable {
  /** Handle up to `limit` messages; returns how many were. */
  run(limit: number): number;
}

/** After so many messages it is worth asking for a sign that the event loop has turned. */
const LONG_TURN = LIMITS.messagesPerTurn / 10;

/** The run queue of one system. */
export class Scheduler {
  readonly #clock: Clock;
  /** Whoever is ready is here once, so the number of actors is the limit. */
  readonly #queue = new Mailbox<Runnable>(Infinity);
  #handled = 0;
  #drainDue = false;
  #turnMark: Timer | undefined;

  /** @param clock tells when the event loop has turned */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Let `runnable` run once, before this turn ends if there is room. The caller asks once until it has run. */
  ready(runnable: Runnable): void {
    this.#queue.force(runnable);
    if (this.#drainDue) return;
    this.#drainDue = true;
    queueMicrotask(this.#drain);
  }

  /** Forget the timer; for a system that has ended. */
  close(): void {
    this.#turnMark?.cancel();
  }

  readonly #drain = (): void => {
    while (this.#handled < LIMITS.messagesPerTurn) {
      const next = this.#queue.take();
      if (next === undefined) {
        this.#drainDue = false;
        return;
      }
      this.#handled += Math.max(1, next.run(LIMITS.messagesPerSlice));
      if (this.#handled >= LONG_TURN) this.#turnMark ??= this.#clock.after(0, this.#nextTurn);
    }
  };

  readonly #nextTurn = (): void => {
    this.#turnMark = undefined;
    this.#handled = 0;
    if (this.#drainDue) this.#drain();
  };
}
