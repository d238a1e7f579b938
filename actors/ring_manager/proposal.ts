/**
 * The proposer's side of the commit: one ballot, from its first request to its outcome. The essay is in
 * `commit.ts`.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";
import {
  type AcceptReply,
  type AcceptRequest,
  type Ballot,
  compareBallots,
  leftBy,
  majority,
  type NoVote,
  type PrepareReply,
  type PrepareRequest,
  unchanged,
} from "./commit.ts";
import type { Ring } from "./ring.ts";
import { decodeRing, encodeRing, sameRing } from "./ring_codec.ts";

/** What is proposed, and on what it builds. */
export interface ProposalInput {
  /** The proposer's current ring; its members vote. */
  readonly ring: Ring;
  /** The ring that is to follow; `unchanged(ring)` to end a vote that somebody left unfinished. */
  readonly next: Ring;
  /** Whether `next` may be proposed only if every member promises and none holds data. */
  readonly fence: boolean;
  /** Above every ballot known to the proposer: see `ballotAbove`. */
  readonly ballot: Ballot;
}

/** How a ballot ended. */
export type ProposalOutcome =
  /** `next` was chosen. */
  | { readonly kind: "committed" }
  /** Another ring was, in this ballot or before: plan anew from that. */
  | { readonly kind: "superseded" }
  /** Another ballot is ahead; try one above it after a random while. `next` may be found pending, and chosen. */
  | { readonly kind: "outbid"; readonly promised: Ballot }
  /** The fenced change is refused, because this member holds data. */
  | { readonly kind: "holds-data"; readonly member: NodeId }
  /** Too few members answered (for a fenced change: not all); `next` was proposed to nobody. */
  | { readonly kind: "unreachable"; readonly missing: readonly NodeId[] }
  /** Too few members answered phase 2: `next` may have been chosen, or may yet be, by whoever finds it. */
  | { readonly kind: "in-doubt"; readonly missing: readonly NodeId[] };

/** What to do after a reply. */
export type Step =
  /** Nothing: replies are outstanding, or it is over. */
  | { readonly kind: "wait" }
  /** Send this to every member; replies go to {@link Proposal.onAcceptReply}. */
  | { readonly kind: "accept"; readonly request: AcceptRequest }
  /** It is over. `learn`, when not null, is a chosen ring: to be learned here and sent to all of its members. */
  | { readonly kind: "done"; readonly outcome: ProposalOutcome; readonly learn: Ring | null };

const WAIT: Step = { kind: "wait" };

/** One ballot. Feed it replies in any order, duplicates too; it answers each with what to do next. */
export class Proposal {
  /** Phase 1, to be sent to every member, the proposer among them. */
  readonly request: PrepareRequest;
  readonly #input: ProposalInput;
  readonly #members: ReadonlySet<NodeId>;
  /** Who promised, and whether it holds data. */
  readonly #promises = new Map<NodeId, boolean>();
  readonly #accepted = new Set<NodeId>();
  /** Who is there, and has no part in the vote. */
  readonly #abstained = new Set<NodeId>();
  /** What the promises say was accepted in the greatest ballot. */
  #pending: { readonly ballot: Ballot; readonly ring: Ring } | null = null;
  /** The ring of phase 2. */
  #value: Ring | null = null;
  /** The outcome, where it is known before the end of phase 2. */
  #verdict: ProposalOutcome | null = null;
  #isOver = false;

  /** @param input what is proposed */
  constructor(input: ProposalInput) {
    this.#input = input;
    this.#members = new Set(input.ring.members.map(({ id }) => id));
    this.request = { ballot: input.ballot, ring: encodeRing(input.ring), fence: input.fence };
  }

