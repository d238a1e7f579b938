/**
 * Which keys hold nothing but tombstones, known without looking for them.
 *
 * Told of every object that is committed, and of every one that the survey after a start meets (`trees.ts`);
 * bounded, so that a store that is emptied does not fill its memory instead. A partition of which more were met than
 * are kept is surveyed once more when those are gone.
 *
 * Who may remove such a key, and when, is decided in `actors/repair/collector.ts`.
 *
 * @module
 */

import { fromHex, toHex } from "../runtime/bytes.ts";
import type { StoredObject } from "./object.ts";

/** Kept of one partition, and of all. */
const MOST_OF_ONE = 1_000;
const MOST = 65_536;

/** Whether nothing is left of a key but that it was deleted. */
export function isBuried({ siblings }: Pick<StoredObject, "siblings">): boolean {
  return siblings.every(({ tombstone }) => tombstone);
}

/**
 * See the module.
 *
 * @example
 * ```ts
 * import { Tombstones } from "./tombstones.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const tombstones = new Tombstones();
 * const [key, other] = [Uint8Array.of(7), Uint8Array.of(8)];
 * const tombstone = { siblings: [{ tombstone: true }] } as never;
 * tombstones.note(3, key, tombstone);
 * tombstones.note(3, other, tombstone);
 * tombstones.note(3, other, null);
 * assertEquals([tombstones.size, tombstones.of(3, 10)], [1, [key]]);
 * ```
 */
export class Tombstones {
  /** How many are known. */
  size = 0;
  /** How many were removed since the start. */
  collected = 0;
  /** Partitions of which there are more than are kept. */
  readonly #more = new Set<number>();
  readonly #keys = new Map<number, Set<string>>();

  /** What is held under a key now; null: nothing. */
  note(partition: number, key: Uint8Array, object: StoredObject | null): void {
    const keys = this.#keys.get(partition);
    if (object === null || !isBuried(object)) {
      if (keys === undefined || !keys.delete(toHex(key))) return;
      this.size--;
      if (keys.size === 0) this.#keys.delete(partition);
      return;
    }
    const name = toHex(key);
    if (keys?.has(name)) return;
    if (this.size >= MOST || (keys?.size ?? 0) >= MOST_OF_ONE) return void this.#more.add(partition);
    if (keys === undefined) this.#keys.set(partition, new Set([name]));
    else keys.add(name);
    this.size++;
  }

  /** Some of a partition's, the longest known first. */
  of(partition: number, most: number): Uint8Array[] {
    return [...this.#keys.get(partition) ?? []].slice(0, most).map((name) => fromHex(name)!);
  }

  /** Partitions of which some are known. */
  partitions(): number[] {
    return [...this.#keys.keys()];
  }

  /** A partition was dropped. */
  forget(partition: number): void {
    this.size -= this.#keys.get(partition)?.size ?? 0;
    this.#keys.delete(partition);
    this.#more.delete(partition);
  }

  /** A partition that has to be read once more, for those that were kept of it are gone; from now on it is. */
  takeExhausted(): number | null {
    if (this.size >= MOST) return null;
    for (const partition of this.#more) {
      if (this.#keys.has(partition)) continue;
      this.#more.delete(partition);
      return partition;
    }
    return null;
  }
}
