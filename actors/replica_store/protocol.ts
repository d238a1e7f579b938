/**
 * What the replica store is asked, by the coordinators of this node and of others.
 *
 * On the request path nothing is asked, only told: the coordinator keeps a table of requests in flight and the
 * answer comes back as a message of its own ({@link module:actors/coordinator/protocol}). `from` and `replica`
 * are node ids; on the wire they are not sent but taken from the connection, so nobody can speak for another.
 *
 * @module
 */

import type { ExpiryStep } from "./expiry.ts";
import type { EngineStats } from "../../storage/engine.ts";
import type { MoveReport } from "../ring_manager/moves.ts";
import type { Ring } from "../ring_manager/ring.ts";
import type { MergeAnswer, TreeProtocol, TreeStatus } from "./tree_protocol.ts";

/** 16 random bytes naming a ring member for as long as its data lives, as 32 hex digits. */
export type NodeId = string;

/** 16 random bytes naming one who mints dots, as 32 hex digits. Not a {@link NodeId}: see DESIGN section 5. */
export type ActorId = string;

/** 16 random bytes naming one client write through all its retries, as 32 hex digits. */
export type RequestId = string;

/** One key's clock and siblings as bytes: the layout of `actors/replica_store/object_codec.ts`. */
export type EncodedObject = Uint8Array;

/** Where a request for a key belongs, and under which ring that was true. */
export interface Placement {
  /** The key's partition. */
  readonly partition: number;
  /** The epoch of the ring the sender used. */
  readonly epoch: number;
}

/** What a coordinator asks of a replica of a key. */
export interface ReplicaRequest extends Placement {
  /** The key. */
  readonly key: Uint8Array;
  /** The coordinator's number for the request. */
  readonly ticket: number;
  /** The coordinator's node. */
  readonly from: NodeId;
}

/** A read of one key. */
export interface ReplicaRead extends ReplicaRequest {
  /** When nobody waits any more, on the local monotonic clock: what comes later is not answered. */
  readonly deadline: number;
}

/**
 * A write of one key. `ticket` 0: nobody waits for the answer. It has no deadline: the version exists, and a
 * replica is the better for having it, however late.
 */
export interface ReplicaWrite extends ReplicaRequest {
  /** The object to merge into it. */
  readonly object: EncodedObject;
}

/** A replica's answer to a read. */
export type ReadAnswer =
  /** The object, null when this whole replica holds nothing under the key. */
  | { readonly ok: true; readonly object: EncodedObject | null }
  /** `not-whole`: may have lost data, and `object` is what is left. It does not count towards R. */
  | { readonly ok: false; readonly code: "not-whole"; readonly object: EncodedObject | null }
  /** Damaged or unreadable here (`unreadable`), not an owner under the newer ring `epoch` (`wrong-epoch`). */
  | {
    readonly ok: false;
    readonly code: "unreadable" | "wrong-epoch" | "overloaded" | "unavailable";
    readonly epoch?: number;
  };

/** A replica's answer to a write. `ok`: on stable storage, as far as `storage.sync` asks for it. */
export type WriteAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: WriteRefusal; readonly definite: boolean; readonly epoch?: number };

/**
 * Why a replica did not take a write. `future-dot`: the object's clock is ahead of what this node ever issued
 * under its own actor id. `unavailable`: its store takes no writes. `hints-full`: the hint store has no room.
 */
export type WriteRefusal =
  | "wrong-epoch"
  | "overloaded"
  | "unavailable"
  | "unreadable"
  | "corrupt"
  | "future-dot"
  | "ring-changing"
  | "hints-full";

/** The coordinator's own replica turns a client's write into a version. */
export interface Mint extends Placement {
  /** The key. */
  readonly key: Uint8Array;
  /** The bytes to store, null to delete. */
  readonly value: Uint8Array | null;
  /** CRC-32C of `value` (0 for a delete), as the client's side computed it. */
  readonly crc32c: number;
  /** The client's context bytes, still to be verified; null for none. */
  readonly context: Uint8Array | null;
  /** The value expires after so many milliseconds; absent: never. */
  readonly ttlMs?: number;
  /** Names the write through all retries. */
  readonly requestId: RequestId;
  /** The coordinator's number for the request. */
  readonly ticket: number;
  /** When nobody waits any more: what comes later is not minted, for by then it may have been written elsewhere. */
  readonly deadline: number;
  /** Mint even if the context covers what this replica has not seen: the others have been asked for it. */
  readonly caughtUp: boolean;
}

/** Outcome of {@link Mint}: the merged object to send to the others, or why there is none. */
export type MintAnswer =
  | { readonly ok: true; readonly object: EncodedObject }
  | {
    readonly ok: false;
    readonly code: WriteRefusal | "bad-context" | "too-many-siblings" | "too-large" | "behind";
    readonly message: string;
    /** False when the version is held already, by an earlier try: it may well be acknowledged elsewhere. */
    readonly definite: boolean;
    readonly epoch?: number;
  };

/** Asks for a bounded piece of a partition. */
export interface Scan {
  /** The partition. */
  readonly partition: number;
  /** Only keys after this one; null: from the first. */
  readonly after: Uint8Array | null;
  /** The epoch of the ring that the asking node goes by. */
  readonly epoch: number;
  /** The epoch from which on the partition has the owners that are asked, as far as the asking node knows. */
  readonly since: number;
}

/** What {@link ReplicaStoreProtocol.progress} answers. */
export interface MoveProgress extends MoveReport {
  /** Partitions that are to be this node's and are not ready. */
  readonly waiting: number;
}

