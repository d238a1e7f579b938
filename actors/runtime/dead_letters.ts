/**
 * Messages that nobody will handle: counted, and logged without flooding the log.
 *
 * @module
 */

import type { Log } from "./environment.ts";
import type { Address } from "./protocol.ts";

/**
 * Why a message was not handled. `no-actor`: nobody has that name, or its system has ended. `no-handler`: the
 * actor has no such kind of message. `crashed`: it waited in a mailbox when the actor crashed or was restarted
 * with its siblings. `stale`: its sender crashed before it sent it.
 */
export type DeadLetterReason = "no-actor" | "no-handler" | "crashed" | "stale";

/** The dead letters of one system. */
export class DeadLetters {
  readonly #log: Log;
  #count = 0;

  /** @param log where some of them are named */
  constructor(log: Log) {
    this.#log = log;
  }

  /** How many there were. */
  get count(): number {
    return this.#count;
  }

  /** Count one. The 1st, 2nd, 4th, 8th and so on is logged: enough to notice, never a flood. */
  add(to: Address, kind: string, reason: DeadLetterReason): void {
    this.#count++;
    if (Number.isInteger(Math.log2(this.#count))) {
      this.#log.warn("dead letter", { to: to.actor, node: to.node, kind, reason, total: this.#count });
    }
  }
}
