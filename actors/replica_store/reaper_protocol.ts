/**
 * What a replica store is asked about tombstones, and about how far it can be relied on; who asks what, and when, is
 * decided in `actors/repair/collector.ts` and `actors/repair/regression.ts`.
 *
 * @module
 */

import type { Ring } from "../ring_manager/ring.ts";
import type { Placement } from "./protocol.ts";

/** Keys of partitions. */
export type Graves = readonly { readonly partition: number; readonly keys: readonly Uint8Array[] }[];

/** A key, and the hash of the tombstones under it, as `encodeHash` has it. */
export interface Grave {
  /** The key. */
  readonly key: Uint8Array;
  /** The hash. */
  readonly hash: Uint8Array;
}

/** Asks to remove keys that are still what they were; the epoch is just that of the ring. */
export interface Reap extends Placement {
  /** The keys. */
  readonly graves: readonly Grave[];
}

/** What is held under keys, each hash as `encodeHash` has it; null for what is no mere tombstone. */
export interface Hashes {
  /** Whether this copy is one to agree with. */
  readonly ok: boolean;
  /** One for each key asked about. */
  readonly hashes: readonly (Uint8Array | null)[];
}

/** Hashes that could not be had. */
export const NO_HASHES: Hashes = { ok: false, hashes: [] };

/** How far a store can be relied on, for an owner whose own copy cannot be. */
export interface Standing {
  /** Whether what is missing may have been acknowledged: a disk lost something, not merely its last, torn record. */
  readonly isSerious: boolean;
  /** Partitions that are not whole. */
  readonly notWhole: readonly number[];
  /** The collection epoch it has sealed. */
  readonly sealed: number;
}

/** What a round of collection has to know of a store. */
export interface StoreLife {
  /** Another one after every start and every loss. */
  readonly life: string;
  /** Whether it holds everything, and can be written. */
  readonly isWell: boolean;
  /** Keys that hold nothing but tombstones, as far as they are known. */
  readonly tombstones: number;
}

/** Messages of the replica store about tombstones. */
export type ReaperProtocol = {
  /** What has to be known before a round, and has to be the same all through it. Local only. */
  life: [Record<never, never>, StoreLife];
  /** Some keys that hold nothing but tombstones. Local only. */
  graves: [{ most: number }, Graves];
  /** What is held under keys, once it is durable. */
  hashes: [Placement & { keys: readonly Uint8Array[] }, Hashes];
  /** Remove keys. */
  reap: [Reap, { removed: number }];
  /** How far this store can be relied on. */
  standing: [Record<never, never>, Standing];
  /** Copies that may be older than they should be. Local only. */
  suspects: [Record<never, never>, { ring: Ring; partitions: readonly number[] }];
  /** What becomes of one of them. Local only. */
  resolve: [{ partition: number; isRebuilt: boolean }, void];
};
