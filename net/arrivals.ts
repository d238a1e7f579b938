/**
 * Since when may what is read now have been waiting?
 *
 * # The problem
 *
 * Clocks differ, so a request travels with the time that is left to it, and its deadline is counted from when it
 * is read. Nobody does work that nobody waits for any more.
 *
 * # The naive attempt
 *
 * Count from now. A process that was stopped for a minute (SIGSTOP, a machine that was suspended, a collection of
 * garbage that went out of hand) then finds in its sockets what was sent a minute ago, takes it for new and does it:
 * writes come to be that their clients gave up, read, and decided about otherwise.
 *
 * # The idea
 *
 * No system says since when bytes have been waiting in a socket. But a process that runs reads them as soon as they
 * are there, so they have arrived since it last ran; and whether it runs, a timer tells it. When that beat is overdue
 * against the monotonic clock the process was stopped, or busy for so long that it comes to the same, and until the
 * sockets have been emptied, a moment later, what it reads may be as old as its last beat in time. To take something
 * for older than it is does little harm: its sender hears that nothing was done.
 *
 * What was held up elsewhere, in the network or in its sender's buffers, looks new. Only clocks that agree could tell.
 *
 * @module
 */

/** From one beat to the next, in milliseconds. */
const BEAT_MS = 250;
/** A beat that comes so much later than the one before was late. */
const LATE_MS = 2 * BEAT_MS;
/** Within so many milliseconds a process that is back has read what was waiting for it. */
const EMPTIED_MS = 20;

/**
 * One process's sense of having been away. No clock: every call says what time it is, in monotonic milliseconds.
 *
 * @example
 * ```ts
 * import { Arrivals } from "./arrivals.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const arrivals = new Arrivals();
 * assertEquals(arrivals.beat(1_000), 250); // the next one is due then
 * assertEquals(arrivals.earliest(1_100), 1_100);
 * assertEquals(arrivals.earliest(61_000), 1_000); // it was stopped for a minute
 * assertEquals(arrivals.beat(61_000), 20);
 * assertEquals(arrivals.earliest(61_010), 1_000); // and is still reading what came meanwhile
 * assertEquals(arrivals.beat(61_020), 250);
 * assertEquals(arrivals.earliest(61_030), 61_030);
 * ```
 */
export class Arrivals {
  #beatAt = Infinity;
  /** The last beat before one that was late; null once there was one in time again. */
  #awayAfter: number | null = null;

  /** To be called at first and whenever as many milliseconds have passed as it last gave. */
  beat(nowMs: number): number {
    this.#awayAfter = this.#isLate(nowMs) ? this.#beatAt : null;
    this.#beatAt = nowMs;
    return this.#awayAfter === null ? BEAT_MS : EMPTIED_MS;
  }

  /** The earliest that what is read now may have arrived. */
  earliest(nowMs: number): number {
    return this.#awayAfter ?? (this.#isLate(nowMs) ? this.#beatAt : nowMs);
  }

  #isLate(nowMs: number): boolean {
    return nowMs - this.#beatAt >= LATE_MS;
  }
}
