/**
 * An LSM tree in which everything happens after a few writes: flushes, compactions of several levels, blocks of few
 * keys.
 *
 * @module
 */

import type { LsmSettings } from "../options.ts";

/** Settings for tests, with `sync`. */
export const TINY: LsmSettings & { readonly sync: "always"; readonly segmentBytes: number } = {
  sync: "always",
  segmentBytes: 2048,
  memtableBytes: 512,
  waitingBytes: 1 << 26,
  blockBytes: 256,
  tableBytes: 512,
  levelBytes: 512,
  level0Tables: 2,
  level0MaxTables: 20,
  cacheBytes: 4096,
  openTables: 3,
  compressFrom: 2,
  reserveBytes: 512,
  manifestBytes: 16 * 1024,
  sliceBytes: 512,
};
