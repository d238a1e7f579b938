/**
 * What coordinators are told: client requests by doors and by other coordinators, and answers by replicas.
 *
 * @module
 */

import type { Address } from "../runtime/protocol.ts";
import type { MintAnswer, NodeId, ReadAnswer, RequestId, WriteAnswer } from "../replica_store/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";
import type { Delivery } from "./delivery.ts";

/** Why a request failed; append-only, the wire numbers them. */
export type FailureCode =
  /** Fewer than R or W replicas answered well; `answered` and `needed` tell. */
  | "quorum-unmet"
  /** The deadline passed; the write may or may not happen. */
  | "timeout"
  /** Shed before any work was done; try again later. */
  | "overloaded"
  /** The context is damaged, or belongs to another key or cluster. */
  | "bad-context"
  /** Key, value or object over its limit. */
  | "too-large"
  /** The key has its limit of siblings; read, resolve, write with the context. */
  | "too-many-siblings"
  /** The request makes no sense (R over N, an empty key, a value that does not match its CRC). */
  | "bad-request"
  /** The ring is being changed; try again. */
  | "ring-changing"
  /** No primary can be reached, or this node is fenced. */
  | "unavailable"
  /** This node is stopping; ask another. Said at its door, before anything was done. */
  | "stopping";

/** A failed request. */
export interface Failure {
  /** Discriminates from success. */
  readonly ok: false;
  /** Why. */
  readonly code: FailureCode;
  /** For people, naming limits and counts. */
  readonly message: string;
  /** Whether the operation certainly did not happen. Reads are always definite. */
  readonly definite: boolean;
  /** Replicas that answered well, and how many were needed, where that is the reason. */
  readonly answered?: number;
  /** See `answered`. */
  readonly needed?: number;
}

/** One live value of a key. */
export interface SiblingValue {
  /** The bytes. */
  readonly value: Uint8Array;
  /** Their CRC-32C, as stored with them. */
  readonly crc32c: number;
}

/** A read that met its quorum. No values: the key is not there (`context` is then still worth sending back). */
export interface GetSuccess {
  /** Discriminates from failure. */
  readonly ok: true;
  /** The live siblings, tombstones left out. */
  readonly values: readonly SiblingValue[];
  /** What the reader has now seen, to send with its next write; empty when nothing was ever written. */
  readonly context: Uint8Array;
}

/** A write that met its quorum. */
export interface PutSuccess {
  /** Discriminates from failure. */
  readonly ok: true;
}

/** Outcome of a read. */
export type GetOutcome = GetSuccess | Failure;
/** Outcome of a write or delete. */
export type PutOutcome = PutSuccess | Failure;

/** Who waits for the outcome, and under which number. */
export interface Origin {
  /** A door of this node, or the coordinator of another. */
  readonly origin: Address;
  /** Its number for the request. */
  readonly ticket: number;
}

/** A client's read. `deadline` is on the local monotonic clock. */
export interface GetRequest extends Origin {
  /** The key. */
  readonly key: Uint8Array;
  /** Replicas that must answer; 0 for the cluster's R. */
  readonly r: number;
  /** Whether hints may count in the place of replicas that are away; absent: as the cluster does it. */
  readonly sloppy?: boolean;
  /** When nobody waits any more. */
  readonly deadline: number;
  /** W3C trace context as 25 bytes (trace id, span id, flags), when the request carries one. */
  readonly trace?: Uint8Array;
}

/** A client's write. */
export interface PutRequest extends Origin {
  /** The key. */
  readonly key: Uint8Array;
  /** The bytes, null to delete. */
  readonly value: Uint8Array | null;
  /** CRC-32C of `value`, 0 for a delete. */
  readonly crc32c: number;
  /** The context the client sent, null for none. */
  readonly context: Uint8Array | null;
  /** Replicas that must acknowledge; 0 for the cluster's W. */
  readonly w: number;
  /** The value expires after so many milliseconds; absent: never. */
  readonly ttlMs?: number;
  /** Whether nodes that stand in for replicas that are away may count; absent: as the cluster does it. */
  readonly sloppy?: boolean;
  /** The same through all retries of one write. */
  readonly requestId: RequestId;
  /** True when another coordinator sent it here as to a primary: it is coordinated here or refused. */
  readonly forwarded: boolean;
  /** With `forwarded`: it was sent here as to the first node that is well and no primary. */
  readonly fallback?: boolean;
  /** When nobody waits any more. */
  readonly deadline: number;
  /** See {@link GetRequest.trace}. */
  readonly trace?: Uint8Array;
}

