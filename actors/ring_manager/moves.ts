/**
 * Moves: how partitions get new owners while clients read and write them. Pure.
 *
 * # The problem
 *
 * A ring names the owners of every partition, and two rings name different ones. Nodes hear of a new ring one after
 * the other. For that while some coordinators go by the old owners and some by the new, and a quorum of the one list
 * need not meet a quorum of the other: a write acknowledged by either is missed by a read through the other. And the
 * new owners begin with nothing.
 *
 * # The naive attempt
 *
 * Change the ring, then copy. Until the copy is there reads find nothing (Riak's joins under load lost
 * acknowledged writes to that). Copy first, then change the ring: what is written during the copy goes to the old
 * owners alone. Send the copied partition's writes on from old to new: then who acknowledged what, if one of them
 * dies?
 *
 * # The idea
 *
 * Both lists take part while ownership passes from one to the other, as in Raft's joint consensus (Ongaro and
 * Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014, section 6), here by partition and without
 * a log. A partition goes through four states, each a ring that the members vote on (`commit.ts`):
 *
 *     at rest     writes need W of the old owners               reads R of the old
 *     copying     writes need W of the old, and W of the new    reads R of the old
 *     settling    writes need W of the old, and W of the new    reads R of the new
 *     at rest     writes need W of the new                      reads R of the new
 *
 * Two neighbouring states may be in force at once: every write of the one meets every read of the other. Two that
 * are not neighbours may not, so no step is taken before the state before the last is out of use. An owner that has
 * heard of a ring refuses whoever goes by an older one for that partition; so
 *
 * - copying becomes settling when every new owner has a verified copy, read from **every** old owner that had heard
 *   of the change: from then on none of them took a write that went to the old ones alone, and what it took before
 *   is in the copy. Where there will be fewer owners than there were, those that stay have to copy too: what W owners
 *   have may be with one that goes and only one that stays;
 * - settling comes to rest when every owner of both lists has said that it goes by the newest ring: nobody finds R
 *   old owners any more that would answer by an older one. Only then do old owners drop their copies.
 *
 * (DESIGN, section 6, has reads ask R of both lists after the flip. With writes going to both until the old owners
 * have heard of it, R of the new is enough; and R of the old alone would not do: a coordinator that still reads from
 * them must meet the writes of those that have gone on.)
 *
 * Copying can be cancelled at any moment: a write that reached both lists reached the old one.
 *
 * A member that leaves stays one until it holds nothing any more. Its last partitions are dropped once they are at
 * rest. Hints that it keeps were promised to somebody, and perhaps are all there is of a write: from the first ring of
 * the change on it takes no more of them, gives back what it can, and hands the rest to others that stay
 * (`actors/handoff/handoff.ts`). So there may be a change in which nothing moves, and that waits for its leaver.
 *
 * A member that is `gone` (force-remove, or replace of one that does not answer) is neither copied from nor waited
 * for, in whatever change is under way. It keeps its place in the lists until the moves are over, so that W goes on
 * meaning what it meant.
 *
 * Whoever wants may take the next step: it follows from the ring and from what owners say, and two that take it at
 * once propose the same, or lose a vote.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";
import type { Member, Motion, Ring, RingChange } from "./ring.ts";

/** Who comes and who goes. */
export type Transition = Pick<RingChange, "joining" | "leaving" | "gone">;

/** What an owner's store says of the change under way. */
export interface MoveReport {
  /** The epoch of the ring it goes by. */
  readonly epoch: number;
  /** The change it speaks of, by its beginning. */
  readonly since: number;
  /** Partitions that it is to own and has a verified, durable copy of. */
  readonly ready: readonly number[];
  /** Of a member that leaves: it holds nothing any more, neither partitions nor hints. */
  readonly isEmptied?: boolean;
}

/** What is known of each member, as far as it has said. */
export type MoveReports = ReadonlyMap<NodeId, MoveReport>;

/**
 * The first ring of a change that ends in `next`: its members are those of both, and what moves is being copied.
 * Where nothing has to move, and nobody has to be waited for, it is `next` itself.
 *
 * @example
 * ```ts
 * import { beginChange, nextRing } from "./moves.ts";
 * import { plan } from "./plan.ts";
 * import { createRing } from "./ring.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const member = (digit: string) => (
 *   { id: digit.repeat(32), address: `10.0.0.${digit}:3001`, zone: "default", weight: 1 }
 * );
 * const [a, b] = [member("1"), member("2")];
 * const ring = createRing({ clusterId: "0".repeat(32), cluster: "demo", n: 2, partitions: 1, member: a });
 * const planned = plan(ring, { kind: "join", member: b });
 * assert(planned.ok);
 * if (planned.ok) {
 *   const begun = beginChange(ring, planned.next, { joining: b.id, leaving: null, gone: [] });
 *   assertEquals([begun.owners, begun.change?.motions[0]?.phase], [[[0]], "copying"]);
 *   const says = (epoch: number) => ({ epoch, since: begun.epoch, ready: [0] });
 *   const flipped = nextRing(begun, new Map([[b.id, says(2)]]))!;
 *   assertEquals([flipped.owners.length, flipped.change?.motions[0]?.phase], [1, "settling"]);
 *   assertEquals(nextRing(flipped, new Map([[a.id, says(2)], [b.id, says(3)]])), null); // a has not heard of it
 *   assertEquals(nextRing(flipped, new Map([[a.id, says(3)], [b.id, says(3)]]))?.change, null);
 * }
 * ```
 */
