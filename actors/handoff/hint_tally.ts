/**
 * How much is kept for whom, and in which slot of the engine; no I/O. A store that is bounded has to know how full it
 * is before it takes anything, and a partition's tombstones may not go while anybody keeps a hint of it.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";
import { LIMITS } from "../runtime/limits.ts";
import type { HintTarget } from "./protocol.ts";

/** What there is, and what is to be added. Sizes are bytes. */
export interface Room {
  /** Kept for the target. */
  readonly targetBytes: number;
  /** Kept for all. */
  readonly totalBytes: number;
  /** To be added for the target. */
  readonly addedBytes: number;
}

/** Whether a hint may be taken. Nothing old ever goes to make room: it was acknowledged (FAULTS 58). */
export function hasRoom({ targetBytes, totalBytes, addedBytes }: Room): boolean {
  return addedBytes <= 0 ||
    (targetBytes + addedBytes <= LIMITS.hintTargetBytes && totalBytes + addedBytes <= LIMITS.hintBytes);
}

interface Entry {
  readonly slot: number;
  count: number;
  bytes: number;
}

/** A hint, as it is counted. */
export interface Counted {
  /** Whom it is kept for. */
  readonly target: NodeId;
  /** Its key's partition. */
  readonly partition: number;
  /** Hints more; negative: less. */
  readonly count: number;
  /** Bytes more; negative: less. */
  readonly bytes: number;
}

/**
 * A tally.
 *
 * @example
 * ```ts
 * import { HintTally } from "./hint_tally.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const tally = new HintTally();
 * tally.add({ target: "a", partition: 3, count: 1, bytes: 10 }, tally.claim("a"));
 * assertEquals([tally.slotOf("a"), tally.bytes, tally.heldOf(3)], [0, 10, 1]);
 * tally.add({ target: "a", partition: 3, count: -1, bytes: -10 });
 * assertEquals([tally.slotOf("a"), tally.bytes, tally.heldOf(3)], [undefined, 0, 0]);
 * ```
 */
export class HintTally {
  /** Bytes kept for all. */
  bytes = 0;
  /** Hints kept for all. */
  count = 0;
  readonly #targets = new Map<NodeId, Entry>();
  readonly #partitions = new Map<number, number>();

  /** The slot of a target for which something is kept. */
  slotOf(target: NodeId): number | undefined {
    return this.#targets.get(target)?.slot;
  }

  /** The slot of a target: its own, or the first that is free. */
  claim(target: NodeId): number {
    const own = this.slotOf(target);
    if (own !== undefined) return own;
    const taken = new Set([...this.#targets.values()].map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    return slot;
  }

  /** Count hints; `slot` is needed for the first of a target. A target with none left gives up its slot. */
  add({ target, partition, count, bytes }: Counted, slot = this.claim(target)): void {
    const entry = this.#targets.get(target) ?? { slot, count: 0, bytes: 0 };
    this.#targets.set(target, entry);
    entry.count += count;
    entry.bytes += bytes;
    this.count += count;
    this.bytes += bytes;
    if (entry.count <= 0) this.#targets.delete(target);
    const held = this.heldOf(partition) + count;
    if (held > 0) this.#partitions.set(partition, held);
    else this.#partitions.delete(partition);
  }

  /** Bytes kept for a target. */
  bytesOf(target: NodeId): number {
    return this.#targets.get(target)?.bytes ?? 0;
  }

  /** Hints kept of a partition. */
  heldOf(partition: number): number {
    return this.#partitions.get(partition) ?? 0;
  }

  /** Whom something is kept for, and how much. */
  targets(): HintTarget[] {
    return [...this.#targets].map(([node, { count, bytes }]) => ({ node, count, bytes }));
  }
}
