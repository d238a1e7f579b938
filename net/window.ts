/**
 * How much one connection may have under way.
 *
 * A node reads no more from a client that has that much; what the client sends all the same waits in sockets, where
 * nobody can take it back or see how old it is. It would be done, in the end, for a client that gave up long ago: work
 * in vain, most of all when there is too much work already. So the client goes by the same rule and keeps what is over
 * it to itself, where it is given up in time and certainly was not done.
 *
 * @module
 */

import { LIMITS } from "../actors/runtime/limits.ts";

/** One connection's allowance of requests: it grows with every answer, so that what is new is not trusted far. */
export class Window {
  #allowed: number = LIMITS.firstRequests;

  /** How many requests may be under way now. */
  get size(): number {
    return Math.min(LIMITS.requestsPerConnection, this.#allowed);
  }

  /** A request was answered. */
  onAnswer(): void {
    this.#allowed += 2;
  }
}
