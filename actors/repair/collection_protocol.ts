/**
 * What collectors ask each other; why, is told in `collector.ts`.
 *
 * @module
 */

import type { Said } from "../replica_store/collection.ts";
import type { NodeId } from "../replica_store/protocol.ts";
import type { Report } from "./collection_core.ts";

/** One step of a round: for whom, by which ring, in which life. */
export interface Step {
  /** The collection epoch. */
  readonly epoch: number;
  /** The epoch of the ring. */
  readonly ring: number;
  /** The life in which the member answered first. */
  readonly life: string;
}

/** How collection goes, for `status`. */
export interface CollectionStatus extends Said {
  /** Who leads; null while members change. */
  readonly leader: NodeId | null;
  /** What it is doing, or why the last round ended, or that it does not lead; for people. */
  readonly says: string;
  /** Members that keep it from collecting; as far as the leader knows. */
  readonly waitedFor: readonly NodeId[];
}

/** Messages of the collector. */
export type CollectorProtocol = {
  /** Lead a round, if that is this node's part. Own timer. */
  look: [Record<never, never>, void];
  /** List what may be collected. */
  list: [{ ring: number }, Report];
  /** See `Epochs` in `replica_store/collection.ts`. */
  announce: [Step, { ok: boolean }];
  /** The same. */
  close: [Step, { ok: boolean }];
  /** The same. */
  seal: [Step, { ok: boolean }];
  /** Have all owners remove what was listed; how many keys. */
  collect: [Step, { removed: number }];
  /** How it goes. */
  describe: [Record<never, never>, CollectionStatus];
};
