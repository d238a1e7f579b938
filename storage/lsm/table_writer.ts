/**
 * Writing a table: sorted entries, once, from the first to the last. The grammar is in `storage/FORMAT.md`.
 *
 * @module
 */

import { zstdCompressSync } from "node:zlib";
import type { DiskFile } from "../../actors/runtime/environment.ts";
import { writeAll } from "../journal/batch.ts";
import { hashKey } from "../keys/key_table.ts";
import { BlockBuilder } from "./block_builder.ts";
import { buildFilter, filterHash } from "./bloom.ts";
import { type Cursor, REMOVED } from "./cursor.ts";
import { COMPRESSION, encodeFooter, FRAME, FRAME_HEADER_BYTES, sealFrame } from "./format.ts";
import { boundBetween, IndexBuilder } from "./index.ts";
import { PARTITION_BYTES, partitionOf, STORED_KEY_BYTES } from "./stored_key.ts";
import type { Contents, TableMeta } from "./version.ts";

/** Frames gather until they are so long, then they are written with one call. */
const WRITE_BYTES = 256 * 1024;
/** A block is kept compressed when that saves at least this part of it. */
const WORTHWHILE = 1 / 8;

/** What a table is to be like. */
export interface TableOptions {
  /** Its number. */
  readonly number: number;
  /** Where its checksums start: random. */
  readonly seed: number;
  /** A block ends before it gets longer than this, unless its only entry is. */
  readonly blockBytes: number;
  /** Whether to try and compress blocks. */
  readonly compress: boolean;
}

/** A table being written to an empty file. */
export class TableWriter {
  readonly #file: DiskFile;
  readonly #options: TableOptions;
  readonly #block = new BlockBuilder();
  readonly #index = new IndexBuilder();
  #hashes = new Uint32Array(1024);
  #entries = 0;
  /** Frames not written yet. */
  #pending = new Uint8Array(WRITE_BYTES);
  #pendingBytes = 0;
  #writtenBytes = 0;
  #first: Uint8Array | null = null;
  readonly #last = new Uint8Array(STORED_KEY_BYTES);
  #lastBytes = 0;
  /** The bound of the block being built. */
  #bound: Uint8Array = new Uint8Array(0);
  readonly #contents: Contents[] = [];
  /** What the partition at hand has so far. */
  #partition = -1;
  #partitionEntries = 0;
  #partitionRemoved = 0;
  #partitionBytes = 0;

  /** @param file empty, open for writing; it stays the caller's @param options what to make of it */
  constructor(file: DiskFile, options: TableOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** How long the table is so far, without index and filter. */
  get sizeBytes(): number {
    return this.#writtenBytes + this.#pendingBytes + this.#block.sizeBytes;
  }

  /** Add the entry that a cursor stands on, greater than all before. */
  add({ key, keyBytes, bytes, recordAt, recordBytes }: Cursor): void {
    const length = recordBytes === REMOVED ? 0 : recordBytes;
    const longest = this.#block.sizeBytes + BlockBuilder.entryBytes(keyBytes, length);
    if (this.#block.entries > 0 && longest > this.#options.blockBytes) {
      this.#endBlock();
      this.#bound = boundBetween(this.#last, this.#lastBytes, key, keyBytes);
    }
    this.#block.add(key, keyBytes, bytes, recordAt, recordBytes);
    this.#count(key, keyBytes, recordBytes);
    this.#first ??= key.slice(0, keyBytes);
    for (let i = 0; i < keyBytes; i++) this.#last[i] = key[i]!;
    this.#lastBytes = keyBytes;
  }

  /**
   * Write what is left, and the end. At least one entry must be there. The file is not synced.
   *
   * @throws {DiskError} as `add`
   */
  finish(age: number): TableMeta {
    this.#endBlock();
    this.#endPartition();
    const { number, seed } = this.#options;
    const filterAt = this.#frame(FRAME.filter, COMPRESSION.none, buildFilter(this.#hashes, this.#entries));
    const indexAt = this.#frame(FRAME.index, COMPRESSION.none, this.#index.finish());
    this.#write();
    const footer = encodeFooter({ number, seed, filterAt, indexAt });
    this.#writtenBytes = writeAll(this.#file, [footer], this.#writtenBytes);
    return {
      number,
      seed,
      age,
      sizeBytes: this.#writtenBytes,
      first: this.#first!,
      last: this.#last.slice(0, this.#lastBytes),
      contents: this.#contents,
    };
  }

  #count(key: Uint8Array, keyBytes: number, recordBytes: number): void {
    const partition = partitionOf(key);
    if (partition !== this.#partition) {
      this.#endPartition();
      this.#partition = partition;
    }
    this.#partitionEntries++;
    if (recordBytes === REMOVED) this.#partitionRemoved++;
    this.#partitionBytes += keyBytes - PARTITION_BYTES + (recordBytes === REMOVED ? 0 : recordBytes);
    if (this.#entries === this.#hashes.length) {
      const grown = new Uint32Array(2 * this.#entries);
      grown.set(this.#hashes);
      this.#hashes = grown;
    }
    this.#hashes[this.#entries++] = filterHash(partition, hashKey(key, PARTITION_BYTES, keyBytes));
  }

  #endPartition(): void {
    if (this.#partitionEntries === 0) return;
    this.#contents.push({
      partition: this.#partition,
      entries: this.#partitionEntries,
      removed: this.#partitionRemoved,
      sizeBytes: this.#partitionBytes,
    });
    this.#partitionEntries = this.#partitionRemoved = this.#partitionBytes = 0;
  }

  #endBlock(): void {
    const plain = this.#block.finish();
    const packed = this.#options.compress ? zstdCompressSync(plain) : null;
    const isWorthwhile = packed !== null && packed.length <= plain.length * (1 - WORTHWHILE);
    const at = isWorthwhile
      ? this.#frame(FRAME.data, COMPRESSION.zstd, packed)
      : this.#frame(FRAME.data, COMPRESSION.none, plain);
    this.#index.add(at, this.#writtenBytes + this.#pendingBytes - at, this.#bound);
  }

  /** Add a frame. Returns where it begins. */
  #frame(kind: number, compression: number, content: Uint8Array): number {
    const sizeBytes = FRAME_HEADER_BYTES + content.length;
    if (this.#pendingBytes + sizeBytes > this.#pending.length) this.#write();
    if (sizeBytes > this.#pending.length) this.#pending = new Uint8Array(sizeBytes);
    const at = this.#pendingBytes;
    const offset = this.#writtenBytes + at;
    this.#pending.set(content, at + FRAME_HEADER_BYTES);
    sealFrame(this.#pending, at, content.length, { seed: this.#options.seed, offset, kind, compression });
    this.#pendingBytes += sizeBytes;
    return offset;
  }

  #write(): void {
    this.#writtenBytes = writeAll(
      this.#file,
      [this.#pending.subarray(0, this.#pendingBytes)],
      this.#writtenBytes,
    );
    this.#pendingBytes = 0;
  }
}
