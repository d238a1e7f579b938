/**
 * What is said about hints: to the store that keeps them, and to the actor that brings them back.
 *
 * @module
 */

import type {
  ActorId,
  EncodedObject,
  Mint,
  NodeId,
  ReplicaRead,
  ReplicaWrite,
} from "../replica_store/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";

/** An object to be kept for a replica that is away; `ticket` 0: nobody waits for the answer. */
export interface Keep extends ReplicaWrite {
  /** Whom it is kept for. */
  readonly target: NodeId;
}

/** A client's write that is to become a version here, where no primary can be reached. */
export interface HintedMint extends Mint {
  /** Whom the version is kept for. */
  readonly target: NodeId;
}

/** One hint. */
export interface Hint {
  /** The key. */
  readonly key: Uint8Array;
  /** Its partition. */
  readonly partition: number;
  /** What is kept of it. */
  readonly object: EncodedObject;
}

/** A bounded, ordered piece of what is kept for one target. */
export interface HintPage {
  /** In the order of their keys. */
  readonly hints: readonly Hint[];
  /** Where to go on: keys after this one; null when nothing follows. */
  readonly next: Uint8Array | null;
}

/** Messages of the hint store. */
export type HintStoreProtocol = {
  /** Keep an object for another node; answered by `coordinator.replicaWrote` when durable. */
  keep: [Keep, void];
  /** All that is kept of a key, whomever for; answered by `coordinator.replicaRead`. */
  read: [ReplicaRead, void];
  /** As `replica_store.mint`, into what is kept here. Local only. */
  mint: [HintedMint, void];
  /** The ring changed. Local only. */
  ring: [{ ring: Ring }, void];
  /** Count what is kept, where that could not be read before. Own timer. */
  count: [Record<never, never>, void];
  /** Whom hints are kept for. Local only. */
  targets: [Record<never, never>, readonly NodeId[]];
  /** A piece of what is kept for a target. Local only. */
  page: [{ target: NodeId; after: Uint8Array | null }, HintPage];
  /** These have been delivered: forget those that are still the same. Local only. */
  discard: [{ target: NodeId; hints: readonly Hint[] }, void];
  /** How many hints are kept for keys of a partition: those that a crash could bring back are among them. */
  held: [{ partition: number }, { count: number }];
  /** How many hints are left for a member that leaves to give away. */
  left: [Record<never, never>, HintsLeft];
  /** For `status`. */
  describe: [Record<never, never>, HintStoreStatus];
};

/** What a member that leaves says of its hints. */
export interface HintsLeft {
  /** The epoch of the ring it goes by: if that says that it leaves, it takes no more of them. */
  readonly epoch: number;
  /** Hints kept, those that a crash could bring back among them; null: they could not be counted. */
  readonly count: number | null;
}

/** Messages of the handoff. */
export type HandoffProtocol = {
  /** Look whether anything can be delivered, and deliver it. Own timer, and whoever knows that a member is back. */
  round: [Record<never, never>, void];
  /** What became of a delivery. Local only. */
  delivered: [{ ticket: number; ok: boolean }, void];
};

/** What is kept for one target. */
export interface HintTarget {
  /** Whom for. */
  readonly node: NodeId;
  /** Hints, one for each key. */
  readonly count: number;
  /** Their bytes. */
  readonly bytes: number;
}

/** The hint store's part of `status`. Counters since its start. */
export interface HintStoreStatus {
  /** Hints kept now. */
  readonly count: number;
  /** Their bytes. */
  readonly bytes: number;
  /** The same for each target. */
  readonly targets: readonly HintTarget[];
  /** Objects taken to be kept. */
  readonly taken: number;
  /** Hints that were delivered and forgotten. */
  readonly delivered: number;
  /** Objects refused because there was no room. */
  readonly refused: number;
  /** Damaged places: what opening the store cut or repaired, and hints found damaged since. */
  readonly damage: number;
  /** Whether hints that were acknowledged before this start may be missing. */
  readonly lossy: boolean;
  /** Null while all is well, else why the store takes nothing. */
  readonly refusing: string | null;
  /** The actor id under which versions are minted here now. */
  readonly actorId: ActorId;
}
