/**
 * All bits of some exhibits, over all cores.
 *
 * @module
 */

import { addFlips, Bench, type FlipTotals, noFlips } from "./flip_campaign.ts";
import type { Stretch } from "./flip_worker.ts";

/** Bits that a worker flips before it reports. */
const STRETCH_BITS = 1_024;

/** What is to be flipped. */
export interface FlipOptions {
  /** Which exhibits. */
  readonly names: readonly string[];
  /** At most so many bits of each, spread evenly in stretches; default: all. */
  readonly bits?: number;
  /** How many workers. */
  readonly workers: number;
  /** Hears how much is done, 0 to 1. */
  readonly onProgress?: (share: number, flips: number) => void;
}

/** Flip them. */
export async function flipAll(
  { names, bits = Infinity, workers, onProgress = () => {} }: FlipOptions,
): Promise<
  Map<string, FlipTotals>
> {
  const totals = new Map(names.map((name) => [name, noFlips()]));
  const stretches: Stretch[] = [];
  for (const name of names) stretches.push(...stretchesOf(name, (await Bench.prepare(name)).bits, bits));
  let [next, done, flips] = [0, 0, 0];
  await Promise.all(Array.from({ length: Math.min(workers, stretches.length) }, async () => {
    const worker = new Worker(new URL("./flip_worker.ts", import.meta.url), { type: "module" });
    try {
      for (let stretch = stretches[next++]; stretch; stretch = stretches[next++]) {
        const some = await work(worker, stretch);
        addFlips(totals.get(stretch.name)!, some);
        flips += some.flips;
        onProgress(++done / stretches.length, flips);
      }
    } finally {
      worker.terminate();
    }
  }));
  return totals;
}

/** All of a file, or as much of it as is wanted, from everywhere. */
function stretchesOf(name: string, all: number, wanted: number): Stretch[] {
  const total = Math.ceil(all / STRETCH_BITS);
  const count = Math.min(total, Math.max(1, Math.floor(wanted / STRETCH_BITS)));
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor(i * total / count) * STRETCH_BITS;
    return { name, from, to: Math.min(all, from + Math.min(wanted, STRETCH_BITS)) };
  });
}

function work(worker: Worker, stretch: Stretch): Promise<FlipTotals> {
  const { promise, resolve, reject } = Promise.withResolvers<FlipTotals>();
  worker.onmessage = ({ data }: MessageEvent<FlipTotals>) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`${JSON.stringify(stretch)}: ${event.message}`));
  };
  worker.postMessage(stretch);
  return promise;
}
