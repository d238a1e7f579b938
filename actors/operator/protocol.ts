/**
 * What people and tools ask a node about itself and its cluster, and have it do. Doors pass these on as they
 * are; replies are plain data (numbers, strings, booleans, arrays, records), ready for JSON or msgpack.
 *
 * @module
 */

import type { ConflictPolicy } from "../replica_store/conflicts.ts";
import type { BudgetSettings, BudgetStatus } from "../repair/budget.ts";
import type { CopyStatus } from "../repair/refiller.ts";
import type { CoordinatorStatus, Explanation, Liveness } from "../coordinator/protocol.ts";
import type { NodeId, ReplicaStoreStatus } from "../replica_store/protocol.ts";
import type { PartitionHealth, RepairStatus } from "../repair/anti_entropy.ts";
import type { Said } from "../replica_store/collection.ts";
import type { CollectionStatus } from "../repair/collection_protocol.ts";
import type { HintStoreStatus } from "../handoff/protocol.ts";
import type { Move } from "../ring_manager/plan.ts";
import type { Member } from "../ring_manager/ring.ts";

/** A refusal that people will read. */
export interface Refusal {
  /** Discriminates from success. */
  readonly ok: false;
  /** Stable, for programs: `has-data`, `already-joined`, `mismatch`, `removed`, `no-majority`, … */
  readonly code: string;
  /** For people: what was refused, why, and what to do. */
  readonly message: string;
}

/** One member as this node sees it. */
export interface MemberState extends Member {
  /** As this node's gossiper sees it. */
  readonly liveness: Liveness;
  /** How many of the Q partitions it owns a replica of. */
  readonly owns: number;
  /** Raised at every start and refutation. */
  readonly incarnation: number;
  /** Milliseconds since this node last had news of it; 0 for itself. */
  readonly silentMs: number;
}

/** Answer to `cluster-state`. */
export interface ClusterState {
  /** The cluster's name. */
  readonly cluster: string;
  /** Its id. */
  readonly clusterId: string;
  /** The ring's epoch and checksum, as this node has it. */
  readonly ring: { readonly epoch: number; readonly checksum: number };
  /**
   * Effective N, R, W (the configured ones, or less in a small cluster); and whether other nodes stand in for replicas
   * that are away, where a request does not say, as this node is configured.
   */
  readonly quorum: { readonly n: number; readonly r: number; readonly w: number; readonly sloppy: boolean };
  /** True while there are fewer members than N. */
  readonly underReplicated: boolean;
  /** The members. */
  readonly members: readonly MemberState[];
}

/** Answer to `ring`. */
export interface RingView {
  /** The ring's epoch and checksum. */
  readonly epoch: number;
  /** See `epoch`. */
  readonly checksum: number;
  /** Members in index order. */
  readonly members: readonly Member[];
  /** Per partition, owners as indexes into `members`, in preference order. */
  readonly owners: readonly (readonly number[])[];
}

/** One actor's line in `status`. */
export interface ActorStatus {
  /** Its name. */
  readonly name: string;
  /** Times its supervisor restarted it. */
  readonly restarts: number;
  /** Messages waiting. */
  readonly waiting: number;
  /** Messages handled since the node started. */
  readonly handled: number;
  /** Messages refused because the mailbox was full. */
  readonly refused: number;
}

