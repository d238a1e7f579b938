/**
 * The commit: how the members agree on the next ring.
 *
 * # The problem
 *
 * Two operators change the membership at the same time, through two nodes, while messages are lost and nodes
 * restart. Every node must end with the same ring for every epoch, or two sets of nodes would own one
 * partition.
 *
 * # The naive attempt
 *
 * Gossip the new ring and let the one with the later time stamp win, as riak_core did for years. For a while
 * both rings are in force, and what was acknowledged under the loser may be gone. Asking a majority for its
 * consent first is better, and still wrong: the proposer can die after some have consented, and the next one
 * must know whether the change went through.
 *
 * # The idea
 *
 * One instance of single-decree Paxos per epoch (Lamport, "Paxos Made Simple", 2001, section 2.2). The
 * members of ring e are the acceptors of ring e + 1. A proposer asks them to promise that they take part in
 * no ballot below its own (phase 1). A majority of promises tells it of every ring that may have been chosen
 * already; if there is one, it must propose that one, else it may propose its own (phase 2). A ring that a
 * majority has accepted in one ballot is chosen, for ever. Whoever proposed something else plans anew from
 * the ring that won: to every proposer this is a compare-and-set on the epoch. A minority can neither promise
 * nor accept enough. An acceptor answers from durable state only: {@link Acceptor} must be on disk before the
 * reply leaves.
 *
 * A ballot carries 16 random bytes instead of its proposer's name, so that no ballot is ever used twice, not
 * even by a proposer that forgot in a crash what it had sent.
 *
 * Where members go, most of those that are left must promise, too, when the change begins and when it ends: or whoever
 * goes would leave a cluster behind in which no majority is there, and which could agree on nothing ever again.
 *
 * # Joins without data
 *
 * While nobody holds data a member joins by a single vote, and nothing has to move. Such a change is proposed with
 * `fence`: every member, not only a majority, must promise and say that it holds nothing, and from its promise
 * on it takes no write before it has learned the ring that follows. That must not end by the clock: a ring may
 * be chosen long after a member lost patience, by whoever finds it accepted somewhere, and a write taken
 * meanwhile by members that lost patience would be missed under the new ring. So when a fence has stood too long
 * ({@link WriteFence}) its member proposes the {@link unchanged} ring as the next. Either that is chosen, and
 * the join can never be, or the join is found pending and is completed; each ends the fences. Where there is data
 * partitions move, by a row of rings without fences: `moves.ts`.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";
import { toHex } from "../runtime/bytes.ts";
import type { Random } from "../runtime/environment.ts";
import type { Ring } from "./ring.ts";
import { decodeRing, encodeRing, sameRing } from "./ring_codec.ts";

/** Names one attempt to get a ring chosen. Greater rounds win; the proposal decides between equal ones. */
export interface Ballot {
  /** At least 1. */
  readonly round: number;
  /** 16 random bytes as 32 hex digits, drawn for this attempt alone. */
  readonly proposal: string;
}

/** What a member remembers of the vote on ring `ring.epoch + 1`. Durable before any reply that follows from it. */
export interface Acceptor {
  /** The newest ring this member knows. */
  readonly ring: Ring;
  /** It takes part in no ballot below this one. */
  readonly promised: Ballot | null;
  /** The last ring it accepted, and in which ballot. */
  readonly accepted: { readonly ballot: Ballot; readonly ring: Ring } | null;
  /** It takes no writes while this is not null: it told the ballot's proposer that it held no data. */
  readonly fenced: Ballot | null;
}

/** Phase 1. Rings in messages are the bytes of `ring_codec.ts`. */
export interface PrepareRequest {
  /** The ballot to promise. */
  readonly ballot: Ballot;
  /** The proposer's current ring; who has an older one learns it first. */
  readonly ring: Uint8Array;
  /** Whether a member that holds no data is to stop taking writes until the outcome is known. */
  readonly fence: boolean;
}

/** Phase 2. */
export interface AcceptRequest {
  /** The ballot, promised by a majority. */
  readonly ballot: Ballot;
  /** The ring to accept, one epoch past the acceptors'. */
  readonly ring: Uint8Array;
}

/**
 * Why an acceptor says no. `outbid`: it promised a greater ballot. `newer-ring`: this vote is over; here is
 * the ring. `refused`: it has no part in this vote (not a member, another cluster, damaged bytes, behind).
 */
export type NoVote =
  | { readonly kind: "outbid"; readonly promised: Ballot }
  | { readonly kind: "newer-ring"; readonly ring: Uint8Array }
  | { readonly kind: "refused"; readonly message: string };

/** Answer to {@link PrepareRequest}. */
export type PrepareReply =
  | {
    readonly kind: "promise";
    /** The ballot promised. */
    readonly ballot: Ballot;
    /** What this member accepted last. */
    readonly accepted: { readonly ballot: Ballot; readonly ring: Uint8Array } | null;
    /** Whether it holds any data. */
    readonly holdsData: boolean;
  }
  | NoVote;

/** Answer to {@link AcceptRequest}. */
export type AcceptReply = { readonly kind: "accepted"; readonly ballot: Ballot } | NoVote;

/** Negative, zero or positive, as `sort` wants it; null comes before everything. */
export function compareBallots(a: Ballot | null, b: Ballot | null): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  if (a.round !== b.round) return a.round - b.round;
  return a.proposal === b.proposal ? 0 : a.proposal < b.proposal ? -1 : 1;
}

/** A ballot above all of `seen`. */
export function ballotAbove(random: Random, ...seen: readonly (Ballot | null | undefined)[]): Ballot {
  const round = 1 + Math.max(0, ...seen.map((ballot) => ballot?.round ?? 0));
  return { round, proposal: toHex(random.bytes(16)) };
}

