/**
 * Looking at a store before anything of it is touched: whether it is one that this release reads, whether it is whole,
 * which of its tables are damaged as a whole.
 *
 * @module
 */

import { type Disk, DiskError } from "../../actors/runtime/environment.ts";
import { type Damage, EngineError } from "../engine.ts";
import { FORMAT_VERSION as JOURNAL_VERSION } from "../journal/format.ts";
import { listSegments, readHeader, segmentPath } from "../journal/segments.ts";
import { FORMAT_VERSION } from "./format.ts";
import { readFooter, tablePath } from "./table.ts";
import type { TableMeta, Version } from "./version.ts";

/** A table that cannot be read at all, and why. */
export interface LostTable {
  /** Which. */
  readonly table: TableMeta;
  /** What is wrong with it. */
  readonly damage: Damage;
}

/** The directory of a store's log. */
export function walDirectory(directory: string): string {
  return `${directory}/wal`;
}

/** Numbers of the tables that lie in a directory, whether anyone knows them or not. */
export function listTables(disk: Disk, directory: string): number[] {
  return disk.list(directory).flatMap((name) => {
    const match = /^(\d{10})\.sst$/.exec(name);
    return match ? [Number(match[1])] : [];
  });
}

/**
 * Look at everything that a version names, and give the tables that are lost. Null: a new store.
 *
 * @throws {EngineError} `newer`; `corrupt` when edits or parts of the log are missing; `io`
 */
export function inspect(disk: Disk, directory: string, version: Version | null): LostTable[] {
  const segments = walSegments(disk, directory);
  if (version === null) {
    if (segments.length > 0 || listTables(disk, directory).length > 0) {
      throw missing(directory, "its manifest");
    }
    return [];
  }
  refuseNewerSegments(disk, directory, segments);
  const { walFrom, nextFile } = version.edit;
  // Segments go only after an edit that says so: if there are none as old as it says, there was a later edit.
  if (walFrom > 0 && (segments[0] ?? Infinity) > walFrom) {
    throw missing(directory, `segment ${walFrom} of its log, or a part of its manifest`);
  }
  const lost: LostTable[] = [];
  for (const table of version.tables()) {
    const damage = damageOf(disk, directory, table);
    if (damage !== null) lost.push({ table, damage });
  }
  // The same for tables: who has removed one has made others, and an edit.
  const isUnknown = (number: number) => number >= nextFile;
  const hasMissing = lost.some(({ table }) => !disk.exists(tablePath(directory, table.number)));
  if (hasMissing && listTables(disk, directory).some(isUnknown)) {
    throw missing(directory, "tables, or a part of its manifest");
  }
  return lost;
}

function walSegments(disk: Disk, directory: string): number[] {
  const wal = walDirectory(directory);
  return disk.exists(wal) ? listSegments(disk, wal).numbers : [];
}

function missing(directory: string, what: string): EngineError {
  return new EngineError(
    "corrupt",
    `${directory} is not whole: it misses ${what}; nothing was changed. ` +
      "Restore it from a backup, or move it away and let it be refilled",
  );
}

function refuseNewerSegments(disk: Disk, directory: string, segments: readonly number[]): void {
  for (const number of segments) {
    const path = segmentPath(walDirectory(directory), number);
    const file = disk.open(path);
    const header = readHeader(file);
    file.close();
    if (header && header.version > JOURNAL_VERSION) throw newer(path, header.version, JOURNAL_VERSION);
  }
}

function newer(path: string, found: number, known: number): EngineError {
  return new EngineError(
    "newer",
    `${path} has format ${found}, this release reads ${known}: it was written by a newer one; nothing was changed`,
  );
}

/** What is wrong with a table as a whole, null when nothing is. */
function damageOf(disk: Disk, directory: string, table: TableMeta): Damage | null {
  const path = tablePath(directory, table.number);
  const damage = (detail: string): Damage => ({ kind: "corrupt", path, offset: 0, detail });
  try {
    const file = disk.open(path);
    try {
      const footer = readFooter(file);
      if (footer === null) return damage("no footer verifies");
      if (footer.version > FORMAT_VERSION) throw newer(path, footer.version, FORMAT_VERSION);
      const isOurs = footer.seed === table.seed && footer.number === table.number;
      if (!isOurs) return damage("this is another table, misplaced");
      return file.size() === table.sizeBytes
        ? null
        : damage(`${file.size()} bytes long, not ${table.sizeBytes}`);
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof DiskError && error.code === "not-found") return damage("the file is missing");
    throw error;
  }
}
