/**
 * Requests at the door, by the numbers under which the coordinator answers them.
 *
 * @module
 */

import type { GetOutcome, PutOutcome } from "../actors/coordinator/protocol.ts";

/** A request handed to the coordinator. */
export interface Ticket {
  /** Who waits for the answer. */
  readonly waiter: { answer(ticket: Ticket, outcome: GetOutcome | PutOutcome): void };
  /** The client's number for it. */
  readonly number: number;
  /** When nobody waits any more, on the node's clock. */
  readonly deadline: number;
  /** How much of the client's allowance it takes. */
  readonly sizeBytes: number;
  /** Whether an unknown outcome may have changed something. */
  readonly isWrite: boolean;
}

/** How long after a deadline the coordinator's own answer is still waited for. */
const GRACE_MS = 250;

/** Which client waits for which answer. */
export class Tickets {
  readonly #open = new Map<number, Ticket>();
  #last: number;

  /** @param first numbers go up from here: random, so that an answer to an earlier life finds nobody */
  constructor(first: number) {
    this.#last = first;
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Give out a number. */
  open(ticket: Ticket): number {
    this.#open.set(++this.#last, ticket);
    return this.#last;
  }

  /** The request was never taken: forget it. */
  cancel(number: number): void {
    this.#open.delete(number);
  }

  /** Pass an outcome on to who waits for it. */
  answer(number: number, outcome: GetOutcome | PutOutcome): void {
    const ticket = this.#open.get(number);
    if (!ticket) return;
    this.#open.delete(number);
    ticket.waiter.answer(ticket, outcome);
  }

  /** The coordinator crashed and has forgotten all of them. */
  abandon(): void {
    for (const [number, { isWrite }] of this.#open) {
      const message = "the coordinator crashed; the outcome of what it had under way is unknown";
      this.answer(number, { ok: false, code: "unavailable", message, definite: !isWrite });
    }
  }

  /** Answer what the coordinator has left unanswered. */
  sweep(now: number): void {
    for (const [number, { deadline, isWrite }] of this.#open) {
      if (deadline + GRACE_MS > now) continue;
      const message = "no answer before the deadline";
      this.answer(number, { ok: false, code: "timeout", message, definite: !isWrite });
    }
  }
}
