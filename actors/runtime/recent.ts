/**
 * What was remembered last, in two generations: when the younger one is full the older one is forgotten as a whole.
 * To delete the oldest entry of a `Map` one by one costs more than all the rest of remembering it.
 *
 * @module
 */

/**
 * Remembers at least the last `count` entries, and at most twice as many.
 *
 * @example
 * ```ts
 * import { Recent } from "./recent.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const recent = new Recent<string, number>(2);
 * recent.set("a", 1);
 * recent.set("b", 2);
 * recent.set("c", 3);
 * assertEquals(recent.get("b"), 2);
 * recent.set("d", 4);
 * assertEquals([recent.get("a"), recent.get("c")], [undefined, 3]);
 * ```
 */
export class Recent<K, V> {
  readonly #count: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /** @param count how many are remembered at least */
  constructor(count: number) {
    this.#count = count;
  }

  /** What was last remembered under a key. */
  get(key: K): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  /** Remember. */
  set(key: K, value: V): void {
    this.#young.set(key, value);
    if (this.#young.size < this.#count) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
