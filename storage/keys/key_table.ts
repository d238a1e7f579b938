/**
 * From key bytes to entry numbers: a hash table with open addressing and linear probing.
 *
 * A slot is two numbers, the hash and the entry, so that a miss rarely looks further than one cache line. Removal
 * shifts later slots back instead of leaving markers (Knuth, "The Art of Computer Programming", volume 3, section
 * 6.4, algorithm R), so a table never has to be cleaned.
 *
 * @module
 */

import { murmur3 } from "../../actors/runtime/murmur3.ts";
import type { Arena } from "./arena.ts";

/** The ring places keys by their hash, too; the same one would crowd a partition's keys into few slots. */
const SEED = 0x9747b28c;

/** The hash that {@link KeyTable} wants of a key, which may be a piece of the bytes given. */
export function hashKey(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  return murmur3(bytes, SEED, start, end) | 0;
}

/** The keys of one partition. */
export class KeyTable {
  readonly #arena: Arena;
  /** Per slot: hash, then entry + 1, 0 when the slot is free. */
  #slots = new Int32Array(2 * 8);
  #mask = 7;
  #count = 0;

  /** @param arena where the keys are */
  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** How many keys. */
  get count(): number {
    return this.#count;
  }

  /** The entry of a key, -1 when there is none. */
  find(hash: number, key: Uint8Array): number {
    const slots = this.#slots;
    for (let slot = hash & this.#mask;; slot = (slot + 1) & this.#mask) {
      const entry = slots[2 * slot + 1]! - 1;
      if (entry < 0) return -1;
      if (slots[2 * slot] === hash && this.#arena.hasKey(entry, key)) return entry;
    }
  }

  /** Add an entry whose key is not there yet. */
  insert(hash: number, entry: number): void {
    if (4 * (this.#count + 1) > 3 * (this.#mask + 1)) this.#grow();
    this.#put(hash, entry);
    this.#count++;
  }

  /** Remove an entry that is there. */
  remove(hash: number, entry: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let hole = hash & mask;
    while (slots[2 * hole + 1] !== entry + 1) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[2 * slot + 1] !== 0; slot = (slot + 1) & mask) {
      const home = slots[2 * slot]! & mask;
      // It may move into the hole unless its home lies behind the hole.
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      slots[2 * hole] = slots[2 * slot]!;
      slots[2 * hole + 1] = slots[2 * slot + 1]!;
      hole = slot;
    }
    slots[2 * hole + 1] = 0;
    this.#count--;
  }

  /** All entries, in no order. */
  entries(): Int32Array {
    const slots = this.#slots;
    const entries = new Int32Array(this.#count);
    for (let i = 1, found = 0; i < slots.length; i += 2) if (slots[i] !== 0) entries[found++] = slots[i]! - 1;
    return entries;
  }

  #put(hash: number, entry: number): void {
    let slot = hash & this.#mask;
    while (this.#slots[2 * slot + 1] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[2 * slot] = hash;
    this.#slots[2 * slot + 1] = entry + 1;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(2 * old.length);
    this.#mask = 2 * this.#mask + 1;
    for (let i = 0; i < old.length; i += 2) if (old[i + 1] !== 0) this.#put(old[i]!, old[i + 1]! - 1);
  }
}
