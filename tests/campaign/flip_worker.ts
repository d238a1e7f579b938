/**
 * A worker of the flip campaign: flips stretches of bits as it is told.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { Bench } from "./flip_campaign.ts";

/** What it is told: bits of an exhibit, from one on to another. */
export interface Stretch {
  /** Which exhibit. */
  readonly name: string;
  /** The first. */
  readonly from: number;
  /** The first that is no more of it. */
  readonly to: number;
}

const benches = new Map<string, Promise<Bench>>();

self.onmessage = async ({ data: { name, from, to } }: MessageEvent<Stretch>) => {
  if (!benches.has(name)) benches.set(name, Bench.prepare(name));
  const bench = await benches.get(name)!;
  self.postMessage(await bench.flip(Array.from({ length: to - from }, (_, i) => from + i)));
};
