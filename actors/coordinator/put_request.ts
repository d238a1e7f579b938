/**
 * One write under way (Dynamo, sections 4.4 to 4.6).
 *
 * A write is coordinated by one primary at a time: by this node when it is one, else by the primary that has
 * been answering fastest. The coordinator's own replica mints the version; the merged object then goes to all
 * replicas, and W durable acknowledgements make the answer. When the one who coordinates is silent, lost or
 * unable, the next primary is tried under the same request id, by which replicas recognise one write arriving
 * twice (`object.ts`).
 *
 * For a replica that is held to be down, was lost or stays silent, the next healthy node keeps the object with a hint
 * (`../handoff/`). Whether it counts is for the quorum to say; a strict write leaves hints too, and counts none. Where
 * no primary can be reached, the first healthy node that is none mints in its hint store, unless the write is strict.
 * While the partition moves every write is.
 *
 * @module
 */

import type {
  MintAnswer,
  NodeId,
  ReadAnswer,
  ReplicaRead,
  ReplicaWrite,
  WriteAnswer,
} from "../replica_store/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { CatchUp } from "./catch_up.ts";
import type { CoordinatorCore } from "./core.ts";
import type { Failure, FailureCode, PutOutcome, PutRequest } from "./protocol.ts";
import { carryMs, Resend } from "./resend.ts";
import type { QuorumOptions } from "./read_quorum.ts";
import type { WriteQuorum } from "./write_quorum.ts";

/** What a write needs of the coordinator it runs in. */
export interface PutDesk {
  /** This node. */
  readonly self: NodeId;
  /** The ring now. */
  readonly ring: Ring;
  /** Pure decisions, substitutable. */
  readonly core: CoordinatorCore;
  /** Now, monotonic milliseconds. */
  now(): number;
  /** The replicas of a partition, in order. */
  replicasOf(partition: number): readonly NodeId[];
  /** The members that may keep hints for them, in order. */
  fallbacksOf(partition: number): readonly NodeId[];
  /** Those of them that may be given some. */
  keepersOf(partition: number): readonly NodeId[];
  /** Whether a node is held to be down. */
  isDown(node: NodeId): boolean;
  /** The failure zone of a node. */
  zoneOf(node: NodeId): string;
  /** Who else a write must reach: the other owners of a partition that moves, else nobody. */
  othersOf(partition: number): readonly NodeId[];
  /** Have a member told of this node's ring. */
  teach(node: NodeId): void;
  /** The one of these that has been answering fastest. */
  fastestOf(nodes: readonly NodeId[]): NodeId | undefined;
  /** Have the local replica mint a version; false when it certainly did not take the message. */
  sendMint(request: PutRequest, ticket: number, partition: number, caughtUp: boolean): boolean;
  /** Send a read; false when it certainly did not leave. */
  sendRead(replica: NodeId, read: ReplicaRead): boolean;
  /** Send the merged object to a replica. */
  sendWrite(replica: NodeId, write: ReplicaWrite): boolean;
  /** Have the local hint store mint a version for `target`; false when it certainly did not take the message. */
  sendHintMint(mint: HintMint): boolean;
  /** Ask a node what it holds for others; false when the question certainly did not leave. */
  sendHintRead(fallback: NodeId, read: ReplicaRead): boolean;
  /** Have a node keep the merged object for `target`. */
  sendHint(fallback: NodeId, target: NodeId, write: ReplicaWrite): boolean;
  /** Send the request on to another coordinator. */
  sendForward(to: NodeId, forward: Forward, request: PutRequest): boolean;
  /** A forwarded write was answered by `primary` after so long. */
  observe(primary: NodeId, elapsedMs: number): void;
  /** Tell the origin. Called once per request. */
  answer(request: PutRequest, outcome: PutOutcome): void;
  /** Count a second coordinator. */
  countFailover(): void;
  /** Count a write that was acknowledged with the help of nodes that stand in. */
  countSloppy(): void;
}

