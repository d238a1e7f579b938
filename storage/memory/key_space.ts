/**
 * What the memory engine knows, without any disk: keys and records by partition.
 *
 * @module
 */

import type { Change, Entry, ScanOptions, ScanPage } from "../engine.ts";
import { Arena } from "./arena.ts";
import { KeyOrder } from "./key_order.ts";
import { hashKey, KeyTable } from "./key_table.ts";

interface Partition {
  readonly table: KeyTable;
  readonly order: KeyOrder;
}

/** All partitions of one engine. */
export class KeySpace {
  /** Where the bytes are. */
  readonly arena = new Arena();
  /** Live keys. */
  keys = 0;
  /** Bytes of live keys and records. */
  liveBytes = 0;
  readonly #partitions = new Map<number, Partition>();

  /** Put or remove one key. `segment` is kept beside what is put. */
  apply({ partition, key, record }: Change, segment: number): void {
    const { arena } = this;
    const hash = hashKey(key);
    let keys = this.#partitions.get(partition);
    const entry = keys ? keys.table.find(hash, key) : -1;
    if (record === null) {
      if (keys && entry >= 0) this.#remove(partition, keys, hash, entry);
      return;
    }
    if (entry >= 0) {
      this.liveBytes += record.length - arena.recordBytes(entry);
      arena.replace(entry, record);
      arena.segment[entry] = segment;
      return;
    }
    if (!keys) {
      keys = { table: new KeyTable(arena), order: new KeyOrder(arena) };
      this.#partitions.set(partition, keys);
    }
    const added = arena.add(partition, hash, key, record);
    arena.segment[added] = segment;
    keys.table.insert(hash, added);
    keys.order.insert(added);
    this.keys++;
    this.liveBytes += key.length + record.length;
  }

  /** The record of a key, null when there is none. */
  get(partition: number, key: Uint8Array): Uint8Array | null {
    const keys = this.#partitions.get(partition);
    if (!keys) return null;
    const entry = keys.table.find(hashKey(key), key);
    return entry < 0 ? null : this.arena.record(entry);
  }

  /** See `Engine.scan`. */
  scan({ partition, after, limit, limitBytes }: ScanOptions): ScanPage {
    const keys = this.#partitions.get(partition);
    if (!keys) return { entries: [], done: true };
    const { arena } = this;
    const { sorted, count } = keys.order.sorted(() => keys.table.entries());
    const entries: Entry[] = [];
    let sizeBytes = 0;
    let at = after ? keys.order.firstAfter(after) : 0;
    for (; at < count && entries.length < limit; at++) {
      const entry = sorted[at]!;
      sizeBytes += arena.sizeBytes(entry);
      if (entries.length > 0 && sizeBytes > limitBytes) break;
      entries.push({ key: arena.key(entry), record: arena.record(entry) });
    }
    return { entries, done: at >= count };
  }

  /** Partitions that hold a key, ascending. */
  partitions(): number[] {
    return [...this.#partitions.keys()].sort((a, b) => a - b);
  }

  /** Keys of one partition. */
  count(partition: number): number {
    return this.#partitions.get(partition)?.table.count ?? 0;
  }

  /** Forget a partition. */
  drop(partition: number): void {
    const keys = this.#partitions.get(partition);
    if (!keys) return;
    this.#partitions.delete(partition);
    this.keys -= keys.table.count;
    for (const entry of keys.table.entries()) {
      this.liveBytes -= this.arena.sizeBytes(entry);
      this.arena.remove(entry);
    }
  }

  #remove(partition: number, keys: Partition, hash: number, entry: number): void {
    this.keys--;
    this.liveBytes -= this.arena.sizeBytes(entry);
    keys.order.remove(entry);
    keys.table.remove(hash, entry);
    this.arena.remove(entry);
    if (keys.table.count === 0) this.#partitions.delete(partition);
  }
}
