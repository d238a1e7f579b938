/**
 * Who stands in for a replica that cannot be reached (Dynamo, section 4.6). Pure.
 *
 * A preference list longer than N would do: the next nodes on the ring. A ring of equal partitions with owner lists has
 * no such nodes by itself, so they are read off it: whoever owns the partitions that follow, in order, then whoever is
 * left. So every coordinator finds the same ones, and what is handed to them is spread over all members.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";
import { isStaying } from "../ring_manager/moves.ts";
import { ownersOf, preferenceList, type Ring } from "../ring_manager/ring.ts";

/**
 * The members that have no part in a partition, in the order in which they stand in for those that do.
 *
 * @example
 * ```ts
 * import { fallbacksOf } from "./fallbacks.ts";
 * import { createRing } from "../ring_manager/ring.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const member = (id: string) => ({ id: id.repeat(16), address: `127.0.0.1:${id}`, zone: "z", weight: 1 });
 * const members = ["0a", "0b", "0c", "0d"].map(member);
 * const seed = { clusterId: "00".repeat(16), cluster: "c", n: 2, partitions: 3, member: members[0]! };
 * const ring = { ...createRing(seed), members, owners: [[0, 1], [3, 0], [1, 2]] };
 * assertEquals(fallbacksOf(ring, 0), [members[3]!.id, members[2]!.id]);
 * ```
 */
export function fallbacksOf(ring: Ring, partition: number): NodeId[] {
  const { owners, others } = ownersOf(ring, partition);
  const seen = new Set([...owners, ...others].map(({ id }) => id));
  const primaries = seen.size;
  for (let step = 1; step < ring.partitions && seen.size < ring.members.length; step++) {
    for (const { id } of preferenceList(ring, (partition + step) % ring.partitions)) seen.add(id);
  }
  for (const { id } of ring.members) seen.add(id);
  return [...seen].slice(primaries);
}

/** Those of them that may be given something to keep: not who leaves, nor who joins and may be sent away again. */
export function keepersOf(ring: Ring, partition: number): NodeId[] {
  return fallbacksOf(ring, partition).filter((id) => isStaying(ring, id));
}

/** What is known when somebody is looked for to stand in. */
export interface StandInSearch {
  /** The replica that is away. */
  readonly primary: NodeId;
  /** The replicas of the key. */
  readonly primaries: readonly NodeId[];
  /** See {@link keepersOf}. */
  readonly fallbacks: readonly NodeId[];
  /** Those that stand in already, or were asked to. */
  readonly used: readonly NodeId[];
  /** Whether a node is held to be down. */
  isDown(node: NodeId): boolean;
  /** The failure zone of a node. */
  zoneOf(node: NodeId): string;
}

/**
 * Who stands in next: the first healthy node in ring order; before it one in a zone that no other replica is in, where
 * there is one, so that the copies do not come to be in fewer zones than they were.
 */
export function nextStandIn(
  { primary, primaries, fallbacks, used, isDown, zoneOf }: StandInSearch,
): NodeId | undefined {
  const healthy = fallbacks.filter((id) => !used.includes(id) && !isDown(id));
  const others = [...primaries.filter((id) => id !== primary), ...used].map(zoneOf);
  return healthy.find((id) => !others.includes(zoneOf(id))) ?? healthy[0];
}
