/**
 * The index of a table: which block a key is in, if it is there.
 *
 * Of each block but the first it keeps the shortest beginning of its first key that is greater than every key before.
 * That is a few bytes, however long the keys are (Bayer and Unterauer, "Prefix B-trees", 1977, section 3).
 *
 * @module
 */

/** Offset, size, length of the bound. */
const ENTRY_BYTES = 10;

/** An index being written. */
export class IndexBuilder {
  #bytes = new Uint8Array(4096);
  #end = 4;
  #count = 0;

  /** Add a block behind the others. `bound`: keys in it are not less, keys before it are. */
  add(offset: number, sizeBytes: number, bound: Uint8Array): void {
    const end = this.#end + ENTRY_BYTES + bound.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    const view = new DataView(this.#bytes.buffer);
    view.setUint32(this.#end, offset);
    view.setUint32(this.#end + 4, sizeBytes);
    view.setUint16(this.#end + 8, bound.length);
    this.#bytes.set(bound, this.#end + ENTRY_BYTES);
    this.#end = end;
    this.#count++;
  }

  /** The whole index. */
  finish(): Uint8Array {
    new DataView(this.#bytes.buffer).setUint32(0, this.#count);
    return this.#bytes.subarray(0, this.#end);
  }
}

/** The shortest beginning of `key` that is greater than `before`, a lesser key. */
export function boundBetween(
  before: Uint8Array,
  beforeBytes: number,
  key: Uint8Array,
  keyBytes: number,
): Uint8Array {
  let shared = 0;
  while (shared < beforeBytes && shared < keyBytes && before[shared] === key[shared]) shared++;
  return key.slice(0, shared + 1);
}

/** An index, to look up. */
export class BlockIndex {
  /** How many blocks there are. */
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #offset: Uint32Array;
  readonly #sizeBytes: Uint32Array;
  /** Where the bounds are in the bytes. */
  readonly #boundAt: Uint32Array;
  readonly #boundBytes: Uint16Array;
  /** The first bytes of each bound as a number: most comparisons need no more. */
  readonly #heads: Float64Array;

  /** @param bytes what {@link IndexBuilder.finish} gave; kept */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bytes = bytes;
    this.count = view.getUint32(0);
    this.#offset = new Uint32Array(this.count);
    this.#sizeBytes = new Uint32Array(this.count);
    this.#boundAt = new Uint32Array(this.count);
    this.#boundBytes = new Uint16Array(this.count);
    this.#heads = new Float64Array(this.count);
    for (let i = 0, at = 4; i < this.count; i++) {
      this.#offset[i] = view.getUint32(at);
      this.#sizeBytes[i] = view.getUint32(at + 4);
      this.#boundBytes[i] = view.getUint16(at + 8);
      this.#boundAt[i] = at + ENTRY_BYTES;
      this.#heads[i] = headOf(bytes, at + ENTRY_BYTES, this.#boundBytes[i]!);
      at += ENTRY_BYTES + this.#boundBytes[i]!;
    }
  }

  /** The only block that may hold a key: the last whose bound is not greater. */
  find(key: Uint8Array, keyBytes: number): number {
    const heads = this.#heads;
    const head = headOf(key, 0, keyBytes);
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const order = heads[middle]! - head || this.#compareBound(middle, key, keyBytes);
      if (order <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The bound of a block: keys in it are not less, keys before it are. */
  bound(block: number): Uint8Array {
    return this.#bytes.subarray(this.#boundAt[block]!, this.#boundAt[block]! + this.#boundBytes[block]!);
  }

  /** Where a block's frame begins. */
  offset(block: number): number {
    return this.#offset[block]!;
  }

  /** Bytes of a block's frame. */
  sizeBytes(block: number): number {
    return this.#sizeBytes[block]!;
  }

  #compareBound(block: number, key: Uint8Array, keyBytes: number): number {
    const bytes = this.#bytes;
    const from = this.#boundAt[block]!;
    const length = this.#boundBytes[block]!;
    const shorter = length < keyBytes ? length : keyBytes;
    for (let i = 0; i < shorter; i++) {
      const difference = bytes[from + i]! - key[i]!;
      if (difference !== 0) return difference;
    }
    return length - keyBytes;
  }
}

/** The first six bytes of a key as a number, zeros where it has ended. */
function headOf(bytes: Uint8Array, at: number, keyBytes: number): number {
  let head = 0;
  for (let i = 0; i < 6; i++) head = head * 256 + (i < keyBytes ? bytes[at + i]! : 0);
  return head;
}
