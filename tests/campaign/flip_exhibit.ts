/**
 * Files to flip bits in, and what a store made of them must then show.
 *
 * @module
 */

import { equalBytes, fromHex, toHex } from "../../actors/runtime/bytes.ts";
import { SimulatedRandom } from "../../actors/simulated/random.ts";
import { openBitcaskEngine } from "../../storage/bitcask/engine.ts";
import {
  type Change,
  type Damage,
  type Engine,
  EngineError,
  type ScanOptions,
  type ScanPage,
} from "../../storage/engine.ts";
import { openJournal } from "../../storage/journal.ts";
import { openLsmEngine } from "../../storage/lsm/engine.ts";
import { openMemoryEngine } from "../../storage/memory/engine.ts";
import { openNodeJournal } from "../../storage/node_journal.ts";
import type { Place } from "../../storage/testing/subject.ts";
import { type Files, MemoryDisk } from "./memory_disk.ts";
import { timeless } from "./timeless.ts";

/** What was looked at, and whether it can be told from others. */
export interface Seen {
  /** Why the store did not open, null when it did. */
  readonly refusal: EngineError | null;
  /** Which store it says it is. */
  readonly id: string | null;
  /** What opening reported. */
  readonly damageAtOpen: readonly Damage[];
  /** What each name shows, of those that were ever written and those that a scan came upon. */
  readonly values: ReadonlyMap<string, Uint8Array | null | EngineError>;
  /** What verifying reported. */
  readonly damage: readonly Damage[];
  /** Warnings and errors logged. */
  readonly troubles: number;
}

/** What was written to a store. */
export class Truth {
  /** By name, everything ever written; the last is what it holds. */
  readonly written: Map<string, (Uint8Array | null)[]> = new Map();
  /** Names in what was written last. */
  last: ReadonlySet<string> = new Set();

  #places: { readonly name: string; readonly partition: number; readonly key: Uint8Array }[] | null = null;

  /** Where the names of an engine's keys are. */
  places(): readonly { readonly name: string; readonly partition: number; readonly key: Uint8Array }[] {
    return this.#places ??= [...this.written.keys()].map((name) => {
      const [partition, hex] = name.split("/");
      return { name, partition: Number(partition), key: fromHex(hex!)! };
    });
  }

  /** Something was written, in one go. */
  write(changes: readonly (readonly [name: string, value: Uint8Array | null])[]): void {
    for (const [name, value] of changes) this.written.set(name, [...this.written.get(name) ?? [null], value]);
    this.last = new Set(changes.map(([name]) => name));
  }
}

/** See the module. */
export interface Exhibit {
  /** Whose file of what kind. */
  readonly name: string;
  /** All files. */
  readonly files: Files;
  /** The one to flip bits in. */
  readonly path: string;
  /** What is in them. */
  readonly truth: Truth;
  /** Make a store of files and look at everything in it; the files stay as they are. */
  look(files: Files, truth: Truth): Promise<Seen>;
}

/** How an exhibit is made: a name, options for the engine, and sizes that make its file about 64 KiB. */
interface Recipe {
  readonly open: (place: Place) => Promise<Engine>;
  /** The file, among those that there are in the end: the largest of these. */
  readonly file: RegExp;
  readonly keys: number;
  readonly keyBytes: number;
  readonly recordBytes: number;
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
  reserveBytes: 0,
} as const;

const RECIPES: Readonly<Record<string, Recipe>> = {
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

/** The names of all exhibits. */
export const EXHIBITS: readonly string[] = [...Object.keys(RECIPES), "node: journal"];

/** Make one; always the same. */
export async function exhibit(name: string): Promise<Exhibit> {
  return name === "node: journal" ? await nodeJournal(name) : await engineFile(name, RECIPES[name]!);
}

async function engineFile(name: string, recipe: Recipe): Promise<Exhibit> {
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

/** The path of the largest file of a kind. */
function largest(files: Files, kind: RegExp): string {
  const paths = [...files.keys()].filter((path) => kind.test(path) && files.get(path));
  return paths.sort((a, b) => files.get(b)!.length - files.get(a)!.length)[0]!;
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

function refused(error: unknown, troubles: number): Seen {
  if (!(error instanceof EngineError)) throw error;
  return { refusal: error, id: null, damageAtOpen: [], values: new Map(), damage: [], troubles };
}

async function attempt<T>(task: () => T | Promise<T>): Promise<T | EngineError> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
}

/** What a scan shows that gets have not shown counts, too: a scan that disagrees with them changes what was seen. */
async function scanInto(
  values: Map<string, Uint8Array | null | EngineError>,
  engine: Engine,
  partition: number,
): Promise<void> {
  let after: Uint8Array | undefined;
  const missed = new Set([...values.keys()].filter((name) => name.startsWith(`${partition}/`)));
  for (;;) {
    const options: ScanOptions = { partition, limit: 1000, limitBytes: Infinity, ...(after && { after }) };
    const page: ScanPage | EngineError = await attempt(() => engine.scan(options));
    if (page instanceof EngineError) return void values.set(`${partition}/scan`, page);
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

// --- the node's own journal -----------------------------------------------------------------------------------

const FACTS = 40;

async function nodeJournal(name: string): Promise<Exhibit> {
  const disk = new MemoryDisk();
  const truth = new Truth();
  const random = new SimulatedRandom(name);
  const journal = await openNodeJournal(timeless(disk, DIRECTORY));
  truth.write([["identity", fromHex(journal.identity)!]]);
  for (let n = 0; n < 250; n++) {
    const fact = [`fact-${random.integer(FACTS)}`, random.bytes(100 + random.integer(200))] as const;
    await journal.set(...fact);
    truth.write([fact]);
  }
  await journal.close();
  const files = disk.snapshot();
  return { name, files, path: largest(files, /\.log$/), truth, look: lookAtJournal };
}

async function lookAtJournal(files: Files, truth: Truth): Promise<Seen> {
  let troubles = 0;
  try {
    const doubts = [["doubt", Uint8Array.of(1)]] as const;
    const place = timeless(new MemoryDisk(files), DIRECTORY, () => troubles++);
    const journal = await openNodeJournal({ ...place, doubts });
    const values = new Map([...truth.written.keys()].map((name) => [name, journal.get(name)]));
    values.set("identity", fromHex(journal.identity));
    const { damageAtOpen } = journal;
    await journal.close().catch(() => {});
    const damage = damageAtOpen.length > 0 ? [] : await verifyFacts(files);
    // Doubts are what a store's id is elsewhere: they tell that it is not what it was.
    const id = journal.get("doubt") ? null : journal.identity;
    return { refusal: null, id, damageAtOpen, values, damage, troubles };
  } catch (error) {
    return refused(error, troubles);
  }
}

/** The journal as a journal. */
async function verifyFacts(files: Files): Promise<readonly Damage[]> {
  const options = { ...timeless(new MemoryDisk(files), DIRECTORY), sync: "always" } as const;
  const journal = await openJournal(options, () => true);
  const damage = await journal.verify();
  await journal.close();
  return damage;
}
