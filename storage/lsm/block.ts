/**
 * Reading a data block; `block_builder.ts` writes it, `storage/FORMAT.md` has the grammar.
 *
 * A key in a block leaves out what it shares with the one before, so the keys have to be read one after the other.
 * A search in a block makes none of them: it remembers how many bytes of the wanted key the last one had in common
 * with it. A key that shares more than that with the last one is on the same side of the wanted key as that was; one
 * that shares less is past it; only one that shares just as much has to be looked at. The same idea as Manber and
 * Myers, "Suffix Arrays", 1990, section 2. A block is part of a larger array, from `from` to `to`.
 *
 * @module
 */

import { compareKeys, STORED_KEY_BYTES } from "./stored_key.ts";
import { varintAt, varintBytes } from "./varint.ts";

function u32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/** Where the entries of a block end. */
export function entriesEnd(bytes: Uint8Array, to: number): number {
  return to - 4 - 4 * u32At(bytes, to - 4);
}

/** Where the last entry with a whole key that is not greater than `key` begins; the first entry when all are. */
export function restartBefore(
  bytes: Uint8Array,
  from: number,
  to: number,
  key: Uint8Array,
  keyBytes: number,
): number {
  const restarts = entriesEnd(bytes, to);
  let low = 0;
  let high = u32At(bytes, to - 4) - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const at = from + u32At(bytes, restarts + 4 * middle);
    if (compareWhole(bytes, at, key, keyBytes) <= 0) low = middle;
    else high = middle - 1;
  }
  return from + u32At(bytes, restarts + 4 * low);
}

/** How the whole key of the entry at `at` stands to `key`. */
function compareWhole(bytes: Uint8Array, at: number, key: Uint8Array, keyBytes: number): number {
  const length = varintAt(bytes, at + 1); // what it shares is 0, one byte
  const suffixAt = at + 1 + varintBytes(length);
  const shorter = length < keyBytes ? length : keyBytes;
  for (let i = 0; i < shorter; i++) {
    const difference = bytes[suffixAt + i]! - key[i]!;
    if (difference !== 0) return difference;
  }
  return length - keyBytes;
}

/**
 * Where in a block what belongs to a key stands: the length of its record plus one as a varint (0: removed), then the
 * record. -1 when the key is not there.
 */
export function findInBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  key: Uint8Array,
  keyBytes: number,
): number {
  const end = entriesEnd(bytes, to);
  let at = restartBefore(bytes, from, to, key, keyBytes);
  let matched = 0; // of `key`, by the key before, which is less
  while (at < end) {
    const shared = varintAt(bytes, at);
    at += varintBytes(shared);
    const length = varintAt(bytes, at);
    at += varintBytes(length);
    if (shared < matched) return -1;
    if (shared === matched) {
      let i = 0;
      while (i < length && matched < keyBytes && bytes[at + i] === key[matched]) {
        i++;
        matched++;
      }
      if (i === length) {
        if (matched === keyBytes) return at + length;
      } else if (matched === keyBytes || bytes[at + i]! > key[matched]!) return -1;
    }
    at += length;
    const tag = varintAt(bytes, at);
    at += varintBytes(tag) + (tag === 0 ? 0 : tag - 1);
  }
  return -1;
}

/** Walks through one block after another, showing an entry as a `Cursor` does. */
export class BlockWalker {
  /** See `Cursor`. */
  readonly key: Uint8Array = new Uint8Array(STORED_KEY_BYTES);
  /** See `Cursor`. */
  keyBytes = 0;
  /** See `Cursor`. */
  bytes: Uint8Array = new Uint8Array(0);
  /** See `Cursor`. */
  recordAt = 0;
  /** See `Cursor`. */
  recordBytes = 0;
  #at = 0;
  #end = 0;

  /** Stand before the first entry of a block. */
  enter(bytes: Uint8Array, from: number, to: number): void {
    this.bytes = bytes;
    this.#at = from;
    this.#end = entriesEnd(bytes, to);
  }

  /** Stand on the first entry of a block with at least this key; false when there is none. */
  enterAt(bytes: Uint8Array, from: number, to: number, key: Uint8Array, keyBytes: number): boolean {
    this.enter(bytes, from, to);
    this.#at = restartBefore(bytes, from, to, key, keyBytes);
    while (this.next()) if (compareKeys(this.key, this.keyBytes, key, keyBytes) >= 0) return true;
    return false;
  }

  /** Go to the next entry; false when there is none. */
  next(): boolean {
    const { bytes, key } = this;
    let at = this.#at;
    if (at >= this.#end) return false;
    const shared = varintAt(bytes, at);
    at += varintBytes(shared);
    const length = varintAt(bytes, at);
    at += varintBytes(length);
    const keyBytes = shared + length;
    for (let i = shared; i < keyBytes; i++) key[i] = bytes[at++]!;
    const tag = varintAt(bytes, at);
    at += varintBytes(tag);
    this.keyBytes = keyBytes;
    this.recordAt = at;
    this.recordBytes = tag - 1;
    this.#at = tag === 0 ? at : at + tag - 1;
    return true;
  }
}
