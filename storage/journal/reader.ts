/**
 * Reading a segment, whatever has happened to it.
 *
 * A log that stops at the first bad record turns one flipped bit into the loss of everything behind it. A log
 * that trusts the length in a bad record loses its way. So a record has two checksums. The header's is bound to
 * the file and the offset: a header that verifies is one that was written there, its length can be trusted, and
 * a bad payload costs one record. When the header itself is bad, the reader looks at each following multiple of
 * 8 for one that verifies. What a client stores cannot pass for a header, because the checksum starts from
 * random bytes of the file that the client has never seen.
 *
 * A power cut leaves holes, too: of what was not synced, the disk may have written the end and not the beginning.
 * That is no loss, for nobody was promised any of it; a hole in what was synced is (Alagappan et al.,
 * "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018, section 3.3). To tell them apart, each record
 * says up to where the file was durable when it was written: a hole before that is damage. What was synced last of
 * all has nothing behind it that says so. But nothing is ever written over, and where nothing was written a file has
 * zeros: of a record that a crash has torn, some sector ends in a zero. One that does not, and does not verify, has
 * been written as a whole, and spoiled later. So has one that verifies with a single bit flipped, unless nothing but
 * zeros follows that in its sector: for a torn one the odds are those of its bits to 2^32. (Two flipped bits, and a
 * zero at the end of a sector, pass for torn.)
 *
 * What does not verify is read again before it counts as damage: what a cable, a controller or a bit of memory has
 * spoiled on the way is whole the next time, and nothing that is whole on the medium may be cut.
 *
 * @module
 */

import { crc32c } from "../../actors/runtime/crc32c.ts";
import type { DiskFile } from "../../actors/runtime/environment.ts";
import {
  ALIGNMENT_BYTES,
  decodeRecordHeader,
  RECORD_HEADER_BYTES,
  recordBytes,
  SEGMENT_HEADER_BYTES,
} from "./format.ts";

/** A record that verified. */
export interface FoundRecord {
  /** Distinguishes it from damage. */
  readonly kind: "record";
  /** Where it begins. */
  readonly offset: number;
  /** Where the next one begins. */
  readonly end: number;
  /** Its type. */
  readonly type: number;
  /** Everything before this offset was durable when it was written. */
  readonly durable: number;
  /** Its payload: valid until the next record is read. */
  readonly payload: Uint8Array;
  /** Whether zeros follow the payload up to the next record, as they should. */
  readonly isPadded: boolean;
}

/** A stretch of bytes that is no record. */
export interface FoundDamage {
  /** Distinguishes it from a record. */
  readonly kind: "damage";
  /** Where it begins. */
  readonly offset: number;
  /** Where reading goes on. */
  readonly end: number;
  /** What is wrong, for people. */
  readonly detail: string;
  /** Whether all that fails to verify was certainly written once: no crash leaves that. */
  readonly wasWritten: boolean;
}

const WINDOW_BYTES = 1 << 20;
/** No disk writes less than this at once, unless it is torn in the middle of it. */
const SECTOR_BYTES = 512;
/** What does not verify is read so often in all. */
export const READ_TRIES = 4;

/** A stretch of a file in memory, which moves forward as it is read. */
class Window {
  readonly #file: DiskFile;
  readonly #end: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #from = 0;
  #to = 0;

  constructor(file: DiskFile, end: number) {
    this.#file = file;
    this.#end = end;
    this.#bytes = new Uint8Array(Math.min(end, WINDOW_BYTES));
  }

  /** All bytes of the window; {@link Window.seek} tells where in it. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Read again what is asked for next. */
  forget(): void {
    this.#from = this.#to = 0;
  }

