/**
 * The keys of one engine by partition, each an entry of one {@link Arena}.
 *
 * @module
 */

import { Arena } from "./arena.ts";
import { KeyOrder } from "./key_order.ts";
import { KeyTable } from "./key_table.ts";

export { hashKey } from "./key_table.ts";

interface Partition {
  readonly table: KeyTable;
  readonly order: KeyOrder;
}

/** A stretch of a partition's keys in ascending byte order. */
export interface Stretch {
  /** Entries in order. */
  readonly sorted: Int32Array;
  /** Where in it the stretch begins. */
  readonly from: number;
  /** Where it ends. */
  readonly to: number;
}

const NOTHING: Stretch = { sorted: new Int32Array(0), from: 0, to: 0 };

/** Which keys there are. Hashes are those of {@link hashKey}. */
export class KeyIndex {
  /** Where the bytes are. */
  readonly arena = new Arena();
  /** Keys in all partitions. */
  keys = 0;
  readonly #partitions = new Map<number, Partition>();

  /** The entry of a key, -1 when there is none. */
  find(partition: number, hash: number, key: Uint8Array): number {
    const found = this.#partitions.get(partition);
    return found ? found.table.find(hash, key) : -1;
  }

  /** A new entry for a key that is not there yet. */
  insert(partition: number, hash: number, key: Uint8Array, record: Uint8Array): number {
    let into = this.#partitions.get(partition);
    if (!into) {
      into = { table: new KeyTable(this.arena), order: new KeyOrder(this.arena) };
      this.#partitions.set(partition, into);
    }
    const entry = this.arena.add(partition, hash, key, record);
    into.table.insert(hash, entry);
    into.order.insert(entry);
    this.keys++;
    return entry;
  }

  /** Forget an entry. */
  remove(entry: number): void {
    const partition = this.arena.partition[entry]!;
    const { table, order } = this.#partitions.get(partition)!;
    order.remove(entry);
    table.remove(this.arena.hash[entry]!, entry);
    this.arena.remove(entry);
    this.keys--;
    if (table.count === 0) this.#partitions.delete(partition);
  }

  /** Forget a partition; `beforeEach` is told of every entry that goes. */
  drop(partition: number, beforeEach: (entry: number) => void): void {
    const dropped = this.#partitions.get(partition);
    if (!dropped) return;
    this.#partitions.delete(partition);
    this.keys -= dropped.table.count;
    for (const entry of dropped.table.entries()) {
      beforeEach(entry);
      this.arena.remove(entry);
    }
  }

  /** Partitions that hold a key, ascending. */
  partitions(): number[] {
    return [...this.#partitions.keys()].sort((a, b) => a - b);
  }

  /** Keys of one partition. */
  count(partition: number): number {
    return this.#partitions.get(partition)?.table.count ?? 0;
  }

  /** Sort a partition's keys in steps: yields after each, and no key may come or go before the last one. */
  *ordering(partition: number): Generator<void, void, void> {
    const found = this.#partitions.get(partition);
    if (found) yield* found.order.sorting(() => found.table.entries());
  }

  /** The keys of a partition in order: those greater than `after`, or all. Good until a key comes or goes. */
  ordered(partition: number, after: Uint8Array | undefined): Stretch {
    const found = this.#partitions.get(partition);
    if (!found) return NOTHING;
    const { sorted, count } = found.order.sorted(() => found.table.entries());
    return { sorted, from: after ? found.order.firstAfter(after) : 0, to: count };
  }
}
