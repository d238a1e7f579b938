/**
 * Writing what a merge gives to new tables: what flushing and compacting have in common.
 *
 * It is done in slices, between which everybody else has a turn. The tables are durable before anyone hears of them;
 * until an edit of the manifest names them they are rubbish, so whatever fails before that costs nothing.
 *
 * @module
 */

import { type Disk, DiskError, type DiskFile, type Random } from "../../actors/runtime/environment.ts";
import { EngineError } from "../engine.ts";
import { asEngineError } from "../journal.ts";
import type { Cursor } from "./cursor.ts";
import type { Merge } from "./merge.ts";
import type { LsmSettings } from "./options.ts";
import { tablePath } from "./table.ts";
import { TableWriter } from "./table_writer.ts";
import type { TableMeta } from "./version.ts";

/** Where tables are made. */
export interface Workshop {
  /** Where. */
  readonly disk: Disk;
  /** In which directory. */
  readonly directory: string;
  /** Draws seeds. */
  readonly random: Random;
  /** How. */
  readonly settings: LsmSettings;
  /** A number for a new table. */
  nextFile(): number;
  /** Resolves when it may go on; rejects when it must not. */
  turn(): Promise<void>;
  /** Told of bytes that were written. */
  onWritten(sizeBytes: number): void;
}

/** What to write. */
export interface Run {
  /** The entries. */
  readonly merge: Merge;
  /** Which of them. */
  readonly keeps: (entry: Cursor) => boolean;
  /** The age of the tables. */
  readonly age: number;
  /** The level that they are for. */
  readonly level: number;
  /** When a table is long enough. */
  readonly tableBytes: number;
}

/** A table that is being written. */
interface Open {
  readonly file: DiskFile;
  readonly writer: TableWriter;
  /** What was synced, or less. */
  syncedBytes: number;
}

/** A table is synced after every so many bytes: a sync of the log has to wait for those of others. */
const SYNC_BYTES = 2 * 1024 * 1024;

/**
 * Write tables, durably.
 *
 * @throws {EngineError} rejects with `full`, `io`, `corrupt` (what is read) or `closed`, nothing left behind; with
 * `poisoned` when a write or a sync failed
 */
export async function writeRun(workshop: Workshop, run: Run): Promise<TableMeta[]> {
  const { disk, directory, settings } = workshop;
  const { merge } = run;
  const tables: TableMeta[] = [];
  const paths: string[] = [];
  let open: Open | null = null;
  const end = async ({ file, writer }: Open) => {
    tables.push(writer.finish(run.age));
    workshop.onWritten(tables.at(-1)!.sizeBytes);
    await syncing(file.sync());
    file.close();
  };
  try {
    let workedBytes = 0;
    for (let entry = merge.current; entry !== null; entry = merge.current) {
      workedBytes += entry.keyBytes + Math.max(0, entry.recordBytes) + ENTRY_WORK_BYTES;
      if (run.keeps(entry)) {
        if (open !== null && open.writer.sizeBytes >= run.tableBytes) {
          const full: Open = open;
          open = null;
          await end(full);
        }
        open ??= begin(workshop, run.level, paths);
        open.writer.add(entry);
      }
      merge.next();
      if (workedBytes < settings.sliceBytes) continue;
      workedBytes = 0;
      if (open !== null && open.writer.sizeBytes - open.syncedBytes >= SYNC_BYTES) {
        open.syncedBytes = open.writer.sizeBytes;
        await syncing(open.file.sync());
      }
      await workshop.turn();
    }
    if (open !== null) await end(open);
    if (tables.length > 0) await syncing(disk.syncDirectory(directory));
    return tables;
  } catch (error) {
    open?.file.close();
    for (const path of paths) discard(disk, path);
    throw asWriteError(error);
  }
}

/** An entry takes as much work as so many bytes of it. */
const ENTRY_WORK_BYTES = 64;

function begin(
  { disk, directory, random, settings, nextFile }: Workshop,
  level: number,
  paths: string[],
): Open {
  const number = nextFile();
  const path = tablePath(directory, number);
  try {
    const file = disk.open(path, { write: true, create: true, createNew: true });
    paths.push(path);
    const seed = new DataView(random.bytes(4).buffer).getUint32(0);
    const compress = level >= settings.compressFrom;
    const { blockBytes } = settings;
    const writer = new TableWriter(file, { number, seed, blockBytes, compress });
    return { file, writer, syncedBytes: 0 };
  } catch (error) {
    throw asEngineError(error);
  }
}

/** A sync that fails poisons, whatever it is called. */
async function syncing(sync: Promise<void>): Promise<void> {
  try {
    await sync;
  } catch (error) {
    throw new EngineError("poisoned", `poisoned: ${String(error)}`);
  }
}

/** What of the disk's failures is left is one of a write: reading has errors of its own. */
function asWriteError(error: unknown): unknown {
  if (!(error instanceof DiskError)) return error;
  if (error.code === "no-space") return new EngineError("full", `full: ${error.message}`);
  return new EngineError("poisoned", `poisoned: ${error.message}`);
}

function discard(disk: Disk, path: string): void {
  try {
    disk.remove(path);
  } catch {
    // Rubbish; the next start removes it.
  }
}
