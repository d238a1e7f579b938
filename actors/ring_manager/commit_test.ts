import fc from "fast-check";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { encodeMsgpack } from "../runtime/msgpack.ts";
import { SimulatedRandom } from "../simulated/random.ts";
import {
  type Acceptor,
  acceptorOf,
  type AcceptReply,
  type AcceptRequest,
  type Ballot,
  ballotAbove,
  compareBallots,
  learnRing,
  majority,
  onAccept,
  onPrepare,
  type PrepareReply,
  type PrepareRequest,
  unchanged,
  type Voted,
  WriteFence,
} from "./commit.ts";
import { decodeAcceptor, encodeAcceptor } from "./commit_codec.ts";
import { type Change, plan } from "./plan.ts";
import { Proposal, type ProposalInput, type ProposalOutcome } from "./proposal.ts";
import { createRing, type Member, type Ring } from "./ring.ts";
import { encodeRing, ringDigest, sameRing } from "./ring_codec.ts";

const id = (i: number) => i.toString(16).padStart(32, "0");

function member(i: number): Member {
  return { id: id(i), address: `10.0.0.${i}:3001`, zone: "z", weight: 1 };
}

function ringOf(size: number): Ring {
  let ring = createRing({ clusterId: id(0), cluster: "c", n: 2, partitions: 2, member: member(1) });
  for (let i = 2; i <= size; i++) ring = following(ring, { kind: "join", member: member(i) });
  return { ...ring, epoch: 1 };
}

function following(ring: Ring, change: Change): Ring {
  const planned = plan(ring, change);
  assert(planned.ok);
  return planned.next;
}

/** What a planted bug may replace. */
interface Core {
  onPrepare(
    acceptor: Acceptor,
    self: string,
    request: PrepareRequest,
    holdsData: boolean,
  ): Voted<PrepareReply>;
  onAccept(acceptor: Acceptor, self: string, request: AcceptRequest): Voted<AcceptReply>;
  propose(input: ProposalInput): Pick<Proposal, "request" | "onPrepareReply" | "onAcceptReply" | "giveUp">;
}

const CORE: Core = { onPrepare, onAccept, propose: (input) => new Proposal(input) };

interface Node {
  /** On disk. */
  acceptor: Acceptor;
  /** Whether it took a write, and in memory: the ballot it is proposing. */
  holdsData: boolean;
  proposal: ReturnType<Core["propose"]> | null;
}

type Message =
  | { readonly kind: "prepare"; readonly request: PrepareRequest }
  | { readonly kind: "prepared"; readonly reply: PrepareReply }
  | { readonly kind: "accept"; readonly request: AcceptRequest }
  | { readonly kind: "accepted"; readonly reply: AcceptReply }
  | { readonly kind: "learn"; readonly ring: Ring };

/** A cluster in a box: nodes, a bag of messages, and what a judge who sees everything knows. */
class Cluster {
  readonly nodes = new Map<string, Node>();
  readonly bag: { from: string; to: string; message: Message }[] = [];
  readonly outcomes: ProposalOutcome["kind"][] = [];
  /** Who accepted what in which ballot, whatever became of the node. */
  readonly #votes = new Map<string, Set<string>>();
  /** By epoch: the ring that was chosen. */
  readonly chosen = new Map<number, Ring>();
  fault: string | null = null;

  constructor(readonly dice: SimulatedRandom, readonly core: Core, ring: Ring, spare: number) {
    this.chosen.set(1, ring);
    for (let i = 1; i <= ring.members.length + spare; i++) {
      this.nodes.set(id(i), { acceptor: acceptorOf(ring), holdsData: false, proposal: null });
    }
  }

  send(from: string, ring: Ring, message: Message): void {
    for (const { id: to } of ring.members) this.bag.push({ from, to, message });
  }

