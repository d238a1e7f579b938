/**
 * How fast the other primaries have been answering the writes sent on to them, to choose the fastest.
 *
 * A mean alone keeps a primary that was slow once out for ever: it is not chosen, so nothing is measured, so its
 * mean stays. Therefore what was measured fades with time: one that is not asked looks faster and faster, is
 * tried, and is judged by how it answers now. Pure: every call says what time it is.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";

/** What was measured counts half after so long. */
const HALF_LIFE_MS = 10_000;
/** How much one measurement moves the mean. */
const WEIGHT = 1 / 8;

interface Measured {
  readonly meanMs: number;
  readonly at: number;
}

/** Moving means per node, in milliseconds. */
export class Latencies {
  readonly #measured = new Map<NodeId, Measured>();

  /** A node has answered after `elapsedMs`, or not in that time. */
  observe(node: NodeId, elapsedMs: number, nowMs: number): void {
    const before = this.#measured.has(node) ? this.of(node, nowMs) : elapsedMs;
    this.#measured.set(node, { meanMs: before + (elapsedMs - before) * WEIGHT, at: nowMs });
  }

  /** What is to be expected of a node now; 0 for one never measured. */
  of(node: NodeId, nowMs: number): number {
    const measured = this.#measured.get(node);
    return measured === undefined ? 0 : measured.meanMs * 0.5 ** ((nowMs - measured.at) / HALF_LIFE_MS);
  }

  /** The fastest of these now, the first of equals; undefined of none. */
  fastest(nodes: readonly NodeId[], nowMs: number): NodeId | undefined {
    return [...nodes].sort((a, b) => this.of(a, nowMs) - this.of(b, nowMs))[0];
  }

  /** Forget all but these. */
  keepOnly(nodes: readonly NodeId[]): void {
    const kept = new Set(nodes);
    for (const node of this.#measured.keys()) if (!kept.has(node)) this.#measured.delete(node);
  }
}
