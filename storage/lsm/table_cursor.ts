/**
 * Reading tables in order.
 *
 * @module
 */

import { BlockWalker } from "./block.ts";
import type { Cursor } from "./cursor.ts";
import type { Table } from "./table.ts";
import { firstReaching, type TableMeta } from "./version.ts";

/** Blocks that stand one behind the other are read together, up to so many bytes. */
export const READ_AHEAD_BYTES = 64 * 1024;
/** Each time it goes on, a cursor reads so many times as much ahead: who reads little need not pay for much. */
const AHEAD_GROWTH = 4;

/** A place in a table. */
export class TableCursor extends BlockWalker implements Cursor {
  /** See {@link Cursor.valid}. */
  valid = false;
  readonly #table: Table;
  #block = -1;
  #aheadBytes: number;
  /** Bytes of the file, and where they begin and end in it. */
  #chunk: Uint8Array = new Uint8Array(0);
  #chunkFrom = 0;
  #chunkTo = 0;

  /** Nowhere yet. @param table what it reads @param aheadBytes how much it reads ahead at first */
  constructor(table: Table, aheadBytes: number) {
    super();
    this.#table = table;
    this.#aheadBytes = aheadBytes;
  }

  /** See {@link Cursor.age}. */
  get age(): number {
    return this.#table.meta.age;
  }

  /** Go to the first entry. @throws {EngineError} `corrupt`, `io`, as every move */
  toFirst(): void {
    this.#block = -1;
    this.#enterNext();
  }

  /** Go to the first entry whose stored key is not less than `key`. */
  seek(key: Uint8Array, keyBytes: number): void {
    this.#block = this.#table.index.find(key, keyBytes);
    const content = this.#read(this.#block);
    this.valid = super.enterAt(content, 0, content.length, key, keyBytes);
    if (!this.valid) this.#enterNext();
  }

  /** See {@link Cursor.next}. */
  override next(): boolean {
    this.valid = super.next();
    if (!this.valid) this.#enterNext();
    return this.valid;
  }

  /** Go to the first entry of the next block. */
  #enterNext(): void {
    if (++this.#block >= this.#table.index.count) {
      this.valid = false;
      return;
    }
    const content = this.#read(this.#block);
    this.enter(content, 0, content.length);
    this.valid = super.next();
  }

  #read(block: number): Uint8Array {
    const table = this.#table;
    const offset = table.index.offset(block);
    const sizeBytes = table.index.sizeBytes(block);
    if (offset < this.#chunkFrom || offset + sizeBytes > this.#chunkTo) {
      const wanted = Math.max(sizeBytes, Math.min(this.#aheadBytes, table.dataEnd - offset));
      this.#aheadBytes = Math.min(READ_AHEAD_BYTES, this.#aheadBytes * AHEAD_GROWTH);
      if (this.#chunk.length < wanted) this.#chunk = new Uint8Array(wanted);
      table.read(this.#chunk.subarray(0, wanted), offset);
      this.#chunkFrom = offset;
      this.#chunkTo = offset + wanted;
    }
    return table.contentOf(this.#chunk, offset - this.#chunkFrom, sizeBytes, offset);
  }
}

/** A place in a level whose tables do not overlap: one table after the other. */
export class LevelCursor implements Cursor {
  readonly #level: readonly TableMeta[];
  readonly #open: (table: TableMeta) => TableCursor;
  #next = 0;
  #current: TableCursor | null = null;

  /** Nowhere yet. @param level its tables, by key @param open gives a cursor of one of them */
  constructor(level: readonly TableMeta[], open: (table: TableMeta) => TableCursor) {
    this.#level = level;
    this.#open = open;
  }

  /** See {@link TableCursor.toFirst}. */
  toFirst(): void {
    this.#next = 0;
    this.#current = null;
    this.#settle();
  }

  /** See {@link TableCursor.seek}. */
  seek(key: Uint8Array, keyBytes: number): void {
    this.#next = firstReaching(this.#level, key, keyBytes);
    this.#current = null;
    const table = this.#level[this.#next];
    if (!table) return;
    this.#next++;
    this.#current = this.#open(table);
    this.#current.seek(key, keyBytes);
    this.#settle();
  }

  /** See {@link Cursor.next}. */
  next(): void {
    this.#current!.next();
    this.#settle();
  }

  /** See {@link Cursor.valid}. */
  get valid(): boolean {
    return this.#current !== null && this.#current.valid;
  }

  /** See {@link Cursor.key}. */
  get key(): Uint8Array {
    return this.#current!.key;
  }

  /** See {@link Cursor.keyBytes}. */
  get keyBytes(): number {
    return this.#current!.keyBytes;
  }

  /** See {@link Cursor.bytes}. */
  get bytes(): Uint8Array {
    return this.#current!.bytes;
  }

  /** See {@link Cursor.recordAt}. */
  get recordAt(): number {
    return this.#current!.recordAt;
  }

  /** See {@link Cursor.recordBytes}. */
  get recordBytes(): number {
    return this.#current!.recordBytes;
  }

  /** See {@link Cursor.age}. */
  get age(): number {
    return this.#current!.age;
  }

  /** Go on to the next table while there is nothing more in this one. */
  #settle(): void {
    while (!this.valid) {
      const table = this.#level[this.#next];
      if (!table) return void (this.#current = null);
      this.#next++;
      this.#current = this.#open(table);
      this.#current.toFirst();
    }
  }
}