  /** A node proposes something, unless it is no member. */
  propose(self: string): void {
    const node = this.nodes.get(self)!;
    const { ring } = node.acceptor;
    if (!ring.members.some((member) => member.id === self)) return;
    const candidates = [...this.nodes.keys()].filter((id) => !ring.members.some((m) => m.id === id));
    const joining = candidates[this.dice.integer(candidates.length)];
    const leaving = ring.members[this.dice.integer(ring.members.length)]!.id;
    const wish = this.dice.integer(5);
    let next = unchanged(ring);
    if (wish < 3 && joining !== undefined && !ring.removed.includes(joining)) {
      next = following(ring, { kind: "join", member: member(Number(`0x${joining}`)) });
    } else if (wish === 3 && ring.members.length > 2) next = following(ring, { kind: "leave", id: leaving });
    const fence = next.members.length > ring.members.length;
    const ballot = ballotAbove(this.dice, node.acceptor.promised);
    node.proposal = this.core.propose({ ring, next, fence, ballot });
    this.send(self, ring, { kind: "prepare", request: node.proposal.request });
  }

  deliver(from: string, to: string, message: Message): void {
    const node = this.nodes.get(to)!;
    if (message.kind === "prepare") {
      const { acceptor, reply } = this.core.onPrepare(node.acceptor, to, message.request, node.holdsData);
      node.acceptor = acceptor;
      this.bag.push({ from: to, to: from, message: { kind: "prepared", reply } });
    } else if (message.kind === "accept") {
      const { acceptor, reply } = this.core.onAccept(node.acceptor, to, message.request);
      node.acceptor = acceptor;
      if (reply.kind === "accepted") this.#onVote(to, message.request);
      this.bag.push({ from: to, to: from, message: { kind: "accepted", reply } });
    } else if (message.kind === "learn") {
      node.acceptor = learnRing(node.acceptor, message.ring);
    } else if (message.kind === "prepared") {
      this.follow(to, node.proposal?.onPrepareReply(from, message.reply));
    } else this.follow(to, node.proposal?.onAcceptReply(from, message.reply));
    this.check();
  }

  follow(self: string, step: ReturnType<Proposal["giveUp"]> | undefined): void {
    if (step === undefined || step.kind === "wait") return;
    const node = this.nodes.get(self)!;
    const { ring } = node.acceptor;
    if (step.kind === "accept") return this.send(self, ring, { kind: "accept", request: step.request });
    this.outcomes.push(step.outcome.kind);
    node.proposal = null;
    if (step.learn === null) return;
    this.claimChosen(step.learn);
    node.acceptor = learnRing(node.acceptor, step.learn);
    this.send(self, step.learn, { kind: "learn", ring: step.learn });
    this.send(self, ring, { kind: "learn", ring: step.learn });
  }

  #onVote(self: string, { ballot, ring }: AcceptRequest): void {
    const decoded = decodeAcceptorRing(ring);
    const name = `${decoded.epoch} ${ringDigest(decoded).checksum} ${ballot.round} ${ballot.proposal}`;
    const votes = this.#votes.get(name) ?? new Set();
    this.#votes.set(name, votes.add(self));
    const base = this.chosen.get(decoded.epoch - 1);
    const voters = base?.members.filter((member) => votes.has(member.id)).length ?? 0;
    if (base !== undefined && voters >= majority(base)) this.claimChosen(decoded);
  }

  claimChosen(ring: Ring): void {
    const known = this.chosen.get(ring.epoch);
    if (known === undefined) this.chosen.set(ring.epoch, ring);
    else if (!sameRing(known, ring)) this.fault ??= `two rings chosen for epoch ${ring.epoch}`;
  }

  check(): void {
    for (const [self, { acceptor, holdsData }] of this.nodes) {
      const { ring } = acceptor;
      const known = this.chosen.get(ring.epoch);
      if (known === undefined || !sameRing(known, ring)) {
        this.fault ??= `epoch ${ring.epoch} learned but not chosen`;
      }
      const next = this.chosen.get(ring.epoch + 1);
      const isOwner = ring.members.some((member) => member.id === self);
      const isJoin = next !== undefined && next.members.length > ring.members.length;
      if (isJoin && holdsData && isOwner) this.fault ??= "data under a ring that is gone";
    }
  }

  step(): void {
    const { dice, bag } = this;
    const all = [...this.nodes.keys()];
    const self = all[dice.integer(all.length)]!;
    const node = this.nodes.get(self)!;
    const what = dice.integer(100);
    if (what < 6) this.propose(self);
    else if (what < 8) this.follow(self, node.proposal?.giveUp());
    else if (what < 10) {
      const decoded = decodeAcceptor(encodeAcceptor(node.acceptor));
      assert(decoded.ok);
      Object.assign(node, { acceptor: decoded.acceptor, proposal: null });
    } else if (what < 12 && dice.integer(8) === 0) {
      // A write, when this member would take one: under its ring, and not fenced.
      if (node.acceptor.fenced === null) node.holdsData = true;
    } else if (bag.length > 0) {
      const at = dice.integer(bag.length);
      const { from, to, message } = bag[at]!;
      if (dice.integer(10) > 0) [bag[at]] = [bag[bag.length - 1]!], bag.pop();
      if (dice.integer(10) > 0) this.deliver(from, to, message);
    }
  }

  /** Faults end: every message arrives, and someone patient proposes until it is through. */
  settle(): boolean {
    for (let round = 0; round < 30; round++) {
      while (this.bag.length > 0) {
        const { from, to, message } = this.bag.shift()!;
        this.deliver(from, to, message);
      }
      const newest = Math.max(...this.chosen.keys());
      const ring = this.chosen.get(newest)!;
      const behind = ring.members.filter(({ id }) => this.nodes.get(id)!.acceptor.ring.epoch < newest);
      const fenced = ring.members.some(({ id }) => this.nodes.get(id)!.acceptor.fenced !== null);
      if (behind.length === 0 && !fenced) return true;
      for (const { id } of ring.members) {
        this.send(id, ring, { kind: "learn", ring: this.nodes.get(id)!.acceptor.ring });
      }
      const leader = ring.members[round % ring.members.length]!.id;
      const acceptor = this.nodes.get(leader)!.acceptor;
      if (!acceptor.ring.members.some(({ id }) => id === leader)) continue;
      const seen = [...this.nodes.values()].map((node) => node.acceptor.promised);
      const next = unchanged(acceptor.ring);
      const proposal = this.core.propose({
        ring: acceptor.ring,
        next,
        fence: false,
        ballot: ballotAbove(this.dice, ...seen),
      });
      this.nodes.get(leader)!.proposal = proposal;
      this.send(leader, acceptor.ring, { kind: "prepare", request: proposal.request });
    }
    return false;
  }
}

