/**
 * Blocks of tables that were read lately, in memory of a fixed size.
 *
 * Naive: a Map from block to bytes, the oldest use first. Each block is then an array of its own, and V8 takes longer
 * to make one (2 us) than the system to read 4 KiB into it; each hit moves an entry of the Map. Here blocks are read
 * into slots of slabs that stay, and a slot is found by a hash table in typed arrays. Which block goes when a new one
 * comes: a hand walks over the slots in a circle and takes the first that was not used since it came by last (Corbató,
 * "A Paging Experiment with the Multics System", 1968). That is nearly the least recently used one, and a hit sets one
 * byte.
 *
 * A slot is used again, so nothing that is found here may be given out: what leaves is copied. A block longer than a
 * slot is not kept.
 *
 * @module
 */

/** Slots of one slab. */
const SLAB_SLOTS = 256;

/** A cache of blocks, each known by the number of its table and its place in the index. */
export class BlockCache {
  /** Bytes of one slot. */
  readonly slotBytes: number;
  readonly #slots: number;
  /** By slot: its memory; undefined before its slab is made. */
  readonly #bytes: Uint8Array[] = [];
  /** By slot: the table, 0 when the slot is free; the block; where in the slot it is; whether it was used lately. */
  readonly #table: Uint32Array;
  readonly #block: Uint32Array;
  readonly #from: Uint32Array;
  readonly #to: Uint32Array;
  readonly #used: Uint8Array;
  /** By hash: the first slot of a chain, plus 1; by slot: the next one. */
  readonly #heads: Uint32Array;
  readonly #next: Uint32Array;
  readonly #mask: number;
  #hand = 0;

  /** @param sizeBytes memory it may take @param slotBytes the longest block that it keeps */
  constructor(sizeBytes: number, slotBytes: number) {
    this.slotBytes = slotBytes;
    this.#slots = Math.max(1, Math.floor(sizeBytes / slotBytes));
    this.#table = new Uint32Array(this.#slots);
    this.#block = new Uint32Array(this.#slots);
    this.#from = new Uint32Array(this.#slots);
    this.#to = new Uint32Array(this.#slots);
    this.#used = new Uint8Array(this.#slots);
    this.#mask = 2 ** Math.ceil(Math.log2(this.#slots + 1)) - 1;
    this.#heads = new Uint32Array(this.#mask + 1);
    this.#next = new Uint32Array(this.#slots);
  }

  /** The slot of a block, -1 when it is not there. Good until {@link BlockCache.claim}. */
  find(table: number, block: number): number {
    let slot = this.#heads[this.#hash(table, block)]! - 1;
    while (slot >= 0 && (this.#table[slot] !== table || this.#block[slot] !== block)) {
      slot = this.#next[slot]! - 1;
    }
    if (slot >= 0) this.#used[slot] = 1;
    return slot;
  }

  /** A slot for a block that is not there, to be filled at once. */
  claim(table: number, block: number): number {
    const slot = this.#evict();
    if (this.#bytes[slot] === undefined) this.#makeSlab(slot);
    this.#table[slot] = table;
    this.#block[slot] = block;
    this.#used[slot] = 0; // what is read once, as in a scan, is not worth what is read again and again
    const hash = this.#hash(table, block);
    this.#next[slot] = this.#heads[hash]!;
    this.#heads[hash] = slot + 1;
    return slot;
  }

  /** A slot's memory. */
  bytes(slot: number): Uint8Array {
    return this.#bytes[slot]!;
  }

  /** The slot is filled: the block is in it from `from` to `to`. */
  filled(slot: number, from: number, to: number): void {
    this.#from[slot] = from;
    this.#to[slot] = to;
  }

  /** Where in the slot the block begins. */
  from(slot: number): number {
    return this.#from[slot]!;
  }

  /** Where it ends. */
  to(slot: number): number {
    return this.#to[slot]!;
  }

  /** The slot has not been filled after all. */
  forget(slot: number): void {
    const hash = this.#hash(this.#table[slot]!, this.#block[slot]!);
    if (this.#heads[hash] === slot + 1) this.#heads[hash] = this.#next[slot]!;
    else {
      let before = this.#heads[hash]! - 1;
      while (this.#next[before] !== slot + 1) before = this.#next[before]! - 1;
      this.#next[before] = this.#next[slot]!;
    }
    this.#table[slot] = 0;
  }

  #hash(table: number, block: number): number {
    const mixed = Math.imul(Math.imul(table, 0x9e3779b1) ^ block, 0x85ebca6b);
    return (mixed ^ mixed >>> 15) & this.#mask;
  }

  /** A slot that is free from now on. */
  #evict(): number {
    for (;;) {
      const slot = this.#hand;
      this.#hand = slot + 1 === this.#slots ? 0 : slot + 1;
      if (this.#table[slot] === 0) return slot;
      if (this.#used[slot] === 0) {
        this.forget(slot);
        return slot;
      }
      this.#used[slot] = 0;
    }
  }

  /** Memory for the slots around one. */
  #makeSlab(slot: number): void {
    const first = slot - slot % SLAB_SLOTS;
    const count = Math.min(SLAB_SLOTS, this.#slots - first);
    const slab = new Uint8Array(count * this.slotBytes);
    for (let i = 0; i < count; i++) {
      this.#bytes[first + i] = slab.subarray(i * this.slotBytes, (i + 1) * this.slotBytes);
    }
  }
}
