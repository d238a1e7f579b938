/**
 * The bytes of a table beside its entries: frames and the footer. `storage/FORMAT.md` is the grammar; this file is the
 * only one that writes or reads it.
 *
 * Checksums are CRC-32, not CRC-32C as elsewhere: the one of `node:zlib` takes 0.2 us for a block of 4 KiB, ours 3.5,
 * and a read of that block takes 2.
 *
 * @module
 */

import { crc32 } from "node:zlib";

/** The only format version this code reads and writes. */
export const FORMAT_VERSION = 1;
/** What precedes the content of a frame. */
export const FRAME_HEADER_BYTES = 10;
/** A table ends with two equal copies of this many bytes, so that one damaged sector is survived. */
export const FOOTER_COPY_BYTES = 32;
/** The end of a table. */
export const FOOTER_BYTES: number = 2 * FOOTER_COPY_BYTES;

/** What a frame holds. */
export const FRAME = { data: 1, filter: 2, index: 3 } as const;
/** How its content is written. */
export const COMPRESSION = { none: 0, zstd: 1 } as const;

const MAGIC = 0x64656e61_6d6f7374n; // "denamost"

/** Where the checksum of a frame at `offset` starts: never the same at two offsets of one file. */
function seedAt(seed: number, offset: number): number {
  return (seed + offset) >>> 0;
}

/** Complete the frame at `bytes[at]`, whose content of so many bytes is there already. It will stand at `offset`. */
export function sealFrame(
  bytes: Uint8Array,
  at: number,
  contentBytes: number,
  facts: {
    readonly seed: number;
    readonly offset: number;
    readonly kind: number;
    readonly compression: number;
  },
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEADER_BYTES);
  view.setUint32(4, contentBytes);
  view.setUint8(8, facts.kind);
  view.setUint8(9, facts.compression);
  const covered = bytes.subarray(at + 4, at + FRAME_HEADER_BYTES + contentBytes);
  view.setUint32(0, crc32(covered, seedAt(facts.seed, facts.offset)));
}

/** Bytes of content that the frame at `bytes[at]` claims to have; only its checksum makes that certain. */
export function contentBytesAt(bytes: Uint8Array, at: number): number {
  return (bytes[at + 4]! << 24 | bytes[at + 5]! << 16 | bytes[at + 6]! << 8 | bytes[at + 7]!) >>> 0;
}

/** How the content of the frame at `bytes[at]` is written. */
export function compressionAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 9]!;
}

/** Whether the whole frame that is `bytes[at]` to `bytes[end]` verifies, standing at `offset`. */
export function frameVerifies(
  bytes: Uint8Array,
  at: number,
  end: number,
  seed: number,
  offset: number,
): boolean {
  const checksum = (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
  return end - at >= FRAME_HEADER_BYTES && contentBytesAt(bytes, at) === end - at - FRAME_HEADER_BYTES &&
    crc32(bytes.subarray(at + 4, end), seedAt(seed, offset)) === checksum;
}

/** What a table says of itself. */
export interface Footer {
  /** Format version. */
  readonly version: number;
  /** Number of the table, also in its file name. */
  readonly number: number;
  /** Where its checksums start: differs from table to table. */
  readonly seed: number;
  /** Where the filter's frame begins; data ends there. */
  readonly filterAt: number;
  /** Where the index's frame begins; the filter ends there, the index at the footer. */
  readonly indexAt: number;
}

/** The last bytes of a table. */
export function encodeFooter({ number, seed, filterAt, indexAt }: Omit<Footer, "version">): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, MAGIC);
  view.setUint32(8, FORMAT_VERSION);
  view.setUint32(12, number);
  view.setUint32(16, seed);
  view.setUint32(20, filterAt);
  view.setUint32(24, indexAt);
  view.setUint32(28, crc32(bytes.subarray(0, 28)));
  bytes.copyWithin(FOOTER_COPY_BYTES, 0, FOOTER_COPY_BYTES);
  return bytes;
}

/** What the first whole copy of the footer says; null when both are damaged. */
export function decodeFooter(bytes: Uint8Array): Footer | null {
  for (let at = 0; at + FOOTER_COPY_BYTES <= bytes.length; at += FOOTER_COPY_BYTES) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, FOOTER_COPY_BYTES);
    if (view.getBigUint64(0) !== MAGIC) continue;
    if (crc32(bytes.subarray(at, at + 28)) !== view.getUint32(28)) continue;
    return {
      version: view.getUint32(8),
      number: view.getUint32(12),
      seed: view.getUint32(16),
      filterAt: view.getUint32(20),
      indexAt: view.getUint32(24),
    };
  }
  return null;
}
