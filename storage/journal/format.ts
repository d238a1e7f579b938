/**
 * The bytes of a segment: its header and the frame of each record. `storage/FORMAT.md` is the grammar; this file
 * is the only one that writes or reads it.
 *
 * @module
 */

import { crc32c } from "../../actors/runtime/crc32c.ts";

/** The only format version this code reads and writes. */
export const FORMAT_VERSION = 1;
/** A segment's header: two equal copies of {@link HEADER_COPY_BYTES}, so that one damaged sector is survived. */
export const SEGMENT_HEADER_BYTES = 64;
/** What precedes a record's payload. */
export const RECORD_HEADER_BYTES = 16;
/** Records begin at multiples of this. */
export const ALIGNMENT_BYTES = 8;
/** The record type that says that everything before it was durable when it was written. Owners use 1 to 255. */
export const END_RECORD = 0;

const HEADER_COPY_BYTES = 32;
const MAGIC = 0x64656e61_6d6f6c67n; // "denamolg"

/** What a segment says of itself. */
export interface SegmentHeader {
  /** Format version. */
  readonly version: number;
  /** Place of the segment in its journal, from 1; also in its file name. */
  readonly number: number;
  /** Where the checksums of its record headers start: differs from file to file. */
  readonly seed: number;
  /** How long the segment before it was when it was begun; null: there was none, or it is not known. */
  readonly previousBytes: number | null;
}

/**
 * The first bytes of segment `number`. `id`: 8 random bytes, which make its checksums its own. `previousBytes`: see
 * {@link SegmentHeader}.
 */
export function encodeSegmentHeader(
  number: number,
  id: Uint8Array,
  previousBytes: number | null,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, MAGIC);
  view.setUint32(8, FORMAT_VERSION);
  view.setUint32(12, number);
  bytes.set(id.subarray(0, 8), 16);
  view.setUint32(24, (previousBytes ?? 0) / ALIGNMENT_BYTES);
  view.setUint32(28, crc32c(bytes.subarray(0, 28)));
  bytes.copyWithin(HEADER_COPY_BYTES, 0, HEADER_COPY_BYTES);
  return bytes;
}

/** What the first whole copy of the header says; null when both are damaged. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | null {
  for (
    let at = 0;
    at + HEADER_COPY_BYTES <= bytes.length && at < SEGMENT_HEADER_BYTES;
    at += HEADER_COPY_BYTES
  ) {
    const copy = bytes.subarray(at, at + HEADER_COPY_BYTES);
    const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
    const seed = view.getUint32(28);
    if (view.getBigUint64(0) !== MAGIC || crc32c(copy.subarray(0, 28)) !== seed) continue;
    const previousBytes = view.getUint32(24) * ALIGNMENT_BYTES || null;
    return { version: view.getUint32(8), number: view.getUint32(12), seed, previousBytes };
  }
  return null;
}

/** A record's frame. */
export interface RecordHeader {
  /** What the owner of the journal calls this kind of record; 0 is {@link END_RECORD}. */
  readonly type: number;
  /** Bytes of payload. */
  readonly payloadBytes: number;
  /** CRC-32C of the payload. */
  readonly payloadCrc: number;
  /** Everything before this offset was durable when the record was written; a multiple of 8. */
  readonly durable: number;
}

/** Scratch for one record header, and the part of it that its checksum covers. */
const HEADER = new Uint8Array(RECORD_HEADER_BYTES);
const HEADER_VIEW = new DataView(HEADER.buffer);
const COVERED = HEADER.subarray(4);

/** Where the checksum of a header at `offset` starts: never the same at two offsets of one file. */
function seedAt(seed: number, offset: number): number {
  return (seed + offset) >>> 0;
}

/**
 * A record header for `offset` of the segment whose header has `seed`. It is scratch: copy it before the next
 * call.
 */
export function encodeRecordHeader(seed: number, offset: number, header: RecordHeader): Uint8Array {
  HEADER_VIEW.setUint32(4, header.payloadCrc);
  HEADER_VIEW.setUint32(8, header.payloadBytes);
  HEADER_VIEW.setUint32(12, (header.type << 24) | (header.durable / ALIGNMENT_BYTES));
  HEADER_VIEW.setUint32(0, crc32c(COVERED, seedAt(seed, offset)));
  return HEADER;
}

/** The record header that stands at `bytes[at]` and at `offset` of its segment; null when none does. */
export function decodeRecordHeader(
  seed: number,
  offset: number,
  bytes: Uint8Array,
  at: number,
): RecordHeader | null {
  for (let i = 0; i < RECORD_HEADER_BYTES; i++) HEADER[i] = bytes[at + i]!;
  if (crc32c(COVERED, seedAt(seed, offset)) !== HEADER_VIEW.getUint32(0)) return null;
  return {
    type: HEADER[12]!,
    payloadBytes: HEADER_VIEW.getUint32(8),
    payloadCrc: HEADER_VIEW.getUint32(4),
    durable: (HEADER_VIEW.getUint32(12) & 0xffffff) * ALIGNMENT_BYTES,
  };
}

/** How much of a segment a record with so much payload takes. */
export function recordBytes(payloadBytes: number): number {
  return (RECORD_HEADER_BYTES + payloadBytes + ALIGNMENT_BYTES - 1) & -ALIGNMENT_BYTES;
}