  /** Have `length` bytes from `offset` in the window and say where in it; -1 when the file ends before. */
  seek(offset: number, length: number): number {
    if (offset + length > this.#end) return -1;
    if (offset < this.#from || offset + length > this.#to) {
      if (length > this.#bytes.length) this.#bytes = new Uint8Array(length);
      const wanted = Math.min(this.#bytes.length, this.#end - offset);
      this.#from = offset;
      this.#to = offset + this.#file.read(this.#bytes.subarray(0, wanted), offset);
      if (offset + length > this.#to) return -1;
    }
    return offset - this.#from;
  }
}

/**
 * Everything between a segment's header and `end`, in order: records, and the damage between them.
 *
 * @throws {DiskError} when the disk does
 */
export function* readSegment(
  file: DiskFile,
  seed: number,
  end: number,
): Generator<FoundRecord | FoundDamage, void, void> {
  const window = new Window(file, end);
  const headerAt = (offset: number) => {
    const at = window.seek(offset, RECORD_HEADER_BYTES);
    return at < 0 ? null : decodeRecordHeader(seed, offset, window.bytes, at);
  };
  const headerWasWritten = (offset: number) => {
    const at = window.seek(offset, RECORD_HEADER_BYTES);
    if (at < 0) return false;
    const header = window.bytes.slice(at, at + RECORD_HEADER_BYTES);
    return isWhole(header, offset, () => bitFlippedInHeader(header, seed, offset));
  };
  const nextHeader = (offset: number) => {
    let next = offset + ALIGNMENT_BYTES;
    while (next < end && headerAt(next) === null) next += ALIGNMENT_BYTES;
    return next;
  };
  /** Null when no header verifies there. */
  const recordAt = (offset: number): FoundRecord | FoundDamage | null => {
    const header = headerAt(offset);
    if (header === null) return null;
    const { type, payloadBytes, payloadCrc, durable } = header;
    const next = offset + recordBytes(payloadBytes);
    const start = offset + RECORD_HEADER_BYTES;
    const paddingEnd = Math.min(next, end) - start;
    const at = start + payloadBytes > end ? -1 : window.seek(start, paddingEnd);
    if (at < 0) {
      const detail = `the file ends inside a record of ${payloadBytes} bytes`;
      return { kind: "damage", offset, end, detail, wasWritten: false };
    }
    const payload = window.bytes.subarray(at, at + payloadBytes);
    if (crc32c(payload) === payloadCrc) {
      const isPadded = isZero(window.bytes, at + payloadBytes, at + paddingEnd);
      return { kind: "record", offset, end: next, type, durable, payload, isPadded };
    }
    const wasWritten = isWhole(payload, start, () => bitFlippedIn(payload, payloadCrc));
    const detail = "the payload fails its checksum";
    return { kind: "damage", offset, end: Math.min(next, end), detail, wasWritten };
  };
  for (let offset = SEGMENT_HEADER_BYTES; offset < end;) {
    let found = recordAt(offset);
    for (let tries = 1; tries < READ_TRIES && found?.kind !== "record"; tries++) {
      window.forget();
      found = recordAt(offset);
    }
    if (found === null) {
      let next = end;
      for (let tries = 0; tries < READ_TRIES; tries++) {
        window.forget();
        next = Math.min(next, nextHeader(offset));
      }
      const detail = "no record header verifies here";
      found = { kind: "damage", offset, end: next, detail, wasWritten: headerWasWritten(offset) };
    }
    yield found;
    offset = found.end;
  }
}

/** Whether there are zeros only. */
function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at]) return false;
  return true;
}

/**
 * Whether `bytes`, which stand at `offset` of their file and do not verify, have certainly all been written. `flipped`
 * gives the one byte that would make them verify with one of its bits flipped, -1 when there is none.
 */
function isWhole(bytes: Uint8Array, offset: number, flipped: () => number): boolean {
  const endOfSector = (at: number) =>
    Math.min(bytes.length, at + SECTOR_BYTES - (offset + at) % SECTOR_BYTES);
  let isTornable = false;
  for (let end = endOfSector(0); !isTornable; end = endOfSector(end)) {
    isTornable = bytes[end - 1] === 0;
    if (end === bytes.length) break;
  }
  if (!isTornable) return true;
  const at = flipped();
  return at >= 0 && bytes.subarray(at, endOfSector(at)).some((byte) => byte !== 0);
}

/** Where a record header that does not verify has the bit that would make it, -1 when there is none. */
function bitFlippedInHeader(header: Uint8Array, seed: number, offset: number): number {
  for (let bit = 0; bit < 8 * header.length; bit++) {
    const mended = header.with(bit >> 3, header[bit >> 3]! ^ 1 << bit % 8);
    if (decodeRecordHeader(seed, offset, mended, 0) !== null) return bit >> 3;
  }
  return -1;
}

/** What one byte does to a CRC-32C of zeros: the checksum is linear in the bits it is of. */
const DIFFERENCE = Uint32Array.from({ length: 256 }, (_, byte) => {
  return crc32c(Uint8Array.of(byte)) ^ crc32c(Uint8Array.of(0));
});

/** The byte in which one flipped bit explains why `bytes` have not this CRC-32C, -1 when none does. */
function bitFlippedIn(bytes: Uint8Array, expected: number): number {
  const difference = (crc32c(bytes) ^ expected) >>> 0;
  // What a flipped bit in the last byte does; and then, byte by byte, one so much earlier.
  const flips = Uint32Array.from({ length: 8 }, (_, bit) => DIFFERENCE[1 << bit]!);
  for (let at = bytes.length - 1; at >= 0; at--) {
    for (let bit = 0; bit < 8; bit++) {
      const flip = flips[bit]!;
      if (flip === difference) return at;
      flips[bit] = (flip >>> 8) ^ DIFFERENCE[flip & 0xff]!;
    }
  }
  return -1;
}
