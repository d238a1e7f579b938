/**
 * What the memory engine knows, without any disk: keys and records by partition.
 *
 * @module
 */

import type { Change, Entry, ScanOptions, ScanPage } from "../engine.ts";
import { hashKey, KeyIndex } from "../keys/key_index.ts";

/** All partitions of one engine. */
export class KeySpace {
  /** Which keys there are. */
  readonly index = new KeyIndex();
  /** Bytes of live keys and records. */
  liveBytes = 0;

  /** Live keys. */
  get keys(): number {
    return this.index.keys;
  }

  /** Put or remove one key. `segment` is kept beside what is put. */
  apply({ partition, key, record }: Change, segment: number): void {
    const { index } = this;
    const { arena } = index;
    const hash = hashKey(key);
    let entry = index.find(partition, hash, key);
    if (entry >= 0) this.liveBytes -= arena.sizeBytes(entry);
    if (record === null) {
      if (entry >= 0) index.remove(entry);
      return;
    }
    if (entry >= 0) arena.replace(entry, record);
    else entry = index.insert(partition, hash, key, record);
    arena.segment[entry] = segment;
    this.liveBytes += key.length + record.length;
  }

  /** The record of a key, null when there is none. */
  get(partition: number, key: Uint8Array): Uint8Array | null {
    const entry = this.index.find(partition, hashKey(key), key);
    return entry < 0 ? null : this.index.arena.record(entry);
  }

  /** See `Engine.scan`. */
  scan({ partition, after, limit, limitBytes }: ScanOptions): ScanPage {
    const { arena } = this.index;
    const { sorted, from, to } = this.index.ordered(partition, after);
    const entries: Entry[] = [];
    let sizeBytes = 0;
    let at = from;
    for (; at < to && entries.length < limit; at++) {
      const entry = sorted[at]!;
      sizeBytes += arena.sizeBytes(entry);
      if (entries.length > 0 && sizeBytes > limitBytes) break;
      entries.push({ key: arena.key(entry), record: arena.record(entry) });
    }
    return { entries, done: at >= to };
  }

  /** Forget a partition. */
  drop(partition: number): void {
    this.index.drop(partition, (entry) => this.liveBytes -= this.index.arena.sizeBytes(entry));
  }
}
