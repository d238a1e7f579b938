/**
 * What the gossiper is told and asked.
 *
 * @module
 */

import type { Said } from "../replica_store/collection.ts";
import type { Ring } from "../ring_manager/ring.ts";
import type { MemberView } from "./membership.ts";

/** Messages of the gossiper. */
export type GossiperProtocol = {
  /** Another member's message: bytes of `gossip_codec.ts`, what its clock shows, its collection epochs. */
  gossip: [{ message: Uint8Array; wallMs: number; collection: Said }, void];
  /** A round is due. Own timer. */
  round: [Record<never, never>, void];
  /** The ring changed. Local only. */
  ring: [{ ring: Ring }, void];
  /** This node goes on in a later life than before. Local only. */
  outlive: [{ life: number }, void];
  /** What this node knows of every member. */
  describe: [Record<never, never>, readonly MemberView[]];
};
