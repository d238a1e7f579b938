/**
 * The ring: who is a member and who owns which partition.
 *
 * The key space is cut into Q equal partitions (Dynamo, section 6.2, strategy 3). A ring is an immutable
 * value with an epoch; it changes only by a commit (`commit.ts`) and travels by gossip.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";
import { encodeUtf8 } from "../runtime/bytes.ts";
import { LIMITS } from "../runtime/limits.ts";
import { murmur3 } from "../runtime/murmur3.ts";

/** The hash that maps keys to partitions, as handshakes and admissions name it. */
export const HASH_NAME = "murmur3-32";

/** A ring member. */
export interface Member {
  /** Its id. */
  readonly id: NodeId;
  /** Where peers and clients reach it: `host:port`. */
  readonly address: string;
  /** Its failure zone; replicas go to distinct zones where there are enough. */
  readonly zone: string;
  /** Its share of partitions relative to others, greater than 0. */
  readonly weight: number;
}

/**
 * A partition on its way from some owners to others; see `moves.ts`. `copying`: {@link Ring.owners} serve it, and
 * `others` are to, once they have a copy. `settling`: `others` served it until now, and may not have heard yet.
 */
export interface Motion {
  /** The partition. */
  readonly partition: number;
  /** See the interface. */
  readonly phase: "copying" | "settling";
  /** The other side's owners in preference order, as indexes into `members`. */
  readonly others: readonly number[];
}

/** A change of membership that is under way. */
export interface RingChange {
  /** The epoch of the ring with which it began: tells it from all others. */
  readonly since: number;
  /** Who is new; null: nobody. */
  readonly joining: NodeId | null;
  /** Who goes when everything has moved; null: nobody. */
  readonly leaving: NodeId | null;
  /** Members that will not answer, sorted: they are neither copied from nor waited for. */
  readonly gone: readonly NodeId[];
  /** What has still to move, by partition; nothing: who leaves still keeps hints. */
  readonly motions: readonly Motion[];
}

/** An epoch-numbered assignment of partitions to members. */
export interface Ring {
  /** 16 random bytes as 32 hex digits, drawn when the cluster was created. */
  readonly clusterId: string;
  /** The cluster's name from the configuration. */
  readonly cluster: string;
  /** 1 when created, one more with every change. */
  readonly epoch: number;
  /** Replicas per key the cluster was created with (N). */
  readonly n: number;
  /** Partitions (Q), fixed when the cluster was created. */
  readonly partitions: number;
  /** Members, sorted by id. */
  readonly members: readonly Member[];
  /**
   * Per partition, the owners that serve it, in preference order, as indexes into `members`; min(n, members) of them,
   * but for what a change has not come to yet.
   */
  readonly owners: readonly (readonly number[])[];
  /** Ids that were members once and never may be again, sorted. */
  readonly removed: readonly NodeId[];
  /** The change under way; null: there is none. */
  readonly change: RingChange | null;
}

/** What a new cluster is made of. */
export interface RingSeed {
  /** See {@link Ring.clusterId}. */
  readonly clusterId: string;
  /** See {@link Ring.cluster}. */
  readonly cluster: string;
  /** See {@link Ring.n}. */
  readonly n: number;
  /** See {@link Ring.partitions}. */
  readonly partitions: number;
  /** The first member; it owns everything. */
  readonly member: Member;
}

/**
 * The ring of a new cluster of one member, at epoch 1.
 *
 * @throws {RangeError} when the seed breaks a limit; {@link checkRing} says which.
 *
 * @example
 * ```ts
 * import { createRing, partitionOf, preferenceList } from "./ring.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const member = { id: "0a".repeat(16), address: "127.0.0.1:3001", zone: "default", weight: 1 };
 * const ring = createRing({ clusterId: "00".repeat(16), cluster: "demo", n: 3, partitions: 256, member });
 * const partition = partitionOf(new TextEncoder().encode("hello"), ring.partitions);
 * assertEquals(partition, 0x24); // murmur3 is 0x248bfa47, the top 8 bits of it choose among 256
 * assertEquals(preferenceList(ring, partition), [member]);
 * ```
 */
export function createRing({ clusterId, cluster, n, partitions, member }: RingSeed): Ring {
  const owners = Array.from({ length: partitions }, () => [0]);
  const seed = { clusterId, cluster, epoch: 1, n, partitions };
  const ring: Ring = { ...seed, members: [member], owners, removed: [], change: null };
  const fault = checkRing(ring);
  if (fault !== null) throw new RangeError(`ring: ${fault}`);
  return ring;
}

