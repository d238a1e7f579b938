/**
 * Blocks of tables that were read lately, in memory of a fixed size.
 *
 * Naive: a Map from block to bytes, the oldest use first. Each block is then an array of its own, and V8 takes longer
 * to make one (2 us) than the system to read 4 KiB into it; each hit moves an entry of the Map. Here blocks are copied
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

/** A slot takes a block of the usual size (`blockBytes`). */
const SLABS_OF = 256;

/** A cache of blocks, each known by the number of its table and its place in the index. */
export class BlockCache {
  /** Bytes of one slot. */
  readonly slotBytes: number;
  readonly #slots: number;
  readonly #slabs: Uint8Array[] = [];
  /** By slot: the table, 0 when the slot is free; the block; its length; whether it was used lately. */
  readonly #table: Uint32Array;
  readonly #block: Uint32Array;
  readonly #length: Uint32Array;
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
    this.#length = new Uint32Array(this.#slots);
    this.#used = new Uint8Array(this.#slots);
    this.#mask = 2 ** Math.ceil(Math.log2(this.#slots + 1)) - 1;
    this.#heads = new Uint32Array(this.#mask + 1);
    this.#next = new Uint32Array(this.#slots);
  }

  /** The slot of a block, -1 when it is not there. Good until {@link BlockCache.put}. */
  find(table: number, block: number): number {
    let slot = this.#heads[this.#hash(table, block)]! - 1;
    while (slot >= 0 && (this.#table[slot] !== table || this.#block[slot] !== block)) {
      slot = this.#next[slot]! - 1;
    }
    if (slot >= 0) this.#used[slot] = 1;
    return slot;
  }

  /** The array that a slot is part of. */
  bytes(slot: number): Uint8Array {
    return this.#slabs[Math.floor(slot / SLABS_OF)]!;
  }

  /** Where in it the block begins. */
  from(slot: number): number {
    return slot % SLABS_OF * this.slotBytes;
  }

  /** Where it ends. */
  to(slot: number): number {
    return this.from(slot) + this.#length[slot]!;
  }

  /** Keep a block that is not there, if it fits a slot. */
  put(table: number, block: number, content: Uint8Array): void {
    if (content.length > this.slotBytes) return;
    const slot = this.#claim();
    const slab = Math.floor(slot / SLABS_OF);
    const ofSlab = Math.min(SLABS_OF, this.#slots - slab * SLABS_OF);
    const bytes = this.#slabs[slab] ??= new Uint8Array(ofSlab * this.slotBytes);
    bytes.set(content, this.from(slot));
    this.#table[slot] = table;
    this.#block[slot] = block;
    this.#length[slot] = content.length;
    this.#used[slot] = 0; // what is read once, as in a scan, is not worth what is read again and again
    const hash = this.#hash(table, block);
    this.#next[slot] = this.#heads[hash]!;
    this.#heads[hash] = slot + 1;
  }

  #hash(table: number, block: number): number {
    const mixed = Math.imul(Math.imul(table, 0x9e3779b1) ^ block, 0x85ebca6b);
    return (mixed ^ mixed >>> 15) & this.#mask;
  }

  /** A slot that is free from now on. */
  #claim(): number {
    for (;;) {
      const slot = this.#hand;
      this.#hand = slot + 1 === this.#slots ? 0 : slot + 1;
      if (this.#table[slot] === 0) return slot;
      if (this.#used[slot] === 1) this.#used[slot] = 0;
      else {
        this.#unlink(slot);
        return slot;
      }
    }
  }

  #unlink(slot: number): void {
    const hash = this.#hash(this.#table[slot]!, this.#block[slot]!);
    if (this.#heads[hash] === slot + 1) this.#heads[hash] = this.#next[slot]!;
    else {
      let before = this.#heads[hash]! - 1;
      while (this.#next[before] !== slot + 1) before = this.#next[before]! - 1;
      this.#next[before] = this.#next[slot]!;
    }
    this.#table[slot] = 0;
  }
}