export function beginChange(ring: Ring, next: Ring, transition: Transition): Ring {
  const members = [...ring.members, ...next.members.filter(({ id }) => !has(ring.members, id))]
    .sort((a, b) => a.id < b.id ? -1 : 1);
  const before = translated(ring, members);
  const after = translated(next, members);
  const motions: Motion[] = [];
  const owners = before.map((list, partition) => {
    const others = after[partition]!;
    if (isSameSet(list, others)) return others;
    motions.push({ partition, phase: "copying", others });
    return list;
  });
  const epoch = ring.epoch + 1;
  const isOver = transition.leaving === null || transition.gone.includes(transition.leaving);
  if (motions.length === 0 && isOver) return { ...next, epoch, change: null };
  return { ...ring, epoch, members, owners, change: { since: epoch, ...transition, motions } };
}

/** The decisions about moves that are pure functions; a test plants a bug by substituting one. */
export interface MovesCore {
  /** Whether every new owner has a copy. */
  isCopied(ring: Ring, motion: Motion, reports: MoveReports): boolean;
  /** Whether every owner of both lists goes by this ring, or is gone. */
  isSettled(ring: Ring, motion: Motion, reports: MoveReports): boolean;
  /** Whether the member that leaves, if there is one, may go. */
  isEmptied(ring: Ring, reports: MoveReports): boolean;
}

/** See {@link MovesCore}. */
export const MOVES_CORE: MovesCore = { isCopied, isSettled, isEmptied };

/** The ring that may follow, as far as owners have said; null: nothing can be done yet. */
export function nextRing(ring: Ring, reports: MoveReports, core: MovesCore = MOVES_CORE): Ring | null {
  if (ring.change === null) return null;
  const owners = [...ring.owners];
  const motions: Motion[] = [];
  let isNew = false;
  for (const motion of ring.change.motions) {
    const { partition, phase, others } = motion;
    if (phase === "copying" && core.isCopied(ring, motion, reports)) {
      motions.push({ partition, phase: "settling", others: owners[partition]! });
      owners[partition] = others;
      isNew = true;
    } else if (phase === "settling" && core.isSettled(ring, motion, reports)) {
      isNew = true;
    } else motions.push(motion);
  }
  const epoch = ring.epoch + 1;
  if (motions.length === 0 && core.isEmptied(ring, reports)) {
    return without({ ...ring, epoch, owners, change: null }, ring.change.leaving);
  }
  if (!isNew) return null;
  return { ...ring, epoch, owners, change: { ...ring.change, motions } };
}

function isCopied(ring: Ring, motion: Motion, reports: MoveReports): boolean {
  return receiversOf(ring, motion).every((id) => {
    const report = reports.get(id);
    return report?.since === ring.change?.since && report?.ready.includes(motion.partition) === true;
  });
}

function isSettled(ring: Ring, { partition, others }: Motion, reports: MoveReports): boolean {
  return [...ring.owners[partition]!, ...others].every((index) => {
    const { id } = ring.members[index]!;
    return isGone(ring, id) || (reports.get(id)?.epoch ?? 0) >= ring.epoch;
  });
}

function isEmptied(ring: Ring, reports: MoveReports): boolean {
  const leaving = ring.change?.leaving ?? null;
  if (leaving === null || isGone(ring, leaving)) return true;
  // Its last partitions are dropped when it has heard that they are at rest.
  const report = reports.get(leaving);
  return ring.change?.motions.length === 0 && report !== undefined && report.epoch >= ring.epoch &&
    report.isEmptied === true;
}

/** Whether a member is to be one after the change under way, if there is one, and whatever becomes of that. */
export function isStaying({ change }: Ring, id: NodeId): boolean {
  return change === null || ![change.joining, change.leaving, ...change.gone].includes(id);
}

/**
 * Who has to copy a partition before it flips: who is to own it and does not. Where owners get fewer, or one that is
 * to be one is gone, all that stay have to; and where none of these is left, nobody can, unless there is nothing left
 * to copy either.
 */