/** What {@link ReplicaStoreProtocol.weigh} answers: partitions that hold anything, and of each what it holds. */
export interface StoreWeights {
  /** The partitions. */
  readonly partitions: readonly number[];
  /** Keys of each. */
  readonly keys: readonly number[];
  /** Bytes of each, about. */
  readonly bytes: readonly number[];
}

/** Most keys in a {@link PartitionPage}. */
export const PAGE_ENTRIES = 1000;

/** One key of a partition. */
export interface PartitionEntry {
  /** The key. */
  readonly key: Uint8Array;
  /** What is held under it. */
  readonly object: EncodedObject;
}

/** A bounded, ordered piece of a partition. `ok` is false when it cannot be read now. */
export interface PartitionPage {
  /** See the interface. */
  readonly ok: boolean;
  /** Keys in order, those that cannot be read left out. */
  readonly entries: readonly PartitionEntry[];
  /** Where to go on: keys after this one; null when nothing follows. */
  readonly next: Uint8Array | null;
}

/** A page that could not be had. */
export const NO_PAGE: PartitionPage = { ok: false, entries: [], next: null };

/** What a store may lack of what it once acknowledged. */
export interface NotWhole {
  /** The ring that says which other owners may have it. */
  readonly ring: Ring;
  /** The partitions, each with its latest loss (see `wholeness.ts`), and the epoch since which its owners own it. */
  readonly losses: readonly {
    readonly partition: number;
    readonly lossId: string;
    readonly since: number;
  }[];
}

/** A page of another owner's copy of a partition. */
export interface Absorb {
  /** The partition. */
  readonly partition: number;
  /** The loss it is to make good. */
  readonly lossId: string;
  /** What the other owner has. */
  readonly entries: readonly PartitionEntry[];
}

/**
 * What became of a page. `busy`: not looked at, for the page before it is not durable yet; ask again. `refused`: not
 * all of it could be taken, or the loss is not the latest any more; begin again.
 */
export type AbsorbAnswer = MergeAnswer;

/** Messages of the replica store. */
export type ReplicaStoreProtocol = TreeProtocol & {
  /** Read one key; answered by `coordinator.replicaRead`. */
  read: [ReplicaRead, void];
  /** Merge an object into a key; answered by `coordinator.replicaWrote` when durable. */
  write: [ReplicaWrite, void];
  /** Answered at once by `coordinator.minted`, and by `coordinator.replicaWrote` when durable. Local only. */
  mint: [Mint, void];
  /** The ring changed. Local only. */
  ring: [{ ring: Ring }, void];
  /** What this replica holds under a key, for `explain`. Any member may ask. */
  inspect: [{ key: Uint8Array; partition: number }, ReadAnswer];
  /**
   * A piece of a partition as it is here, whole or not, for an owner that has to be refilled. Not had while this node
   * has not heard of the ring of epoch `since`, for till then it takes writes that go to others; nor by whoever goes
   * by a ring (`epoch`) in which the partition has other owners than are known here: it asks the wrong ones.
   */
  scan: [Scan, PartitionPage];
  /** How far this node is with the change under way. */
  progress: [Record<never, never>, MoveProgress];
  /** How many keys and bytes this node holds of each partition, as far as it can tell without reading them. */
  weigh: [Record<never, never>, StoreWeights];
  /** Merge a piece of another owner's copy. Local only. */
  absorb: [Absorb, AbsorbAnswer];
  /** The whole store is an older copy of what it was; whoever says so remembers it. Local only. */
  loseAll: [Record<never, never>, void];
  /** Partitions that may have lost data and have not been refilled. Local only. */
  listNotWhole: [Record<never, never>, NotWhole];
  /** Drop what is not this node's any more. Own timer. */
  tidy: [Record<never, never>, void];
  /** A loss has been made good from every other owner. Ignored when there has been another one. Local only. */
  refilled: [{ partition: number; lossId: string }, void];
  /**
   * Take no client writes while `raised`, and say whether any key is held: a join needs an empty cluster that stays
   * empty while the new ring is agreed. Local only.
   */
  fence: [{ raised: boolean; ifEmpty: boolean }, { holdsData: boolean }];
  /**
   * Copy the store to a directory; see `Engine.copyTo`. It goes on behind this answer, for nobody is to wait for it:
   * `copied` resolves to what the store held when it began. Local only.
   */
  copyStore: [
    { directory: string; onProgress: (fraction: number) => void },
    { copied: Promise<EngineStats> },
  ];
  /** One step of looking for keys that have expired; null when nothing is due. Local only. */
  expired: [{ nowMs: number }, ExpiryStep | null];
  /** What this replica holds, for `status`. */
  describe: [Record<never, never>, ReplicaStoreStatus];
};

/** The replica store's part of `status`. */
export interface ReplicaStoreStatus {
  /** The engine's own figures. */
  readonly engine: EngineStats;
  /** The actor id under which dots are minted now. */
  readonly actorId: ActorId;
  /** Partitions owned whose contents may be incomplete. */
  readonly notWhole: number;
  /** Partitions that are to be this node's and have not been copied yet. */
  readonly awaited: number;
  /** Damaged places: what opening the store cut or repaired, and records found damaged since. */
  readonly damage: number;
  /** Alarms since the start: dots from the future, values that failed their CRC. */
  readonly alarms: number;
  /** Values replaced by writes that had not seen them, where the cluster's policy is `last-write-wins`. */
  readonly overwritten: number;
  /** The hash trees. */
  readonly trees: TreeStatus;
}
