/**
 * The keys of one partition in order, for as long as somebody scans.
 *
 * Nothing is sorted before the first scan. After it the order is kept: keys that come are noted and merged by the
 * next scan, each with one binary search; keys that go are taken out at once. When more came than merging is
 * worth, the order is forgotten.
 *
 * @module
 */

import type { Arena } from "./arena.ts";
import { sorting } from "./sort_entries.ts";

/** So many new keys may wait to be merged, or a quarter of the known ones if that is more. */
const ADDED = 1024;

/** Entries of one partition by key. */
export class KeyOrder {
  readonly #arena: Arena;
  #sorted: Int32Array | null = null;
  #count = 0;
  #added: number[] = [];

  /** @param arena where the keys are */
  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** A key has come. */
  insert(entry: number): void {
    if (!this.#sorted) return;
    this.#added.push(entry);
    if (this.#added.length > Math.max(ADDED, this.#count / 4)) this.#forget();
  }

  /** A key is about to go. */
  remove(entry: number): void {
    const sorted = this.#sorted;
    if (!sorted) return;
    const at = this.#firstAtOrAfter(this.#arena.key(entry));
    if (at < this.#count && sorted[at] === entry) {
      sorted.copyWithin(at, at + 1, this.#count);
      this.#count--;
    } else this.#added.splice(this.#added.indexOf(entry), 1);
  }

  /** All entries in order and how many they are; `entries` gives them if they have to be sorted. */
  sorted(entries: () => Int32Array): { readonly sorted: Int32Array; readonly count: number } {
    if (!this.#sorted) { for (const _ of this.sorting(entries)); }
    else if (this.#added.length > 0) this.#merge(this.#sorted);
    return { sorted: this.#sorted!, count: this.#count };
  }

  /** Sort them in steps, unless they are: yields after each, and no key may come or go before the last one. */
  *sorting(entries: () => Int32Array): Generator<void, void, void> {
    if (this.#sorted) return;
    const sorted = entries();
    yield* sorting(this.#arena, sorted);
    this.#sorted = sorted;
    this.#count = sorted.length;
    this.#added = [];
  }

  /** Where in the order the first key after `key` stands. To be called after {@link KeyOrder.sorted}. */
  firstAfter(key: Uint8Array): number {
    const at = this.#firstAtOrAfter(key);
    return at < this.#count && this.#arena.hasKey(this.#sorted![at]!, key) ? at + 1 : at;
  }

  #firstAtOrAfter(key: Uint8Array): number {
    const sorted = this.#sorted!;
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#arena.compareToKey(sorted[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Put what came into its place, from the back, so that everything moves at most once. */
  #merge(sorted: Int32Array): void {
    const added = this.#added.sort((a, b) => this.#arena.compare(a, b));
    const count = this.#count + added.length;
    const merged = count <= sorted.length ? sorted : new Int32Array(Math.ceil(count * 1.25));
    const places = added.map((entry) => this.#firstAtOrAfter(this.#arena.key(entry)));
    let from = this.#count;
    for (let i = added.length - 1; i >= 0; i--) {
      const place = places[i]!;
      if (merged === sorted) sorted.copyWithin(place + i + 1, place, from);
      else merged.set(sorted.subarray(place, from), place + i + 1);
      merged[place + i] = added[i]!;
      from = place;
    }
    if (merged !== sorted) merged.set(sorted.subarray(0, from));
    this.#sorted = merged;
    this.#count = count;
    this.#added = [];
  }

  #forget(): void {
    this.#sorted = null;
    this.#added = [];
    this.#count = 0;
  }
}
