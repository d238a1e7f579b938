/**
 * The failure detector: when is silence a failure?
 *
 * # The problem
 *
 * News of a member arrives now and then; when it stops, the member may be dead, slow, or unlucky.
 *
 * # The naive attempt
 *
 * A fixed timeout. What is right for three nodes in a rack is wrong for a hundred across an ocean, where news
 * takes several hops by gossip; and every operator has to find the number again.
 *
 * # The idea
 *
 * An accrual detector (Hayashibara et al., "The phi Accrual Failure Detector", 2004) keeps the distribution
 * of the intervals seen so far and says how unlikely the present silence is: phi is minus the decimal
 * logarithm of the probability that news comes even later. At phi = 8 one would be wrong once in 10^8
 * intervals, if the distribution were right.
 *
 * The paper takes a normal distribution. That fits heartbeats sent straight to the observer. Under gossip an
 * interval is a wait for one of several random carriers: in a large cluster it is close to memoryless, its
 * tail much longer than a normal one's, and the normal model suspects members by the minute. Cassandra takes
 * an exponential distribution, which is right there and slow to notice (18 mean intervals) where heartbeats
 * are regular. A gamma distribution has both as special cases; its shape is mean^2 / variance, and by Wilson
 * and Hilferty ("The Distribution of Chi-Square", 1931) its cube root is so nearly normal that the tail costs
 * two lines. Mean and variance are moving averages, so that the detector adapts, in constant space.
 *
 * Two things no distribution knows. A run of intervals more regular than any network stays must not make a
 * single lost message look impossible: the shape is capped. And a pause of the member, for its garbage or its
 * disk, is not in the history until it happens: silence shorter than a floor is never suspicious.
 *
 * Times are milliseconds of the observer's attended time (see `membership.ts`): while it was paused itself,
 * it could not hear anyone.
 *
 * @module
 */

/** How a detector judges. */
export interface DetectorOptions {
  /** The interval expected before any was seen. */
  readonly expectedMs: number;
  /** Silence up to this is never suspicious. */
  readonly floorMs: number;
  /** The phi from which on silence is suspicious. */
  readonly threshold: number;
}

/** Intervals that the moving averages look back on, about. */
const MEMORY = 64;
/** What the first expectation weighs, in intervals. */
const PRIOR = 8;
/** The most regular that intervals are believed to be: a standard deviation of a quarter of the mean. */
const MOST_REGULAR = 16;

/** What one observer has seen of one member's news. */
export class FailureDetector {
  readonly #options: DetectorOptions;
  #lastMs: number;
  #meanMs: number;
  #variance: number;
  #intervals = PRIOR;

  /** @param options how to judge @param nowMs from when silence counts */
  constructor(options: DetectorOptions, nowMs: number) {
    this.#options = options;
    this.#lastMs = nowMs;
    this.#meanMs = options.expectedMs;
    this.#variance = options.expectedMs ** 2;
  }

  /** News arrived, after an interval that is worth remembering. */
  onNews(nowMs: number): void {
    const weight = 1 / Math.min(++this.#intervals, MEMORY);
    const difference = nowMs - this.#lastMs - this.#meanMs;
    this.#meanMs += weight * difference;
    this.#variance = (1 - weight) * (this.#variance + weight * difference ** 2);
    this.#lastMs = nowMs;
  }

  /** News arrived, after an interval that says nothing about the next one: the member was gone. */
  onReturn(nowMs: number): void {
    this.#lastMs = nowMs;
  }

  /** How long there has been no news. */
  silentMs(nowMs: number): number {
    return nowMs - this.#lastMs;
  }

  /** How suspicious the silence is. */
  phi(nowMs: number): number {
    const ratio = this.silentMs(nowMs) / this.#meanMs;
    const shape = Math.min(this.#meanMs ** 2 / this.#variance, MOST_REGULAR);
    const deviation = 1 / (9 * shape);
    return -Math.log10(normalTail((Math.cbrt(ratio) - 1 + deviation) / Math.sqrt(deviation)));
  }

  /** Whether the silence has to be taken for a failure. */
  isSuspicious(nowMs: number): boolean {
    return this.silentMs(nowMs) > this.#options.floorMs && this.phi(nowMs) >= this.#options.threshold;
  }
}

/** The probability that a standard normal variable exceeds z, to 2 %; at least the least positive number. */
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const density = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
  return Math.max(2 * density / (z + Math.sqrt(z * z + 8 / Math.PI)), Number.MIN_VALUE);
}
