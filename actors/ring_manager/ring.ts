/**
 * The ring: who is a member and who owns which partition.
 *
 * The key space is cut into Q equal partitions (Dynamo, section 6.2, strategy 3). A ring is an immutable
 * value with an epoch; it changes only by a commit (`commit.ts`) and travels by gossip.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";

/** A ring member. */
export interface Member {
  /** Its id. */
  readonly id: NodeId;
  /** Where peers and clients reach it: `host:port`. */
  readonly address: string;
  /** Its failure zone; replicas go to distinct zones where there are enough. */
  readonly zone: string;
  /** Its share of partitions relative to others, greater than 0. */
  readonly weight: number;
}

/** An epoch-numbered assignment of partitions to members. */
export interface Ring {
  /** 16 random bytes as 32 hex digits, drawn when the cluster was created. */
  readonly clusterId: string;
  /** The cluster's name from the configuration. */
  readonly cluster: string;
  /** 1 when created, one more with every change. */
  readonly epoch: number;
  /** Replicas per key the cluster was created with (N). */
  readonly n: number;
  /** Partitions (Q), fixed when the cluster was created. */
  readonly partitions: number;
  /** Members, sorted by id. */
  readonly members: readonly Member[];
  /** Per partition, its owners in preference order, as indexes into `members`; min(n, members) of them. */
  readonly owners: readonly (readonly number[])[];
  /** Ids that were members once and never may be again. */
  readonly removed: readonly NodeId[];
}
