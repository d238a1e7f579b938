/**
 * Files of the engines.
 *
 * @module
 */

import { equalBytes, toHex } from "../../actors/runtime/bytes.ts";
import { SimulatedRandom } from "../../actors/simulated/random.ts";
import { openBitcaskEngine } from "../../storage/bitcask/engine.ts";
import {
  type Change,
  type Engine,
  EngineError,
  type ScanOptions,
  type ScanPage,
} from "../../storage/engine.ts";
import { openLsmEngine } from "../../storage/lsm/engine.ts";
import { openMemoryEngine } from "../../storage/memory/engine.ts";
import type { Place } from "../../storage/testing/subject.ts";
import { type Exhibit, largest, refused, type Seen, Truth } from "./flip_exhibit.ts";
import { type Files, MemoryDisk } from "./memory_disk.ts";
import { timeless } from "./timeless.ts";

/** How an exhibit is made; the sizes make its file about 64 KiB. */
export interface Recipe {
  /** Whose it is. */
  readonly open: (place: Place) => Promise<Engine>;
  /** The file, among those that there are in the end: the largest of these. */
  readonly file: RegExp;
  /** Different keys. */
  readonly keys: number;
  /** Bytes of each. */
  readonly keyBytes: number;
  /** Bytes of a record, about. */
  readonly recordBytes: number;
  /** Batches of one or two changes. */
  readonly batches: number;
  /** Compact after every so many batches. */
  readonly compactEvery?: number;
  /** The files as they are before the store is closed. */
  readonly isUnclosed?: true;
}

const KIB = 1024;
const DIRECTORY = "store";
const LSM = {
  sync: "always",
  segmentBytes: 128 * KIB,
  memtableBytes: 96 * KIB,
  tableBytes: 80 * KIB,
  cacheBytes: 256 * KIB,
  reserveBytes: 0,
} as const;

/** By name: whose file of what kind. */
export const RECIPES: Readonly<Record<string, Recipe>> = {
  "memory: segment": {
    open: (place) => openMemoryEngine({ ...place, sync: "always" }),
    file: /\.log$/,
    ...{ keys: 100, keyBytes: 8, recordBytes: 300, batches: 130 },
  },
  "memory: segment, not closed": {
    open: (place) => openMemoryEngine({ ...place, sync: "always" }),
    file: /\.log$/,
    ...{ keys: 100, keyBytes: 8, recordBytes: 300, batches: 130, isUnclosed: true },
  },
  "bitcask: segment": {
    open: (place) => openBitcaskEngine({ ...place, sync: "always" }),
    file: /\.log$/,
    ...{ keys: 100, keyBytes: 8, recordBytes: 300, batches: 130 },
  },
  "bitcask: hint": {
    open: (place) => openBitcaskEngine({ ...place, sync: "always", segmentBytes: 100 * KIB }),
    file: /\.hint$/,
    ...{ keys: 250, keyBytes: 200, recordBytes: 100, batches: 300 },
  },
  "lsm: log": {
    open: (place) => openLsmEngine({ ...place, ...LSM }),
    file: /\/wal\/.*\.log$/,
    ...{ keys: 100, keyBytes: 8, recordBytes: 300, batches: 130 },
  },
  "lsm: table": {
    open: (place) => openLsmEngine({ ...place, ...LSM, compressFrom: 99 }),
    file: /\.sst$/,
    ...{ keys: 300, keyBytes: 8, recordBytes: 260, batches: 400, compactEvery: 400 },
  },
  "lsm: compressed table": {
    open: (place) => openLsmEngine({ ...place, ...LSM, compressFrom: 0, tableBytes: 1 << 20 }),
    file: /\.sst$/,
    ...{ keys: 500, keyBytes: 8, recordBytes: 260, batches: 700, compactEvery: 700 },
  },
  "lsm: manifest": {
    open: (place) =>
      openLsmEngine({ ...place, ...LSM, memtableBytes: 8 * KIB, level0Tables: 2, levelBytes: 16 * KIB }),
    file: /\/manifest\/.*\.log$/,
    ...{ keys: 60, keyBytes: 800, recordBytes: 20, batches: 400 },
  },
};

