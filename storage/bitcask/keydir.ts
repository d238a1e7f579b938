/**
 * The keydir: which keys there are, and where on disk the last record of each stands (Sheehy and Smith, "Bitcask: A
 * Log-Structured Hash Table for Fast Key/Value Data", 2010).
 *
 * An entry is a small integer, as in the {@link Arena} that holds the keys; its place is four more numbers in typed
 * arrays. So a change of record moves no bytes, and the collector of garbage sees a few arrays whatever the number of
 * keys. It also knows to the byte what is live in each segment.
 *
 * @module
 */

import { GROWTH } from "../keys/arena.ts";
import { hashKey, KeyIndex, type Stretch } from "../keys/key_index.ts";
import { changeBytes, REMOVED } from "./codec.ts";

/** Where a record stands. */
export interface Place {
  /** The segment. */
  readonly segment: number;
  /** Where in it the change begins. */
  readonly offset: number;
  /** Bytes of the record. */
  readonly recordBytes: number;
  /** The change's number. */
  readonly sequence: number;
}

/** What is known of one segment. */
interface Use {
  /** Bytes of all changes in it. */
  writtenBytes: number;
  /** Bytes of those that count. */
  liveBytes: number;
  /** Keys of which a record stands in it. */
  keys: number;
}

const NO_BYTES = new Uint8Array(0);

/** Keys and places of one engine. */
export class Keydir {
  readonly #index = new KeyIndex();
  /** By entry: where the change begins. */
  #offset = new Uint32Array(1024);
  /** By entry: bytes of the record. */
  #recordBytes = new Uint32Array(1024);
  /** By entry: the number of the change. */
  #sequence = new Float64Array(1024);
  readonly #uses = new Map<number, Use>();
  /** Bytes of live keys and records. */
  liveBytes = 0;
  /** Bytes that they take on disk. */
  liveOnDiskBytes = 0;

  /** Live keys. */
  get keys(): number {
    return this.#index.keys;
  }

  /** The entry of a key, -1 when there is none. */
  find(partition: number, key: Uint8Array): number {
    return this.#index.find(partition, hashKey(key), key);
  }

  /** The segment of an entry. */
  segment(entry: number): number {
    return this.#index.arena.segment[entry]!;
  }

  /** Where in it an entry's change begins. */
  offset(entry: number): number {
    return this.#offset[entry]!;
  }

  /** The number of an entry's change. */
  sequence(entry: number): number {
    return this.#sequence[entry]!;
  }

  /** Bytes of an entry's record. */
  recordBytes(entry: number): number {
    return this.#recordBytes[entry]!;
  }

  /** An entry's partition. */
  partition(entry: number): number {
    return this.#index.arena.partition[entry]!;
  }

  /** An entry's key: a view. */
  key(entry: number): Uint8Array {
    return this.#index.arena.key(entry);
  }

  /**
   * What a change says counts from now on: the record at a place, no record where that has {@link REMOVED} bytes, no
   * key of the partition where the key is empty, too.
   */
  apply(partition: number, key: Uint8Array, place: Place): void {
    const { segment, recordBytes } = place;
    if (key.length === 0 && recordBytes === 0) return;
    const use = this.#useOf(segment);
    use.writtenBytes += changeBytes(key.length, recordBytes);
    if (key.length === 0) return this.#drop(partition);
    const hash = hashKey(key);
    const entry = this.#index.find(partition, hash, key);
    if (entry >= 0) this.#dies(entry, key.length);
    if (recordBytes === REMOVED) {
      if (entry >= 0) this.#index.remove(entry);
      return;
    }
    this.#put(entry >= 0 ? entry : this.#index.insert(partition, hash, key, NO_BYTES), place);
    use.keys++;
    use.liveBytes += changeBytes(key.length, recordBytes);
    this.liveOnDiskBytes += changeBytes(key.length, recordBytes);
    this.liveBytes += key.length + recordBytes;
  }

  /** Whether a key's record is the one of this change. */
  isLive(partition: number, key: Uint8Array, sequence: number): boolean {
    const entry = this.find(partition, key);
    return entry >= 0 && this.#sequence[entry] === sequence;
  }

  /** Partitions that hold a key, ascending. */
  partitions(): number[] {
    return this.#index.partitions();
  }

  /** Keys of one partition. */
  count(partition: number): number {
    return this.#index.count(partition);
  }

  /** See {@link KeyIndex.ordered}. */
  ordered(partition: number, after: Uint8Array | undefined): Stretch {
    return this.#index.ordered(partition, after);
  }

  /** Keys of which a record stands in a segment. */
  keysIn(segment: number): number {
    return this.#uses.get(segment)?.keys ?? 0;
  }

  /** The newest segment with a change that does not count any more; 0 when there is none. */
  newestDirty(): number {
    let newest = 0;
    for (const [segment, { writtenBytes, liveBytes }] of this.#uses) {
      if (writtenBytes > liveBytes && segment > newest) newest = segment;
    }
    return newest;
  }

  /** Segments before this one are gone. */
  forgetBefore(segment: number): void {
    for (const number of [...this.#uses.keys()]) if (number < segment) this.#uses.delete(number);
  }

  /** The partitions of which a record stands in a stretch of a segment, ascending. Looks at every key. */
  partitionsIn(segment: number, from: number, to: number): number[] {
    const { arena } = this.#index;
    const found = new Set<number>();
    for (let entry = 0; entry < arena.end; entry++) {
      if (arena.segment[entry] !== segment || !arena.has(entry)) continue;
      const start = this.#offset[entry]!;
      const end = start + changeBytes(arena.sizeBytes(entry), this.#recordBytes[entry]!);
      if (start < to && end > from) found.add(arena.partition[entry]!);
    }
    return [...found].sort((a, b) => a - b);
  }

  #drop(partition: number): void {
    const { arena } = this.#index;
    this.#index.drop(partition, (entry) => this.#dies(entry, arena.sizeBytes(entry)));
  }

  #put(entry: number, { segment, offset, recordBytes, sequence }: Place): void {
    if (entry >= this.#offset.length) this.#grow();
    this.#index.arena.segment[entry] = segment;
    this.#offset[entry] = offset;
    this.#recordBytes[entry] = recordBytes;
    this.#sequence[entry] = sequence;
  }

  /** An entry's record is dead. */
  #dies(entry: number, keyBytes: number): void {
    const use = this.#useOf(this.segment(entry));
    const recordBytes = this.#recordBytes[entry]!;
    use.keys--;
    use.liveBytes -= changeBytes(keyBytes, recordBytes);
    this.liveOnDiskBytes -= changeBytes(keyBytes, recordBytes);
    this.liveBytes -= keyBytes + recordBytes;
  }

  #useOf(segment: number): Use {
    let use = this.#uses.get(segment);
    if (use === undefined) {
      use = { writtenBytes: 0, liveBytes: 0, keys: 0 };
      this.#uses.set(segment, use);
    }
    return use;
  }

  #grow(): void {
    const length = Math.ceil(GROWTH * this.#offset.length);
    const offset = new Uint32Array(length);
    const recordBytes = new Uint32Array(length);
    const sequence = new Float64Array(length);
    offset.set(this.#offset);
    recordBytes.set(this.#recordBytes);
    sequence.set(this.#sequence);
    this.#offset = offset;
    this.#recordBytes = recordBytes;
    this.#sequence = sequence;
  }
}
