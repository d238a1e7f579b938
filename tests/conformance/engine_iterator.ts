/**
 * An iterator of `abstract-level` over an engine.
 *
 * @module
 */

import { AbstractIterator } from "abstract-level";
import { compareBytes } from "../../actors/runtime/bytes.ts";
import type { EngineLevel } from "./engine_level.ts";
import { isInRange, type Range, rangeEntries, type ReadView } from "./read_view.ts";

/** What is iterated over, and how. */
export interface IteratorOptions extends Range {
  /** From the last to the first. */
  readonly reverse: boolean;
}

type Item = [key: Uint8Array, value: Uint8Array];

/** See the module. Keys and values alone are picked from its entries by `abstract-level`. */
export class EngineIterator extends AbstractIterator<EngineLevel, Uint8Array, Uint8Array> {
  readonly #view: ReadView;
  readonly #isOwn: boolean;
  readonly #options: IteratorOptions;
  /** In the order in which they come; read when they are first asked for. */
  #items: Item[] | null = null;
  #at = 0;

  /** @param view what it reads from, and releases in the end where `isOwn` */
  constructor(db: EngineLevel, options: IteratorOptions, view: ReadView, isOwn: boolean) {
    // deno-lint-ignore no-explicit-any -- the options that it wants are its own
    super(db, options as any);
    this.#view = view;
    this.#isOwn = isOwn;
    this.#options = options;
  }

  #all(): Item[] {
    if (this.#items) return this.#items;
    const items = rangeEntries(this.#view, this.#options);
    return this.#items = this.#options.reverse ? items.reverse() : items;
  }

  /** The next ones, as pairs of their own: `abstract-level` decodes in place. */
  #take(count: number): Item[] {
    const items = this.#all().slice(this.#at, this.#at + count);
    this.#at += items.length;
    return items.map(([key, value]) => [key, value]);
  }

  /** See `abstract-level`. */
  async _next(): Promise<Item | undefined> {
    return await this.#take(1)[0];
  }

  /** See `abstract-level`. */
  async _nextv(size: number): Promise<Item[]> {
    return await this.#take(size);
  }

  /** See `abstract-level`. */
  async _all(): Promise<Item[]> {
    return await this.#take(this.limit - this.count);
  }

  /** See `abstract-level`. */
  _seek(target: Uint8Array): void {
    const isThere = ([key]: Item) => (this.#options.reverse ? -1 : 1) * compareBytes(key, target) >= 0;
    const at = isInRange(target, this.#options) ? this.#all().findIndex(isThere) : -1;
    this.#at = at < 0 ? this.#all().length : at;
  }

  /** See `abstract-level`. */
  async _close(): Promise<void> {
    if (this.#isOwn) await this.#view.release();
  }
}
