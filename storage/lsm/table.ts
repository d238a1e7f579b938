/**
 * Reading a table: one key, or everything in order.
 *
 * The index and the filter are read when they are first wanted, and everything is verified as it is read. What does not
 * verify is read again before it counts as damage, as in a journal (`journal/reader.ts`). A damaged filter is done
 * without, a damaged index is made again from the blocks: both only save time. A damaged block is damage: whoever wants
 * a key that may be in it is told so.
 *
 * @module
 */

import { zstdDecompressSync } from "node:zlib";
import type { Disk, DiskFile } from "../../actors/runtime/environment.ts";
import { Slab } from "../../actors/runtime/slab.ts";
import { EngineError } from "../engine.ts";
import { asEngineError } from "../journal.ts";
import { READ_TRIES } from "../journal/reader.ts";
import { findInBlock } from "./block.ts";
import type { BlockCache } from "./block_cache.ts";
import { mayHold } from "./bloom.ts";
import {
  COMPRESSION,
  compressionAt,
  decodeFooter,
  type Footer,
  FOOTER_BYTES,
  FRAME_HEADER_BYTES,
  frameVerifies,
} from "./format.ts";
import { BlockIndex } from "./index.ts";
import { rebuildIndex } from "./rebuild.ts";
import { varintAt, varintBytes } from "./varint.ts";
import type { TableMeta } from "./version.ts";

/** Records, and blocks too long for the cache, are cut from slabs: a record that is kept keeps its slab. */
const records = new Slab(64 * 1024, 4096);
const blocks = new Slab(256 * 1024, 32 * 1024);
/** So short a record is copied byte by byte: that is faster than making a view of it. */
const SHORT_BYTES = 128;

/** The path of a table's file. */
export function tablePath(directory: string, number: number): string {
  return `${directory}/${String(number).padStart(10, "0")}.sst`;
}

/** The footer of a file, null when no copy of it verifies however often it is read. */
export function readFooter(file: DiskFile): Footer | null {
  const bytes = new Uint8Array(FOOTER_BYTES);
  for (let tries = 0; tries < READ_TRIES; tries++) {
    const count = file.read(bytes, Math.max(0, file.size() - FOOTER_BYTES));
    const footer = decodeFooter(bytes.subarray(0, count));
    if (footer !== null) return footer;
  }
  return null;
}

/** What a table tells whoever holds it. */
export interface TableEvents {
  /** Blocks read from the disk, counted. */
  blocksRead: number;
  /** Damage was found in a table, at an offset. */
  onDamage(table: TableMeta, offset: number, detail: string): void;
}

/** An open table. */
export class Table {
  /** What the manifest says of it. */
  readonly meta: TableMeta;
  readonly #disk: Disk;
  readonly #path: string;
  readonly #cache: BlockCache;
  readonly #events: TableEvents;
  #file: DiskFile | null = null;
  #footer: Footer | null = null;
  #index: BlockIndex | null = null;
  /** Undefined: not read yet; null: damaged. */
  #filter: Uint8Array | null | undefined;

  /** Nothing is read yet. */
  constructor(disk: Disk, directory: string, meta: TableMeta, cache: BlockCache, events: TableEvents) {
    this.#disk = disk;
    this.#path = tablePath(directory, meta.number);
    this.meta = meta;
    this.#cache = cache;
    this.#events = events;
  }

  /**
   * The record of a stored key; null: it was removed; undefined: the table has nothing to say. `hash`: that of the
   * filter.
   *
   * @throws {EngineError} `corrupt`, `io`
   */
  get(key: Uint8Array, keyBytes: number, hash: number): Uint8Array | null | undefined {
    const filter = this.#filter === undefined ? this.#loadFilter() : this.#filter;
    if (filter !== null && !mayHold(filter, hash)) return undefined;
    const block = this.index.find(key, keyBytes);
    const cache = this.#cache;
    let slot = cache.find(this.meta.number, block);
    if (slot < 0) {
      const alone = this.#fetch(block);
      if (typeof alone !== "number") return recordIn(alone, 0, alone.length, key, keyBytes, false);
      slot = alone;
    }
    return recordIn(cache.bytes(slot), cache.from(slot), cache.to(slot), key, keyBytes, true);
  }

  /** Its index. @throws {EngineError} `corrupt`, `io` */
  get index(): BlockIndex {
    return this.#index ??= this.#loadIndex();
  }

  /** Read `into` from an offset: how many bytes there are. @throws {EngineError} `io` */
  read(into: Uint8Array, offset: number): number {
    try {
      this.#file ??= this.#disk.open(this.#path);
      return this.#file.read(into, offset);
    } catch (error) {
      throw asEngineError(error);
    }
  }

  /**
   * What a frame holds, its checksum verified, compression undone. `at`: it has been read already, and stands there in
   * `bytes`, from where it is read again when it does not verify.
   *
   * @throws {EngineError} `corrupt`, `io`
   */
  contentOf(bytes: Uint8Array, at: number, sizeBytes: number, offset: number): Uint8Array {
    for (let tries = 1; !frameVerifies(bytes, at, at + sizeBytes, this.meta.seed, offset); tries++) {
      if (tries >= READ_TRIES) throw this.damage(offset, "a block fails its checksum");
      this.read(bytes.subarray(at, at + sizeBytes), offset);
    }
    const content = bytes.subarray(at + FRAME_HEADER_BYTES, at + sizeBytes);
    if (compressionAt(bytes, at) === COMPRESSION.none) return content;
    const plain = zstdDecompressSync(content);
    return new Uint8Array(plain.buffer, plain.byteOffset, plain.length); // it is a Buffer, which not all take for bytes
  }

