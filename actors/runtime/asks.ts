/**
 * Asks under way: a bounded table from number to the one who waits.
 *
 * Every ask ends exactly once, in a reply, a failure, its deadline, its signal, or the end of the actor that
 * asked. Numbers begin at a random place and wrap at 2^32: an answer meant for an earlier life of this process
 * then finds nobody, instead of somebody else's question.
 *
 * @module
 */

import type { Clock, Random, Timer } from "./environment.ts";
import { LIMITS } from "./limits.ts";
import { type Address, AskError, type AskErrorCode, type AskOptions, type Envelope } from "./protocol.ts";

/** Whoever waits for the answer to a message, here or on another node. */
export interface Asker {
  /** Whether anyone still waits. */
  waiting(): boolean;
  /** Give the answer. Nothing happens when nobody waits. */
  answer(body: unknown): void;
  /** Report that there will be none. Nothing happens when nobody waits. */
  fail(code: AskErrorCode): void;
}

/** An ask of this node: in the table from the moment it is opened until it ends. */
export class PendingAsk implements Asker {
  /** What the caller of `ask` awaits. */
  readonly promise: Promise<unknown>;
  /** When it is given up, on the local monotonic clock. */
  readonly deadline: number;
  readonly #asks: Asks;
  readonly #clock: Clock;
  readonly #resolve: (body: unknown) => void;
  readonly #reject: (error: AskError) => void;
  readonly #timer: Timer;
  readonly #signal: AbortSignal | undefined;

  /**
   * @param asks the table it is entered into
   * @param id its number there
   * @param to whom it asks
   * @param kind which message
   * @param owner the incarnation that asks, if one does
   */
  constructor(
    asks: Asks,
    clock: Clock,
    readonly id: number,
    readonly to: Address,
    readonly kind: string,
    { timeoutMs, signal }: AskOptions,
    readonly owner: object | undefined,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.promise = promise;
    this.deadline = clock.now() + timeoutMs;
    this.#asks = asks;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = clock.after(timeoutMs, () => this.fail("timeout"));
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  /** See {@link Asker.waiting}. */
  waiting(): boolean {
    return this.#asks.find(this.id) === this && this.#clock.now() < this.deadline;
  }

  /** See {@link Asker.answer}. */
  answer(body: unknown): void {
    if (this.#end()) this.#resolve(body);
  }

  /** See {@link Asker.fail}. */
  fail(code: AskErrorCode): void {
    if (this.#end()) this.#reject(new AskError(code, this.to, this.kind));
  }

  readonly #onAbort = (): void => this.fail("aborted");

  #end(): boolean {
    if (!this.#asks.remove(this)) return false;
    this.#timer.cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    return true;
  }
}

/** Someone on another node who waits until a deadline; the answer is an envelope of its own. */
export class RemoteAsker implements Asker {
  readonly #question: Envelope;
  readonly #clock: Clock;
  readonly #send: (envelope: Envelope) => void;
  #ended = false;

  /** @param question what was asked @param send carries the answer */
  constructor(question: Envelope, clock: Clock, send: (envelope: Envelope) => void) {
    this.#question = question;
    this.#clock = clock;
    this.#send = send;
  }

  /** See {@link Asker.waiting}. */
  waiting(): boolean {
    const { deadline } = this.#question;
    return !this.#ended && (deadline === undefined || this.#clock.now() < deadline);
  }

  /** See {@link Asker.answer}. */
  answer(body: unknown): void {
    this.#end({ body });
  }

  /** See {@link Asker.fail}. */
  fail(code: AskErrorCode): void {
    this.#end({ body: undefined, failure: code });
  }

  #end(answer: Pick<Envelope, "body" | "failure">): void {
    if (!this.waiting()) return;
    this.#ended = true;
    const { from, to, ask } = this.#question;
    if (ask !== undefined) this.#send({ to: from, from: to, kind: "", ask, ...answer });
  }
}

/** The table. */
export class Asks {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #pending = new Map<number, PendingAsk>();
  #lastId: number;

  /** @param limit how many may be under way */
  constructor(clock: Clock, random: Random, limit: number = LIMITS.asks) {
    this.#clock = clock;
    this.#limit = limit;
    this.#lastId = random.integer(2 ** 32);
  }

  /** How many are under way. */
  get size(): number {
    return this.#pending.size;
  }

  /**
   * Enter an ask; undefined when the table is full. Throws a `RangeError` when the timeout is no finite
   * number: nothing may wait for ever.
   */
  open(to: Address, kind: string, options: AskOptions, owner?: object): PendingAsk | undefined {
    if (!Number.isFinite(options.timeoutMs)) throw new RangeError(`ask ${kind} without a finite timeoutMs`);
    if (this.#pending.size >= this.#limit) return undefined;
    do this.#lastId = (this.#lastId + 1) >>> 0; while (this.#pending.has(this.#lastId));
    const ask = new PendingAsk(this, this.#clock, this.#lastId, to, kind, options, owner);
    this.#pending.set(ask.id, ask);
    return ask;
  }

  /** The ask with this number, if it is still under way. */
  find(id: number): PendingAsk | undefined {
    return this.#pending.get(id);
  }

  /** Take an ask out; false when it was out already. */
  remove(ask: PendingAsk): boolean {
    return this.find(ask.id) === ask && this.#pending.delete(ask.id);
  }

  /** End an ask by an envelope from whom it asked; false when no such ask is under way. */
  settle(answer: Envelope): boolean {
    const ask = answer.ask === undefined ? undefined : this.find(answer.ask);
    // Only the one who was asked may answer.
    if (ask?.to.node !== answer.from.node || ask.to.actor !== answer.from.actor) return false;
    if (answer.failure !== undefined) ask.fail(answer.failure);
    else ask.answer(answer.body);
    return true;
  }

  /** End every ask of `owner`, or every ask there is, with `aborted`. */
  abort(owner?: object): void {
    for (const ask of [...this.#pending.values()]) {
      if (owner === undefined || ask.owner === owner) ask.fail("aborted");
    }
  }
}
