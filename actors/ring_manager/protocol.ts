/**
 * What the ring manager is told and asked.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";
import type { Refusal } from "../operator/protocol.ts";
import type { AcceptReply, AcceptRequest, PrepareReply, PrepareRequest } from "./commit.ts";
import type { Ring } from "./ring.ts";

/** The ring, and whether writes have to wait for the outcome of a vote on the next one. */
export interface CurrentRing {
  /** The newest ring this node knows. */
  readonly ring: Ring;
  /** See `commit.ts`, "Joins without data". */
  readonly isFenced: boolean;
}

/** Messages of the ring manager. Rings between nodes are bytes of `ring_codec.ts`. */
export type RingManagerProtocol = {
  /** The ring now. Local only. */
  current: [Record<never, never>, CurrentRing];
  /** Send this node's ring to a member that seems to have an older one. Local only. */
  teach: [{ node: NodeId }, void];
  /** A ring from a peer: taken when it is a sound, newer ring of this cluster, else ignored. */
  learn: [{ ring: Uint8Array }, void];
  /** Phase 1 of the vote on the next ring. */
  prepare: [PrepareRequest, PrepareReply];
  /** Phase 2. */
  accept: [AcceptRequest, AcceptReply];
  /** Leave the one-member ring this node started with for the ring of the cluster that admitted it. Local only. */
  install: [{ ring: Uint8Array }, { readonly ok: true } | Refusal];
  /** Somebody else raised the store's fence and is done: it is for the vote alone to say again. Local only. */
  refence: [Record<never, never>, void];
  /** Look whether writes have been held too long. Own timer. */
  tick: [Record<never, never>, void];
};
