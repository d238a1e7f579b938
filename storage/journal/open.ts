/**
 * Opening a journal: replay, and repair of what a crash or the disk has done to it.
 *
 * What a process reads back after an unclean end may be in the page cache only, and after a failed sync it may
 * never reach the disk, whatever a later sync says. So unless the newest segment ends with an end record, it is
 * copied to a new file, read back, synced and renamed into its place before anything is served. Older segments
 * were synced before the next was begun. A damaged segment is copied the same way, and the original kept beside
 * it under another name.
 *
 * Once the damage is cut out, nothing in the files would say that anything is missing, and the process may be
 * killed before it has told anyone. So the newest segment is mended first, and with a record of the loss in it.
 * And nothing is touched before all has been read: what the owner cannot go on with stays as it was found.
 *
 * @module
 */

import { type Disk, DiskError, type DiskFile } from "../../actors/runtime/environment.ts";
import { type Damage, EngineError } from "../engine.ts";
import { decodeSegmentHeader, encodeSegmentHeader, FORMAT_VERSION, SEGMENT_HEADER_BYTES } from "./format.ts";
import {
  copyRecords,
  createSegment,
  endsAt,
  isHeaderWhole,
  listSegments,
  quarantine,
  readHeader,
  type Scan,
  scanSegment,
  type Scar,
  segmentPath,
  wasDamaged,
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
  /** Those that were not read, because their owner knows what they hold. */
  readonly unread: ReadonlySet<number>;
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
  const { numbers, taken, rubbish } = listSegments(disk, directory, options.companion);
  const lengths = refuseForeign(disk, directory, [...numbers, ...taken]);
  let records = 0;
  const counted: Replay = (record) => replay(record) && ++records > 0;
  const isNewest = (number: number) => number === numbers.at(-1);
  const inspectOne = (number: number, options: JournalOptions) => {
    const isWhole = lengths.get(number) ?? true;
    return inspect(
      isWhole === true ? options : withoutKnowing(options),
      number,
      isNewest(number),
      counted,
      isWhole,
    );
  };
  let inspected = numbers.map((number) => inspectOne(number, options));
  if (inspected.some(isCorrupt)) {
    // The newest will tell of it, and so has to be copied: then it is read after all.
    inspected = inspected.map((one) =>
      one.isKnown && isNewest(one.number) ? inspectOne(one.number, withoutKnowing(options)) : one
    );
  }
  // A power cut takes the end of a journal, not all of one that has seen several segments.
  const isEmptied = records === 0 && (numbers.at(-1) ?? 1) > 1 && !inspected.some(({ isKnown }) => isKnown);
  const damage = inspected.flatMap((segment) => segment.damage)
    .map((one): Damage => isEmptied ? { ...one, kind: "corrupt" } : one);
  options.onReplayed?.();
  const scar = damage.some(({ kind }) => kind === "corrupt") && options.scar?.() || null;
  for (const path of rubbish) disk.remove(path);
  const segments = new Map(inspected.map(({ number, sizeBytes }) => [number, sizeBytes]));
  const unread = new Set(inspected.filter(({ isKnown }) => isKnown).map(({ number }) => number));
  const newest = inspected.pop();
  const continuation = newest ? await goOn(options, newest, scar) : await begin(options);
  try {
    if (scar !== null) replay({ ...scar, segment: continuation.number });
    for (const old of inspected) {
      if (!old.mustMend) continue;
      const { file } = await mend(options, old, null);
      segments.set(old.number, file.size());
      file.close();
    }
    // Names made or removed by the last process may not be durable yet.
    await disk.syncDirectory(directory);
  } catch (error) {
    continuation.file.close();
    throw error;
  }
  segments.delete(continuation.number);
  return { segments, unread, damage, continuation };
}

/** The first segment of a new journal. */
async function begin({ disk, directory, random }: JournalOptions): Promise<Continuation> {
  const header = encodeSegmentHeader(1, random.bytes(8), null);
  const file = await createSegment(disk, directory, 1, header);
  return { file, number: 1, seed: decodeSegmentHeader(header)!.seed, end: SEGMENT_HEADER_BYTES };
}

/**
 * Look before touching anything. Gives of each segment what is wrong with its length, by the one behind it: true when
 * nothing is. Where damage was cut out of it since, that cannot be told.
 */
function refuseForeign(
  disk: Disk,
  directory: string,
  numbers: readonly number[],
): Map<number, string | true> {
  const lengths = new Map<number, string | true>();
  let before = { path: "", sizeBytes: 0 };
  numbers.forEach((number, i) => {
    const expected = numbers[0]! + i;
    if (number !== expected || !disk.exists(segmentPath(directory, number))) {
      const missing = segmentPath(directory, number === expected ? number : expected);
      throw new EngineError(
        "corrupt",
        `${missing} is missing; put it back, or create an empty file of that name to go on without it`,
      );
    }
    const file = disk.open(segmentPath(directory, number));
    const header = readHeader(file);
    const sizeBytes = file.size();
    file.close();
    if (header && header.version > FORMAT_VERSION) {
      throw new EngineError(
        "newer",
        `${file.path} has format ${header.version}, this release reads ${FORMAT_VERSION}: ` +
          "it was written by a newer one; nothing was changed",
      );
    }
    const { previousBytes = null } = header ?? {};
    const isOther = i > 0 && previousBytes !== null && previousBytes !== before.sizeBytes;
    if (isOther && !wasDamaged(disk, before.path)) {
      lengths.set(number - 1, `it had ${previousBytes} bytes when the next segment was begun`);
    }
    before = { path: file.path, sizeBytes };
  });
  return lengths;
}

