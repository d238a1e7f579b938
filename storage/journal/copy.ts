/**
 * Copies of a journal that is in use.
 *
 * Naive: copy the files one after the other. Meanwhile the journal removes its oldest segment and begins another one,
 * and the copy has neither. Here all segments that are complete get a second name (a hard link) in one turn, and the
 * newest one, up to where it is written in that turn, is copied record by record, in slices: it goes on being written,
 * so it cannot be shared. A half-made copy would pass for a journal that ends earlier, so a mark in the directory says
 * that it is not finished; the mark is the first thing there and the last to go.
 *
 * @module
 */

import { type Disk, DiskError, type DiskFile } from "../../actors/runtime/environment.ts";
import { EngineError } from "../engine.ts";
import { decodeSegmentHeader, encodeSegmentHeader, END_RECORD } from "./format.ts";
import { makeDurableDirectory } from "./open.ts";
import type { JournalOptions } from "./options.ts";
import { readSegment } from "./reader.ts";
import { createSegment, FirstRecords, readHeader, segmentPath } from "./segments.ts";

const MARK = "unfinished";
/** Copying pauses after so many bytes. */
const SLICE_BYTES = 256 * 1024;

/** What there is to copy. */
export interface Written {
  /** Segments that do not change any more. */
  readonly complete: readonly number[];
  /** The one that is being written, and how much of it has been. */
  readonly newest: { readonly number: number; readonly sizeBytes: number };
}

/**
 * Make `directory`, which must not exist, and have `fill` copy something into it, all of it durable in the end.
 * After a failure what was made is removed; after a crash it carries the mark that {@link refuseUnfinished} looks for.
 */
export async function makeCopy(disk: Disk, directory: string, fill: () => Promise<void>): Promise<void> {
  if (disk.exists(directory)) {
    throw new DiskError("exists", directory, "is there already; a copy wants a directory of its own");
  }
  try {
    await makeDurableDirectory(disk, directory);
    disk.open(markOf(directory), { write: true, create: true }).close();
    await disk.syncDirectory(directory);
    await fill();
    await disk.syncDirectory(directory);
    disk.remove(markOf(directory));
    await disk.syncDirectory(directory);
  } catch (error) {
    discard(disk, directory);
    throw error;
  }
}

/** @throws {EngineError} `corrupt` when the directory holds a copy that was not finished */
export function refuseUnfinished(disk: Disk, directory: string): void {
  if (!disk.exists(markOf(directory))) return;
  throw new EngineError("corrupt", `${directory} is a copy that was never finished; make another one`);
}

function markOf(directory: string): string {
  return `${directory}/${MARK}`;
}

/** Remove a copy, the mark last. */
function discard(disk: Disk, directory: string): void {
  try {
    for (const name of disk.list(directory)) if (name !== MARK) disk.remove(`${directory}/${name}`);
    disk.remove(markOf(directory));
    disk.remove(directory);
  } catch {
    // The mark says that it is nothing.
  }
}

/** Copy what a journal has written into another directory; nothing of it need be durable before. */
export async function copySegments(
  options: JournalOptions,
  directory: string,
  { complete, newest }: Written,
  onProgress: (fraction: number) => void,
): Promise<void> {
  const { disk, companion } = options;
  const from = disk.open(segmentPath(options.directory, newest.number));
  try {
    for (const number of complete) {
      disk.link(segmentPath(options.directory, number), segmentPath(directory, number));
      const beside = companion && segmentPath(options.directory, number, companion);
      if (beside && disk.exists(beside)) disk.link(beside, segmentPath(directory, number, companion));
    }
    const previousBytes = readHeader(from)?.previousBytes ?? null;
    const header = encodeSegmentHeader(newest.number, options.random.bytes(8), previousBytes);
    const { seed } = decodeSegmentHeader(header)!;
    const fill = async (to: DiskFile) => {
      const end = await copyRecords(options, from, newest.sizeBytes, to, seed, onProgress);
      await readBack(options, to, seed, end);
    };
    (await createSegment(disk, directory, newest.number, header, fill)).close();
  } finally {
    from.close();
  }
}

/** Copy the records of `from` up to `end` behind the header of `to`, and an end record. Returns where that ends. */
async function copyRecords(
  options: JournalOptions,
  from: DiskFile,
  end: number,
  to: DiskFile,
  seed: number,
  onProgress: (fraction: number) => void,
): Promise<number> {
  const header = readHeader(from);
  if (header === null) throw new EngineError("corrupt", `${from.path}: no header verifies`);
  const records = new FirstRecords(to, seed);
  let pauseAt = SLICE_BYTES;
  for (const found of readSegment(from, header.seed, end)) {
    if (found.kind === "damage") {
      throw new EngineError("corrupt", `${from.path} is damaged at ${found.offset}: ${found.detail}`);
    }
    if (found.type !== END_RECORD) records.append(found.type, found.payload);
    if (found.end < pauseAt) continue;
    pauseAt = found.end + SLICE_BYTES;
    onProgress(found.end / end);
    await nextTurn(options);
  }
  return records.finish().end;
}

/** What was written must be what is read. */
async function readBack(options: JournalOptions, file: DiskFile, seed: number, end: number): Promise<void> {
  let pauseAt = SLICE_BYTES;
  for (const found of readSegment(file, seed, end)) {
    if (found.kind === "damage") throw new DiskError("io", file.path, "does not read as it was written");
    if (found.end < pauseAt) continue;
    pauseAt = found.end + SLICE_BYTES;
    await nextTurn(options);
  }
}

function nextTurn({ clock }: JournalOptions): Promise<void> {
  return new Promise((resolve) => void clock.after(0, resolve));
}
