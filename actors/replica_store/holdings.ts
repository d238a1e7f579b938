/**
 * The partitions that a store holds: how much of each, and how it gets rid of those that are not its node's any more.
 *
 * @module
 */

import type { Engine } from "../../storage/engine.ts";
import type { Ring } from "../ring_manager/ring.ts";
import type { Log } from "../runtime/environment.ts";
import type { mayDrop } from "./ownership.ts";
import type { NodeId, StoreWeights } from "./protocol.ts";

/** What {@link Holdings} needs of the store it runs in. */
export interface HoldingsDesk {
  /** This node. */
  readonly node: NodeId;
  /** Pure, substitutable. */
  readonly mayDrop: typeof mayDrop;
  /** What is held. */
  readonly engine: Engine;
  /** Words for people. */
  readonly log: Log;
  /** The ring it goes by. */
  ring(): Ring;
  /** Whether the store has let go of its engine. */
  isClosed(): boolean;
  /** Something is held that may be dropped. */
  onStrays(): void;
  /** A partition is being dropped: whoever knows what is in it forgets that. */
  onDrop(partition: number): void;
  /** Something could not be dropped: have {@link Holdings.dropStrays} called later. */
  tryAgain(): void;
}

/** See the module. */
export class Holdings {
  readonly #desk: HoldingsDesk;
  readonly #dropping = new Set<number>();

  /** @param desk its store */
  constructor(desk: HoldingsDesk) {
    this.#desk = desk;
  }

  /** Whether a partition is on its way out. */
  isDropping(partition: number): boolean {
    return this.#dropping.has(partition);
  }

  /** See `ReplicaStoreProtocol.weigh`. */
  weigh(): StoreWeights {
    const { engine, isClosed } = this.#desk;
    if (isClosed()) return { partitions: [], keys: [], bytes: [] };
    const { keys: all, liveBytes } = engine.stats();
    const partitions = engine.partitions();
    const keys = partitions.map((partition) => engine.count(partition));
    return { partitions, keys, bytes: keys.map((count) => Math.round(count * liveBytes / Math.max(1, all))) };
  }

  /**
   * Drop what is not this node's any more. Its new owners have all of it, and all that asked here have heard so
   * (`moves.ts`). With it go dots of ours that nobody may have: none is minted under that id again.
   */
  dropStrays(): void {
    const { engine, node, log, mayDrop, isClosed, onStrays, ring } = this.#desk;
    if (isClosed()) return;
    const now = ring();
    const strays = engine.partitions().filter((partition) =>
      !this.#dropping.has(partition) && mayDrop(now, partition, node)
    );
    if (strays.length === 0) return;
    onStrays();
    for (const partition of strays) void this.drop(partition);
    log.info("partitions that belong to others now are dropped", { partitions: strays.length });
  }

  /** Drop one; whether that was done. */
  async drop(partition: number): Promise<boolean> {
    const { engine, log, isClosed, onDrop, tryAgain } = this.#desk;
    this.#dropping.add(partition);
    try {
      const dropped = engine.dropPartition(partition);
      onDrop(partition);
      await dropped;
      return true;
    } catch (error) {
      if (isClosed()) return false;
      log.warn("a partition was not dropped", { partition, error: String(error) });
      tryAgain();
      return false;
    } finally {
      this.#dropping.delete(partition);
    }
  }
}
