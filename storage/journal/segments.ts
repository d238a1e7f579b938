/**
 * The files of a journal: their names, how one comes into being, how one is replaced.
 *
 * A segment appears only whole. It is written under a temporary name, synced, renamed, and the directory is
 * synced; so a crash leaves the old state or the new one, and a temporary file is always rubbish (Pillai et al.,
 * "All File Systems Are Not Created Equal", OSDI 2014, section 3).
 *
 * @module
 */

import { crc32c } from "../../actors/runtime/crc32c.ts";
import { type Disk, DiskError, type DiskFile } from "../../actors/runtime/environment.ts";
import { BY_REFERENCE_BYTES, RecordBuffer, writeAll } from "./batch.ts";
import {
  decodeRecordHeader,
  decodeSegmentHeader,
  END_RECORD,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "./format.ts";
import { type FoundDamage, READ_TRIES, readSegment } from "./reader.ts";

const SUFFIX = ".log";
const TEMPORARY_SUFFIX = ".tmp";
const QUARANTINE_SUFFIX = ".damaged";
const FLUSH_BYTES = 192 * 1024;
/** A segment has few end records one after the other: one of a pause, one of a close. */
const MOST_END_BYTES = 64 * RECORD_HEADER_BYTES;
const NAME = /^(\d{10})(\.[a-z]+)$/;

/** Which segment a file is, and how it can be told from an earlier one in its place. */
export interface SegmentIdentity {
  /** Its number. */
  readonly number: number;
  /** Its seed. */
  readonly seed: number;
  /** Its size. */
  readonly sizeBytes: number;
}

/** The path of segment `number`, or of what its owner keeps beside it. */
export function segmentPath(directory: string, number: number, suffix = SUFFIX): string {
  return `${directory}/${String(number).padStart(10, "0")}${suffix}`;
}

/**
 * The numbers of the segments in a directory, ascending, and what is rubbish: temporary files that a crash left there,
 * companions of segments that are removed. A companion of a segment past the last one is none: that one was there, and
 * has been taken away; `taken` are the numbers of such.
 */
export function listSegments(
  disk: Disk,
  directory: string,
  companion = SUFFIX,
): { numbers: number[]; taken: number[]; rubbish: string[] } {
  const numbers: number[] = [];
  const companions: number[] = [];
  const rubbish: string[] = [];
  for (const name of disk.list(directory)) {
    const [, number, suffix] = NAME.exec(name) ?? [];
    if (suffix === SUFFIX) numbers.push(Number(number));
    else if (suffix === companion) companions.push(Number(number));
    else if (name.endsWith(SUFFIX + TEMPORARY_SUFFIX) || name.endsWith(companion + TEMPORARY_SUFFIX)) {
      rubbish.push(`${directory}/${name}`);
    }
  }
  numbers.sort((a, b) => a - b);
  const isThere = new Set(numbers);
  const taken = companions.filter((number) => number > (numbers.at(-1) ?? 0)).sort((a, b) => a - b);
  for (const number of companions) {
    if (!isThere.has(number) && !taken.includes(number)) {
      rubbish.push(segmentPath(directory, number, companion));
    }
  }
  return { numbers, taken, rubbish };
}

/** The header of an open segment; null when no copy of it verifies, however often it is read. */
export function readHeader(file: DiskFile): SegmentHeader | null {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  for (let tries = 0; tries < READ_TRIES; tries++) {
    const header = decodeSegmentHeader(bytes.subarray(0, file.read(bytes, 0)));
    if (header !== null) return header;
  }
  return null;
}

/** Whether both copies of an open segment's header verify, and are the same. */
export function isHeaderWhole(file: DiskFile): boolean {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  for (let tries = 0; tries < READ_TRIES; tries++) {
    file.read(bytes, 0);
    const half = SEGMENT_HEADER_BYTES / 2;
    const isSame = bytes.subarray(0, half).every((byte, at) => byte === bytes[at + half]);
    if (isSame && decodeSegmentHeader(bytes) !== null) return true;
  }
  return false;
}

/** Whether nothing but end records stands in a segment from `offset` on; at least one, if it has to be closed. */
export function endsAt(file: DiskFile, seed: number, offset: number, mustBeClosed: boolean): boolean {
  const length = file.size() - offset;
  if (length < 0 || length > MOST_END_BYTES || mustBeClosed && length === 0) return false;
  const bytes = new Uint8Array(length);
  if (file.read(bytes, offset) < length) return false;
  for (let at = 0; at < length; at += RECORD_HEADER_BYTES) {
    if (decodeRecordHeader(seed, offset + at, bytes, at)?.type !== END_RECORD) return false;
  }
  return true;
}

/** What one pass over a segment found. */
export interface Scan {
  /** Damaged stretches of what was durable once, or has at least been written. */
  readonly lost: readonly FoundDamage[];
  /** Damaged stretches that may never have been: what a crash leaves. */
  readonly torn: readonly FoundDamage[];
  /** Where the end records stand that it ends in, if it does: all before was durable when the first was written. */
  readonly endedAt: number | null;
  /** Checksum over all its records, for comparing two passes. */
  readonly digest: number;
}

/** A record that tells later processes of a loss. */
export interface Scar {
  /** As {@link Journal.append} has it. */
  readonly type: number;
  /** Its bytes. */
  readonly payload: Uint8Array;
}

/** Read a segment through. `onRecord` gets every record but end records; the payload is valid during the call. */
export function scanSegment(
  file: DiskFile,
  seed: number,
  onRecord: (type: number, payload: Uint8Array, offset: number) => void,
): Scan {
  const damage: FoundDamage[] = [];
  let durable = 0;
  let endedAt: number | null = null;
  let digest = 0;
  for (const found of readSegment(file, seed, file.size())) {
    if (found.kind === "damage") {
      damage.push(found);
      endedAt = null;
      continue;
    }
    durable = Math.max(durable, found.durable);
    endedAt = found.type === END_RECORD ? endedAt ?? found.offset : null;
    if (endedAt !== null) continue;
    digest = digestOf(digest, found.type, found.payload);
    onRecord(found.type, found.payload, found.offset);
  }
  const isLost = ({ offset, wasWritten }: FoundDamage) => wasWritten || offset < durable;
  const torn = damage.filter((found) => !isLost(found));
  return { lost: damage.filter(isLost), torn, endedAt, digest };
}

/**
 * Make a segment durable under its name, replacing what had it, and open it for writing. `fill` writes what it
 * holds at first, behind the header, and may check it.
 *
 * @throws {DiskError} and nothing is changed
 */
export async function createSegment(
  disk: Disk,
  directory: string,
  number: number,
  header: Uint8Array,
  fill?: (file: DiskFile) => void | Promise<void>,
): Promise<DiskFile> {
  const path = segmentPath(directory, number);
  const temporary = path + TEMPORARY_SUFFIX;
  const file = disk.open(temporary, { write: true, create: true });
  try {
    file.truncate(0);
    writeAll(file, [header], 0);
    await fill?.(file);
    await file.sync();
    disk.rename(temporary, path);
  } catch (error) {
    discard(disk, temporary);
    throw error;
  } finally {
    file.close();
  }
  try {
    await disk.syncDirectory(directory);
  } catch (error) {
    // Even for lack of space this is nothing to try again: whether the name will last is not known any more.
    throw new DiskError("io", directory, String(error));
  }
  return disk.open(path, { write: true });
}

/** Writes the first records of a segment that is being made, behind its header, and an end record behind them. */
export class FirstRecords {
  readonly #file: DiskFile;
  readonly #seed: number;
  #buffer = new RecordBuffer();
  #end = SEGMENT_HEADER_BYTES;

  /** @param file the segment @param seed its own */
  constructor(file: DiskFile, seed: number) {
    this.#file = file;
    this.#seed = seed;
  }

  /** Add a record; the payload is not needed afterwards. */
  append(type: number, payload: Uint8Array): void {
    this.#add(type, payload, SEGMENT_HEADER_BYTES);
    // A long payload is kept by reference, and is gone after this call.
    if (payload.length >= BY_REFERENCE_BYTES || this.#buffer.sizeBytes >= FLUSH_BYTES) this.#flush();
  }

  /** Write the end record and all that is not written yet. */
  finish(): { readonly endedAt: number; readonly end: number } {
    const endedAt = this.#end + this.#buffer.sizeBytes;
    this.#add(END_RECORD, new Uint8Array(0), endedAt);
    this.#flush();
    return { endedAt, end: this.#end };
  }

  #add(type: number, payload: Uint8Array, durable: number): void {
    this.#buffer.append({ seed: this.#seed, durable }, this.#end + this.#buffer.sizeBytes, type, [payload]);
  }

  #flush(): void {
    this.#end = writeAll(this.#file, this.#buffer.pieces(), this.#end);
    this.#buffer = new RecordBuffer(this.#buffer.release());
  }
}

/**
 * Copy what is whole in `from`, which was read before as `digest` says, into the new segment `to` with the seed
 * `toSeed`, with `scar` and an end record behind it, and read it back. `to` is durable before anyone finds it. Returns
 * where that ends.
 */
export function copyRecords(
  from: { readonly file: DiskFile; readonly seed: number; readonly digest: number } | null,
  to: DiskFile,
  toSeed: number,
  scar: Scar | null,
): number {
  const records = new FirstRecords(to, toSeed);
  let digest = 0;
  const append = (type: number, payload: Uint8Array) => {
    digest = digestOf(digest, type, payload);
    records.append(type, payload);
  };
  if (from !== null) scanSegment(from.file, from.seed, append);
  const isAsBefore = digest === (from?.digest ?? 0);
  if (scar !== null) append(scar.type, scar.payload);
  const { endedAt, end } = records.finish();
  const copied = scanSegment(to, toSeed, () => {});
  const whole = copied.lost.length + copied.torn.length === 0;
  if (!isAsBefore || copied.digest !== digest || copied.endedAt !== endedAt || !whole) {
    throw new DiskError("io", to.path, "reads differently each time: the disk cannot be trusted");
  }
  return end;
}

/** A checksum over records, one after the other. */
function digestOf(digest: number, type: number, payload: Uint8Array): number {
  return crc32c(payload, crc32c(Uint8Array.of(type), digest));
}

/** Whether damage was cut out of a segment once. */
export function wasDamaged(disk: Disk, path: string): boolean {
  return disk.exists(path + QUARANTINE_SUFFIX);
}

/** Keep a damaged segment under another name, for whoever wants to know what happened. */
export function quarantine(disk: Disk, path: string): string {
  const kept = path + QUARANTINE_SUFFIX;
  if (!disk.exists(kept)) disk.link(path, kept);
  return kept;
}

function discard(disk: Disk, path: string): void {
  try {
    disk.remove(path);
  } catch {
    // Rubbish; the next start removes it.
  }
}
