/**
 * When partitions were last known to be whole.
 *
 * A partition is whole as of some moment when this node has exchanged with every other owner after that moment, each
 * exchange ended well, and began no earlier. What is remembered is when the last good exchange with each of them began;
 * one that failed, however far it came, changes nothing: so trouble shows as an age that grows.
 *
 * @module
 */

/**
 * See the module.
 *
 * @example
 * ```ts
 * import { LastWhole } from "./last_whole.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const whole = new LastWhole();
 * whole.onExchanged(7, "b", 100);
 * assertEquals(whole.wholeAt(7, ["b", "c"]), null); // nothing is known of c
 * whole.onExchanged(7, "c", 200);
 * assertEquals(whole.wholeAt(7, ["b", "c"]), 100);
 * ```
 */
export class LastWhole {
  readonly #exchanged = new Map<number, Map<string, number>>();

  /** An exchange with another owner, begun at `at`, has ended well. */
  onExchanged(partition: number, owner: string, at: number): void {
    let owners = this.#exchanged.get(partition);
    if (owners === undefined) this.#exchanged.set(partition, owners = new Map());
    owners.set(owner, at);
  }

  /** When a partition with these other owners was last known to be whole; null: never. */
  wholeAt(partition: number, owners: readonly string[]): number | null {
    const known = this.#exchanged.get(partition);
    let oldest = Infinity;
    for (const owner of owners) {
      const at = known?.get(owner);
      if (at === undefined) return null;
      oldest = Math.min(oldest, at);
    }
    return oldest === Infinity ? null : oldest;
  }

  /** Forget all but these partitions. */
  keep(partitions: ReadonlySet<number>): void {
    for (const partition of this.#exchanged.keys()) {
      if (!partitions.has(partition)) this.#exchanged.delete(partition);
    }
  }
}
