/**
 * What replicas of a partition ask each other to find out where they differ, and to make it good; who asks what, and
 * when, is decided in `actors/repair/exchange.ts`.
 *
 * Every question names the epoch of the ring it goes by. Whoever knows a newer one, or does not own the partition under
 * its own, gives nothing: an answer would vouch for the wrong owners. `ok` is false also while a disk fails to read. A
 * poisoned store still gives what it has, but says nothing of whole partitions and takes nothing.
 *
 * @module
 */

import type { Cut } from "../repair/hash_tree.ts";
import type { PartitionEntry, Placement } from "./protocol.ts";

/** Most partitions in one {@link TreeProtocol.treeRoots}, and most cuts in one {@link TreeProtocol.treeDigests}. */
export const TREE_ITEMS = 1024;

/** Keys of a partition after one place, and up to another. */
export interface Stretch extends Placement {
  /** Only keys after this one; null: from the first. */
  readonly after: Cut;
  /** None after this one; null: to the last. */
  readonly upTo: Cut;
}

/** Digests, each as `encodeDigest` has it; null: not known, or not comparable. */
export interface Digests {
  /** Whether there are any. */
  readonly ok: boolean;
  /** One for each thing asked about. */
  readonly digests: readonly (Uint8Array | null)[];
}

/** Digests of a stretch cut in pieces. */
export interface CutDigests extends Digests {
  /** Where pieces begin and end: one more than there are digests. */
  readonly cuts: readonly Cut[];
}

/** A page of the keys of a stretch, in order. */
export interface KeyPage {
  /** Whether it could be read. */
  readonly ok: boolean;
  /** Keys and the hashes of what is under them, each as `encodeHash` has it. */
  readonly keys: readonly { readonly key: Uint8Array; readonly hash: Uint8Array }[];
  /** Where to go on: after this key; null when nothing follows in the stretch. */
  readonly next: Uint8Array | null;
  /** Whether something damaged was left out. */
  readonly isDamaged: boolean;
}

/** Objects of the first so many of the keys asked for. */
export interface Objects {
  /** Whether they could be read. */
  readonly ok: boolean;
  /** What is there. */
  readonly entries: readonly PartitionEntry[];
  /** How many keys this answers; the rest is to be asked again. */
  readonly done: number;
}

/**
 * What became of objects that were to be merged. `busy`: nothing, for those before them are not durable yet; ask
 * again. `refused`: not all of them could be taken.
 */
export type MergeAnswer = "taken" | "busy" | "refused";

/** An answer that could not be had. */
export const NO_DIGESTS: Digests = { ok: false, digests: [] };
/** See {@link NO_DIGESTS}. */
export const NO_PIECES: CutDigests = { ok: false, digests: [], cuts: [] };
/** See {@link NO_DIGESTS}. */
export const NO_KEYS: KeyPage = { ok: false, keys: [], next: null, isDamaged: false };
/** See {@link NO_DIGESTS}. */
export const NO_OBJECTS: Objects = { ok: false, entries: [], done: 0 };

/** Messages of the replica store about its hash trees. */
export type TreeProtocol = {
  /** Digests of whole partitions; null for one that is not known or not owned here. */
  treeRoots: [{ epoch: number; partitions: readonly number[] }, Digests];
  /** Divide a stretch into at most `most` pieces. Local only. */
  treePieces: [Stretch & { most: number }, CutDigests];
  /** What lies between these cuts; null beside one that is none here. */
  treeDigests: [Placement & { cuts: readonly Cut[] }, Digests];
  /** Which keys there are, and what of. */
  treeKeys: [Stretch, KeyPage];
  /** What is held under keys. */
  treeObjects: [Placement & { keys: readonly Uint8Array[] }, Objects];
  /** Merge objects into what is held. */
  treeMerge: [Placement & { entries: readonly PartitionEntry[] }, MergeAnswer];
  /** Survey a little of what is not known. Own timer. */
  survey: [Record<never, never>, void];
};

/** What a store says of its trees, for `status`. */
export interface TreeStatus {
  /** Partitions whose tree is still being made of what is there. */
  readonly unknown: number;
  /** Leaves of all trees. */
  readonly leaves: number;
  /** How often a tree was found to differ from what it stands for, where nothing was damaged: a bug. */
  readonly wrong: number;
}
