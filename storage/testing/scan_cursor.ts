/**
 * A scan of one partition, page by page, while others write: a key that was there all along is seen once.
 *
 * @module
 */

import { compareBytes, toHex } from "../../actors/runtime/bytes.ts";
import { assert } from "../../actors/runtime/testing/assert.ts";
import type { Entry, ScanPage } from "../engine.ts";
import { faultOfPage, type PageLimits } from "./twin.ts";

/** See the module. */
export class ScanCursor {
  /** Where it goes on, null at the beginning. */
  after: Uint8Array | null = null;
  /** Keys that were there when it began, are still there, and are ahead. */
  readonly #ahead: Set<string>;

  /** @param entries what is there as it begins */
  constructor(entries: readonly Entry[]) {
    this.#ahead = new Set(entries.map(({ key }) => toHex(key)));
  }

  /** A key has been removed. */
  forget(key: Uint8Array): void {
    this.#ahead.delete(toHex(key));
  }

  /** The next page; true when it was the last. `moments`: what the partition held while the page was made. */
  take(page: ScanPage, moments: readonly (readonly Entry[])[], limits: PageLimits): boolean {
    const faults = moments.map((entries) => faultOfPage(page, this.#rest(entries), limits));
    assert(
      faults.includes(null),
      `a page after ${this.after && toHex(this.after)}: ${faults.join("; or: ")}`,
    );
    for (const { key } of page.entries) this.#ahead.delete(toHex(key));
    this.after = page.entries.at(-1)?.key ?? this.after;
    const missed = [...this.#ahead].filter((hex) => page.done || this.after && hex <= toHex(this.after));
    assert(missed.length === 0, `was there all along and is missed: ${missed}`);
    return page.done;
  }

  #rest(entries: readonly Entry[]): readonly Entry[] {
    const { after } = this;
    return after ? entries.filter(({ key }) => compareBytes(key, after) > 0) : entries;
  }
}
