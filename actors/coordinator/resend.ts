/**
 * When to ask a silent replica again. An answer is lost with the connection it was on, and only its sender sees
 * that connection end; a message sent twice does no more than one sent once. Doubling, so that replicas that are
 * slow because they have too much to do are not given ever more of it.
 *
 * @module
 */

/** The first time comes after so long, the next after twice as long, and so on. */
const RESEND_MS = 250;

/** One request's times; no clock: every call says what time it is, in monotonic milliseconds. */
export class Resend {
  #everyMs = RESEND_MS;
  #at: number;

  /** @param nowMs when the request was first sent */
  constructor(nowMs: number) {
    this.#at = nowMs + RESEND_MS;
  }

  /** Whether it is time; true once per time. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.#at) return false;
    this.#everyMs *= 2;
    this.#at = nowMs + this.#everyMs;
    return true;
  }
}