/** The partition, 0 to `partitions` - 1, whose slice of the 32-bit hash space the key falls into. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return Math.floor(murmur3(key) * partitions / 0x1_0000_0000);
}

/** Rings never change, so what is derived from one is kept as long as it is. */
const preferenceLists = new WeakMap<Ring, readonly (readonly Member[])[]>();

/** The owners of a partition in preference order (Dynamo, section 4.3); the same array every time. */
export function preferenceList(ring: Ring, partition: number): readonly Member[] {
  let lists = preferenceLists.get(ring);
  if (lists === undefined) {
    lists = ring.owners.map((owners) => owners.map((index) => ring.members[index]!));
    preferenceLists.set(ring, lists);
  }
  const list = lists[partition];
  if (list === undefined) throw new RangeError(`ring: no partition ${partition} of ${ring.partitions}`);
  return list;
}

/** Who takes part in requests for a partition. */
export interface PartitionOwners {
  /** Who serves it, in preference order: reads ask these, and writes must reach W of them. */
  readonly owners: readonly Member[];
  /** Writes must reach W of these as well: the other owners of a partition in motion, else nobody. */
  readonly others: readonly Member[];
}

const placements = new WeakMap<Ring, ReadonlyMap<number, readonly Member[]>>();
const NOBODY: readonly Member[] = [];

/** Who takes part in requests for a partition; see `moves.ts`. */
export function ownersOf(ring: Ring, partition: number): PartitionOwners {
  const owners = preferenceList(ring, partition);
  if (ring.change === null) return { owners, others: NOBODY };
  let others = placements.get(ring);
  if (others === undefined) {
    const membersAt = (list: readonly number[]) => list.map((index) => ring.members[index]!);
    others = new Map(ring.change.motions.map((motion) => [motion.partition, membersAt(motion.others)]));
    placements.set(ring, others);
  }
  return { owners, others: others.get(partition) ?? NOBODY };
}

/** N, R and W as they are in force: a cluster of S < N members lowers each to S. */
export interface Quorum {
  /** Replicas. */
  readonly n: number;
  /** Answers a read needs. */
  readonly r: number;
  /** Acknowledgements a write needs. */
  readonly w: number;
}

/** N, R and W, each at most the number of ring members: of all of them, never merely of the live ones. */
export function effectiveQuorum(ring: Ring, n: number, r: number, w: number): Quorum {
  const size = ring.members.length;
  return { n: Math.min(n, size), r: Math.min(r, size), w: Math.min(w, size) };
}

/** Whether there are fewer members than replicas wanted. */
export function underReplicated(ring: Ring): boolean {
  return ring.members.length < ring.n;
}

const HEX_ID = /^[0-9a-f]{32}$/;

/** What is unsound about a ring that came from elsewhere, null when nothing is. */
export function checkRing(ring: Ring): string | null {
  const { n, partitions, members, owners } = ring;
  if (!HEX_ID.test(ring.clusterId)) return "the cluster id is not 32 hex digits";
  if (!isName(ring.cluster, 1)) return `the cluster name is not 1 to ${LIMITS.nameBytes} bytes of text`;
  if (!isCount(ring.epoch, Number.MAX_SAFE_INTEGER)) return `epoch ${ring.epoch}`;
  if (!isCount(n, LIMITS.replicas)) return `n ${n} is not from 1 to ${LIMITS.replicas}`;
  if (!isCount(partitions, LIMITS.partitions)) {
    return `partitions ${partitions} is not from 1 to ${LIMITS.partitions}`;
  }
  if (!isCount(members.length, LIMITS.members)) {
    return `${members.length} members are not from 1 to ${LIMITS.members}`;
  }
  if (owners.length !== partitions) return `owners for ${owners.length} of ${partitions} partitions`;
  return checkMembers(ring) ?? checkOwners(ring) ?? checkChange(ring);
}

/** What is unsound about one member, null when nothing is. */
export function checkMember(member: Member): string | null {
  if (!HEX_ID.test(member.id)) return `member id ${member.id} is not 32 hex digits`;
  if (!isName(member.address, 1)) {
    return `the address of ${member.id} is not 1 to ${LIMITS.nameBytes} bytes of text`;
  }
  if (!isName(member.zone, 0)) return `the zone of ${member.id} is longer than ${LIMITS.nameBytes} bytes`;
  if (!(member.weight >= MIN_WEIGHT && member.weight <= MAX_WEIGHT)) {
    return `the weight of ${member.id} is not from ${MIN_WEIGHT} to ${MAX_WEIGHT}`;
  }
  return null;
}

/** Weights further apart than this would only be typing errors. */
const MIN_WEIGHT = 0.001;
const MAX_WEIGHT = 1000;

