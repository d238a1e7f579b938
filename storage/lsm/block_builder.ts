/**
 * Writing a data block: sorted entries whose keys leave out what they share with the key before. The grammar is in
 * `storage/FORMAT.md`; `block.ts` reads it.
 *
 * @module
 */

import { REMOVED } from "./cursor.ts";
import { STORED_KEY_BYTES } from "./stored_key.ts";
import { putVarint } from "./varint.ts";

/** One key in so many is written whole, so that a search need not begin at the first. */
export const RESTART_INTERVAL = 16;
/** Three varints. */
const ENTRY_OVERHEAD_BYTES = 15;

/** A block being written. */
export class BlockBuilder {
  #bytes = new Uint8Array(16 * 1024);
  #end = 0;
  #restarts: number[] = [];
  #entries = 0;
  readonly #lastKey = new Uint8Array(STORED_KEY_BYTES);
  #lastKeyBytes = 0;

  /** How many entries it has. */
  get entries(): number {
    return this.#entries;
  }

  /** What {@link BlockBuilder.finish} would give, in bytes. */
  get sizeBytes(): number {
    return this.#end + 4 * this.#restarts.length + 4;
  }

  /** At most so much longer would one more entry make it. */
  static entryBytes(keyBytes: number, recordBytes: number): number {
    return keyBytes + recordBytes + ENTRY_OVERHEAD_BYTES;
  }

  /** Add an entry behind all others; parameters as the fields of a `Cursor`. */
  add(key: Uint8Array, keyBytes: number, from: Uint8Array, recordAt: number, recordBytes: number): void {
    const length = recordBytes === REMOVED ? 0 : recordBytes;
    this.#reserve(keyBytes + length + ENTRY_OVERHEAD_BYTES);
    const bytes = this.#bytes;
    const lastKey = this.#lastKey;
    let shared = 0;
    if (this.#entries % RESTART_INTERVAL === 0) this.#restarts.push(this.#end);
    else {
      const most = keyBytes < this.#lastKeyBytes ? keyBytes : this.#lastKeyBytes;
      while (shared < most && key[shared] === lastKey[shared]) shared++;
    }
    let at = putVarint(bytes, this.#end, shared);
    at = putVarint(bytes, at, keyBytes - shared);
    for (let i = shared; i < keyBytes; i++) bytes[at++] = lastKey[i] = key[i]!;
    at = putVarint(bytes, at, recordBytes + 1);
    if (length > 0) bytes.set(from.subarray(recordAt, recordAt + length), at);
    this.#end = at + length;
    this.#lastKeyBytes = keyBytes;
    this.#entries++;
  }

  /** The whole block: good until the builder is used again. It is empty afterwards. */
  finish(): Uint8Array {
    this.#reserve(4 * this.#restarts.length + 4);
    const view = new DataView(this.#bytes.buffer);
    let at = this.#end;
    for (const restart of this.#restarts) {
      view.setUint32(at, restart);
      at += 4;
    }
    view.setUint32(at, this.#restarts.length);
    this.#end = 0;
    this.#restarts = [];
    this.#entries = 0;
    this.#lastKeyBytes = 0;
    return this.#bytes.subarray(0, at + 4);
  }

  #reserve(moreBytes: number): void {
    const needed = this.#end + moreBytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
  }
}
