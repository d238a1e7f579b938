/**
 * Which tables make up a store, at one moment: what the manifest remembers.
 *
 * Level 0 holds tables as they were flushed; a key may be in all of them. Each further level holds tables whose keys
 * do not overlap, ten times as many bytes as the level before; what a level says of a key overrides all deeper ones.
 *
 * Dropping a partition. Naive: write a removal for each of its keys, or one removal of a range that every read of
 * every table has to look for. Here a drop is a line in time. Each memtable has an age, greater than that of the one
 * before; a table has the age of the memtable it was flushed from, one that was merged has the greatest age of those
 * it was merged from. A drop that happens in the memtable of age a makes that forget the partition's keys, and draws
 * the line a - 1: what a source of that age or less says of the partition is hidden. A merge that was under way meets
 * the line, too, for what it makes is as old as what it reads. So at any time: a source whose age is above a
 * partition's line holds nothing of it from before the drop. A line goes when no table that old holds the partition.
 *
 * @module
 */

import { compareBytes } from "../../actors/runtime/bytes.ts";
import { compareKeys } from "./stored_key.ts";

/** What a table holds of one partition. */
export interface Contents {
  /** Which. */
  readonly partition: number;
  /** Entries, removals included. */
  readonly entries: number;
  /** Entries that say that a key was removed. */
  readonly removed: number;
  /** Bytes of keys and records. */
  readonly sizeBytes: number;
}

/** A table, as the manifest knows it. Never changes. */
export interface TableMeta {
  /** Its number, which is its file's name. */
  readonly number: number;
  /** Bytes of its file. */
  readonly sizeBytes: number;
  /** Where its checksums start. */
  readonly seed: number;
  /** See the module. */
  readonly age: number;
  /** Its first stored key. */
  readonly first: Uint8Array;
  /** Its last stored key. */
  readonly last: Uint8Array;
  /** By partition, ascending. */
  readonly contents: readonly Contents[];
}

/** See `Engine.storeId`. Damage in tables and damage in the log may each bring a new one: the higher serial counts. */
export interface StoreId {
  /** How many ids the store has had. */
  readonly serial: number;
  /** The id. */
  readonly bytes: Uint8Array;
}

/** A change of a version, all of it or nothing. */
export interface Edit {
  /** One more than the edit before. */
  readonly number: number;
  /** Whether nothing of what was before counts. */
  readonly isWhole: boolean;
  /** The first segment of the log whose records may not be in tables; 0 when there is no log yet. */
  readonly walFrom: number;
  /** The age of the memtable that they are replayed into, greater than that of every table. */
  readonly age: number;
  /** No table has this number or a higher one. */
  readonly nextFile: number;
  /** Which store this is. */
  readonly storeId: StoreId;
  /** Tables that come. */
  readonly added: readonly { readonly level: number; readonly table: TableMeta }[];
  /** Numbers of tables that go. */
  readonly removed: readonly number[];
  /** Partitions that were dropped, and their lines. */
  readonly drops: readonly (readonly [partition: number, line: number])[];
  /** Numbers of tables in which damage was seen: the next start cuts it out. */
  readonly suspects: readonly number[];
}

/** The first edit of a store with nothing in it, not even a log. */
export function firstEdit(storeId: StoreId): Edit {
  const nothing = { added: [], removed: [], drops: [], suspects: [] };
  return { ...nothing, number: 1, isWhole: true, walFrom: 0, age: 1, nextFile: 1, storeId };
}

/** What an edit says that is not simply as before. */
export type Changes = Partial<Omit<Edit, "number" | "isWhole">>;

/** So many levels there are, from 0. The last one holds a million times the first. */
export const LEVELS = 7;

/** Line of a partition that was never dropped, or so long ago that nothing of it is left. */
const NO_LINE = -1;

