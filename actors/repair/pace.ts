/**
 * How fast work in the background may go, so that clients do not feel it (Dynamo, section 6.5).
 *
 * Naive: a fixed rate. Set for the busiest hour it leaves a cluster unrepaired for days in which nobody asked for
 * anything; set for the quiet ones it makes the busiest hour worse. The paper's controller watches what clients feel
 * instead: while the slowest of their requests come close to what is still good, background work is given less, and
 * more when they do not. Less is half as much, at once, and more a step at a time, as congestion control has it, so
 * that several nodes that get into each other's way come to a fair share (Chiu and Jain 1989, "Analysis of the
 * Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks").
 *
 * It never stops altogether: repair that waits for ever is no repair. Pure: every call says what time it is.
 *
 * @module
 */

/** Requests of so many seconds count. */
const WINDOW_S = 10;
/** Four buckets for each doubling of the latency, from a sixteenth of a millisecond on. */
const BUCKETS_PER_DOUBLING = 4;
const LEAST_MS = 1 / 16;
const BUCKETS = 80;
/** So few requests say nothing of how slow the slowest are. */
const FEW = 20;

/** What {@link nextRate} goes by. */
export interface PaceSettings {
  /** Bytes a second that background work gets whatever clients feel. */
  readonly leastBytesPerS: number;
  /** Bytes a second that it never exceeds. */
  readonly mostBytesPerS: number;
  /** Of a hundred requests one may take so long. */
  readonly targetMs: number;
}

/**
 * The rate of the next second.
 *
 * @param rate of the last one, bytes a second
 * @param p99Ms what one request of a hundred took longer than; null when there were too few to tell
 *
 * @example
 * ```ts
 * import { nextRate } from "./pace.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const settings = { leastBytesPerS: 1_000, mostBytesPerS: 16_000, targetMs: 50 };
 * assertEquals(nextRate(8_000, 80, settings), 4_000); // clients feel it
 * assertEquals(nextRate(8_000, 10, settings), 9_000); // they do not
 * assertEquals(nextRate(8_000, null, settings), 16_000); // nobody is there
 * assertEquals(nextRate(1_000, 80, settings), 1_000);
 * ```
 */
export function nextRate(rate: number, p99Ms: number | null, settings: PaceSettings): number {
  const { leastBytesPerS, mostBytesPerS, targetMs } = settings;
  const next = p99Ms === null ? 2 * rate : p99Ms > targetMs ? rate / 2 : rate + mostBytesPerS / 16;
  return Math.max(leastBytesPerS, Math.min(mostBytesPerS, next));
}

/** The latencies of the last seconds, coarsely: a bucket is a fifth wide. */
export class LatencyWindow {
  readonly #seconds = Array.from(
    { length: WINDOW_S },
    () => ({ second: -1, counts: new Uint32Array(BUCKETS) }),
  );

  /** A request took so long. */
  observe(elapsedMs: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const slot = this.#seconds[second % WINDOW_S]!;
    if (slot.second !== second) {
      slot.second = second;
      slot.counts.fill(0);
    }
    const bucket = Math.ceil(BUCKETS_PER_DOUBLING * Math.log2(Math.max(LEAST_MS, elapsedMs) / LEAST_MS));
    slot.counts[Math.min(BUCKETS - 1, bucket)]!++;
  }

  /** What one of a hundred took longer than, in milliseconds; null when there were too few to tell. */
  p99(nowMs: number): number | null {
    const oldest = Math.floor(nowMs / 1000) - WINDOW_S + 1;
    const recent = this.#seconds.filter(({ second }) => second >= oldest);
    const total = recent.reduce((sum, { counts }) => counts.reduce((sum, count) => sum + count, sum), 0);
    if (total < FEW) return null;
    let slower = 0;
    for (let bucket = BUCKETS - 1; bucket >= 0; bucket--) {
      for (const { counts } of recent) slower += counts[bucket]!;
      if (slower * 100 >= total) return LEAST_MS * 2 ** (bucket / BUCKETS_PER_DOUBLING);
    }
    return null;
  }
}