  /** Members whose answer to the current phase is outstanding: to ask again, or to name. */
  get missing(): NodeId[] {
    const answered = this.#value === null ? this.#promises : this.#accepted;
    return [...this.#members].filter((id) => !answered.has(id));
  }

  /** Whether phase 2 has begun. */
  get isAccepting(): boolean {
    return this.#value !== null;
  }

  /** A reply to phase 1. */
  onPrepareReply(from: NodeId, reply: PrepareReply): Step {
    if (this.#isOver || this.#value !== null || !this.#members.has(from)) return WAIT;
    if (reply.kind === "refused") {
      this.#abstained.add(from);
      return this.#afterPromise();
    }
    if (reply.kind !== "promise") return this.#onNoVote(reply);
    if (compareBallots(reply.ballot, this.#input.ballot) !== 0) return WAIT;
    if (reply.accepted !== null && compareBallots(reply.accepted.ballot, this.#pending?.ballot ?? null) > 0) {
      const decoded = decodeRing(reply.accepted.ring);
      // A promise that hides what was accepted must not count.
      if (!decoded.ok) return WAIT;
      this.#pending = { ballot: reply.accepted.ballot, ring: decoded.ring };
    }
    this.#promises.set(from, reply.holdsData);
    return this.#afterPromise();
  }

  /** A reply to phase 2. */
  onAcceptReply(from: NodeId, reply: AcceptReply): Step {
    if (this.#isOver || this.#value === null || !this.#members.has(from)) return WAIT;
    if (reply.kind !== "accepted") return this.#onNoVote(reply);
    if (compareBallots(reply.ballot, this.#input.ballot) !== 0) return WAIT;
    this.#accepted.add(from);
    if (this.#accepted.size < majority(this.#input.ring)) return WAIT;
    const own = sameRing(this.#input.next, this.#value);
    return this.#end(this.#verdict ?? { kind: own ? "committed" : "superseded" }, this.#value);
  }

  /** Time is up, for the first phase or for both: may be called again after another while. */
  giveUp(): Step {
    if (this.#isOver) return WAIT;
    const missing = this.missing;
    if (this.#value === null) return this.#abandon({ kind: "unreachable", missing });
    return this.#end(this.#verdict ?? { kind: "in-doubt", missing }, null);
  }

  #afterPromise(): Step {
    const { ring, next, fence } = this.#input;
    if (this.#promises.size < majority(ring)) return WAIT;
    if (this.#pending !== null) return this.#propose(this.#pending.ring);
    if (!fence) return this.#leavesMajority() ? this.#propose(next) : WAIT;
    for (const [member, holdsData] of this.#promises) {
      if (holdsData) return this.#abandon({ kind: "holds-data", member });
    }
    return this.#promises.size === this.#members.size ? this.#propose(next) : WAIT;
  }

  /** Whether most of those that will be left have promised, or come with the change; in the end to be there will do. */
  #leavesMajority(): boolean {
    const { ring, next } = this.#input;
    const left = leftBy(ring, next);
    if (left === null) return true;
    const isThere = (id: NodeId) =>
      this.#promises.has(id) || !this.#members.has(id) || ring.change !== null && this.#abstained.has(id);
    return left.filter(isThere).length > left.length / 2;
  }

  /** `next` will not be proposed. Where someone may be fenced for its sake, the vote must come to an end. */
  #abandon(outcome: ProposalOutcome): Step {
    const { ring, fence } = this.#input;
    const allHoldData = this.missing.length === 0 && [...this.#promises.values()].every(Boolean);
    if (!fence || allHoldData || this.#promises.size < majority(ring)) return this.#end(outcome, null);
    this.#verdict = outcome;
    return this.#propose(unchanged(ring));
  }

  #propose(ring: Ring): Step {
    this.#value = ring;
    return { kind: "accept", request: { ballot: this.#input.ballot, ring: encodeRing(ring) } };
  }

  #onNoVote(reply: NoVote): Step {
    if (reply.kind === "outbid") return this.#end(this.#verdict ?? reply, null);
    if (reply.kind === "refused") return WAIT;
    const decoded = decodeRing(reply.ring);
    if (!decoded.ok || decoded.ring.epoch <= this.#input.ring.epoch) return WAIT;
    const own = sameRing(this.#input.next, decoded.ring);
    return this.#end(this.#verdict ?? { kind: own ? "committed" : "superseded" }, decoded.ring);
  }

  #end(outcome: ProposalOutcome, learn: Ring | null): Step {
    this.#isOver = true;
    return { kind: "done", outcome, learn };
  }
}
