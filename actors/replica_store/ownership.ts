/**
 * Which partitions are a node's under the ring it goes by, and since when. Pure.
 *
 * A request says by which ring it was placed. One placed by an older ring must be refused where the owners have
 * changed since: that is what makes a change of owners take effect (`actors/ring_manager/moves.ts`). Where they have
 * not, there is nothing to refuse; while partitions move the ring changes every second, and most requests are for
 * others than those that moved. What happened between two rings that are not neighbours nobody knows here: then
 * everything counts as changed.
 *
 * @module
 */

import { incomingOf, receiversOf } from "../ring_manager/moves.ts";
import { type Motion, ownersOf, type Ring } from "../ring_manager/ring.ts";
import type { NodeId, Placement } from "./protocol.ts";

/** Whether what a node holds of a partition may be dropped: it has no part in it, and is a member that knows so. */
export function mayDrop(ring: Ring, partition: number, node: NodeId): boolean {
  if (partition >= ring.partitions || !ring.members.some(({ id }) => id === node)) return false;
  const { owners, others } = ownersOf(ring, partition);
  return ![...owners, ...others].some(({ id }) => id === node);
}

/**
 * See the module.
 *
 * @example
 * ```ts
 * import { createRing } from "../ring_manager/ring.ts";
 * import { Ownership } from "./ownership.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const member = { id: "0a".repeat(16), address: "127.0.0.1:3001", zone: "default", weight: 1 };
 * const ring = createRing({ clusterId: "00".repeat(16), cluster: "demo", n: 3, partitions: 8, member });
 * const ownership = new Ownership(member.id, ring);
 * ownership.takeRing({ ...ring, epoch: 2 });
 * assertEquals([ownership.has(7), ownership.since(7)], [true, 1]);
 * ownership.takeRing({ ...ring, epoch: 9 });
 * assertEquals(ownership.isMisplaced({ partition: 7, epoch: 8 }), true);
 * ```
 */
export class Ownership {
  /** The ring it goes by. */
  ring: Ring;
  /** Partitions that the node has to copy before they may change their owners; of some it is one already. */
  awaited: ReadonlySet<number> = new Set();
  /** Those of them that are not the node's yet: it may lack anything of them. */
  incoming: ReadonlySet<number> = new Set();
  readonly #node: NodeId;
  #owned: readonly boolean[] = [];
  #since: number[] = [];
  /** Per partition, who has a part in it, as one text. */
  #parts: readonly string[] = [];

  /** @param node whose @param ring at the start */
  constructor(node: NodeId, ring: Ring) {
    this.#node = node;
    this.ring = ring;
    this.takeRing(ring);
  }

  /** Go by another ring; the partitions that the node has a part in by it, and had none in before. */
  takeRing(ring: Ring): number[] {
    const had = this.#owned;
    const isSame = ring.clusterId === this.ring.clusterId && ring.epoch === this.ring.epoch;
    const isNext = ring.clusterId === this.ring.clusterId && ring.epoch === this.ring.epoch + 1;
    const before = this.#parts;
    const all = Array.from({ length: ring.partitions }, (_, partition) => ownersOf(ring, partition));
    const ids = (members: readonly { readonly id: NodeId }[]) => members.map(({ id }) => id).sort().join();
    this.#parts = all.map(({ owners, others }) => `${ids(owners)} ${ids(others)}`);
    this.#owned = this.#parts.map((text) => text.includes(this.#node));
    const isKept = (partition: number) => isSame || isNext && before[partition] === this.#parts[partition];
    this.#since = this.#parts.map((_, partition) =>
      isKept(partition) ? this.#since[partition] ?? ring.epoch : ring.epoch
    );
    this.ring = ring;
    this.incoming = this.#motionsOf(incomingOf);
    this.awaited = this.#motionsOf(receiversOf);
    return all.map((_, partition) => partition).filter((p) => this.#owned[p] === true && had[p] !== true);
  }

  #motionsOf(who: (ring: Ring, motion: Motion) => readonly NodeId[]): ReadonlySet<number> {
    const motions = this.ring.change?.motions ?? [];
    const own = motions.filter((motion) => who(this.ring, motion).includes(this.#node));
    return new Set(own.map(({ partition }) => partition));
  }

  /** Whether the node has a part in a partition: owns it, did until just now, or is to. */
  has(partition: number): boolean {
    return this.#owned[partition] === true;
  }

  /** The epoch of the first ring known to have the present owners of a partition. */
  since(partition: number): number {
    return this.#since[partition] ?? this.ring.epoch;
  }

  /** Whether a request placed so is not for this node. */
  isMisplaced({ partition, epoch }: Placement): boolean {
    return !this.has(partition) || epoch < this.since(partition);
  }
}
