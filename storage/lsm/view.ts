/**
 * What a store holds, at one moment: memtables, the youngest first, and below them the tables of a version.
 *
 * A read asks one source after the other, the youngest first, and the first that has anything to say of the key is
 * right. A scan merges all of them. Neither ever waits, so nothing changes meanwhile.
 *
 * @module
 */

import { Slab } from "../../actors/runtime/slab.ts";
import { EngineError, type Entry, type ScanOptions, type ScanPage } from "../engine.ts";
import { hashKey } from "../keys/key_table.ts";
import { filterHash } from "./bloom.ts";
import { type Cursor, REMOVED } from "./cursor.ts";
import type { Memtable } from "./memtable.ts";
import { Merge } from "./merge.ts";
import { compareKeys, PARTITION_BYTES, partitionOf, STORED_KEY_BYTES, writeStoredKey } from "./stored_key.ts";
import { type Hole, LevelCursor, TableCursor } from "./table_cursor.ts";
import type { Tables } from "./tables.ts";
import { contentsOf, firstReaching, type TableMeta, type Version } from "./version.ts";

/** A scan begins with one block, more or less. */
const FIRST_READ_BYTES = 4096;

/** Scratch: the key that is looked for. */
const wanted = new Uint8Array(STORED_KEY_BYTES + 1);

/** Entries of scans, the small ones, are cut from it. */
const slab = new Slab(64 * 1024, 4096);

/** How many keys, and how many bytes of keys and records; each key once for every source that has it. */
export interface Held {
  /** Keys. */
  readonly keys: number;
  /** Bytes. */
  readonly sizeBytes: number;
}

/** What a store held when it was asked for: later writes do not show. */
export interface Snapshot {
  /** See `Engine.get`. */
  get(partition: number, key: Uint8Array): Uint8Array | null;
  /** See `Engine.scan`. */
  scan(options: ScanOptions): ScanPage;
  /** Let it go: what only it needs is removed. Releasing twice does nothing. */
  release(): void;
}

/** See the module. */
export class View {
  /** The first takes writes, in the view that is the present. */
  readonly memtables: readonly Memtable[];
  /** The tables. */
  readonly version: Version;
  readonly #tables: Tables;

  /** @param memtables the youngest first @param version older than all of them @param tables opens its tables */
  constructor(memtables: readonly Memtable[], version: Version, tables: Tables) {
    this.memtables = memtables;
    this.version = version;
    this.#tables = tables;
  }

  /** See `Engine.get`. @throws {EngineError} `corrupt`, `io` */
  get(partition: number, key: Uint8Array): Uint8Array | null {
    const hash = hashKey(key);
    for (const memtable of this.memtables) {
      const record = memtable.get(partition, hash, key);
      if (record !== undefined) return record;
    }
    const line = this.version.lineOf(partition);
    const keyBytes = writeStoredKey(wanted, partition, key);
    const ofFilter = filterHash(partition, hash);
    const { levels } = this.version;
    for (let level = 0; level < levels.length; level++) {
      const tables = levels[level]!;
      // In level 0 any table may have the key, elsewhere one at most.
      const from = level === 0 ? 0 : firstReaching(tables, wanted, keyBytes);
      const to = level === 0 ? tables.length : Math.min(from + 1, tables.length);
      for (let i = from; i < to; i++) {
        const table = tables[i]!;
        if (table.age <= line || !isWithin(table, keyBytes)) continue;
        const record = this.#tables.get(table).get(wanted, keyBytes, ofFilter);
        if (record !== undefined) return record;
      }
    }
    return null;
  }

  /** See `Engine.scan`. @throws {EngineError} `corrupt`, `io` */
  scan({ partition, after, limit, limitBytes, onDamaged }: ScanOptions): ScanPage {
    const entries: Entry[] = [];
    let sizeBytes = 0;
    const holes: Hole[] = [];
    const onHole = onDamaged ? (hole: Hole) => onDamaged(holes[holes.push(hole) - 1]!.error) : null;
    const merge = this.#seek(partition, after, onHole);
    for (let at = liveIn(merge, partition); at !== null; at = liveIn(merge, partition)) {
      if (holes.some((hole) => isHidden(at, hole)) && !this.#isShown(partition, at)) {
        merge.next();
        continue;
      }
      sizeBytes += at.keyBytes - PARTITION_BYTES + at.recordBytes;
      const isFull = entries.length === limit || entries.length > 0 && sizeBytes > limitBytes;
      if (isFull) return { entries, done: false };
      entries.push(copyOf(at));
      merge.next();
    }
    return { entries, done: true };
  }

