/**
 * The engines, with everything made so small that a few writes go through all of their machinery.
 *
 * @module
 */

import { openBitcaskEngine } from "../bitcask/engine.ts";
import { openLsmEngine } from "../lsm/engine.ts";
import { TINY } from "../lsm/testing/tiny.ts";
import { openMemoryEngine } from "../memory/engine.ts";
import type { Subject } from "./subject.ts";

/** Small segments, so that a few writes fill several and cleaning has something to do. */
const SMALL = { segmentBytes: 2048, deadBytes: 1024, sync: "always" } as const;

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
    open: (place) => openLsmEngine({ ...place, ...TINY, manifestBytes: 4096 }),
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
