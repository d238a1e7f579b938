/**
 * The youngest part of a store, in memory: what was written since the last flush, removals included.
 *
 * LevelDB keeps it sorted all the time, in a skip list. Here it is a hash table, as in the other engines, and sorted by
 * partition when somebody scans and when it is flushed: a write then costs one look-up (0.4 us) and not some twenty
 * comparisons of keys all over memory.
 *
 * @module
 */

import type { Change } from "../engine.ts";
import { LARGE_BYTES } from "../keys/arena.ts";
import { KeyIndex, type Stretch } from "../keys/key_index.ts";
import { hashKey } from "../keys/key_table.ts";
import { type Cursor, REMOVED } from "./cursor.ts";
import { PARTITION_BYTES, STORED_KEY_BYTES } from "./stored_key.ts";

/** What the arena's number of an entry says here. */
const IS_REMOVED = 1;
const NOTHING = new Uint8Array(0);
/** What an entry takes beside its bytes: facts about it, slots of the hash table. */
const ENTRY_BYTES = 48;

/** Keys of all partitions, each with its record or the word that it was removed. */
export class Memtable {
  /** See `version.ts`. */
  readonly age: number;
  /** The segment of the log that holds the first of its changes. */
  readonly walFrom: number;
  /** Partitions that were dropped while it took writes: older sources have nothing to say of them. */
  readonly drops: Set<number> = new Set();
  /** Memory that was written since it was made, or more: what was overwritten counts. */
  writtenBytes = 0;
  /** Keys that have a record. */
  keys = 0;
  /** Bytes of those keys and records. */
  liveBytes = 0;
  readonly #index = new KeyIndex();
  /** Keys that have no record, by partition. */
  readonly #removed = new Map<number, number>();

  /** An empty one. @param age see `version.ts` @param walFrom where its changes begin in the log */
  constructor(age: number, walFrom: number) {
    this.age = age;
    this.walFrom = walFrom;
  }

  /** Whether it says nothing. */
  get isEmpty(): boolean {
    return this.#index.keys === 0 && this.drops.size === 0;
  }

  /** Put or remove a key. */
  apply({ partition, key, record }: Change): void {
    const index = this.#index;
    const { arena } = index;
    const hash = hashKey(key);
    let entry = index.find(partition, hash, key);
    if (entry < 0) {
      entry = index.insert(partition, hash, key, record ?? NOTHING);
      if (record === null) this.#countRemoved(partition, 1);
    } else {
      const wasRemoved = arena.segment[entry] === IS_REMOVED;
      if (!wasRemoved) this.#uncount(entry);
      if (wasRemoved !== (record === null)) this.#countRemoved(partition, wasRemoved ? -1 : 1);
      arena.replace(entry, record ?? NOTHING);
    }
    arena.segment[entry] = record === null ? IS_REMOVED : 0;
    if (record !== null) {
      this.keys++;
      this.liveBytes += key.length + record.length;
    }
    this.writtenBytes += key.length + (record?.length ?? 0) + ENTRY_BYTES;
  }

  /** Forget a partition, and say that it was dropped. */
  drop(partition: number): void {
    const { arena } = this.#index;
    this.#index.drop(partition, (entry) => {
      if (arena.segment[entry] !== IS_REMOVED) this.#uncount(entry);
    });
    this.#removed.delete(partition);
    this.drops.add(partition);
    this.writtenBytes += ENTRY_BYTES;
  }

  /** The record of a key; null: it was removed; undefined: nothing is known of it. `hash`: its `hashKey`. */
  get(partition: number, hash: number, key: Uint8Array): Uint8Array | null | undefined {
    const entry = this.#index.find(partition, hash, key);
    if (entry >= 0) {
      return this.#index.arena.segment[entry] === IS_REMOVED ? null : this.#index.arena.record(entry);
    }
    return this.drops.has(partition) ? null : undefined;
  }

  /** Partitions of which it holds a key, removed ones included, ascending. */
  partitions(): number[] {
    return this.#index.partitions();
  }

  /** Keys of a partition that have a record. */
  count(partition: number): number {
    return this.#index.count(partition) - (this.#removed.get(partition) ?? 0);
  }

  /** A cursor on the first key of a partition that is greater than `after`, and no further than the partition. */
  seek(partition: number, after: Uint8Array | undefined): Cursor {
    return new MemtableCursor(this, this.#index, [partition], after);
  }

  /** Sort it in steps, before it is read through: yields after each. It must not be written meanwhile. */
  *sorting(): Generator<void, void, void> {
    for (const partition of this.partitions()) yield* this.#index.ordering(partition);
  }

  /** A cursor on the first key of all. */
  first(): Cursor {
    return new MemtableCursor(this, this.#index, this.partitions(), undefined);
  }

  #countRemoved(partition: number, by: number): void {
    this.#removed.set(partition, (this.#removed.get(partition) ?? 0) + by);
  }

  #uncount(entry: number): void {
    this.keys--;
    this.liveBytes -= this.#index.arena.sizeBytes(entry);
  }
}

/** A place in a memtable that is not written meanwhile. */
class MemtableCursor implements Cursor {
  readonly age: number;
  readonly key = new Uint8Array(STORED_KEY_BYTES);
  valid = false;
  recordAt = 0;
  keyBytes = 0;
  bytes: Uint8Array = NOTHING;
  recordBytes = 0;
  readonly #index: KeyIndex;
  readonly #partitions: readonly number[];
  /** The partition after the one at hand. */
  #next = 0;
  #stretch: Stretch;
  #at: number;

  constructor(
    { age }: Memtable,
    index: KeyIndex,
    partitions: readonly number[],
    after: Uint8Array | undefined,
  ) {
    this.age = age;
    this.#index = index;
    this.#partitions = partitions;
    this.#stretch = index.ordered(partitions[this.#next++] ?? 0, after);
    this.#at = this.#stretch.from - 1;
    this.next();
  }

  next(): void {
    this.#at++;
    while (this.#at >= this.#stretch.to) {
      const partition = this.#partitions[this.#next++];
      this.valid = partition !== undefined;
      if (partition === undefined) return;
      this.#stretch = this.#index.ordered(partition, undefined);
      this.#at = this.#stretch.from;
    }
    this.valid = true;
    const { arena } = this.#index;
    const entry = this.#stretch.sorted[this.#at]!;
    const bytes = arena.bytes(entry);
    const keyAt = arena.keyAt(entry);
    const { key } = this;
    const partition = arena.partition[entry]!;
    const length = arena.keyBytes(entry);
    key[0] = partition >>> 8;
    key[1] = partition;
    for (let i = 0; i < length; i++) key[PARTITION_BYTES + i] = bytes[keyAt + i]!;
    this.keyBytes = PARTITION_BYTES + length;
    const isLarge = arena.recordBytes(entry) >= LARGE_BYTES;
    this.bytes = isLarge ? arena.record(entry) : bytes;
    this.recordAt = isLarge ? 0 : keyAt + length;
    this.recordBytes = arena.segment[entry] === IS_REMOVED ? REMOVED : arena.recordBytes(entry);
  }
}