/** Make the exhibit of a recipe; always the same. */
export async function engineExhibit(name: string, recipe: Recipe): Promise<Exhibit> {
  const disk = new MemoryDisk();
  const truth = new Truth();
  const random = new SimulatedRandom(name);
  const engine = await recipe.open(timeless(disk, DIRECTORY));
  for (let n = 1; n <= recipe.batches; n++) {
    const changes = Array.from({ length: 1 + random.integer(2) }, (): Change => {
      const k = random.integer(recipe.keys);
      const key = new SimulatedRandom(`${name}/${k}`).bytes(recipe.keyBytes);
      // Half of it repeats, that it can be compressed.
      const record = random.bytes(recipe.recordBytes / 2 + random.integer(20));
      return {
        partition: k % 3,
        key,
        record: random.chance(0.1) ? null : new Uint8Array([...record, ...record]),
      };
    });
    await engine.write(changes);
    truth.write(changes.map(({ partition, key, record }) => [`${partition}/${toHex(key)}`, record]));
    if (recipe.compactEvery && n % recipe.compactEvery === 0) await engine.compact();
  }
  const unclosed = disk.snapshot();
  await engine.close();
  const files = recipe.isUnclosed ? unclosed : disk.snapshot();
  return {
    name,
    files,
    path: largest(files, recipe.file),
    truth,
    look: (files) => lookAt(files, truth, recipe.open),
  };
}

async function lookAt(files: Files, truth: Truth, open: Recipe["open"]): Promise<Seen> {
  const values = new Map<string, Uint8Array | null | EngineError>();
  let troubles = 0;
  let engine: Engine;
  try {
    engine = await open(timeless(new MemoryDisk(files), DIRECTORY, () => troubles++));
  } catch (error) {
    return refused(error, troubles);
  }
  for (const { name, partition, key } of truth.places()) {
    values.set(name, await attempt(() => engine.get(partition, key)));
  }
  for (const partition of [0, 1, 2]) await scanInto(values, engine, partition);
  const { storeId: id, damageAtOpen } = engine;
  // What has shown itself already need not be looked for.
  const isSeen = damageAtOpen.length > 0 || [...values.values()].some((value) => value instanceof Error);
  const damage = isSeen ? [] : await engine.verify();
  await engine.close().catch(() => {});
  return { refusal: null, id, damageAtOpen, values, damage, troubles };
}

async function attempt<T>(task: () => T | Promise<T>): Promise<T | EngineError> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
}

/**
 * What a scan shows that gets have not shown counts, too: a scan that disagrees with them changes what was seen. One
 * that fails is begun again, leaving out what is damaged.
 */
async function scanInto(
  values: Map<string, Uint8Array | null | EngineError>,
  engine: Engine,
  partition: number,
): Promise<void> {
  let after: Uint8Array | undefined;
  const missed = new Set([...values.keys()].filter((name) => name.startsWith(`${partition}/`)));
  let lenient = {};
  for (;;) {
    const bounds = { partition, limit: 1000, limitBytes: Infinity, ...(after && { after }) };
    const options: ScanOptions = { ...bounds, ...lenient };
    const page: ScanPage | EngineError = await attempt(() => engine.scan(options));
    if (page instanceof EngineError) {
      values.set(`${partition}/scan`, page);
      if ("onDamaged" in lenient) return;
      lenient = { onDamaged: () => missed.clear() };
      after = undefined;
      continue;
    }
    for (const { key, record } of page.entries) {
      const name = `${partition}/${toHex(key)}`;
      missed.delete(name);
      const got = values.get(name);
      if (!(got instanceof Uint8Array) || !equalBytes(got, record)) values.set(name, record);
    }
    if (page.done) break;
    after = page.entries.at(-1)!.key;
  }
  // A scan that leaves out what can be got is as bad as a get that finds nothing.
  for (const name of missed) if (values.get(name) instanceof Uint8Array) values.set(name, null);
}