/** How many acceptors are a majority of a ring's members. */
export function majority(ring: Ring): number {
  return Math.floor(ring.members.length / 2) + 1;
}

/** Who is left when somebody goes, where `next` after `ring` begins or ends that; null where it does neither. */
export function leftBy(ring: Ring, next: Ring): NodeId[] | null {
  const ids = next.members.map(({ id }) => id);
  if (ids.length < ring.members.length) return ids;
  const leaving = ring.change === null ? next.change?.leaving ?? null : null;
  return leaving === null ? null : ids.filter((id) => id !== leaving);
}

/** The state of a member that has not voted on what follows `ring`. */
export function acceptorOf(ring: Ring): Acceptor {
  return { ring, promised: null, accepted: null, fenced: null };
}

/** The state after hearing of a ring; the same state when the ring is not a newer one of the same cluster. */
export function learnRing(acceptor: Acceptor, ring: Ring): Acceptor {
  return ring.epoch > acceptor.ring.epoch && isSameCluster(acceptor.ring, ring) ? acceptorOf(ring) : acceptor;
}

/** The same members and owners, one epoch on: to end a vote in which nothing else can be got through. */
export function unchanged(ring: Ring): Ring {
  return { ...ring, epoch: ring.epoch + 1 };
}

/** Whether two rings, sound in themselves, can be rings of one cluster. */
export function isSameCluster(a: Ring, b: Ring): boolean {
  return a.clusterId === b.clusterId && a.cluster === b.cluster && a.n === b.n &&
    a.partitions === b.partitions;
}

/** A new state, to be made durable before the reply is sent; the same state when nothing changed. */
export interface Voted<R> {
  /** What to remember. */
  readonly acceptor: Acceptor;
  /** What to answer once it is remembered. */
  readonly reply: R;
}

/**
 * Phase 1 at member `self`. With `fence`, the member must have stopped taking writes before `holdsData` was
 * determined, and go on taking none unless the new state's `fenced` is null.
 */
export function onPrepare(
  acceptor: Acceptor,
  self: NodeId,
  { ballot, ring: bytes, fence }: PrepareRequest,
  holdsData: boolean,
): Voted<PrepareReply> {
  const decoded = decodeRing(bytes);
  if (!decoded.ok) return { acceptor, reply: refused(decoded.message) };
  if (!isSameCluster(acceptor.ring, decoded.ring)) return { acceptor, reply: refused("another cluster") };
  const current = learnRing(acceptor, decoded.ring);
  const no = noVote(current, self, ballot, decoded.ring.epoch);
  if (no !== null) return { acceptor: current, reply: no };
  if (!sameRing(current.ring, decoded.ring)) return { acceptor, reply: refused("two rings of one epoch") };
  const fenced = fence && !holdsData ? ballot : current.fenced;
  const accepted = current.accepted && {
    ballot: current.accepted.ballot,
    ring: encodeRing(current.accepted.ring),
  };
  return {
    acceptor: { ...current, promised: ballot, fenced },
    reply: { kind: "promise", ballot, accepted, holdsData },
  };
}

/** Phase 2 at member `self`. */
export function onAccept(
  acceptor: Acceptor,
  self: NodeId,
  { ballot, ring: bytes }: AcceptRequest,
): Voted<AcceptReply> {
  const decoded = decodeRing(bytes);
  if (!decoded.ok) return { acceptor, reply: refused(decoded.message) };
  const { ring } = decoded;
  if (!isSameCluster(acceptor.ring, ring)) return { acceptor, reply: refused("another cluster") };
  const no = noVote(acceptor, self, ballot, ring.epoch - 1);
  if (no !== null) return { acceptor, reply: no };
  return {
    acceptor: { ...acceptor, promised: ballot, accepted: { ballot, ring } },
    reply: { kind: "accepted", ballot },
  };
}

/** Why a member takes no part in a ballot on what follows epoch `base`, null when it does. */
function noVote(acceptor: Acceptor, self: NodeId, ballot: Ballot, base: number): NoVote | null {
  if (base < acceptor.ring.epoch) return { kind: "newer-ring", ring: encodeRing(acceptor.ring) };
  if (base > acceptor.ring.epoch) return refused(`behind: at epoch ${acceptor.ring.epoch}, not ${base}`);
  if (!acceptor.ring.members.some(({ id }) => id === self)) return refused(`${self} is no member`);
  if (compareBallots(acceptor.promised, ballot) > 0) return { kind: "outbid", promised: acceptor.promised! };
  return null;
}

function refused(message: string): NoVote {
  return { kind: "refused", message };
}

/**
 * How long a member has been fenced. It stays so for as long as its {@link Acceptor} says; after `leaseMs`,
 * and again after every `leaseMs` more, it has to bring the vote to an end itself, by proposing
 * {@link unchanged}.
 */
export class WriteFence {
  #fenced: Ballot | null = null;
  #sinceMs = 0;

  /** @param leaseMs how long a proposer may take */
  constructor(readonly leaseMs: number) {}

  /** Whether writes are refused. */
  get isRaised(): boolean {
    return this.#fenced !== null;
  }

  /** Follow the acceptor's state, after every change and at the start. */
  follow({ fenced }: Acceptor, nowMs: number): void {
    if (compareBallots(fenced, this.#fenced) !== 0) this.#sinceMs = nowMs;
    this.#fenced = fenced;
  }

  /** Whether it is time to end the vote; true once per lease. */
  isOverdue(nowMs: number): boolean {
    if (this.#fenced === null || nowMs - this.#sinceMs < this.leaseMs) return false;
    this.#sinceMs = nowMs;
    return true;
  }
}
