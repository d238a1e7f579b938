/**
 * How long one call takes.
 *
 * @module
 */

const ROUNDS = 5;
const ROUND_MS = 60;

/** Nanoseconds per call: the fastest of a few rounds, for whatever disturbs a round only makes it slower. */
export function time(task: () => void): number {
  let calls = 1;
  for (;;) {
    const elapsedMs = round(task, calls);
    if (elapsedMs >= ROUND_MS) break;
    calls = Math.ceil(calls * Math.min(10, 1.2 * ROUND_MS / Math.max(elapsedMs, 0.001)));
  }
  let best = Infinity;
  for (let i = 0; i < ROUNDS; i++) best = Math.min(best, round(task, calls));
  return best * 1e6 / calls;
}

function round(task: () => void, calls: number): number {
  const startedAt = performance.now();
  for (let i = 0; i < calls; i++) task();
  return performance.now() - startedAt;
}

/** The same for a task that is over when its promise resolves, divided by the `items` that one call does. */
export async function timeAsync(items: number, task: () => Promise<unknown>): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < ROUNDS; i++) {
    const startedAt = performance.now();
    let calls = 0;
    while (performance.now() - startedAt < ROUND_MS) {
      await task();
      calls++;
    }
    best = Math.min(best, (performance.now() - startedAt) / calls);
  }
  return best * 1e6 / items;
}
