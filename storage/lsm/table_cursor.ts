/**
 * Reading tables in order.
 *
 * @module
 */

import { BlockWalker } from "./block.ts";
import { type EngineError, isDamage } from "../engine.ts";
import type { Cursor } from "./cursor.ts";
import type { Table } from "./table.ts";
import { firstReaching, type TableMeta } from "./version.ts";

/** Blocks that stand one behind the other are read together, up to so many bytes. */
export const READ_AHEAD_BYTES = 64 * 1024;
/** Each time it goes on, a cursor reads so many times as much ahead: who reads little need not pay for much. */
const AHEAD_GROWTH = 4;

/** Keys of which nothing is known, because the block that may hold them is damaged. */
export interface Hole {
  /** They are not less than this. */
  readonly from: Uint8Array;
  /** They are less than this. */
  readonly to: Uint8Array;
  /** Of the table that the block is in: what is younger is known all the same. */
  readonly age: number;
  /** What is wrong. */
  readonly error: EngineError;
}

/** A place in a table. */
export class TableCursor extends BlockWalker implements Cursor {
  /** See {@link Cursor.valid}. */
  valid = false;
  readonly #table: Table;
  readonly #onHole: ((hole: Hole) => void) | null;
  #block = -1;
  #aheadBytes: number;
  /** Bytes of the file, and where they begin and end in it. */
  #chunk: Uint8Array = new Uint8Array(0);
  #chunkFrom = 0;
  #chunkTo = 0;

  /**
   * Nowhere yet.
   *
   * @param table what it reads @param aheadBytes how much it reads ahead at first
   * @param onHole told of damage, which is passed over then; null: a move fails
   */
  constructor(table: Table, aheadBytes: number, onHole: ((hole: Hole) => void) | null = null) {
    super();
    this.#table = table;
    this.#onHole = onHole;
    this.#aheadBytes = aheadBytes;
  }

  /** See {@link Cursor.age}. */
  get age(): number {
    return this.#table.meta.age;
  }

  /** Go to the first entry. @throws {EngineError} `corrupt`, `io`, as every move */
  toFirst(): void {
    this.valid = false;
    if (!this.#hasIndex()) return;
    this.#block = -1;
    this.#enterNext();
  }

  /** Go to the first entry whose stored key is not less than `key`. */
  seek(key: Uint8Array, keyBytes: number): void {
    this.valid = false;
    if (!this.#hasIndex()) return;
    this.#block = this.#table.index.find(key, keyBytes);
    const content = this.#content(this.#block);
    if (content) this.valid = super.enterAt(content, 0, content.length, key, keyBytes);
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
    const { count } = this.#table.index;
    this.valid = false;
    while (!this.valid && ++this.#block < count) {
      const content = this.#content(this.#block);
      if (content === null) continue;
      this.enter(content, 0, content.length);
      this.valid = super.next();
    }
  }

  /** Whether blocks can be found; the whole table is passed over when they cannot. */
  #hasIndex(): boolean {
    const { meta } = this.#table;
    try {
      return this.#table.index.count > 0;
    } catch (error) {
      this.#passOver(error, meta.first, justAfter(meta.last));
      return false;
    }
  }

  /** What a block holds; null when it is damaged and passed over. */
  #content(block: number): Uint8Array | null {
    try {
      return this.#read(block);
    } catch (error) {
      const { index, meta } = this.#table;
      const from = block === 0 ? meta.first : index.bound(block);
      const to = block + 1 < index.count ? index.bound(block + 1) : justAfter(meta.last);
      this.#passOver(error, from, to);
      return null;
    }
  }

  #passOver(error: unknown, from: Uint8Array, to: Uint8Array): void {
    if (this.#onHole === null || !isDamage(error)) throw error;
    this.#onHole({ from, to, age: this.age, error });
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

/** The least key that is greater. */
function justAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
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
