/**
 * When to ask a silent replica again. An answer is lost with the connection it was on, and only its sender sees
 * that connection end; a message sent twice does no more than one sent once. Doubling, so that replicas that are
 * slow because they have too much to do are not given ever more of it; and later where much is to be carried, for
 * what is still on its way over a slow link comes no sooner for being sent again behind itself.
 *
 * @module
 */

/** The first time comes after so long, the next after twice as long, and so on. */
const RESEND_MS = 250;
/** The slowest link that is not taken for a broken one, in bytes per millisecond: 1 MiB per second. */
const SLOWEST = 2 ** 20 / 1_000;

/** How long so many bytes may be on their way, in milliseconds. */
export function carryMs(sizeBytes: number): number {
  return sizeBytes / SLOWEST;
}

/** One request's times; no clock: every call says what time it is, in monotonic milliseconds. */
export class Resend {
  #everyMs = RESEND_MS;
  #at: number;
  #sizeBytes = 0;

  /** @param nowMs when the request was first sent @param sizeBytes how much it carries */
  constructor(nowMs: number, sizeBytes = 0) {
    this.#at = nowMs + RESEND_MS;
    this.expect(sizeBytes);
  }

  /** Answers carry so much, by what one of them did. */
  expect(sizeBytes: number): void {
    const more = Math.max(0, sizeBytes - this.#sizeBytes);
    this.#sizeBytes += more;
    this.#at += carryMs(more);
  }

  /** Whether it is time; true once per time. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.#at) return false;
    this.#everyMs *= 2;
    this.#at = nowMs + this.#everyMs + carryMs(this.#sizeBytes);
    return true;
  }
}
