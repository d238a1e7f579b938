/**
 * A plan: what a membership change would do, shown before it is done.
 *
 * An operator asks for a change; the plan is the ring that would follow, what would have to move for it, and
 * what it would violate, or the reason why it is refused. Committing it is `commit.ts`'s business, and a plan
 * made for one epoch is worth nothing in the next.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";
import { LIMITS } from "../runtime/limits.ts";
import { claim } from "./claim.ts";
import { beginChange, type Transition } from "./moves.ts";
import { checkMember, type Member, type Ring } from "./ring.ts";

/** A change of membership. */
export type Change =
  /** A new member. */
  | { readonly kind: "join"; readonly member: Member }
  /** A member hands over what it has, and goes. */
  | { readonly kind: "leave"; readonly id: NodeId }
  /** A new member takes the place of one that goes; of one that does not answer, when `isGone`. */
  | { readonly kind: "replace"; readonly id: NodeId; readonly member: Member; readonly isGone?: boolean }
  /** A member that will not come back goes without handing over. */
  | { readonly kind: "force-remove"; readonly id: NodeId };

/** One copy of a partition that the change needs made. */
export interface Move {
  /** The partition. */
  readonly partition: number;
  /** An owner that loses its place and can be copied from; null when none does (a copy more than before). */
  readonly from: NodeId | null;
  /** The new owner. */
  readonly to: NodeId;
}

/** What the next ring falls short of; allowed, but an operator should know. */
export type Violation =
  /** Fewer members than replicas wanted. */
  | { readonly code: "under-replicated"; readonly members: number; readonly n: number }
  /** There are several zones but fewer than replicas, so that some replicas share one. */
  | { readonly code: "too-few-zones"; readonly zones: number; readonly n: number };

/** Why a change makes no sense. */
export type PlanRefusal =
  | "already-member"
  | "not-a-member"
  | "was-removed"
  | "address-taken"
  | "last-member"
  | "bad-member"
  | "too-large"
  | "change-under-way"
  | "co-located";

/** Outcome of {@link plan}. */
export type Plan =
  | {
    readonly ok: true;
    /** The ring that would follow in the end. */
    readonly next: Ring;
    /** The first ring on the way there: see `moves.ts`. */
    readonly begun: Ring;
    /** The copies to be made, by partition. */
    readonly moves: readonly Move[];
    /** What the next ring falls short of. */
    readonly violations: readonly Violation[];
  }
  | { readonly ok: false; readonly code: PlanRefusal; readonly message: string };

/**
 * The plan for a change of a ring.
 *
 * @example
 * ```ts
 * import { plan } from "./plan.ts";
 * import { createRing } from "./ring.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const member = (digit: string) => (
 *   { id: digit.repeat(32), address: `10.0.0.${digit}:3001`, zone: "default", weight: 1 }
 * );
 * const seed = { clusterId: "0".repeat(32), cluster: "demo", n: 2, partitions: 4, member: member("1") };
 * const planned = plan(createRing(seed), { kind: "join", member: member("2") });
 * assert(planned.ok);
 * if (planned.ok) assertEquals([planned.next.epoch, planned.moves.length], [2, 4]);
 * ```
 */
export function plan(ring: Ring, change: Change): Plan {
  const refusal = refuse(ring, change);
  if (refusal !== null) return refusal;
  const joining = "member" in change ? change.member : null;
  const leaving = "id" in change ? change.id : null;
  const members = ring.members.filter(({ id }) => id !== leaving);
  if (joining !== null) members.push(joining);
  members.sort((a, b) => a.id < b.id ? -1 : 1);
  if (members.length * ring.partitions > LIMITS.claimCells) {
    const cells = `${members.length} members times ${ring.partitions} partitions`;
    return refused("too-large", `${cells} is more than ${LIMITS.claimCells}`);
  }
  // A replacement starts from what it replaces, as if it had been that member all along.
  const before = joining === null || leaving === null
    ? ring.members
    : ring.members.map((member) => member.id === leaving ? joining : member);
  const previous = { members: before, owners: ring.owners };
  const owners = claim({ members, partitions: ring.partitions, n: ring.n, previous });
  const removed = leaving === null ? ring.removed : [...ring.removed, leaving].sort();
  const next: Ring = { ...ring, epoch: ring.epoch + 1, members, owners, removed };
  if (isColocated(next)) {
    return refused("co-located", "replicas would share a zone while there are zones enough: not done");
  }
  const begun = beginChange(ring, next, transitionOf(change));
  return { ok: true, next, begun, moves: movesBetween(ring, next), violations: violationsOf(next) };
}

