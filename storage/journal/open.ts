/**
 * Opening a journal: replay, and repair of what a crash or the disk has done to it.
 *
 * What a process reads back after an unclean end may be in the page cache only, and after a failed sync it may
 * never reach the disk, whatever a later sync says. So unless the newest segment ends with an end record, it is
 * copied to a new file, read back, synced and renamed into its place before anything is served. Older segments
 * were synced before the next was begun. A damaged segment is copied the same way, and the original kept beside
 * it under another name.
 *
 * @module
 */

import { type Disk, DiskError, type DiskFile } from "../../actors/runtime/environment.ts";
import { type Damage, EngineError } from "../engine.ts";
import { decodeSegmentHeader, encodeSegmentHeader, FORMAT_VERSION, SEGMENT_HEADER_BYTES } from "./format.ts";
import {
  copyRecords,
  createSegment,
  listSegments,
  quarantine,
  readHeader,
  type Scan,
  scanSegment,
  segmentPath,
} from "./segments.ts";
import type { JournalOptions } from "./options.ts";
import type { Continuation } from "./writer.ts";

/** A record, as it is replayed. */
export interface JournalRecord {
  /** What {@link Journal.append} was given. */
  readonly type: number;
  /** The parts, joined; valid during the call. */
  readonly payload: Uint8Array;
  /** The segment it stands in. */
  readonly segment: number;
}

/** Takes a record at open; false when it makes no sense, which is reported as damage. */
export type Replay = (record: JournalRecord) => boolean;

/** What there is after opening. */
export interface Recovered {
  /** Segments and their sizes. */
  readonly segments: Map<number, number>;
  /** What was cut or skipped. */
  readonly damage: Damage[];
  /** Where writing goes on. */
  readonly continuation: Continuation;
}

/** Make a directory whose name survives a power cut. */
export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  disk.makeDirectory(directory);
  // An earlier process may have made any of them and ended before it was durable: sync all the way up.
  for (let path = directory; path !== "/" && path !== ".";) {
    const slash = path.lastIndexOf("/");
    path = slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
    try {
      await disk.syncDirectory(path);
    } catch (error) {
      // Not ours to open: whoever owns it has made it.
      if (error instanceof DiskError && error.code === "denied") return;
      throw error;
    }
  }
}

/** Read all segments through `replay` and leave a journal that can be written; see the module. */
export async function recover(options: JournalOptions, replay: Replay): Promise<Recovered> {
  const { disk, directory } = options;
  const { numbers, rubbish } = listSegments(disk, directory);
  refuseForeign(disk, directory, numbers);
  for (const path of rubbish) disk.remove(path);
  const damage: Damage[] = [];
  const segments = new Map<number, number>();
  let continuation: Continuation | null = null;
  for (const number of numbers) {
    continuation?.file.close();
    continuation = await recoverSegment(options, number, number === numbers.at(-1), replay, damage);
    segments.set(number, continuation.end);
  }
  if (!continuation) {
    const header = encodeSegmentHeader(1, options.random.bytes(8));
    const file = await createSegment(disk, directory, 1, header);
    const { seed } = decodeSegmentHeader(header)!;
    continuation = { file, number: 1, seed, end: SEGMENT_HEADER_BYTES };
  }
  // Names made or removed by the last process may not be durable yet.
  await disk.syncDirectory(directory);
  segments.delete(continuation.number);
  return { segments, damage, continuation };
}

/** Look before touching anything. */
function refuseForeign(disk: Disk, directory: string, numbers: readonly number[]): void {
  numbers.forEach((number, i) => {
    const file = disk.open(segmentPath(directory, number));
    const header = readHeader(file);
    file.close();
    if (header && header.version > FORMAT_VERSION) {
      throw new EngineError(
        "newer",
        `${file.path} has format ${header.version}, this release reads ${FORMAT_VERSION}: ` +
          "it was written by a newer one; nothing was changed",
      );
    }
    const expected = numbers[0]! + i;
    if (number !== expected) {
      const missing = segmentPath(directory, expected);
      throw new EngineError(
        "corrupt",
        `${missing} is missing; put it back, or create an empty file of that name to go on without it`,
      );
    }
  });
}

async function recoverSegment(
  options: JournalOptions,
  number: number,
  isNewest: boolean,
  replay: Replay,
  damage: Damage[],
): Promise<Continuation> {
  const { disk, directory, random } = options;
  const path = segmentPath(directory, number);
  let file = disk.open(path, { write: true });
  try {
    const header = readHeader(file);
    const misplaced = header !== null && header.number !== number;
    let scan: Scan = { lost: [], torn: [], endedAt: null, digest: 0 };
    const senseless: Damage[] = [];
    if (header && !misplaced) {
      scan = scanSegment(file, header.seed, (type, payload, offset) => {
        if (replay({ type, payload, segment: number })) return;
        senseless.push({ kind: "corrupt", path, offset, detail: "the record does not decode" });
      });
    }
    const found: Damage[] = [];
    if (!header) found.push({ kind: "corrupt", path, offset: 0, detail: "no header verifies" });
    if (misplaced) {
      found.push({ kind: "corrupt", path, offset: 0, detail: `this is segment ${header.number}, misplaced` });
    }
    for (const { offset, detail } of scan.lost) found.push({ kind: "corrupt", path, offset, detail });
    for (const { offset, detail } of scan.torn) {
      found.push({ kind: isNewest ? "torn-tail" : "corrupt", path, offset, detail });
    }
    damage.push(...found, ...senseless);
    if (header && found.length === 0 && (!isNewest || scan.endedAt !== null)) {
      // The end record itself may not be durable, so nothing is written behind it, but over it.
      return { file, number, seed: header.seed, end: isNewest ? scan.endedAt! : file.size() };
    }
    if (found.some(({ kind }) => kind === "corrupt")) quarantine(disk, path);
    const fresh = encodeSegmentHeader(number, random.bytes(8));
    const { seed } = decodeSegmentHeader(fresh)!;
    const fill = (copy: DiskFile) => {
      if (header && !misplaced) copyRecords(file, header.seed, copy, seed, scan.digest);
    };
    const copy = await createSegment(disk, directory, number, fresh, fill);
    file.close();
    file = copy;
    return { file, number, seed, end: file.size() };
  } catch (error) {
    file.close();
    throw error;
  }
}
