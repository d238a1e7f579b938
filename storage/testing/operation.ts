/**
 * What can be done to a store, and to the machine it is on: the words that stories are made of.
 *
 * @module
 */

import fc from "fast-check";

/** A change, in small numbers: partition, key, bytes of the record (null: remove). */
export interface SmallChange {
  /** The partition. */
  readonly p: number;
  /** The key; see {@link keyOf}. */
  readonly k: number;
  /** Bytes of the record, four less than it has; null removes the key. */
  readonly size: number | null;
}

/** What can be wrong with a disk: chances of a call to fail, or to do only a part. */
export type Affliction = "readErrorRate" | "writeErrorRate" | "shortWriteRate" | "syncErrorRate";

/** Something done to a store. */
export type StoreOperation =
  | { readonly kind: "write"; readonly changes: readonly SmallChange[] }
  | { readonly kind: "drop"; readonly p: number }
  /** One page of a scan that is resumed where it was left, and changes before it is there. */
  | {
    readonly kind: "scan";
    readonly p: number;
    readonly limit: number;
    readonly during: readonly SmallChange[];
  }
  /** Compare all of it with its twin. */
  | { readonly kind: "look" }
  | { readonly kind: "verify" }
  /** Wait for all that was begun. */
  | { readonly kind: "pause" }
  | { readonly kind: "sync" }
  /** Begin to compact; a pause waits for the end of it. */
  | { readonly kind: "compact" }
  /** Begin to make a copy, and look into it when it is there. */
  | { readonly kind: "copy" }
  | { readonly kind: "reopen" };

/** Something that befalls the machine. */
export type MachineOperation =
  /** The process ends; the disk shows what was written. */
  | { readonly kind: "kill" }
  /** The power goes now, or instead of the `change`-th change of the disk from now on (1: the next). */
  | { readonly kind: "power"; readonly change: number }
  | { readonly kind: "afflict"; readonly affliction: Affliction; readonly rate: number }
  /** No more than so many bytes fit the disk from now on. */
  | { readonly kind: "fill"; readonly room: number }
  /** The disk is whole and has space again, and some time passes. */
  | { readonly kind: "heal" };

/** Something that happens in a story. */
export type Operation = StoreOperation | MachineOperation;

/** How much likelier than others a kind of operation is. */
type Weights = Readonly<Record<Operation["kind"], number>>;

const partition = fc.constantFrom(0, 1, 65535);
const size = fc.oneof(
  { weight: 10, arbitrary: fc.nat(300) },
  { weight: 6, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.integer({ min: 1500, max: 5000 }) },
);
const change: fc.Arbitrary<SmallChange> = fc.record({ p: partition, k: fc.nat(12), size });
const changes = fc.array(change, { minLength: 1, maxLength: 4 });
const rate = fc.constantFrom(1, 0.3, 0.05);

function just<const T>(value: T): fc.Arbitrary<T> {
  return fc.constant(value);
}

const ARBITRARIES: { readonly [K in Operation["kind"]]: fc.Arbitrary<Operation & { kind: K }> } = {
  write: fc.record({ kind: just("write"), changes }),
  drop: fc.record({ kind: just("drop"), p: partition }),
  scan: fc.record({
    kind: just("scan"),
    p: partition,
    limit: fc.integer({ min: 1, max: 5 }),
    during: fc.array(change, { maxLength: 2 }),
  }),
  look: just({ kind: "look" }),
  verify: just({ kind: "verify" }),
  pause: just({ kind: "pause" }),
  sync: just({ kind: "sync" }),
  compact: just({ kind: "compact" }),
  copy: just({ kind: "copy" }),
  reopen: just({ kind: "reopen" }),
  kill: just({ kind: "kill" }),
  power: fc.record({ kind: just("power"), change: fc.integer({ min: 0, max: 60 }) }),
  afflict: fc.record({
    kind: just("afflict"),
    affliction: fc.constantFrom<Affliction>(
      "readErrorRate",
      "writeErrorRate",
      "shortWriteRate",
      "syncErrorRate",
    ),
    rate,
  }),
  fill: fc.record({ kind: just("fill"), room: fc.nat(2000) }),
  heal: just({ kind: "heal" }),
};

const CALM: Weights = {
  write: 24,
  drop: 1,
  scan: 6,
  look: 4,
  verify: 1,
  pause: 6,
  sync: 1,
  compact: 2,
  copy: 1,
  reopen: 2,
  kill: 0,
  power: 0,
  afflict: 0,
  fill: 0,
  heal: 0,
};

function anyOf(weights: Weights): fc.Arbitrary<Operation> {
  const kinds = Object.entries(weights) as [Operation["kind"], number][];
  return fc.oneof(
    ...kinds.filter(([, weight]) => weight > 0).map(([kind, weight]) => {
      return { weight, arbitrary: ARBITRARIES[kind] as fc.Arbitrary<Operation> };
    }),
  );
}

/** What can happen on a machine that works. */
export const calmOperation: fc.Arbitrary<Operation> = anyOf(CALM);
/** The same, and the process or the power may go at any time. */
export const mortalOperation: fc.Arbitrary<Operation> = anyOf({ ...CALM, kill: 2, power: 3 });
/** All that can happen. */
export const anyOperation: fc.Arbitrary<Operation> = anyOf({
  ...CALM,
  kill: 2,
  power: 3,
  afflict: 3,
  fill: 2,
  heal: 4,
});

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
