/**
 * Several sorted sources as one: of each key the entry of the youngest source that has it.
 *
 * The sources stand in a heap, the one with the least key on top; of equal keys the younger source is above. After the
 * top has had its say, every other source that stands on the same key moves on unheard (Knuth, "The Art of Computer
 * Programming", volume 3, section 5.4.1).
 *
 * @module
 */

import type { Cursor } from "./cursor.ts";
import { compareKeys } from "./stored_key.ts";

/** A cursor and how young its source is: 0 is the youngest. */
interface Source {
  readonly cursor: Cursor;
  readonly rank: number;
}

/** A merge of cursors. */
export class Merge {
  readonly #heap: Source[] = [];

  /** @param cursors the youngest source first; they move with the merge, and with nobody else */
  constructor(cursors: readonly Cursor[]) {
    cursors.forEach((cursor, rank) => {
      if (cursor.valid) this.#heap.push({ cursor, rank });
    });
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  /** The entry it stands on, null at the end. */
  get current(): Cursor | null {
    return this.#heap[0]?.cursor ?? null;
  }

  /** Go to the next key. */
  next(): void {
    const heap = this.#heap;
    const top = heap[0]!.cursor;
    // Whoever has the same key is right below, or comes there.
    for (let i = 1; i <= 2; i++) {
      while (i < heap.length && hasKeyOf(heap[i]!.cursor, top)) this.#advance(i);
    }
    this.#advance(0);
  }

  #advance(i: number): void {
    const heap = this.#heap;
    const { cursor } = heap[i]!;
    cursor.next();
    if (!cursor.valid) {
      const last = heap.pop()!;
      if (i === heap.length) return;
      heap[i] = last;
    }
    this.#sink(i);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const source = heap[from]!;
    let i = from;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, source)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = source;
  }
}

function hasKeyOf(a: Cursor, b: Cursor): boolean {
  return a.keyBytes === b.keyBytes && compareKeys(a.key, a.keyBytes, b.key, b.keyBytes) === 0;
}

function isBefore(a: Source, b: Source): boolean {
  const order = compareKeys(a.cursor.key, a.cursor.keyBytes, b.cursor.key, b.cursor.keyBytes);
  return order < 0 || order === 0 && a.rank < b.rank;
}
