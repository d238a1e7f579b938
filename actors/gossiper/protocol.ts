/**
 * What the gossiper is told and asked.
 *
 * @module
 */

import type { Ring } from "../ring_manager/ring.ts";
import type { MemberView } from "./membership.ts";
import type { Gossip } from "./rumour.ts";

/** Messages of the gossiper. */
export type GossiperProtocol = {
  /** Another member's rumours. */
  gossip: [Gossip, void];
  /** A round is due. Own timer. */
  round: [Record<never, never>, void];
  /** The ring changed. Local only. */
  ring: [{ ring: Ring }, void];
  /** What this node knows of every member. */
  describe: [Record<never, never>, readonly MemberView[]];
};