/** The tables of a store and what else the manifest knows. Never changes: an edit makes another one. */
export class Version {
  /** Tables by level: level 0 by age, the youngest first; others by key. */
  readonly levels: readonly (readonly TableMeta[])[];
  /** Lines of dropped partitions. */
  readonly drops: ReadonlyMap<number, number>;
  /** Tables in which damage was seen. */
  readonly suspects: ReadonlySet<number>;
  readonly #numbers: ReadonlySet<number>;

  /** @param edit the last one, for what it says @param before what it is an edit of; null: it is whole */
  constructor(readonly edit: Edit, before: Version | null) {
    const { added, removed, suspects } = edit;
    const gone = new Set(removed);
    for (const number of gone) {
      if (!before?.has(number)) throw new Error(`table ${number} is removed and not there`);
    }
    this.levels = Array.from({ length: LEVELS }, (_, level) => {
      const stay = (before?.levels[level] ?? []).filter(({ number }) => !gone.has(number));
      const come = added.filter((one) => one.level === level).map(({ table }) => table);
      if (come.length === 0) return stay;
      return [...stay, ...come].sort(level === 0 ? byAge : byKey);
    });
    const drops = new Map(before?.drops);
    for (const [partition, line] of edit.drops) {
      drops.set(partition, Math.max(line, drops.get(partition) ?? NO_LINE));
    }
    for (const [partition, line] of drops) if (!this.#isAnyHidden(partition, line)) drops.delete(partition);
    this.drops = drops;
    this.#numbers = new Set(Array.from(this.tables(), ({ number }) => number));
    this.suspects = new Set([...before?.suspects ?? [], ...suspects].filter((number) => this.has(number)));
  }

  /** All tables. */
  *tables(): Generator<TableMeta, void, void> {
    for (const level of this.levels) yield* level;
  }

  /** Whether it has a table. */
  has(number: number): boolean {
    return this.#numbers.has(number);
  }

  /** Sources of this age or less have nothing to say of a partition. */
  lineOf(partition: number): number {
    return this.drops.size === 0 ? NO_LINE : this.drops.get(partition) ?? NO_LINE;
  }

  /** Bytes of all tables. */
  get sizeBytes(): number {
    return this.levels.reduce((sum, _, level) => sum + this.levelBytes(level), 0);
  }

  /** Bytes of the tables of a level. */
  levelBytes(level: number): number {
    let sizeBytes = 0;
    for (const table of this.levels[level]!) sizeBytes += table.sizeBytes;
    return sizeBytes;
  }

  /** This version as one edit that needs nothing before it. */
  asWhole(number: number): Edit {
    return {
      ...this.edit,
      number,
      isWhole: true,
      added: this.levels.flatMap((tables, level) => tables.map((table) => ({ level, table }))),
      removed: [],
      drops: [...this.drops],
      suspects: [...this.suspects],
    };
  }

  #isAnyHidden(partition: number, line: number): boolean {
    for (const table of this.tables()) if (table.age <= line && contentsOf(table, partition)) return true;
    return false;
  }
}

function byAge(a: TableMeta, b: TableMeta): number {
  return b.age - a.age;
}

function byKey(a: TableMeta, b: TableMeta): number {
  return compareBytes(a.first, b.first);
}

/** What a table holds of a partition, undefined when nothing. */
export function contentsOf({ contents }: TableMeta, partition: number): Contents | undefined {
  let low = 0;
  let high = contents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (contents[middle]!.partition < partition) low = middle + 1;
    else high = middle;
  }
  const found = contents[low];
  return found?.partition === partition ? found : undefined;
}

/** Where in a level other than 0 the first table stands that has a key not less than this one. */
export function firstReaching(level: readonly TableMeta[], key: Uint8Array, keyBytes: number): number {
  let low = 0;
  let high = level.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { last } = level[middle]!;
    if (compareKeys(last, last.length, key, keyBytes) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The tables that have keys between two, both included. */
export function overlapping(level: readonly TableMeta[], first: Uint8Array, last: Uint8Array): TableMeta[] {
  return level.filter((table) =>
    compareBytes(table.first, last) <= 0 && compareBytes(table.last, first) >= 0
  );
}