  /** Whether a key is not in a hole after all: the filter of a damaged table may tell. What `get` shows a scan does. */
  #isShown(partition: number, { key, keyBytes }: Cursor): boolean {
    try {
      return this.get(partition, key.slice(PARTITION_BYTES, keyBytes)) !== null;
    } catch (error) {
      if (error instanceof EngineError) return false;
      throw error;
    }
  }

  /** See `Engine.partitions`. */
  partitions(): number[] {
    const candidates = new Set(this.memtables.flatMap((memtable) => memtable.partitions()));
    for (const table of this.version.tables()) {
      for (const { partition } of table.contents) candidates.add(partition);
    }
    return [...candidates].sort((a, b) => a - b).filter((partition) => this.#holds(partition));
  }

  /** What it holds of a partition, or of all, as far as that can be told without reading. */
  held(partition: number): Held {
    let keys = 0;
    let sizeBytes = 0;
    for (const memtable of this.memtables) {
      keys += memtable.count(partition);
      if (memtable.drops.has(partition)) return { keys, sizeBytes };
    }
    const line = this.version.lineOf(partition);
    for (const table of this.version.tables()) {
      const contents = table.age > line ? contentsOf(table, partition) : undefined;
      if (!contents) continue;
      keys += contents.entries - contents.removed;
      sizeBytes += contents.sizeBytes;
    }
    return { keys, sizeBytes };
  }

  /** The same of all partitions. */
  heldInAll(): Held {
    let keys = 0;
    let sizeBytes = 0;
    const hidden = new Set<number>();
    for (const memtable of this.memtables) {
      keys += memtable.keys;
      sizeBytes += memtable.liveBytes;
      for (const partition of memtable.drops) hidden.add(partition);
    }
    for (const table of this.version.tables()) {
      for (const { partition, entries, removed, sizeBytes: bytes } of table.contents) {
        if (hidden.has(partition) || table.age <= this.version.lineOf(partition)) continue;
        keys += entries - removed;
        sizeBytes += bytes;
      }
    }
    return { keys, sizeBytes };
  }

  #holds(partition: number): boolean {
    if (this.memtables.length > 0 && this.memtables[0]!.count(partition) > 0) return true;
    try {
      return liveIn(this.#seek(partition, undefined, null), partition) !== null;
    } catch (error) {
      if (error instanceof EngineError) return true; // what cannot be read is there
      throw error;
    }
  }

  /** Everything from the first key of a partition that is greater than `after`; it does not end with the partition. */
  #seek(partition: number, after: Uint8Array | undefined, onHole: ((hole: Hole) => void) | null): Merge {
    const cursors: Cursor[] = [];
    for (const memtable of this.memtables) {
      cursors.push(memtable.seek(partition, after));
      if (memtable.drops.has(partition)) return new Merge(cursors);
    }
    // The least key greater than another is that with a zero behind it.
    let keyBytes = writeStoredKey(wanted, partition, after ?? wanted.subarray(0, 0));
    if (after) wanted[keyBytes++] = 0;
    const line = this.version.lineOf(partition);
    const open = (table: TableMeta) => new TableCursor(this.#tables.get(table), FIRST_READ_BYTES, onHole);
    this.version.levels.forEach((tables, depth) => {
      const visible = line < 0 ? tables : tables.filter(({ age }) => age > line);
      // Tables of level 0 overlap: each is a source of its own.
      const sources = depth === 0 ? visible.map((table) => [table]) : [visible];
      for (const source of sources) {
        const cursor = new LevelCursor(source, open);
        cursor.seek(wanted, keyBytes);
        cursors.push(cursor);
      }
    });
    return new Merge(cursors);
  }
}

/** Whether something younger than an entry may be in a hole. */
function isHidden({ key, keyBytes, age }: Cursor, { from, to, age: ageOfHole }: Hole): boolean {
  return age <= ageOfHole && compareKeys(from, from.length, key, keyBytes) <= 0 &&
    compareKeys(key, keyBytes, to, to.length) < 0;
}

/** Whether the wanted key is between the first and the last of a table. */
function isWithin({ first, last }: TableMeta, keyBytes: number): boolean {
  return compareKeys(first, first.length, wanted, keyBytes) <= 0 &&
    compareKeys(last, last.length, wanted, keyBytes) >= 0;
}

/** Go on to a key of the partition that has a record, and give it; null when there is none. */
function liveIn(merge: Merge, partition: number): Cursor | null {
  for (let at = merge.current; at !== null && partitionOf(at.key) === partition; at = merge.current) {
    if (at.recordBytes !== REMOVED) return at;
    merge.next();
  }
  return null;
}

/** The entry a cursor stands on, in memory of its own. */
function copyOf({ key, keyBytes, bytes, recordAt, recordBytes }: Cursor): Entry {
  const userBytes = keyBytes - PARTITION_BYTES;
  const copy = slab.take(userBytes + recordBytes);
  for (let i = 0; i < userBytes; i++) copy[i] = key[PARTITION_BYTES + i]!;
  copy.set(bytes.subarray(recordAt, recordAt + recordBytes), userBytes);
  return { key: copy.subarray(0, userBytes), record: copy.subarray(userBytes) };
}
