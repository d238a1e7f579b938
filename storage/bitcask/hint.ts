/**
 * Hint files: what a segment says of keys, without the records; the grammar is in `storage/FORMAT.md`.
 *
 * A keydir can be built from the segments alone, but then every record has to be read. A hint file says the same in a
 * tenth of the bytes (Sheehy and Smith, section "keydir"). It is believed only as a whole: its checksum covers all of
 * it, and it names the segment that it was made of by number, seed and size, so that what has been damaged, cut off,
 * mistaken for another one or outlived by its segment is noticed, and the segment read instead.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { EngineError } from "../engine.ts";
import { type PlacedChange, REMOVED } from "./codec.ts";
import type { RecordVisitor } from "./records.ts";

/** The ending of a hint file's name. */
export const HINT_SUFFIX = ".hint";
/** What precedes the entries. */
export const HINT_HEADER_BYTES = 52;

const FORMAT_VERSION = 1;
const MAGIC = 0x64656e61_6d6f6874n; // "denamoht"
const ENTRY_BYTES = 16;
const CRC_AT = 48;
const CHUNK_BYTES = 256 * 1024;
const NO_ID = new Uint8Array(16);

/** Which segment a hint file is about. */
export interface HintedSegment {
  /** Its number. */
  readonly number: number;
  /** Its seed. */
  readonly seed: number;
  /** Where its records end; only end records may follow. */
  readonly end: number;
}

/** A hint file that verified. */
export interface Hint extends HintedSegment {
  /** The last store id in the segment, null when there is none. */
  readonly storeId: Uint8Array | null;
  /** The whole file. */
  readonly bytes: Uint8Array;
}

/** What a hint file says of one change. */
export interface HintEntry {
  /** Its number. */
  readonly sequence: number;
  /** The partition. */
  readonly partition: number;
  /** The key; empty: all keys of the partition are removed. */
  readonly key: Uint8Array;
  /** Where the change begins in the segment. */
  readonly offset: number;
  /** Bytes of the record; {@link REMOVED}: the key is removed. */
  readonly recordBytes: number;
}

/** Makes a hint file, piece by piece. */
export class HintEncoder implements RecordVisitor {
  #chunk = new Uint8Array(CHUNK_BYTES);
  #view = new DataView(this.#chunk.buffer);
  #to = 0;
  #crc = 0;
  #base = -1;
  #storeId = NO_ID;
  readonly #onChunk: (bytes: Uint8Array) => void;

  /** @param onChunk called with what follows the header, in order; the bytes are good during the call */
  constructor(onChunk: (bytes: Uint8Array) => void) {
    this.#onChunk = onChunk;
  }

  /** See {@link RecordVisitor.change}. */
  change({ sequence, partition, key, record }: PlacedChange, offset: number): void {
    if (this.#to + ENTRY_BYTES + key.length > CHUNK_BYTES) this.#flush();
    if (this.#base < 0) this.#base = sequence;
    const at = this.#to;
    this.#view.setUint32(at, sequence - this.#base);
    this.#view.setUint32(at + 4, offset);
    this.#view.setUint32(at + 8, record === null ? REMOVED : record.length);
    this.#view.setUint16(at + 12, partition);
    this.#view.setUint16(at + 14, key.length);
    this.#chunk.set(key, at + ENTRY_BYTES);
    this.#to = at + ENTRY_BYTES + key.length;
  }

  /** See {@link RecordVisitor.storeId}. */
  storeId(id: Uint8Array): void {
    this.#storeId = id.slice();
  }

  /** The header; nothing may be added afterwards. */
  finish({ number, seed, end }: HintedSegment): Uint8Array<ArrayBuffer> {
    this.#flush();
    const header = new Uint8Array(HINT_HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setBigUint64(0, MAGIC);
    view.setUint32(8, FORMAT_VERSION);
    view.setUint32(12, number);
    view.setUint32(16, seed);
    view.setUint32(20, end);
    header.set(this.#storeId, 24);
    const base = Math.max(0, this.#base);
    view.setUint32(40, Math.floor(base / 2 ** 32));
    view.setUint32(44, base % 2 ** 32);
    view.setUint32(CRC_AT, crc32(header.subarray(0, CRC_AT), this.#crc));
    return header;
  }

  #flush(): void {
    const chunk = this.#chunk.subarray(0, this.#to);
    this.#crc = crc32(chunk, this.#crc);
    this.#onChunk(chunk);
    this.#to = 0;
  }
}

/**
 * What the bytes of a hint file say; null when they do not verify.
 *
 * @throws {EngineError} `newer` when a later release wrote them
 */
export function decodeHint(bytes: Uint8Array, path: string): Hint | null {
  if (bytes.length < HINT_HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const crc = crc32(bytes.subarray(0, CRC_AT), crc32(bytes.subarray(HINT_HEADER_BYTES)));
  if (view.getBigUint64(0) !== MAGIC || view.getUint32(CRC_AT) !== crc) return null;
  const version = view.getUint32(8);
  if (version > FORMAT_VERSION) {
    const detail = `${path} has format ${version}, this release reads ${FORMAT_VERSION}`;
    throw new EngineError("newer", `${detail}: it was written by a newer one; nothing was changed`);
  }
  const storeId = bytes.subarray(24, 40);
  return {
    number: view.getUint32(12),
    seed: view.getUint32(16),
    end: view.getUint32(20),
    storeId: storeId.some((byte) => byte !== 0) ? storeId : null,
    bytes,
  };
}

/** The entries of a hint file that verified, in order. */
export function* hintEntries({ bytes }: Hint): Generator<HintEntry, void, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const base = view.getUint32(40) * 2 ** 32 + view.getUint32(44);
  for (let at = HINT_HEADER_BYTES; at < bytes.length;) {
    const keyAt = at + ENTRY_BYTES;
    const end = keyAt + view.getUint16(at + 14);
    yield {
      sequence: base + view.getUint32(at),
      offset: view.getUint32(at + 4),
      recordBytes: view.getUint32(at + 8),
      partition: view.getUint16(at + 12),
      key: bytes.subarray(keyAt, end),
    };
    at = end;
  }
}