/** What the local hint store is to mint. */
export interface HintMint {
  /** The client's write. */
  readonly request: PutRequest;
  /** The coordinator's number for it. */
  readonly ticket: number;
  /** Its partition. */
  readonly partition: number;
  /** Whom the version is kept for. */
  readonly target: NodeId;
  /** See {@link Mint.caughtUp}. */
  readonly caughtUp: boolean;
}

/** How a request is sent on. */
export interface Forward {
  /** The sender's number for it. */
  readonly ticket: number;
  /** Acknowledgements needed. */
  readonly needed: number;
  /** Whether it is sloppy. */
  readonly sloppy: boolean;
  /** Whether it is sent as to a fallback. */
  readonly fallback: boolean;
}

/** How a write is to be acknowledged. */
export interface PutTerms {
  /** Replicas that must acknowledge. */
  readonly needed: number;
  /** Whether those count that stand in. */
  readonly sloppy: boolean;
}

const SILENT: ReadAnswer = { ok: false, code: "unavailable" };
const UNSENT: WriteAnswer = { ok: false, code: "unavailable", definite: true };

/** A silent coordinator is given so long before the next is tried, and as long as the value takes to get there. */
const ATTEMPT_MS = 400;

/** Codes after which another coordinator may do better. */
const ELSEWHERE: ReadonlySet<FailureCode> = new Set([
  "unavailable",
  "overloaded",
  "ring-changing",
  "quorum-unmet",
]);

/** What a replica says that is there and does not take the write: somebody else had better keep it. */
const INFIRM: ReadonlySet<string> = new Set(["unavailable", "unreadable"]);

/** Failures of minting that are the request's own fault: no other coordinator would answer differently. */
const FINAL: ReadonlySet<string> = new Set(["bad-context", "too-many-siblings", "too-large"]);

/** A write under way. */
export class PutUnderWay {
  /** The origin has its answer. */
  answered = false;
  /** When it was begun, on the coordinator's clock; null once that was told. */
  begunAt: number | null = null;
  /** The ring it was placed by is outdated; it starts again when the new one arrives. */
  outdated = false;
  /** The epoch of the ring it was placed by. */
  epoch = 0;
  #partition = 0;
  #quorum: WriteQuorum | null = null;
  /** Who was to coordinate it, in the order in which they were tried. */
  #tried: NodeId[] = [];
  #coordinator: NodeId | null = null;
  /** Whom this node keeps the write for, where it coordinates it as a fallback. */
  #standsInFor: NodeId | null = null;
  #attemptSince = 0;
  #attempts = 0;
  /** What replicas were sent, and when those that are silent are sent it again. */
  #write: ReplicaWrite | null = null;
  #resend: Resend | null = null;
  /** Under way while the local replica takes in what the context covers and it lacks. */
  #catchUp: CatchUp | null = null;
  /** Some coordinator may have stored the write, whatever the others say. */
  #inDoubt = false;
  #lastFailure: Failure | null = null;
  readonly #desk: PutDesk;

  /**
   * @param request what the client wants
   * @param terms how it is to be acknowledged
   * @param ticket this coordinator's number for it
   * @param desk its coordinator
   */
  constructor(
    readonly request: PutRequest,
    readonly terms: PutTerms,
    public ticket: number,
    desk: PutDesk,
  ) {
    this.#desk = desk;
  }

  /** Find a coordinator. Also used to start over under a newer ring. */
  start(): void {
    const { core, ring } = this.#desk;
    this.outdated = false;
    this.epoch = ring.epoch;
    this.#quorum = null;
    this.#catchUp = null;
    this.#partition = core.partitionOf(this.request.key, ring.partitions);
    this.#tried = [];
    this.#tryNext();
  }

  /** Members that are no primaries and well, in order; none where the write is strict, or the partition moves. */
  #fallbacks(): readonly NodeId[] {
    if (!this.terms.sloppy || this.#desk.othersOf(this.#partition).length > 0) return [];
    return this.#desk.keepersOf(this.#partition).filter((id) => !this.#desk.isDown(id));
  }

