/**
 * What is judged, where, and what is done to it.
 *
 * @module
 */

import fc from "fast-check";
import type { Environment } from "../../actors/runtime/environment.ts";
import type { Engine } from "../engine.ts";

/** Where an engine is opened. */
export interface Place extends Environment {
  /** Its directory. */
  readonly directory: string;
}

/** An engine to judge. */
export interface Subject {
  /** For test names. */
  readonly name: string;
  /** False: `count`, and keys and live bytes of `stats`, may count a key that was overwritten more than once. */
  readonly exactCounts?: boolean;
  /** Open it, syncing always. Small segments make a short test do more. */
  open(place: Place): Promise<Engine>;
}

/** A machine to judge it on. */
export interface World {
  /** The environment of the running process and an empty directory, the same on every call. */
  place(): Place;
  /** Let time pass until a promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
}

/** A machine that fails on demand. After its process has ended, {@link World.place} is in a new one. */
export interface FaultyWorld extends World {
  /** Let time pass until a promise settles (true) or the process ends (false). */
  survives(promise: Promise<void>): Promise<boolean>;
  /** Let time pass. */
  runFor(ms: number): Promise<void>;
  /** The power goes instead of the `count`-th change of the disk from now on (1: the next one). */
  crashAt(count: number): void;
  /** Changes of the disk so far. */
  changes(): number;
  /** The process ends; the disk shows what was written. */
  kill(): void;
  /** The power goes, now. */
  crash(): void;
  /** Bytes in files. */
  usedBytes(): number;
  /** What the disk does. */
  readonly faults: {
    /** Chance of a sync to fail. */
    syncErrorRate: number;
    /** Chance of a write to fail. */
    writeErrorRate: number;
    /** Chance of a write to be short. */
    shortWriteRate: number;
    /** Bytes that fit. */
    capacityBytes: number;
    /** Whether every change fails. */
    readOnly: boolean;
  };
}

/** A check of an engine in a world. */
export type Check<W extends World> = (subject: Subject, newWorld: (seed: number) => W) => Promise<void>;

/** Something done to a store. Keys and values are small numbers. */
export type Operation =
  | { readonly kind: "write"; readonly changes: readonly { p: number; k: number; size: number | null }[] }
  | { readonly kind: "drop"; readonly p: number }
  | { readonly kind: "pause" }
  | { readonly kind: "reopen" };

const change = fc.record({
  p: fc.constantFrom(0, 1, 65535),
  k: fc.nat(12),
  size: fc.oneof({ weight: 5, arbitrary: fc.nat(300) }, { weight: 3, arbitrary: fc.constant(null) }),
});
/** Any {@link Operation}. */
export const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      changes: fc.array(change, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop" as const), p: fc.constantFrom(0, 1) }) },
  { weight: 4, arbitrary: fc.constant({ kind: "pause" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
);

/** Keys of several lengths, some a prefix of others, some with bytes past 127. */
export function keyOf(k: number): Uint8Array {
  return new Uint8Array(1 + k % 4).fill(60 * (k % 5)).with(0, 17 * k);
}

/** A record that no other write has. */
export function recordOf(serial: number, size: number): Uint8Array {
  const record = new Uint8Array(size + 4).fill(serial);
  new DataView(record.buffer).setUint32(0, serial);
  return record;
}