function decodeAcceptorRing(bytes: Uint8Array): Ring {
  const decoded = decodeAcceptor(
    encodeMsgpack({ ring: bytes, promised: null, accepted: null, fenced: null }),
  );
  assert(decoded.ok);
  return decoded.acceptor.ring;
}

/** One random history; what went wrong in it, or null. */
function history(seed: number, size: number, core: Core, steps = 500): Cluster {
  const cluster = new Cluster(new SimulatedRandom(`${seed}`), core, ringOf(size), 3);
  for (let i = 0; i < steps && cluster.fault === null; i++) cluster.step();
  return cluster;
}

Deno.test("commit: at most one ring per epoch, whatever is lost, doubled, late or restarted, and it goes on after", () => {
  const outcomes = new Set<string>();
  let epochs = 0;
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 5 }), (seed, size) => {
      const cluster = history(seed, size, CORE);
      assertEquals(cluster.fault, null);
      assert(cluster.settle(), "the vote does not end");
      assertEquals(cluster.fault, null);
      epochs += cluster.chosen.size - 1;
      for (const outcome of cluster.outcomes) outcomes.add(outcome);
    }),
    { numRuns: 300 },
  );
  const all = ["committed", "superseded", "outbid", "holds-data", "unreachable", "in-doubt"];
  assertEquals([...outcomes].sort(), all.sort(), "every outcome was seen");
  assert(epochs > 300, `only ${epochs} rings were chosen`);
});

