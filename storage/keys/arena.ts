/**
 * Where engines keep keys, and records that stay in memory: bytes in slabs, facts about them in typed arrays.
 *
 * Naive: an object per key in a Map. A million keys are then several million objects that the garbage collector
 * walks again and again, and requests wait while it does. Here an entry is a small integer, its facts are
 * numbers in typed arrays, its bytes lie in slabs of a quarter mebibyte, and the collector sees a few thousand
 * objects whatever the number of keys.
 *
 * Bytes in a slab are never overwritten, because views of them are out there: in replies not sent yet, in scans.
 * A change of record writes the entry anew at the end of the current slab. When less than half of a slab is live,
 * what is live moves on in the same way and the slab is let go; its memory goes when the last view of it does
 * (a copying collector, slab by slab; compare Rumble et al., "Log-structured Memory for DRAM-based Storage",
 * FAST 2014, section 2). A record of 32 KiB or more is kept on its own.
 *
 * @module
 */

import { compareBytes } from "../../actors/runtime/bytes.ts";

const SLAB_BYTES = 256 * 1024;
/** Arrays grow by half: doubling them would waste more, and they are copied seldom enough. */
export const GROWTH = 1.5;
/** A record as long as this is kept on its own, by reference. */
export const LARGE_BYTES = 32 * 1024;

interface Slab {
  readonly bytes: Uint8Array;
  usedBytes: number;
  liveBytes: number;
  /** Entries that were written here, in order; some have moved on. */
  readonly entries: number[];
}

/** Keys and records by entry number. */
export class Arena {
  /** By entry: the hash of its key. */
  hash = new Int32Array(1024);
  /** By entry: its partition. */
  partition = new Uint16Array(1024);
  /** By entry: a number its owner keeps for it (the segment of its last change). */
  segment = new Uint32Array(1024);
  /** By entry: its slab, -1 when the number is free. */
  #slabOf = new Int32Array(1024).fill(-1);
  #offset = new Int32Array(1024);
  #keyBytes = new Uint16Array(1024);
  #recordBytes = new Int32Array(1024);
  /** Records too large for a slab, by entry. */
  readonly #large = new Map<number, Uint8Array>();

  readonly #slabs: (Slab | null)[] = [];
  readonly #freeSlabs: number[] = [];
  #current = -1;
  /** Numbers below this have been given out; those in `#free` are free again. */
  #end = 0;
  readonly #free: number[] = [];

