/**
 * Which partitions of a replica store may lack what it once acknowledged, and since when.
 *
 * Getting a partition back takes many messages, and much may happen between the first and the last: the store
 * crashes and starts with nothing, more is lost, the ring changes and with it the owners who have to be asked.
 * Naive: a set of partitions, from which one is struck off when somebody says that it has been refilled. Then a
 * refill begun for one life of the store vouches for the next one, which never saw the first half of it. So every
 * loss has an id, drawn at random and drawn anew by each of these events, and a refill vouches for the loss it was
 * begun for and for no other.
 *
 * A partition that is to be this node's after a change of the ring is awaited: that is a loss like any other, made
 * good from the owners it has until then; but nothing that was acknowledged here is missing, so it is not counted.
 * Where a partition gets fewer owners, one that stays copies it too, from those that go, and serves it meanwhile.
 *
 * @module
 */

import type { Ring } from "../ring_manager/ring.ts";
import type { NotWhole } from "./protocol.ts";

/** What {@link Wholeness} is composed of. */
export interface WholenessOptions {
  /** Whether a partition is this node's, or is to be, under the ring taken last. */
  readonly isOwner: (partition: number) => boolean;
  /** Who has to be asked for it under a ring. */
  readonly sourcesOf: (ring: Ring, partition: number) => readonly string[];
  /** The epoch since which they own it. */
  readonly since: (partition: number) => number;
  /** A loss id nobody had before. */
  readonly newLossId: () => string;
  /** Remember, for the next start, that something was lost; rejects when that cannot be remembered. */
  readonly onNotWhole: () => Promise<void>;
  /** Every partition is whole again. */
  readonly onWhole: () => void;
}

/** The partitions that are not whole. */
export class Wholeness {
  readonly #options: WholenessOptions;
  readonly #losses = new Map<number, string>();
  /** Partitions that this node has to copy before they change their owners, and the beginning of that change. */
  readonly #awaited = new Map<number, number>();
  /** Those of them that it has served all along, and goes on serving. */
  readonly #served = new Set<number>();
  #ring: Ring;

  /** @param ring the ring at the start */
  constructor(options: WholenessOptions, ring: Ring) {
    this.#options = options;
    this.#ring = ring;
  }

  /** How many are not whole, but for those that are awaited. */
  get size(): number {
    return this.#losses.size - this.awaited;
  }

  /** How many are to be this node's and have not been copied yet. */
  get awaited(): number {
    let count = 0;
    for (const partition of this.#awaited.keys()) if (this.#losses.has(partition)) count++;
    return count;
  }

  /** Whether a partition is one of them: what is here does not count. */
  has(partition: number): boolean {
    return this.#losses.has(partition) && !this.#served.has(partition);
  }

  /** Whether a partition has still to be copied from others, whether it counts or not. */
  lacks(partition: number): boolean {
    return this.#losses.has(partition);
  }

  /** For whoever refills them. */
  list(): NotWhole {
    const losses = [...this.#losses].map(([partition, lossId]) => {
      return { partition, lossId, since: this.#options.since(partition) };
    });
    return { ring: this.#ring, losses };
  }

  /** Whether this is the latest loss of the partition. */
  isLatest(partition: number, lossId: string): boolean {
    return this.#losses.get(partition) === lossId;
  }

  /** The store may lack anything, and that has been remembered. */
  loseAll(): void {
    this.#served.clear();
    this.lack(Array.from({ length: this.#ring.partitions }, (_, partition) => partition));
  }

  /** Partitions became this node's, and it was not this store that copied them. */
  lack(partitions: readonly number[]): void {
    const lossId = this.#options.newLossId();
    for (const partition of partitions) if (this.#canRefill(partition)) this.#losses.set(partition, lossId);
  }

  /** Something of a partition is being lost. False when that cannot be remembered: then it must not be lost. */
  async lose(partition: number): Promise<boolean> {
    if (!this.#canRefill(partition)) return true;
    this.#served.delete(partition);
    this.#losses.set(partition, this.#options.newLossId());
    return await this.#options.onNotWhole().then(() => true, () => false);
  }

  /** A partition was refilled; ignored when that was for another loss than the latest. */
  regain(partition: number, lossId: string): void {
    if (!this.isLatest(partition, lossId)) return;
    this.#losses.delete(partition);
    this.#served.delete(partition);
    if (this.#losses.size === 0) this.#options.onWhole();
  }

  /**
   * The owners of what is missing may be others now, and more may be missing: `awaited`, partitions that this node has
   * to copy; those of them that are `incoming` are not its own yet.
   */
  takeRing(
    ring: Ring,
    awaited: ReadonlySet<number> = new Set(),
    incoming: ReadonlySet<number> = awaited,
  ): void {
    const before = this.#ring;
    this.#ring = ring;
    const isNext = ring.clusterId === before.clusterId && ring.epoch <= before.epoch + 1;
    const { sourcesOf } = this.#options;
    const isSame = (partition: number) =>
      isNext && sourcesOf(before, partition).join() === sourcesOf(ring, partition).join();
    const lossId = this.#options.newLossId();
    for (const partition of [...this.#losses.keys()]) {
      if (!this.#canRefill(partition)) this.#losses.delete(partition);
      else if (!isSame(partition)) this.#losses.set(partition, lossId);
    }
    const since = ring.change?.since ?? ring.epoch;
    for (const partition of [...this.#awaited.keys()]) {
      if (!awaited.has(partition)) this.#await(partition, null);
    }
    for (const partition of awaited) {
      if (this.#awaited.get(partition) === since) continue;
      if (!incoming.has(partition) && !this.#losses.has(partition)) this.#served.add(partition);
      this.#await(partition, since);
      this.#losses.set(partition, lossId);
    }
  }

  /** A partition is to be copied for the change that began then; null: it is not any more. */
  #await(partition: number, since: number | null): void {
    if (since !== null) return void this.#awaited.set(partition, since);
    this.#awaited.delete(partition);
    if (this.#served.delete(partition)) this.#losses.delete(partition);
  }

  /** With nobody else to have kept it, what is gone is gone; a lone node that refused to read would help no one. */
  #canRefill(partition: number): boolean {
    return this.#ring.members.length > 1 && this.#options.isOwner(partition);
  }
}