function transitionOf(change: Change): Transition {
  const joining = "member" in change ? change.member.id : null;
  const leaving = "id" in change ? change.id : null;
  const isGone = change.kind === "force-remove" || change.kind === "replace" && change.isGone === true;
  return { joining, leaving, gone: isGone && leaving !== null ? [leaving] : [] };
}

/** Whether replicas of a partition share a zone though there are zones enough for all of them. */
export function isColocated({ members, owners }: Pick<Ring, "members" | "owners">): boolean {
  const zones = new Set(members.map(({ zone }) => zone)).size;
  return owners.some((list) =>
    new Set(list.map((owner) => members[owner]!.zone)).size < Math.min(list.length, zones)
  );
}

/** The copies that have to be made on the way from one ring to another. */
export function movesBetween(ring: Ring, next: Ring): Move[] {
  const moves: Move[] = [];
  for (let partition = 0; partition < next.partitions; partition++) {
    const before = ring.owners[partition]!.map((owner) => ring.members[owner]!.id);
    const after = next.owners[partition]!.map((owner) => next.members[owner]!.id);
    const losers = before.filter((id) => !after.includes(id));
    for (const to of after) {
      if (!before.includes(to)) moves.push({ partition, from: losers.shift() ?? null, to });
    }
  }
  return moves;
}

function refuse(ring: Ring, change: Change): Plan | null {
  if (ring.change !== null) {
    return refused(
      "change-under-way",
      "another membership change is under way; wait for its end, or cancel it",
    );
  }
  if (ring.removed.length >= LIMITS.removedMembers) {
    return refused("too-large", `the ring remembers ${LIMITS.removedMembers} removed members already`);
  }
  const memberOf = (id: NodeId) => ring.members.some((member) => member.id === id);
  if ("id" in change) {
    if (!memberOf(change.id)) return refused("not-a-member", `${change.id} is no member`);
  }
  if (!("member" in change)) {
    return ring.members.length > 1 ? null : refused("last-member", "a ring cannot lose its last member");
  }
  const { member } = change;
  const fault = checkMember(member);
  if (fault !== null) return refused("bad-member", fault);
  if (memberOf(member.id)) return refused("already-member", `${member.id} is a member already`);
  if (ring.removed.includes(member.id)) {
    return refused(
      "was-removed",
      `${member.id} was removed from this cluster; it needs a new identity to return`,
    );
  }
  const staying = ring.members.filter(({ id }) => !("id" in change) || id !== change.id);
  const isHandover = change.kind === "replace" && change.isGone !== true;
  const there = isHandover ? ring.members : staying;
  const holder = there.find(({ address }) => address === member.address);
  if (holder !== undefined) {
    return refused("address-taken", `${member.address} is the address of ${holder.id}`);
  }
  if (staying.length >= LIMITS.members) {
    return refused("too-large", `a ring has at most ${LIMITS.members} members`);
  }
  return null;
}

function refused(code: PlanRefusal, message: string): Plan {
  return { ok: false, code, message };
}

function violationsOf({ members, n }: Ring): Violation[] {
  const zones = new Set(members.map(({ zone }) => zone)).size;
  if (members.length < n) return [{ code: "under-replicated", members: members.length, n }];
  if (zones > 1 && zones < n) return [{ code: "too-few-zones", zones, n }];
  return [];
}