  #nextCandidate(): NodeId | undefined {
    const { core, self } = this.#desk;
    return core.nextCoordinator({
      self,
      primaries: this.#desk.replicasOf(this.#partition),
      fallbacks: this.#fallbacks(),
      tried: this.#tried,
      isForwarded: this.request.forwarded,
      isFallback: this.request.fallback === true,
      isDown: (node) => this.#desk.isDown(node),
      fastestOf: (nodes) => this.#desk.fastestOf(nodes),
    });
  }

  #tryNext(): void {
    const candidate = this.#nextCandidate();
    if (candidate === undefined) return this.#giveUp();
    this.#tried.push(candidate);
    if (this.#attempts++ > 0) this.#desk.countFailover();
    this.#coordinator = candidate;
    this.#attemptSince = this.#desk.now();
    const primaries = this.#desk.replicasOf(this.#partition);
    const isPrimary = primaries.includes(candidate);
    const isSelf = candidate === this.#desk.self;
    this.#standsInFor = isSelf && !isPrimary
      ? primaries.find((id) => this.#desk.isDown(id)) ?? primaries[0]!
      : null;
    const forward = { ticket: this.ticket, ...this.terms, fallback: !isPrimary };
    const sent = isSelf ? this.#sendMint(false) : this.#desk.sendForward(candidate, forward, this.request);
    if (!sent) this.#tryNext();
  }

  #sendMint(caughtUp: boolean): boolean {
    const { request, ticket } = this;
    const partition = this.#partition;
    const target = this.#standsInFor;
    return target === null
      ? this.#desk.sendMint(request, ticket, partition, caughtUp)
      : this.#desk.sendHintMint({ request, ticket, partition, target, caughtUp });
  }

  #giveUp(): void {
    this.#coordinator = null;
    const failure = this.#lastFailure ?? {
      ok: false,
      code: "unavailable",
      message: this.request.forwarded
        ? "this node is not a primary of the key"
        : "no primary of the key can be reached",
      definite: true,
    };
    this.#answer({ ...failure, definite: failure.definite && !this.#inDoubt });
  }

  /** The local replica minted a version, or would not. */
  onMinted(answer: MintAnswer): void {
    if (this.answered || this.#coordinator !== this.#desk.self) return;
    if (!answer.ok) return this.#onMintRefused(answer);
    const { core, ring, self } = this.#desk;
    this.#inDoubt = true;
    const owners = this.#desk.replicasOf(this.#partition);
    const others = this.#desk.othersOf(this.#partition);
    const quorum = core.writeQuorum({
      ...this.#needing(owners),
      sloppy: this.terms.sloppy,
      ...others.length > 0 && { others: this.#needing(others) },
    });
    this.#quorum = quorum;
    if (this.#standsInFor !== null) quorum.standIn(self, this.#standsInFor);
    const replicas = this.#takers();
    const write = this.#write = {
      key: this.request.key,
      object: answer.object,
      partition: this.#partition,
      epoch: ring.epoch,
      ticket: this.ticket,
      from: self,
    };
    this.#resend = new Resend(this.#desk.now(), answer.object.length);
    for (const replica of replicas) {
      if (this.#desk.isDown(replica)) quorum.doubt(replica);
      if (replica === self || this.#desk.sendWrite(replica, write)) continue;
      quorum.doubt(replica);
      quorum.add(replica, UNSENT);
    }
    this.#engage();
    this.#conclude();
  }

  /** Everybody who is to have the write: the owners, and those before or after them while the partition moves. */
  #takers(): readonly NodeId[] {
    const owners = this.#desk.replicasOf(this.#partition);
    const others = this.#desk.othersOf(this.#partition);
    return others.length === 0 ? owners : [...new Set([...owners, ...others])];
  }

  /** A quorum of one list of owners; a cluster that grows has fewer for a while than it is to have. */
  #needing(replicas: readonly NodeId[]): QuorumOptions {
    return { needed: Math.min(this.terms.needed, replicas.length), replicas };
  }

  /** Find somebody to stand in for every replica that may well be away and has nobody yet. */
  #engage(impatient = false): void {
    const { core, self } = this.#desk;
    const [quorum, write] = [this.#quorum, this.#write];
    if (this.answered || quorum === null || write === null) return;
    const primaries = this.#takers();
    const fallbacks = this.#desk.keepersOf(this.#partition);
    const isDown = (node: NodeId) => node !== self && this.#desk.isDown(node);
    const zoneOf = (node: NodeId) => this.#desk.zoneOf(node);
    for (const primary of quorum.wanting(impatient)) {
      while (true) {
        const used = quorum.standIns();
        const fallback = core.nextStandIn({ primary, primaries, fallbacks, used, isDown, zoneOf });
        if (fallback === undefined) return;
        quorum.standIn(fallback, primary);
        if (this.#desk.sendHint(fallback, primary, write)) break;
        quorum.add(fallback, UNSENT);
      }
    }
  }

  #onMintRefused(answer: MintAnswer & { ok: false }): void {
    const { code, message, definite } = answer;
    if (!definite) this.#inDoubt = true;
    if (code === "wrong-epoch") {
      this.outdated = true;
      return;
    }
    if (code === "behind") return this.#beginCatchUp();
    if (FINAL.has(code)) {
      return this.#answer({ ok: false, code: code as FailureCode, message, definite: !this.#inDoubt });
    }
    if (code === "corrupt") {
      return this.#answer({ ok: false, code: "bad-request", message, definite: !this.#inDoubt });
    }
    // What a hint store refuses another may take.
    const seen: FailureCode = code === "ring-changing" || code === "overloaded" ? code : "unavailable";
    this.#lastFailure = { ok: false, code: seen, message, definite };
    this.#tryNext();
  }

  #beginCatchUp(): void {
    const { core, self } = this.#desk;
    const primaries = this.#desk.replicasOf(this.#partition);
    // What was written while primaries were away is with those that stand in for them.
    const isAway = this.#standsInFor !== null || primaries.some((id) => this.#desk.isDown(id));
    const fallbacks = isAway ? this.#fallbacks().slice(0, primaries.length) : [];
    const others = [...primaries, ...fallbacks].filter((id) => id !== self);
    const quorum = core.readQuorum({ needed: Math.max(1, others.length), replicas: others });
    this.#catchUp = new CatchUp(quorum, this.#desk.now());
    const { key, deadline } = this.request;
    const read = {
      key,
      partition: this.#partition,
      epoch: this.epoch,
      ticket: this.ticket,
      from: self,
      deadline,
    };
    for (const other of others) {
      const isSent = primaries.includes(other)
        ? this.#desk.sendRead(other, read)
        : this.#desk.sendHintRead(other, read);
      if (!isSent) this.#catchUp.add(other, SILENT);
    }
    this.#endCatchUp();
  }

  /** A replica said what it holds. */
  onReplicaRead(replica: NodeId, answer: ReadAnswer): void {
    this.#catchUp?.add(replica, answer);
    this.#endCatchUp();
  }

  /** If it is time: let the local replica take in what was found, and mint. */
  #endCatchUp(): void {
    if (this.answered || this.#catchUp === null || !this.#catchUp.isOver(this.#desk.now())) return;
    const object = this.#catchUp.found();
    this.#catchUp = null;
    const { self } = this.#desk;
    const placed = { key: this.request.key, partition: this.#partition, epoch: this.epoch, from: self };
    const target = this.#standsInFor;
    if (object !== null) {
      const write = { ...placed, object, ticket: 0 };
      if (target === null) this.#desk.sendWrite(self, write);
      else this.#desk.sendHint(self, target, write);
    }
    if (!this.#sendMint(true)) this.#tryNext();
  }

  /** A replica stored the object, or did not. */
  onReplicaWrote(replica: NodeId, answer: WriteAnswer): void {
    if (this.#quorum === null) return;
    if (!answer.ok && answer.code === "wrong-epoch" && (answer.epoch ?? 0) > this.epoch) {
      this.outdated = !this.answered;
      return;
    }
    // It has not heard of the ring that makes it an owner: it is told, and asked again.
    if (!answer.ok && answer.code === "wrong-epoch" && (answer.epoch ?? this.epoch) < this.epoch) {
      return this.#desk.teach(replica);
    }
    if (!answer.ok && INFIRM.has(answer.code)) this.#quorum.doubt(replica);
    this.#quorum.add(replica, answer);
    if (!answer.ok) this.#engage();
    this.#conclude();
  }

  /** The coordinator it was sent on to answered. */
  onForwarded(primary: NodeId, outcome: PutOutcome): void {
    if (this.answered) return;
    if (primary === this.#coordinator) this.#desk.observe(primary, this.#desk.now() - this.#attemptSince);
    if (outcome.ok) return this.#answer(outcome);
    if (!outcome.definite) this.#inDoubt = true;
    if (!ELSEWHERE.has(outcome.code)) return this.#answer({ ...outcome, definite: !this.#inDoubt });
    this.#lastFailure = outcome;
    if (primary === this.#coordinator) this.#tryNext();
  }

  /** A replica, or the coordinator it was sent on to, is gone. */
  onPeerLost(node: NodeId): void {
    if (this.answered) return;
    if (this.#catchUp !== null) return this.onReplicaRead(node, SILENT);
    if (this.#quorum !== null) {
      this.#quorum.doubt(node);
      this.#quorum.add(node, { ok: false, code: "unavailable", definite: false });
      this.#engage();
      this.#conclude();
    } else if (node === this.#coordinator) this.#abandonAttempt();
  }

  /** Time went by: a silent coordinator is replaced, silent replicas are asked again. */
  onSweep(now: number): void {
    if (this.answered || this.outdated) return;
    if (this.#catchUp !== null) return this.#endCatchUp();
    if (this.#quorum !== null) return this.#askAgain(now, this.#quorum);
    if (this.#coordinator === null) return;
    const patienceMs = ATTEMPT_MS + carryMs(this.request.value?.length ?? 0);
    if (now - this.#attemptSince < patienceMs || this.#nextCandidate() === undefined) return;
    this.#desk.observe(this.#coordinator, now - this.#attemptSince);
    this.#abandonAttempt();
  }

  #askAgain(now: number, quorum: WriteQuorum): void {
    if (this.#write === null || !this.#resend?.isDue(now)) return;
    for (const replica of quorum.silent()) {
      quorum.doubt(replica);
      this.#desk.sendWrite(replica, this.#write);
    }
    for (const { fallback, replica } of quorum.silentStandIns()) {
      this.#desk.sendHint(fallback, replica, this.#write);
    }
    this.#engage(true);
    this.#conclude();
  }

  #abandonAttempt(): void {
    this.#inDoubt = true;
    this.#tryNext();
  }

  /** The origin has its answer; later acknowledgements change nothing. */
  get settled(): boolean {
    return this.answered;
  }

  /** The deadline passed: the write may be there or not. */
  expire(): void {
    if (this.answered) return;
    this.#answer({ ok: false, ...this.#desk.core.expiry(this.#quorum?.answered ?? 0, this.terms.needed) });
  }

  #conclude(): void {
    const quorum = this.#quorum;
    if (this.answered || quorum === null) return;
    if (quorum.enough()) {
      if (quorum.isSloppy) this.#desk.countSloppy();
      return this.#answer({ ok: true });
    }
    if (!quorum.impossible()) return;
    const { code, message, definite, answered, needed } = quorum.failure();
    this.#answer({ ok: false, code, message, definite: definite && !this.#inDoubt, answered, needed });
  }

  #answer(outcome: PutOutcome): void {
    this.answered = true;
    this.#desk.answer(this.request, outcome);
  }
}
