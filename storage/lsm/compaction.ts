/**
 * Compaction: tables of one level and those of the next that overlap them become new tables of the next level.
 *
 * Of each key the youngest entry stays; so does a removal, as long as a deeper level may hold what it removed: there
 * Bitcask's merge went wrong (FAULTS, last paragraph). What is hidden behind the line of a dropped partition goes
 * (O'Neil, Cheng, Gawlick and O'Neil, "The Log-Structured Merge-Tree", 1996, section 3; LevelDB's `doc/impl.md`).
 *
 * @module
 */

import { type Cursor, REMOVED } from "./cursor.ts";
import { Merge } from "./merge.ts";
import { type Job, jobTables } from "./pick.ts";
import { type Workshop, writeRun } from "./run_writer.ts";
import { compareKeys, partitionOf } from "./stored_key.ts";
import type { Table } from "./table.ts";
import { LevelCursor, READ_AHEAD_BYTES, TableCursor } from "./table_cursor.ts";
import type { Tables } from "./tables.ts";
import { type Changes, LEVELS, type TableMeta, type Version } from "./version.ts";

/**
 * Do a job: write the new tables, durably, and give the edit that puts them in place of the old ones.
 *
 * @throws {EngineError} rejects as `writeRun`
 */
export async function compact(
  workshop: Workshop,
  tables: Tables,
  version: Version,
  job: Job,
): Promise<Changes> {
  const inputs = jobTables(job);
  const removed = inputs.map(({ number }) => number);
  if (job.isMove) return { removed, added: inputs.map((table) => ({ level: job.into, table })) };
  const opened: Table[] = [];
  const open = (meta: TableMeta) => {
    const table = tables.detached(meta);
    opened.push(table);
    return new TableCursor(table, READ_AHEAD_BYTES);
  };
  try {
    const sources = job.level === 0
      ? [...job.tables.map((table) => [table]), job.below]
      : [job.tables, job.below];
    const cursors = sources.map((source) => {
      const cursor = new LevelCursor(source, open);
      cursor.toFirst();
      return cursor;
    });
    const made = await writeRun(workshop, {
      merge: new Merge(cursors),
      keeps: survivors(version, job.into),
      age: Math.max(...inputs.map(({ age }) => age)),
      level: job.into,
      tableBytes: job.into === 0 ? Infinity : workshop.settings.tableBytes,
    });
    return { removed, added: made.map((table) => ({ level: job.into, table })) };
  } finally {
    for (const table of opened) table.close();
  }
}

/**
 * Which entries stay, asked in order of their keys, when a level of `version` is written anew. Of level 0 removals
 * always do: older tables of it may have what was removed.
 */
export function survivors(version: Version, into: number): (entry: Cursor) => boolean {
  const deeper = new DeeperLevels(version, into);
  return ({ key, keyBytes, recordBytes, age }) => {
    if (age <= version.lineOf(partitionOf(key))) return false;
    if (into === 0) return true;
    return recordBytes !== REMOVED || deeper.mayHold(key, keyBytes);
  };
}

/** The levels below one, asked for keys in ascending order. */
export class DeeperLevels {
  readonly #levels: (readonly TableMeta[])[];
  /** By level: the first table that does not end before the last key asked for. */
  readonly #next: number[];

  /** @param version whose levels @param into those below this one */
  constructor(version: Version, into: number) {
    this.#levels = version.levels.slice(into + 1, LEVELS).filter((level) => level.length > 0);
    this.#next = this.#levels.map(() => 0);
  }

  /** Whether a table among them has keys on both sides of this one, or this one. */
  mayHold(key: Uint8Array, keyBytes: number): boolean {
    return this.#levels.some((level, i) => {
      let next = this.#next[i]!;
      while (next < level.length && isLess(level[next]!.last, key, keyBytes)) next++;
      this.#next[i] = next;
      const table = level[next];
      return table !== undefined && compareKeys(table.first, table.first.length, key, keyBytes) <= 0;
    });
  }
}

function isLess(a: Uint8Array, b: Uint8Array, bBytes: number): boolean {
  return compareKeys(a, a.length, b, bBytes) < 0;
}