function checkMembers({ members, removed, change }: Ring): string | null {
  for (const member of members) {
    const fault = checkMember(member);
    if (fault !== null) return fault;
  }
  const ids = members.map((member) => member.id);
  if (!isAscending(ids)) return "members are not sorted by id, each once";
  // A node with an empty disk may take the place of one that is gone where that one was.
  const heir = change !== null && change.gone.includes(change.leaving ?? "") ? change.leaving : null;
  const addresses = members.filter(({ id }) => id !== heir).map((member) => member.address);
  if (new Set(addresses).size < addresses.length) return "two members have one address";
  if (removed.length > LIMITS.removedMembers) return `more than ${LIMITS.removedMembers} removed members`;
  if (!removed.every((id) => HEX_ID.test(id))) return "a removed id is not 32 hex digits";
  if (!isAscending(removed)) return "removed ids are not sorted, each once";
  const gone = new Set(removed);
  const returned = ids.find((id) => gone.has(id));
  return returned === undefined ? null : `member ${returned} was removed`;
}

function checkOwners(ring: Ring): string | null {
  const { members, owners } = ring;
  const copies = copiesOf(ring);
  for (let partition = 0; partition < owners.length; partition++) {
    const fault = checkList(owners[partition]!, members, copies);
    if (fault !== null) return `partition ${partition} has ${fault}`;
  }
  return null;
}

/** How many owners a partition may have: one number at rest; during a change what it was and what it will be. */
function copiesOf({ n, members, change }: Ring): ReadonlySet<number> {
  const sizes = new Set([members.length]);
  if (change !== null && change.joining !== null) sizes.add(members.length - 1);
  if (change !== null && change.leaving !== null) sizes.add(members.length - 1);
  return new Set([...sizes].map((size) => Math.min(n, size)));
}

function checkList(
  list: readonly number[],
  members: readonly Member[],
  copies: ReadonlySet<number>,
): string | null {
  if (!copies.has(list.length)) return `${list.length} owners instead of ${[...copies].join(" or ")}`;
  for (let i = 0; i < list.length; i++) {
    const owner = list[i]!;
    if (!Number.isInteger(owner) || members[owner] === undefined) return `no member as owner ${owner}`;
    if (list.indexOf(owner) !== i) return `owner ${owner} twice`;
  }
  return null;
}

function checkChange(ring: Ring): string | null {
  const { members, owners, epoch, change } = ring;
  if (change === null) return null;
  const { since, joining, leaving, gone, motions } = change;
  if (!isCount(since, epoch)) return `a change since epoch ${since}`;
  const indexOf = (id: NodeId | null) => members.findIndex((member) => member.id === id);
  const [joiner, leaver] = [indexOf(joining), indexOf(leaving)];
  if (joining !== null && joiner < 0) return `${joining} joins and is no member`;
  if (leaving !== null && leaver < 0) return `${leaving} leaves and is no member`;
  const stranger = gone.find((id) => indexOf(id) < 0);
  if (stranger !== undefined) return `${stranger} is gone and was no member`;
  if (!isAscending(gone)) return "those who are gone are not sorted, each once";
  if (joining !== null && joining === leaving) return `${joining} joins and leaves`;
  if (motions.length === 0 && leaving === null) return "a change with nothing to move";
  const copies = copiesOf(ring);
  const moving = new Set<number>();
  let last = -1;
  for (const { partition, phase, others } of motions) {
    if (!Number.isInteger(partition) || partition <= last || partition >= owners.length) {
      return `partition ${partition} moves out of order`;
    }
    last = partition;
    moving.add(partition);
    const fault = checkList(others, members, copies);
    if (fault !== null) return `partition ${partition}, moving, has ${fault}`;
    const [before, after] = phase === "copying" ? [owners[partition]!, others] : [others, owners[partition]!];
    if (before.includes(joiner)) return `partition ${partition} was the joining member's before it moved`;
    if (after.includes(leaver)) return `partition ${partition} moves to the member that leaves`;
  }
  const stays = owners.findIndex((list, partition) => list.includes(leaver) && !moving.has(partition));
  return stays < 0 ? null : `partition ${stays} stays with the member that leaves`;
}

function isCount(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= most;
}

function isName(text: string, leastBytes: number): boolean {
  if (!text.isWellFormed()) return false;
  const sizeBytes = encodeUtf8(text).length;
  return sizeBytes >= leastBytes && sizeBytes <= LIMITS.nameBytes;
}

function isAscending(ids: readonly string[]): boolean {
  return ids.every((id, i) => i === 0 || ids[i - 1]! < id);
}
