/**
 * What an LSM engine can be told, and what it does unless told.
 *
 * @module
 */

import type { Pace } from "../engine.ts";
import type { JournalOptions } from "../journal/options.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** What an LSM engine needs; spread an `Environment` into it. Sizes are bytes. */
export interface LsmOptions extends JournalOptions, Partial<LsmSettings> {
  /** How fast it may compact while nothing presses. Default: as fast as it goes. */
  readonly pace?: Pace;
}

/** What can be set; see {@link DEFAULTS} for the reasons. */
export interface LsmSettings {
  /** A memtable is full when so much was written to it. */
  readonly memtableBytes: number;
  /** Memtables that wait to be flushed may add up to so much; past it a write is answered `overloaded`. */
  readonly waitingBytes: number;
  /** A data block. */
  readonly blockBytes: number;
  /** A table that compaction makes ends about here. */
  readonly tableBytes: number;
  /** What level 1 may hold; each deeper level ten times as much. */
  readonly levelBytes: number;
  /** So many tables of level 0 are compacted. */
  readonly level0Tables: number;
  /** At so many tables of level 0 a write is answered `overloaded`. */
  readonly level0MaxTables: number;
  /** The block cache. */
  readonly cacheBytes: number;
  /** Tables whose index, filter and file are kept at hand. */
  readonly openTables: number;
  /** Levels from this one on are compressed; a number past the last level: none. */
  readonly compressFrom: number;
  /** Kept for a full disk, so that what is under way can be finished. */
  readonly reserveBytes: number;
  /** Edits in the manifest may take so much, or four times what the present version takes as one. */
  readonly manifestBytes: number;
  /** Flushing and compacting pause after so many bytes. */
  readonly sliceBytes: number;
}

/** What an engine does unless told. */
export const DEFAULTS: LsmSettings = {
  /** A quarter of a million small objects: the fewer flushes, the less is merged twice. */
  memtableBytes: 32 * MIB,
  /** Three more memtables than the one that takes writes. */
  waitingBytes: 128 * MIB,
  /** One read of the disk's cache; what a point read has to verify. */
  blockBytes: 4 * KIB,
  /** What compacting one table rewrites at least. */
  tableBytes: 8 * MIB,
  /** As much as level 0 brings at once: then each byte of level 1 is rewritten once for each new one. */
  levelBytes: 128 * MIB,
  /** Each of them is looked into by a read. */
  level0Tables: 4,
  /** Reads have become slower by then, and a gibibyte is owed. */
  level0MaxTables: 20,
  cacheBytes: 32 * MIB,
  /** At 8 MiB each, 4 GiB of the store, for some 100 KiB of memory each. */
  openTables: 512,
  /** Decompressing a block takes ten times as long as reading it: not before it saves gigabytes. */
  compressFrom: 3,
  reserveBytes: 4 * MIB,
  /** Some thirty edits: what an opening reads. */
  manifestBytes: 128 * KIB,
  /** About a millisecond of work. */
  sliceBytes: 128 * KIB,
};