export function receiversOf(ring: Ring, motion: Motion): NodeId[] {
  const { partition, phase, others } = motion;
  const incoming = incomingOf(ring, motion);
  const isHere = (id: NodeId) => !isGone(ring, id);
  const owners = ring.owners[partition]!;
  if (phase === "settling" || others.length >= owners.length && incoming.every(isHere)) return incoming;
  const ids = (indexes: readonly number[]) => indexes.map((index) => ring.members[index]!.id).filter(isHere);
  const staying = ids(others);
  return staying.length > 0 || ids(owners).length === 0 ? staying : incoming;
}

/** Who is to own a partition that it does not own now; nobody once it has flipped. */
export function incomingOf(ring: Ring, { partition, phase, others }: Motion): NodeId[] {
  if (phase === "settling") return [];
  const owners = ring.owners[partition]!;
  return others.filter((index) => !owners.includes(index)).map((index) => ring.members[index]!.id);
}

/** Whether a member is about to leave, handing over what it has. */
export function isLeaving(ring: Ring, id: NodeId): boolean {
  return ring.change?.leaving === id && !isGone(ring, id);
}

/** Whether a member goes without answering. */
export function isGone({ change }: Ring, id: NodeId): boolean {
  return change !== null && change.gone.includes(id);
}

/**
 * Who has to be read before a copy of a partition at `node` holds all that was acknowledged: every other owner, for
 * it may be on any W of them. While the partition settles, its old owners have whatever its new ones have.
 */
export function sourcesOf(ring: Ring, partition: number, node: NodeId): NodeId[] {
  const motion = ring.change?.motions.find((one) => one.partition === partition && one.phase === "settling");
  const indexes = new Set([...ring.owners[partition]!, ...motion?.others ?? []]);
  return [...indexes].map((index) => ring.members[index]!.id).filter((id) =>
    id !== node && !isGone(ring, id)
  );
}

/** Outcome of {@link cancelChange}. */
export type Cancelled =
  | { readonly ok: true; readonly next: Ring }
  | { readonly ok: false; readonly code: "no-change" | "too-late"; readonly message: string };

/**
 * The ring in which what has not flipped stays where it is. A node that was joining goes, if nothing flipped to it,
 * and else stays a member with what it has; one that was leaving stays.
 */
export function cancelChange(ring: Ring): Cancelled {
  const { change } = ring;
  if (change === null) return { ok: false, code: "no-change", message: "no membership change is under way" };
  const joiner = ring.members.findIndex(({ id }) => id === change.joining);
  const motions = change.motions.filter(({ phase }) => phase === "settling");
  const epoch = ring.epoch + 1;
  const hasFlipped = motions.length > 0 || ring.owners.some((list) => list.includes(joiner)) ||
    change.joining === null && isMixed(ring);
  if (!hasFlipped) return { ok: true, next: without({ ...ring, epoch, change: null }, change.joining) };
  const copies = Math.min(ring.n, ring.members.length);
  const lists = [...ring.owners, ...motions.map(({ others }) => others)];
  const addresses = new Set(ring.members.map(({ address }) => address));
  if (addresses.size < ring.members.length) {
    const message = "one that is gone and its successor have one address, and cannot both stay members: " +
      "it has to be finished";
    return { ok: false, code: "too-late", message };
  }
  if (lists.some((list) => list.length !== copies)) {
    const message = "some partitions have a new number of copies already, and all must have the same: " +
      "it has to be finished";
    return { ok: false, code: "too-late", message };
  }
  const rest = { ...change, joining: null, leaving: null, motions };
  return { ok: true, next: { ...ring, epoch, change: motions.length === 0 ? null : rest } };
}

/** Whether lists have different lengths: some are what they were, some what they will be. */
function isMixed({ owners, n, members }: Ring): boolean {
  return owners.some((list) => list.length !== Math.min(n, members.length));
}

/**
 * The ring of the same change in which a member is not waited for any more, for it is gone; null when it is already,
 * or there is no change. If it was not leaving it stays a member of which copies are missing: to be removed next.
 */
export function giveUp(ring: Ring, id: NodeId): Ring | null {
  const { change } = ring;
  if (change === null || change.gone.includes(id) || !has(ring.members, id)) return null;
  return { ...ring, epoch: ring.epoch + 1, change: { ...change, gone: [...change.gone, id].sort() } };
}

/** A ring without a member that owns nothing in it. */
function without(ring: Ring, gone: NodeId | null): Ring {
  if (gone === null) return ring;
  const members = ring.members.filter(({ id }) => id !== gone);
  return { ...ring, members, owners: translated(ring, members), removed: [...ring.removed, gone].sort() };
}

/** Owner lists as indexes into other members. */
function translated({ members, owners }: Ring, into: readonly Member[]): number[][] {
  const to = members.map((member) => into.findIndex(({ id }) => id === member.id));
  return owners.map((list) => list.map((index) => to[index]!));
}

function has(members: readonly Member[], id: NodeId): boolean {
  return members.some((member) => member.id === id);
}

function isSameSet(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((index) => b.includes(index));
}
