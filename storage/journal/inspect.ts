/**
 * Reading the segments of a journal that is in use.
 *
 * @module
 */

import type { DiskFile } from "../../actors/runtime/environment.ts";
import { asEngineError } from "./errors.ts";
import { END_RECORD, SEGMENT_HEADER_BYTES } from "./format.ts";
import type { JournalOptions } from "./options.ts";
import { type FoundDamage, type FoundRecord, readSegment } from "./reader.ts";
import { isHeaderWhole, readHeader, type SegmentIdentity, segmentPath } from "./segments.ts";

type Found = FoundRecord | FoundDamage;

/** Inspecting a segment pauses after so many bytes. */
const SLICE_BYTES = 1 << 20;

/** What a segment holds before `end`, but for end records. See {@link Journal.read}. */
export function* readWritten(
  { disk, directory }: JournalOptions,
  segment: number,
  end: number,
): Generator<Found, void, void> {
  let file: DiskFile | null = null;
  try {
    file = disk.open(segmentPath(directory, segment));
    const header = readHeader(file);
    if (header?.number !== segment) {
      yield { kind: "damage", offset: 0, end, detail: "the header does not verify", wasWritten: true };
      return;
    }
    for (const found of readSegment(file, header.seed, end)) {
      if (found.kind === "damage" || found.type !== END_RECORD) yield found;
    }
  } catch (error) {
    throw asEngineError(error);
  } finally {
    file?.close();
  }
}

/** Which file a segment is. See {@link Journal.identify}. */
export function identifySegment(
  { disk, directory }: JournalOptions,
  segment: number,
): SegmentIdentity | null {
  let file: DiskFile | null = null;
  try {
    file = disk.open(segmentPath(directory, segment));
    const header = readHeader(file);
    return header?.number === segment ? { number: segment, seed: header.seed, sizeBytes: file.size() } : null;
  } catch (error) {
    throw asEngineError(error);
  } finally {
    file?.close();
  }
}

/** Read a segment through, in slices, and tell of all that is in it and all that is wrong with it. */
export async function inspectSegment(
  options: JournalOptions,
  segment: number,
  end: number,
  onFound: (found: Found) => void,
): Promise<void> {
  const spoilt = spoiltHeader(options, segment);
  if (spoilt !== null) onFound(spoilt);
  let pauseAt = SLICE_BYTES;
  for (const found of readWritten(options, segment, end)) {
    onFound(found);
    if (found.kind === "record" && !found.isPadded) {
      const detail = "the zeros behind a record are not zeros; nothing is lost";
      onFound({ kind: "damage", offset: found.end - 8, end: found.end, detail, wasWritten: true });
    }
    if (found.end < pauseAt) continue;
    pauseAt = found.end + SLICE_BYTES;
    await new Promise<void>((resolve) => void options.clock.after(0, resolve));
  }
}

function spoiltHeader({ disk, directory }: JournalOptions, segment: number): FoundDamage | null {
  const file = disk.open(segmentPath(directory, segment));
  try {
    if (isHeaderWhole(file) || readHeader(file)?.number !== segment) return null;
    const detail = "one of two copies of the header does not verify; nothing is lost";
    return { kind: "damage", offset: 0, end: SEGMENT_HEADER_BYTES, detail, wasWritten: true };
  } finally {
    file.close();
  }
}