const BUGS: Record<string, Core> = {
  "forgets its promise": {
    ...CORE,
    onPrepare: (acceptor, ...rest) => {
      const voted = onPrepare(acceptor, ...rest);
      return { ...voted, acceptor: { ...voted.acceptor, promised: acceptor.promised } };
    },
  },
  "forgets what it accepted": {
    ...CORE,
    onAccept: (acceptor, ...rest) => {
      const voted = onAccept(acceptor, ...rest);
      return { ...voted, acceptor: { ...voted.acceptor, accepted: null } };
    },
  },
  "ignores accepted rings": {
    ...CORE,
    propose: (input) => {
      const proposal = new Proposal(input);
      const blind = (reply: PrepareReply) => reply.kind === "promise" ? { ...reply, accepted: null } : reply;
      return {
        request: proposal.request,
        onPrepareReply: (from, reply) => proposal.onPrepareReply(from, blind(reply)),
        onAcceptReply: (from, reply) => proposal.onAcceptReply(from, reply),
        giveUp: () => proposal.giveUp(),
      };
    },
  },
  "takes one vote too few": {
    ...CORE,
    propose: (input) => {
      const members = input.ring.members.slice(0, -2);
      const proposal = new Proposal({ ...input, ring: { ...input.ring, members } });
      const request = { ...proposal.request, ring: encodeRing(input.ring) };
      return {
        request,
        onPrepareReply: (from, reply) => proposal.onPrepareReply(from, reply),
        onAcceptReply: (from, reply) => proposal.onAcceptReply(from, reply),
        giveUp: () => proposal.giveUp(),
      };
    },
  },
  "accepts in an older epoch": {
    ...CORE,
    onAccept: (acceptor, self, request) => {
      const voted = onAccept(acceptor, self, request);
      if (voted.reply.kind !== "newer-ring") return voted;
      return { acceptor, reply: { kind: "accepted", ballot: request.ballot } };
    },
  },
  "reuses a ballot": {
    ...CORE,
    propose: (input) => new Proposal({ ...input, ballot: { ...input.ballot, proposal: "0".repeat(32) } }),
  },
  "takes writes although fenced": {
    ...CORE,
    onPrepare: (acceptor, ...rest) => {
      const voted = onPrepare(acceptor, ...rest);
      return { ...voted, acceptor: { ...voted.acceptor, fenced: null } };
    },
  },
  "joins without asking everyone": {
    ...CORE,
    propose: (input) => {
      const proposal = new Proposal({ ...input, fence: false });
      return Object.assign(proposal, { request: { ...proposal.request, fence: input.fence } });
    },
  },
};

Deno.test("commit: planted bugs are caught", () => {
  for (const [name, core] of Object.entries(BUGS)) {
    let caught: string | null = null;
    for (let seed = 0; seed < 3000 && caught === null; seed++) {
      caught = history(seed, 3 + seed % 3, core).fault;
    }
    assert(caught !== null, name);
  }
});

const ballot = (round: number, digit = "0"): Ballot => ({ round, proposal: digit.repeat(32) });

function promises(acceptors: Map<string, Acceptor>, proposal: Proposal, ...from: number[]) {
  let step = proposal.onPrepareReply("nobody", { kind: "refused", message: "" });
  for (const i of from) {
    const { acceptor, reply } = onPrepare(acceptors.get(id(i))!, id(i), proposal.request, false);
    acceptors.set(id(i), acceptor);
    step = proposal.onPrepareReply(id(i), reply);
  }
  return step;
}

Deno.test("commit: a minority cannot change the ring", () => {
  const ring = ringOf(5);
  const acceptors = new Map(ring.members.map((member) => [member.id, acceptorOf(ring)]));
  const next = following(ring, { kind: "leave", id: id(5) });
  const proposal = new Proposal({ ring, next, fence: false, ballot: ballot(1) });
  assertEquals(promises(acceptors, proposal, 1, 2, 2, 1).kind, "wait");
  const step = proposal.giveUp();
  assert(step.kind === "done" && step.outcome.kind === "unreachable" && step.learn === null);
  assertEquals(step.outcome.missing, [3, 4, 5].map(id));
});

Deno.test("commit: nobody goes, or begins to, where no majority would be left (986000228)", () => {
  const ring = ringOf(3);
  const planned = plan(ring, { kind: "leave", id: id(3) });
  assert(planned.ok);
  for (const next of [planned.begun, following(ring, { kind: "leave", id: id(3) })]) {
    const acceptors = new Map(ring.members.map((member) => [member.id, acceptorOf(ring)]));
    const proposal = new Proposal({ ring, next, fence: false, ballot: ballot(1) });
    assertEquals(
      promises(acceptors, proposal, 1, 3).kind,
      "wait",
      "a majority of all, and one of two that stay",
    );
    assertEquals(promises(acceptors, proposal, 2).kind, "accept");
  }
  // When all has moved one that has lost its vote meanwhile is no worse with one member less (987002519).
  const { begun } = planned;
  const proposal = new Proposal({
    ring: begun,
    next: following(ring, { kind: "leave", id: id(3) }),
    fence: false,
    ballot: ballot(1),
  });
  const acceptors = new Map(begun.members.map((member) => [member.id, acceptorOf(begun)]));
  assertEquals(promises(acceptors, proposal, 1, 3).kind, "wait");
  assertEquals(proposal.onPrepareReply(id(2), { kind: "refused", message: "no vote" }).kind, "accept");
  // One that takes another's place counts, though it has no vote yet; so does the removal of one that is lost.
  for (
    const change of [
      { kind: "replace", id: id(3), member: member(4), isGone: true },
      { kind: "force-remove", id: id(3) },
    ] as const
  ) {
    const planned = plan(ring, change);
    assert(planned.ok);
    const acceptors = new Map(ring.members.map((member) => [member.id, acceptorOf(ring)]));
    const proposal = new Proposal({ ring, next: planned.begun, fence: false, ballot: ballot(1) });
    assertEquals(promises(acceptors, proposal, 1, 2).kind, "accept");
  }
});