  /** Memory that slabs take. */
  get slabBytes(): number {
    return (this.#slabs.length - this.#freeSlabs.length) * SLAB_BYTES;
  }

  /** Entry numbers are below this. */
  get end(): number {
    return this.#end;
  }

  /** Whether an entry number is in use. */
  has(entry: number): boolean {
    return this.#slabOf[entry]! >= 0;
  }

  /** A new entry; the bytes are copied, a large record is kept by reference. */
  add(partition: number, hash: number, key: Uint8Array, record: Uint8Array): number {
    const entry = this.#free.pop() ?? this.#end++;
    if (entry >= this.hash.length) this.#grow();
    this.hash[entry] = hash;
    this.partition[entry] = partition;
    this.#keyBytes[entry] = key.length;
    this.#store(entry, key, record);
    return entry;
  }

  /** Another record for an entry. */
  replace(entry: number, record: Uint8Array): void {
    const key = this.key(entry);
    this.#forget(entry);
    this.#store(entry, key, record);
  }

  /** Forget an entry; its number may be given out again. */
  remove(entry: number): void {
    this.#forget(entry);
    this.#free.push(entry);
  }

  /** An entry's key: a view. */
  key(entry: number): Uint8Array {
    const offset = this.#offset[entry]!;
    return this.bytes(entry).subarray(offset, offset + this.#keyBytes[entry]!);
  }

  /** An entry's record: a view. */
  record(entry: number): Uint8Array {
    const sizeBytes = this.#recordBytes[entry]!;
    if (sizeBytes >= LARGE_BYTES) return this.#large.get(entry)!;
    const offset = this.#offset[entry]! + this.#keyBytes[entry]!;
    return this.bytes(entry).subarray(offset, offset + sizeBytes);
  }

  /** The array that an entry's key lies in, and behind the key its record unless that is large. */
  bytes(entry: number): Uint8Array {
    return this.#slabs[this.#slabOf[entry]!]!.bytes;
  }

  /** Where in it the key begins. */
  keyAt(entry: number): number {
    return this.#offset[entry]!;
  }

  /** Bytes of the key. */
  keyBytes(entry: number): number {
    return this.#keyBytes[entry]!;
  }

  /** Four bytes of an entry's key as a number, zeros where it has ended. */
  keyWord(entry: number, from: number): number {
    const bytes = this.bytes(entry);
    const at = this.#offset[entry]! + from;
    const left = this.#keyBytes[entry]! - from;
    if (left >= 4) {
      return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
    }
    let word = 0;
    for (let i = 0; i < 4; i++) word = word << 8 | (i < left ? bytes[at + i]! : 0);
    return word >>> 0;
  }

  /** Bytes of the record. */
  recordBytes(entry: number): number {
    return this.#recordBytes[entry]!;
  }

  /** Bytes of key and record. */
  sizeBytes(entry: number): number {
    return this.#keyBytes[entry]! + this.#recordBytes[entry]!;
  }

  /** Whether an entry's key is `key`. */
  hasKey(entry: number, key: Uint8Array): boolean {
    const length = key.length;
    if (this.#keyBytes[entry] !== length) return false;
    const bytes = this.bytes(entry);
    const offset = this.#offset[entry]!;
    for (let i = 0; i < length; i++) if (bytes[offset + i] !== key[i]) return false;
    return true;
  }

  /** How an entry's key stands to `key` in byte order. */
  compareToKey(entry: number, key: Uint8Array): number {
    return compareBytes(this.key(entry), key);
  }

  /** The order of two entries by key. */
  compare(a: number, b: number): number {
    const aBytes = this.bytes(a);
    const bBytes = this.bytes(b);
    const aOffset = this.#offset[a]!;
    const bOffset = this.#offset[b]!;
    const aLength = this.#keyBytes[a]!;
    const bLength = this.#keyBytes[b]!;
    const shorter = aLength < bLength ? aLength : bLength;
    for (let i = 0; i < shorter; i++) {
      const difference = aBytes[aOffset + i]! - bBytes[bOffset + i]!;
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
  }

  /** What an entry takes of its slab. */
  #sizeInSlab(entry: number): number {
    const recordBytes = this.#recordBytes[entry]!;
    return this.#keyBytes[entry]! + (recordBytes < LARGE_BYTES ? recordBytes : 0);
  }

  #store(entry: number, key: Uint8Array, record: Uint8Array): void {
    this.#recordBytes[entry] = record.length;
    const isLarge = record.length >= LARGE_BYTES;
    // A small view of a large buffer would keep all of it alive.
    if (isLarge) {
      const wastes = record.buffer.byteLength > record.length + LARGE_BYTES;
      this.#large.set(entry, wastes ? record.slice() : record);
    }
    const slab = this.#claim(entry, this.#sizeInSlab(entry));
    const offset = this.#offset[entry]!;
    slab.bytes.set(key, offset);
    if (!isLarge) slab.bytes.set(record, offset + key.length);
  }

  /** Room for an entry at the end of the current slab. */
  #claim(entry: number, sizeBytes: number): Slab {
    let slab = this.#slabs[this.#current];
    if (!slab || slab.usedBytes + sizeBytes > SLAB_BYTES) {
      const full = this.#current;
      slab = { bytes: new Uint8Array(SLAB_BYTES), usedBytes: 0, liveBytes: 0, entries: [] };
      this.#current = this.#freeSlabs.pop() ?? this.#slabs.length;
      this.#slabs[this.#current] = slab;
      if (full >= 0) this.#collectIfSparse(full);
      // Collecting it may have filled the new one a little, or even whole.
      return this.#claim(entry, sizeBytes);
    }
    this.#slabOf[entry] = this.#current;
    this.#offset[entry] = slab.usedBytes;
    slab.entries.push(entry);
    slab.usedBytes += sizeBytes;
    slab.liveBytes += sizeBytes;
    return slab;
  }

  #forget(entry: number): void {
    const index = this.#slabOf[entry]!;
    this.#slabs[index]!.liveBytes -= this.#sizeInSlab(entry);
    this.#slabOf[entry] = -1;
    this.#large.delete(entry);
    if (index !== this.#current) this.#collectIfSparse(index);
  }

  /** Let a slab go once less than half of it is live; what is live moves to the current one. */
  #collectIfSparse(index: number): void {
    const slab = this.#slabs[index];
    if (!slab || slab.liveBytes * 2 >= slab.usedBytes) return;
    for (const entry of slab.entries) {
      if (this.#slabOf[entry] !== index) continue;
      const offset = this.#offset[entry]!;
      const sizeBytes = this.#sizeInSlab(entry);
      const target = this.#claim(entry, sizeBytes);
      target.bytes.set(slab.bytes.subarray(offset, offset + sizeBytes), this.#offset[entry]!);
    }
    this.#slabs[index] = null;
    this.#freeSlabs.push(index);
  }

  #grow(): void {
    const entries = Math.ceil(this.hash.length * GROWTH);
    const grown = <T extends Int32Array | Uint16Array | Uint32Array>(larger: T, old: T): T => {
      larger.set(old);
      return larger;
    };
    this.hash = grown(new Int32Array(entries), this.hash);
    this.partition = grown(new Uint16Array(entries), this.partition);
    this.segment = grown(new Uint32Array(entries), this.segment);
    this.#slabOf = grown(new Int32Array(entries).fill(-1), this.#slabOf);
    this.#offset = grown(new Int32Array(entries), this.#offset);
    this.#keyBytes = grown(new Uint16Array(entries), this.#keyBytes);
    this.#recordBytes = grown(new Int32Array(entries), this.#recordBytes);
  }
}