/** What one pass over a segment found. */
interface Inspected {
  readonly number: number;
  readonly path: string;
  readonly sizeBytes: number;
  /** Null when the segment is not to be read at all. */
  readonly seed: number | null;
  /** See `SegmentHeader`. */
  readonly previousBytes: number | null;
  readonly scan: Scan;
  /** Whether the owner knew what is in it, so that it was not read. */
  readonly isKnown: boolean;
  readonly damage: readonly Damage[];
  /** Whether something has to be cut out. */
  readonly mustMend: boolean;
}

const NOTHING: Scan = { lost: [], torn: [], endedAt: null, digest: 0 };

function isCorrupt({ damage }: Inspected): boolean {
  return damage.some(({ kind }) => kind === "corrupt");
}

function withoutKnowing(options: JournalOptions): JournalOptions {
  return { ...options, knows: () => null };
}

/** Read a segment through `replay`, and change nothing. */
function inspect(
  { disk, directory, knows }: JournalOptions,
  number: number,
  isNewest: boolean,
  replay: Replay,
  hasItsLength: string | true,
): Inspected {
  const path = segmentPath(directory, number);
  const file = disk.open(path);
  try {
    const header = readHeader(file);
    const damage: Damage[] = [];
    const senseless: Damage[] = [];
    const say = (kind: Damage["kind"], offset: number, detail: string) =>
      damage.push({ kind, path, offset, detail });
    const isOurs = header?.number === number;
    if (header === null) say("corrupt", 0, "no header verifies");
    else if (!isOurs) say("corrupt", 0, `this is segment ${header.number}, misplaced`);
    const sizeBytes = file.size();
    const previousBytes = header?.previousBytes ?? null;
    const known = isOurs ? knows?.({ number, seed: header.seed, sizeBytes }) ?? null : null;
    const isKnown = known !== null && isOurs && endsAt(file, header.seed, known, isNewest);
    if (isKnown) {
      const scan = { ...NOTHING, endedAt: known };
      const { seed } = header;
      return { number, path, sizeBytes, seed, previousBytes, scan, isKnown, damage, mustMend: false };
    }
    // Nothing is lost by it, but copying the newest one will hide it.
    if (isNewest && isOurs && !isHeaderWhole(file)) {
      say("rebuilt", 0, "one of two copies of the header is damaged");
    }
    const scan = !isOurs ? NOTHING : scanSegment(file, header.seed, (type, payload, offset) => {
      if (replay({ type, payload, segment: number })) return;
      senseless.push({ kind: "corrupt", path, offset, detail: "the record does not decode" });
    });
    for (const { offset, detail } of scan.lost) say("corrupt", offset, detail);
    for (const { offset, detail } of scan.torn) say(isNewest ? "torn-tail" : "corrupt", offset, detail);
    if (hasItsLength !== true && damage.length === 0) say("corrupt", sizeBytes, hasItsLength);
    return {
      number,
      path,
      sizeBytes,
      seed: isOurs ? header.seed : null,
      previousBytes,
      scan,
      isKnown,
      damage: [...damage, ...senseless],
      mustMend: damage.length > 0,
    };
  } finally {
    file.close();
  }
}

/** Open the newest segment for writing, mended unless it is whole and ends in order. */
async function goOn(options: JournalOptions, newest: Inspected, scar: Scar | null): Promise<Continuation> {
  const { number, path, seed, scan: { endedAt }, mustMend } = newest;
  if (seed === null || endedAt === null || mustMend || scar !== null) {
    return await mend(options, newest, scar);
  }
  // The end records may not be durable, and after a failed sync they never will be: nothing is written behind them.
  // Nor may it be durable that what the last process cut off is gone: it must not come back, now that it was not seen.
  const file = options.disk.open(path, { write: true });
  try {
    file.truncate(endedAt);
    await file.sync();
  } catch (error) {
    file.close();
    throw error;
  }
  return { file, number, seed, end: endedAt };
}

/** Copy what is whole to a new file in the segment's place. */
async function mend(
  { disk, directory, random }: JournalOptions,
  { number, path, seed, previousBytes, scan, damage }: Inspected,
  scar: Scar | null,
): Promise<Continuation> {
  if (damage.some(({ kind }) => kind === "corrupt")) quarantine(disk, path);
  const fresh = encodeSegmentHeader(number, random.bytes(8), previousBytes);
  const { seed: toSeed } = decodeSegmentHeader(fresh)!;
  const old = disk.open(path);
  try {
    const from = seed === null ? null : { file: old, seed, digest: scan.digest };
    let end = SEGMENT_HEADER_BYTES;
    const fill = (copy: DiskFile) => void (end = copyRecords(from, copy, toSeed, scar));
    const file = await createSegment(disk, directory, number, fresh, fill);
    return { file, number, seed: toSeed, end };
  } finally {
    old.close();
  }
}
