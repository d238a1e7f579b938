/**
 * Who coordinates a write (Dynamo, section 4.5). Pure.
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
  /** Those that were tried before. */
  readonly tried: readonly NodeId[];
  /** Whether another coordinator sent the write here as to a primary. */
  readonly isForwarded: boolean;
  /** The one of these that has been answering fastest. */
  fastestOf(nodes: readonly NodeId[]): NodeId | undefined;
}

/** Who coordinates a write next: this node if it is a primary, else the fastest that is left. */
export function nextCoordinator(
  { self, primaries, tried, isForwarded, fastestOf }: Candidates,
): NodeId | undefined {
  if (primaries.includes(self) && !tried.includes(self)) return self;
  if (isForwarded) return undefined;
  return fastestOf(primaries.filter((id) => id !== self && !tried.includes(id)));
}