  /** Note damage, and give the error that says so. */
  damage(offset: number, detail: string): EngineError {
    this.#events.onDamage(this.meta, offset, detail);
    return new EngineError("corrupt", `${this.#path} is damaged at ${offset}: ${detail}`);
  }

  /** Let go of the file; it is opened again when it is wanted. */
  close(): void {
    this.#file?.close();
    this.#file = null;
  }

  /** Where its data end. @throws {EngineError} `corrupt`, `io` */
  get dataEnd(): number {
    return this.#readFooter().filterAt;
  }

  /** Whether both copies of the footer are whole. @throws {EngineError} `io` */
  isFooterWhole(): boolean {
    const bytes = new Uint8Array(FOOTER_BYTES);
    for (let tries = 0; tries < READ_TRIES; tries++) {
      this.read(bytes, this.meta.sizeBytes - FOOTER_BYTES);
      const copies = [bytes.subarray(0, FOOTER_BYTES / 2), bytes.subarray(FOOTER_BYTES / 2)];
      if (copies.every((copy) => decodeFooter(copy)?.seed === this.meta.seed)) return true;
    }
    return false;
  }

  /** Where everything else in it stands that has a checksum. @throws {EngineError} `corrupt`, `io` */
  *frames(): Generator<{ readonly offset: number; readonly sizeBytes: number }, void, void> {
    const { filterAt, indexAt } = this.#readFooter();
    yield { offset: indexAt, sizeBytes: this.meta.sizeBytes - FOOTER_BYTES - indexAt };
    yield { offset: filterAt, sizeBytes: indexAt - filterAt };
    for (let block = 0; block < this.index.count; block++) {
      yield { offset: this.index.offset(block), sizeBytes: this.index.sizeBytes(block) };
    }
  }

  #readFooter(): Footer {
    if (this.#footer !== null) return this.#footer;
    try {
      this.#file ??= this.#disk.open(this.#path);
      this.#footer = readFooter(this.#file);
    } catch (error) {
      throw asEngineError(error);
    }
    const { sizeBytes } = this.meta;
    if (this.#footer?.seed !== this.meta.seed) {
      throw this.damage(sizeBytes - FOOTER_BYTES, "no footer verifies");
    }
    return this.#footer;
  }

  #loadFilter(): Uint8Array | null {
    const { filterAt, indexAt } = this.#readFooter();
    this.#filter = this.#accessory(filterAt, indexAt);
    return this.#filter;
  }

  #loadIndex(): BlockIndex {
    const { filterAt, indexAt } = this.#readFooter();
    const content = this.#accessory(indexAt, this.meta.sizeBytes - FOOTER_BYTES);
    return new BlockIndex(content ?? rebuildIndex(this, filterAt));
  }

  /** What a frame holds that can be done without; null when it is damaged. */
  #accessory(offset: number, end: number): Uint8Array | null {
    const bytes = new Uint8Array(Math.max(0, end - offset));
    try {
      this.read(bytes, offset);
      return this.contentOf(bytes, 0, bytes.length, offset);
    } catch (error) {
      if (error instanceof EngineError && error.code === "corrupt") return null;
      throw error;
    }
  }

  /** Read a block: the slot that it is cached in, or what it holds if it is too long for one. */
  #fetch(block: number): number | Uint8Array {
    const sizeBytes = this.index.sizeBytes(block);
    const offset = this.index.offset(block);
    const cache = this.#cache;
    this.#events.blocksRead++;
    if (sizeBytes > cache.slotBytes) {
      const bytes = blocks.take(sizeBytes);
      this.read(bytes, offset);
      return this.contentOf(bytes, 0, sizeBytes, offset);
    }
    const slot = cache.claim(this.meta.number, block);
    const bytes = cache.bytes(slot);
    try {
      this.read(bytes, offset); // perhaps more than the block, which costs less than a view that ends with it
      const content = this.contentOf(bytes, 0, sizeBytes, offset);
      if (content.buffer === bytes.buffer) cache.filled(slot, FRAME_HEADER_BYTES, sizeBytes);
      else if (content.length <= cache.slotBytes) {
        bytes.set(content);
        cache.filled(slot, 0, content.length);
      } else {
        cache.forget(slot);
        return content;
      }
      return slot;
    } catch (error) {
      cache.forget(slot);
      throw error;
    }
  }
}

/** The record that a block has for a key, as `Table.get` gives it; `copies`: the block's memory is used again. */
function recordIn(
  bytes: Uint8Array,
  from: number,
  to: number,
  key: Uint8Array,
  keyBytes: number,
  copies: boolean,
): Uint8Array | null | undefined {
  const at = findInBlock(bytes, from, to, key, keyBytes);
  if (at < 0) return undefined;
  const tag = varintAt(bytes, at);
  if (tag === 0) return null;
  const recordAt = at + varintBytes(tag);
  const end = recordAt + tag - 1;
  if (!copies) return bytes.subarray(recordAt, end);
  const record = records.take(tag - 1);
  if (tag <= SHORT_BYTES) { for (let i = 0, j = recordAt; j < end; i++, j++) record[i] = bytes[j]!; }
  else record.set(bytes.subarray(recordAt, end));
  return record;
}
