/**
 * What the gossiper is told and asked.
 *
 * @module
 */

import type { Liveness } from "../coordinator/protocol.ts";
import type { NodeId } from "../replica_store/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";

/** Liveness of one member, for `cluster-state`. */
export interface MemberNews {
  /** The member. */
  readonly node: NodeId;
  /** As this node sees it. */
  readonly liveness: Liveness;
  /** Raised at every start and refutation. */
  readonly incarnation: number;
  /** Milliseconds since there was news of it; 0 for this node. */
  readonly silentMs: number;
}

/** Messages of the gossiper. */
export type GossiperProtocol = {
  /** Another member's rumours, encoded by `membership.ts`. */
  gossip: [{ rumours: Uint8Array }, void];
  /** A round is due. Local only. */
  round: [Record<never, never>, void];
  /** The ring changed. Local only. */
  ring: [{ ring: Ring }, void];
  /** What this node knows of every member. */
  describe: [Record<never, never>, readonly MemberNews[]];
};
