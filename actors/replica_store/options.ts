/**
 * What a replica store is composed of, and the decisions it leaves to pure functions.
 *
 * @module
 */

import type { Engine } from "../../storage/engine.ts";
import type { CurrentRing } from "../ring_manager/protocol.ts";
import { toHex } from "../runtime/bytes.ts";
import type { Random } from "../runtime/environment.ts";
import { type Collection, isStale } from "./collection.ts";
import type { ConflictPolicy } from "./conflicts.ts";
import { decodeContext } from "./context.ts";
import { merge, mint, verifyValues } from "./object.ts";
import { objectHash } from "./object_hash.ts";
import { mayDrop } from "./ownership.ts";
import type { ActorId, NodeId } from "./protocol.ts";
import { changeTree } from "./trees.ts";

/** The decisions the store leaves to pure functions; a test plants a bug by substituting one. */
export const REPLICA_STORE_CORE = {
  mint,
  merge,
  verifyValues,
  decodeContext,
  newActorId,
  isSure,
  objectHash,
  changeTree,
  mayDrop,
  isStale,
};

/** See {@link REPLICA_STORE_CORE}. */
export type ReplicaStoreCore = typeof REPLICA_STORE_CORE;

/** A name for one who mints dots that nobody had before. */
function newActorId(random: Random, _node: NodeId): ActorId {
  return toHex(random.bytes(16));
}

/** What may make a store miss what was acknowledged. */
export interface Doubts {
  /** The engine shows what may not be on disk. */
  readonly isPoisoned: boolean;
  /** The partition may lack what this store once acknowledged. */
  readonly isLost: boolean;
  /** It promised to write nothing until it hears of the next ring, which may be in force elsewhere already. */
  readonly isFenced: boolean;
  /** No member has had the chance yet to say that the directory is an older copy. */
  readonly isUnknown: boolean;
}

/** Whether what a store holds of a partition counts towards R. */
function isSure({ isPoisoned, isLost, isFenced, isUnknown }: Doubts): boolean {
  return !isPoisoned && !isLost && !isFenced && !isUnknown;
}

/** What the store is composed of. */
export interface ReplicaStoreOptions {
  /** This node. */
  readonly node: NodeId;
  /**
   * Open the engine. `lossy`: whatever was acknowledged before this start may be missing from it (volatile
   * memory after its first start, damage in mid-file); `isSerious`: and more than the last, torn record.
   * `suspects`: partitions of which it holds what may be older than it should be (`suspects.ts`).
   */
  open(): Promise<{
    readonly engine: Engine;
    readonly lossy: boolean;
    readonly isSerious: boolean;
    readonly suspects: readonly number[];
  }>;
  /** Remember the suspects for the next start. */
  readonly onSuspects: (partitions: readonly number[]) => Promise<void>;
  /** What goes with objects that are sent, and what is still taken. */
  readonly collection: Collection;
  /** Every partition is whole again: a start after this is not lossy. */
  readonly onWhole: () => void;
  /** Something is being lost: a start after this is lossy. Rejects when that cannot be remembered. */
  readonly onNotWhole: () => Promise<void>;
  /** Whether a member has let this life of the node in, or there is no other member. */
  readonly isVouchedFor: () => boolean;
  /** The ring as this node has it, and whether client writes have to wait, at a start. */
  readonly current: () => CurrentRing;
  /** What becomes of concurrent writes. */
  readonly conflicts: ConflictPolicy;
  /** What time it is as most members have it; null while that is not known. */
  readonly wallMs: () => number | null;
  /** See {@link REPLICA_STORE_CORE}. */
  readonly core: ReplicaStoreCore;
}
