/**
 * Who coordinates a write (Dynamo, sections 4.5 and 4.6). Pure.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";

/** What is known when somebody is looked for to coordinate a write. */
export interface Candidates {
  /** This node. */
  readonly self: NodeId;
  /** The primaries of the key, in order. */
  readonly primaries: readonly NodeId[];
  /** Healthy nodes that may coordinate it where no primary can, in order; none for a strict write. */
  readonly fallbacks: readonly NodeId[];
  /** Those that were tried before. */
  readonly tried: readonly NodeId[];
  /** Whether another coordinator sent the write here. */
  readonly isForwarded: boolean;
  /** Whether it sent it as to a fallback; else as to a primary. */
  readonly isFallback: boolean;
  /** Whether a node is held to be down. */
  isDown(node: NodeId): boolean;
  /** The one of these that has been answering fastest. */
  fastestOf(nodes: readonly NodeId[]): NodeId | undefined;
}

/**
 * Who coordinates a write next: this node if it is a primary, else the fastest that is left, else the first node that
 * stands in for one; those that are held to be down at last, for that may be a mistake.
 */
export function nextCoordinator(
  { self, primaries, fallbacks, tried, isForwarded, isFallback, isDown, fastestOf }: Candidates,
): NodeId | undefined {
  if (primaries.includes(self) && !tried.includes(self)) return self;
  if (isForwarded) {
    return isFallback && fallbacks.includes(self) && !tried.includes(self) ? self : undefined;
  }
  const left = primaries.filter((id) => id !== self && !tried.includes(id));
  return fastestOf(left.filter((id) => !isDown(id))) ?? fallbacks.find((id) => !tried.includes(id)) ??
    fastestOf(left);
}