Deno.test("commit: who comes later adopts what may have been chosen", () => {
  const ring = ringOf(3);
  const acceptors = new Map(ring.members.map((member) => [member.id, acceptorOf(ring)]));
  const [gone, other] = [3, 2].map((i) => following(ring, { kind: "leave", id: id(i) }));
  const early = new Proposal({ ring, next: gone!, fence: false, ballot: ballot(1) });
  const step = promises(acceptors, early, 1, 2);
  assert(step.kind === "accept");
  acceptors.set(id(2), onAccept(acceptors.get(id(2))!, id(2), step.request).acceptor);

  const late = new Proposal({ ring, next: other!, fence: false, ballot: ballot(2) });
  const adopted = promises(acceptors, late, 2, 3);
  assert(adopted.kind === "accept");
  assertEquals(adopted.request.ring, encodeRing(gone!));
  late.onAcceptReply(id(2), { kind: "accepted", ballot: ballot(2) });
  assertEquals(
    late.onAcceptReply(id(2), { kind: "accepted", ballot: ballot(2) }).kind,
    "wait",
    "counted once",
  );
  const done = late.onAcceptReply(id(3), { kind: "accepted", ballot: ballot(2) });
  assert(done.kind === "done" && done.outcome.kind === "superseded");
  assertEquals(done.learn, gone);
});

Deno.test("commit: an acceptor with a newer ring answers with it, one with an older ring learns", () => {
  const ring = ringOf(3);
  const next = following(ring, { kind: "leave", id: id(3) });
  const proposal = new Proposal({ ring, next: unchanged(ring), fence: false, ballot: ballot(1) });
  const { reply, acceptor } = onPrepare(acceptorOf(next), id(1), proposal.request, false);
  assertEquals(reply, { kind: "newer-ring", ring: encodeRing(next) });
  assertEquals(acceptor, acceptorOf(next));
  const step = proposal.onPrepareReply(id(1), reply);
  assert(step.kind === "done" && step.outcome.kind === "superseded");
  assertEquals(step.learn, next);

  const newer = new Proposal({ ring: next, next: unchanged(next), fence: false, ballot: ballot(1) });
  const behind = onPrepare(acceptorOf(ring), id(1), newer.request, false);
  assertEquals([behind.reply.kind, behind.acceptor.ring], ["promise", next]);
  const accept = { ballot: ballot(1), ring: encodeRing(unchanged(next)) };
  assertEquals(onAccept(acceptorOf(ring), id(1), accept).reply.kind, "refused");
  assertEquals(
    onPrepare(acceptorOf(ring), id(3), newer.request, false).reply.kind,
    "refused",
    "not a member",
  );
});

Deno.test("FAULTS 56: forged rings and other clusters have no vote", () => {
  const ring = ringOf(3);
  const state = acceptorOf(ring);
  const bytes = encodeRing(unchanged(ring));
  bytes[20]! ^= 1;
  const other = { ...unchanged(ring), clusterId: id(7) };
  for (
    const forged of [bytes, new Uint8Array(), encodeRing(other), encodeRing({ ...unchanged(ring), n: 1 })]
  ) {
    const prepared = onPrepare(state, id(1), { ballot: ballot(1), ring: forged, fence: true }, false);
    const accepted = onAccept(state, id(1), { ballot: ballot(1), ring: forged });
    assertEquals([prepared.reply.kind, accepted.reply.kind], ["refused", "refused"]);
    assertEquals([prepared.acceptor, accepted.acceptor], [state, state]);
  }
  assertEquals(learnRing(state, other), state);
});