/** What anyone who sends a request to a coordinator is told back. */
export type OriginProtocol = {
  /** The outcome of the request with this ticket. */
  answer: [{ ticket: number; outcome: GetOutcome | PutOutcome }, void];
};

/** Whether a node can be talked to, as the gossiper sees it. */
export type Liveness = "alive" | "suspect" | "down";

/** Messages of the coordinator. */
export type CoordinatorProtocol = OriginProtocol & {
  /** Read a key; answered by `answer` to the origin. */
  get: [GetRequest, void];
  /** Write or delete a key; answered by `answer` to the origin. */
  put: [PutRequest, void];
  /** A replica's answer to `replica_store.read`. */
  replicaRead: [{ ticket: number; replica: NodeId; answer: ReadAnswer }, void];
  /** A replica's answer to `replica_store.write`. */
  replicaWrote: [{ ticket: number; replica: NodeId; answer: WriteAnswer }, void];
  /** This node's replica store's answer to `mint`. Local only. */
  minted: [{ ticket: number; answer: MintAnswer }, void];
  /** The ring changed. Local only. */
  ring: [{ ring: Ring }, void];
  /** The connection to a member broke, or it is held to be down: what was sent to it may be lost. Local only. */
  peerLost: [{ node: NodeId }, void];
  /** The gossiper holds a member to be so. Local only. */
  liveness: [{ node: NodeId; liveness: Liveness }, void];
  /** Bring a hint to those it is kept for; answered by `handoff.delivered`. Local only. */
  deliver: [Delivery, void];
  /** A deadline may have passed. Local only. */
  sweep: [Record<never, never>, void];
  /** Counters for `status`. */
  describe: [Record<never, never>, CoordinatorStatus];
};

/** What `denamo explain` shows. */
export interface Explanation {
  /** The key's partition. */
  readonly partition: number;
  /** The ring's epoch. */
  readonly epoch: number;
  /** The preference list in order, with what each replica answered. */
  readonly replicas: readonly ReplicaExplanation[];
}

/** One replica in an {@link Explanation}. */
export interface ReplicaExplanation {
  /** The replica. */
  readonly node: NodeId;
  /** Where it is reached. */
  readonly address: string;
  /** As the gossiper of the asked node sees it. */
  readonly liveness: Liveness;
  /** What it said; `silent` when it did not answer in time. */
  readonly answer:
    | "found"
    | "missing"
    | "not-whole"
    | "unreadable"
    | "wrong-epoch"
    | "unavailable"
    | "silent";
  /** The clock as `actor:counter` pairs, actors shortened to 8 digits. */
  readonly version: readonly string[];
  /** One line per sibling: its dot, and its size in bytes, or `tombstone`. */
  readonly siblings: readonly {
    readonly dot: string;
    readonly sizeBytes: number;
    readonly tombstone: boolean;
  }[];
}

/** The coordinator's part of `status`. Counters since its start. */
export interface CoordinatorStatus {
  /** Requests under way. */
  readonly inFlight: number;
  /** Reads answered well. */
  readonly gets: number;
  /** Writes acknowledged. */
  readonly puts: number;
  /** Requests that failed, by code. */
  readonly failures: Readonly<Record<string, number>>;
  /** Writes sent on to a primary. */
  readonly forwarded: number;
  /** Writes that needed a second coordinator. */
  readonly failovers: number;
  /** Replicas that a read found stale and that were sent the merged object. */
  readonly readRepairs: number;
  /** Replicas that a read found stale and that were left so, for clients or an operator wanted it. */
  readonly repairsLeft: number;
  /** Objects sent to nodes that stand in for replicas that were away. */
  readonly hinted: number;
  /** Writes that were acknowledged only with the help of such nodes. */
  readonly sloppyPuts: number;
}