/** Answer to `status`. */
export interface NodeStatus {
  /** denamo's version. */
  readonly version: string;
  /** This node's id and address. */
  readonly node: NodeId;
  /** See `node`. */
  readonly address: string;
  /** Milliseconds since it started. */
  readonly uptimeMs: number;
  /**
   * `serving`, or why not: `joining`, `moving`, `ring-changing`, `draining`, `fenced`, `poisoned: …`, `not-whole`,
   * `under-replicated`.
   */
  readonly state: string;
  /** Cluster name, ring epoch, members and how many of them are alive. */
  readonly cluster: string;
  /** See `cluster`. */
  readonly epoch: number;
  /** See `cluster`. */
  readonly members: number;
  /** See `cluster`. */
  readonly alive: number;
  /** See {@link ClusterState.underReplicated}. */
  readonly underReplicated: boolean;
  /** Whether it votes on the next ring: not once its journal may have forgotten a promise, damaged or an older copy. */
  readonly votes: boolean;
  /** The membership change under way; null: there is none. */
  readonly moves: MovesView | null;
  /** The coordinator's counters. */
  readonly coordinator: CoordinatorStatus;
  /** The replica store's. */
  readonly store: ReplicaStoreStatus;
  /** What it does in the background. */
  readonly background: BudgetStatus;
  /** How replicas are kept the same. */
  readonly repair: RepairStatus;
  /** What it fetched from other owners. */
  readonly copies: CopyStatus;
  /** How the collection of tombstones goes. */
  readonly collection: CollectionStatus;
  /** The hint store's: what this node keeps for members that are away. */
  readonly hints: HintStoreStatus;
  /** Messages to no one, and to peers that could not be reached. */
  readonly messages: { readonly deadLetters: number; readonly lostToPeers: number };
  /** Connections open now. */
  readonly connections: { readonly clients: number; readonly peers: number };
  /** The supervision tree's actors. */
  readonly actors: readonly ActorStatus[];
}

/** A partition that this node and others own, as it is here. */
export interface PartitionState extends PartitionHealth {
  /** How many keys it holds; null while its hash tree is being made. */
  readonly keys: number | null;
  /** The root of its hash tree, as hex: the same wherever the same is held. Null while that is not known. */
  readonly digest: string | null;
}

/** Answer to `partitions`. */
export interface PartitionsView {
  /** The ring's epoch. */
  readonly epoch: number;
  /** In the order of their numbers. */
  readonly partitions: readonly PartitionState[];
}

/** Answer to `join`. */
export type JoinOutcome = {
  /** Discriminates from refusal. */
  readonly ok: true;
  /** The ring's epoch once joined. */
  readonly epoch: number;
  /** Its members. */
  readonly members: readonly Member[];
} | Refusal;

/** What a would-be member tells the cluster it asks to be admitted to. */
export interface Candidate {
  /** Itself. */
  readonly member: Member;
  /** The name of the cluster it was configured for. */
  readonly cluster: string;
  /** Its partition count. */
  readonly partitions: number;
  /** What it would make of concurrent writes. */
  readonly conflicts: ConflictPolicy;
  /** Its N. */
  readonly n: number;
  /** The name of its key hash. */
  readonly hash: string;
  /** Whether it holds any key. */
  readonly holdsData: boolean;
  /** The member whose place it is to take; absent: a place of its own. */
  readonly replaces?: NodeId;
}

/** Answer to `leave`, `forceRemove` and `cancel`: the change has begun (or been given up), and goes on by itself. */
export type ChangeOutcome = {
  /** Discriminates from refusal. */
  readonly ok: true;
  /** The ring's epoch then. */
  readonly epoch: number;
  /** Partitions that have still to move. */
  readonly partitions: number;
} | Refusal;

/** Asks what a change would mean. */
export interface PreviewRequest {
  /** What. */
  readonly kind: "join" | "leave" | "replace" | "force-remove";
  /** Who goes; null: nobody, or the node that is asked. */
  readonly id: NodeId | null;
  /** Who comes; null: nobody, or the node that is asked. */
  readonly member: Member | null;
  /** The member to ask, when the node that is asked is none yet: `host:port`. */
  readonly known: string | null;
}

/** What a change would mean. */
export type Preview = {
  /** Discriminates from refusal. */
  readonly ok: true;
  /** The ring for which this holds. */
  readonly epoch: number;
  /** Members that there will be. */
  readonly members: number;
  /** The copies to be made. */
  readonly moves: readonly Move[];
  /** Their size in bytes, about. */
  readonly bytes: number;
  /** How long that may take, in milliseconds. */
  readonly estimateMs: number;
  /** What the cluster will fall short of, for people. */
  readonly violations: readonly string[];
} | Refusal;