Deno.test("commit: a fenced join needs every member, and none may hold data", () => {
  const ring = ringOf(3);
  const next = following(ring, { kind: "join", member: member(4) });
  const open = () => new Map(ring.members.map((member) => [member.id, acceptorOf(ring)]));
  const acceptors = open();
  const join = new Proposal({ ring, next, fence: true, ballot: ballot(1) });
  assertEquals(promises(acceptors, join, 1, 2).kind, "wait");
  assertEquals(acceptors.get(id(1))!.fenced, ballot(1));
  const through = promises(acceptors, join, 3);
  assert(through.kind === "accept");
  assertEquals(through.request.ring, encodeRing(next));

  // One holds data: the vote is ended with the ring unchanged, so that the fences of the others fall.
  const refused = new Proposal({ ring, next, fence: true, ballot: ballot(1) });
  promises(open(), refused, 1);
  const full = onPrepare(acceptorOf(ring), id(2), refused.request, true);
  assertEquals(full.acceptor.fenced, null);
  const end = refused.onPrepareReply(id(2), full.reply);
  assert(end.kind === "accept");
  assertEquals(end.request.ring, encodeRing(unchanged(ring)));
  refused.onAcceptReply(id(1), { kind: "accepted", ballot: ballot(1) });
  const done = refused.onAcceptReply(id(2), { kind: "accepted", ballot: ballot(1) });
  assert(done.kind === "done" && done.outcome.kind === "holds-data");
  assertEquals([done.outcome.member, done.learn], [id(2), unchanged(ring)]);

  // All hold data: nobody is fenced, nothing has to be ended.
  const alone = createRing({ ...ring, member: member(1) });
  const hopeless = new Proposal({ ring: alone, next: unchanged(alone), fence: true, ballot: ballot(1) });
  const { reply } = onPrepare(acceptorOf(alone), id(1), hopeless.request, true);
  const over = hopeless.onPrepareReply(id(1), reply);
  assert(over.kind === "done" && over.outcome.kind === "holds-data" && over.learn === null);
});

Deno.test("commit: a fence that stood too long asks for an end, once per lease, and falls with the next ring", () => {
  const ring = ringOf(3);
  const fence = new WriteFence(10_000);
  fence.follow(acceptorOf(ring), 0);
  assert(!fence.isRaised && !fence.isOverdue(1e9));
  const fenced = { ...acceptorOf(ring), promised: ballot(1), fenced: ballot(1) };
  fence.follow(fenced, 1_000);
  fence.follow(fenced, 5_000);
  assert(fence.isRaised && !fence.isOverdue(10_999));
  assertEquals([fence.isOverdue(11_000), fence.isOverdue(11_001), fence.isOverdue(21_000)], [
    true,
    false,
    true,
  ]);
  fence.follow(learnRing(fenced, unchanged(ring)), 22_000);
  assert(!fence.isRaised);
});

Deno.test("commit: ballots are ordered, and one above the others is fresh", () => {
  const dice = new SimulatedRandom(`${1}`);
  const ballots = [ballot(2, "a"), null, ballot(1, "b"), ballot(2, "1")];
  assertEquals(ballots.sort(compareBallots), [null, ballot(1, "b"), ballot(2, "1"), ballot(2, "a")]);
  const above = ballotAbove(dice, ...ballots);
  assert(ballots.every((other) => compareBallots(other, above) < 0));
  assertEquals([above.round, ballotAbove(dice).round], [3, 1]);
  assert(compareBallots(ballotAbove(dice), ballotAbove(dice)) !== 0);
});

Deno.test("FAULTS 41: a damaged vote is refused, never half read", () => {
  const ring = ringOf(3);
  const acceptor: Acceptor = {
    ring,
    promised: ballot(2),
    accepted: { ballot: ballot(1), ring: unchanged(ring) },
    fenced: ballot(2),
  };
  const bytes = encodeAcceptor(acceptor);
  assertEquals(decodeAcceptor(bytes), { ok: true, acceptor });
  for (let cut = 0; cut < bytes.length; cut++) assert(!decodeAcceptor(bytes.subarray(0, cut)).ok);
  fc.assert(fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
    const flipped = bytes.slice();
    flipped[at]! ^= mask;
    decodeAcceptor(flipped);
  }));
});
