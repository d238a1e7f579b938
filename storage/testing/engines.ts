/**
 * The engines, with everything made so small that a few writes go through all of their machinery.
 *
 * @module
 */

import { openBitcaskEngine } from "../bitcask/engine.ts";
import { openLsmEngine } from "../lsm/engine.ts";
import { openMemoryEngine } from "../memory/engine.ts";
import type { Subject } from "./subject.ts";

/** Small segments, so that a few writes fill several and cleaning has something to do. */
const SMALL = { segmentBytes: 2048, deadBytes: 1024, sync: "always" } as const;

/** Everything of an LSM tree happens after a few writes: flushes, compactions of several levels, blocks of few keys. */
const TINY = {
  sync: "always",
  segmentBytes: 2048,
  memtableBytes: 1024,
  waitingBytes: 1 << 20,
  blockBytes: 256,
  tableBytes: 1024,
  levelBytes: 2048,
  level0Tables: 2,
  cacheBytes: 4096,
  openTables: 3,
  compressFrom: 2,
  reserveBytes: 512,
  sliceBytes: 512,
} as const;

/** The engines, by name. */
export const ENGINES: Readonly<Record<"memory" | "bitcask" | "lsm", Subject>> = {
  memory: {
    name: "memory",
    open: (place) => openMemoryEngine({ ...place, ...SMALL }),
    files: { segment: /\.log(\.tmp)?$/ },
  },
  bitcask: {
    name: "bitcask",
    open: (place) => openBitcaskEngine({ ...place, ...SMALL }),
    files: { segment: /\.log(\.tmp)?$/, hint: /\.hint(\.tmp)?$/ },
  },
  lsm: {
    name: "lsm",
    exactCounts: false,
    open: (place) => openLsmEngine({ ...place, ...TINY }),
    files: {
      log: /\/wal\/.*\.log(\.tmp)?$/,
      table: /\.sst(\.tmp)?$/,
      manifest: /\/manifest\/0+1\.log(\.tmp)?$/,
      "rewritten manifest": /\/manifest\/(?!0+1\.).*\.log(\.tmp)?$/,
    },
  },
};

/** Their names. */
export type EngineName = keyof typeof ENGINES;