/** How far a membership change is. */
export interface MovesView {
  /** The epoch with which it began. */
  readonly since: number;
  /** Who joins; null: nobody. */
  readonly joining: NodeId | null;
  /** Who leaves; null: nobody. */
  readonly leaving: NodeId | null;
  /** Whether that one does not answer. */
  readonly isGone: boolean;
  /** Partitions that are being copied. */
  readonly copying: number;
  /** Partitions that have new owners, of which not all old ones have heard. */
  readonly settling: number;
  /** Bytes to be copied, about. */
  readonly bytesLeft: number;
  /** Members that it waits for and that do not pass for alive. */
  readonly away: readonly NodeId[];
  /** Hints that who leaves still has to hand over; null: nobody leaves, or that one does not say. */
  readonly hintsLeft: number | null;
}

/** Answer to `admit`: the new ring, encoded by `ring_codec.ts`, and the collection epochs of who answers. */
export type AdmitOutcome =
  | { readonly ok: true; readonly ring: Uint8Array; readonly collection: Said }
  | Refusal;

/** What became of a backup. */
export type BackupOutcome = {
  /** Discriminates from refusal. */
  readonly ok: true;
  /** Where it is, on the node's machine. */
  readonly directory: string;
  /** How many files it has. */
  readonly files: number;
  /** How long they are together; those that are hard links take no space of their own. */
  readonly sizeBytes: number;
  /** Keys in it. */
  readonly keys: number;
} | Refusal;

/** Answer to `backup`: its number, for asking how far it is. */
export type BackupBegun = { readonly ok: true; readonly number: number } | Refusal;

/** Answer to `backupProgress`. `outcome` is null while it is being made. */
export type BackupProgress = {
  /** Discriminates from refusal. */
  readonly ok: true;
  /** From 0 to 1. */
  readonly fraction: number;
  /** What became of it. */
  readonly outcome: BackupOutcome | null;
} | Refusal;

/** Messages of the operator. */
export type OperatorProtocol = {
  /** This node. */
  status: [Record<never, never>, NodeStatus];
  /** The cluster as this node sees it. */
  clusterState: [Record<never, never>, ClusterState];
  /** Who owns what. */
  ring: [Record<never, never>, RingView];
  /** The partitions of this node: what they hold, and when each was last known to be whole. */
  partitions: [Record<never, never>, PartitionsView];
  /** Where a key lives and what each replica says of it. */
  explain: [{ key: Uint8Array; timeoutMs: number }, Explanation];
  /** Make this node a member of the cluster that `known` (`host:port`) belongs to. */
  join: [{ known: string }, JoinOutcome];
  /** Make this node a member in the place of another one. */
  replace: [{ known: string; old: NodeId }, JoinOutcome];
  /** This node hands over what it has, and goes. */
  leave: [Record<never, never>, ChangeOutcome];
  /** A member that will not come back goes; `alive`: even if it passes for alive. */
  forceRemove: [{ id: NodeId; alive?: boolean }, ChangeOutcome];
  /** Give up the change under way: what has not changed its owners stays where it is. */
  cancel: [Record<never, never>, ChangeOutcome];
  /** What a change would mean; nothing is done. */
  preview: [PreviewRequest, Preview];
  /** A node asks to be let into this node's cluster. */
  admit: [Candidate, AdmitOutcome];
  /** Begin to write a copy of this node's data to a directory on its machine, which must be empty or not there. */
  backup: [{ directory: string }, BackupBegun];
  /** How far a backup is. */
  backupProgress: [{ number: number }, BackupProgress];
  /** What this node does in the background gets: to be set until it restarts, or null to be told only. */
  background: [{ set: BudgetSettings | null }, BudgetStatus];
};

/** All messages of the operator: what it is asked from outside, and what it is told on its own node. */
export type OperatorActorProtocol = OperatorProtocol & {
  /** A vote on the next ring has held up writes for too long: find out what became of it. Local only. */
  inquire: [Record<never, never>, void];
  /** This node is alone, and a node of another cluster wants to talk to it. Local only. */
  courted: [{ known: string }, void];
  /** What came of this node's wish to be a member is not known: ask again. Own timer. */
  askAgain: [{ waitMs: number }, void];
  /** This node is still alone and has seeds: ask them for admission. Own timer. */
  seek: [{ waitMs: number }, void];
};
