/**
 * One read under way: asked of every replica of the key, answered once R of them have, and kept a little
 * longer so that a replica it finds stale can be repaired (Dynamo, sections 4.5 to 4.7).
 *
 * Where replicas are away and the read is sloppy, the nodes that stand in for them are asked for what they keep.
 *
 * @module
 */

import type { EncodedObject, NodeId, ReadAnswer, ReplicaRead, Stamped } from "../replica_store/protocol.ts";
import type { StoredObject } from "../replica_store/object.ts";
import { type ConflictPolicy, shownValues } from "../replica_store/conflicts.ts";
import { encodeContext } from "../replica_store/context.ts";
import type { Ring } from "../ring_manager/ring.ts";
import type { GetOutcome, GetRequest } from "./protocol.ts";
import type { CoordinatorCore } from "./core.ts";
import type { ReadQuorum } from "./read_quorum.ts";
import { Resend } from "./resend.ts";

/** What a request needs of the coordinator it runs in. */
export interface GetDesk {
  /** This node. */
  readonly self: NodeId;
  /** The ring now. */
  readonly ring: Ring;
  /** What becomes of concurrent writes. */
  readonly conflicts: ConflictPolicy;
  /** What time it is as most members have it; null while that is not known. */
  wallMs(): number | null;
  /** Pure decisions, substitutable. */
  readonly core: CoordinatorCore;
  /** Now, monotonic milliseconds. */
  now(): number;
  /** The replicas of a partition, in order. */
  replicasOf(partition: number): readonly NodeId[];
  /** The members that may stand in for them, in order. */
  fallbacksOf(partition: number): readonly NodeId[];
  /** Whether a node is held to be down. */
  isDown(node: NodeId): boolean;
  /** Have a member told of this node's ring. */
  teach(node: NodeId): void;
  /** Send a read; false when it certainly did not leave. */
  sendRead(replica: NodeId, read: ReplicaRead): boolean;
  /** Ask a node what it holds for others; false when the question certainly did not leave. */
  sendHintRead(fallback: NodeId, read: ReplicaRead): boolean;
  /** Send a merged object to a stale replica; nobody waits for the answer. */
  sendRepair(
    replica: NodeId,
    partition: number,
    key: Uint8Array,
    merged: Stamped & { readonly object: EncodedObject },
  ): void;
  /** Tell the origin. Called once per request. */
  answer(request: GetRequest, outcome: GetOutcome): void;
}

const SILENT: ReadAnswer = { ok: false, code: "unavailable" };
const NOTHING: GetOutcome = { ok: true, values: [], context: new Uint8Array(0) };

/** How a read is to be answered. */
export interface GetTerms {
  /** Replicas that must answer. */
  readonly needed: number;
  /** Whether hints count in the place of replicas that are away. */
  readonly sloppy: boolean;
}

/** A read under way. */
export class GetUnderWay {
  /** The origin has its answer; what is left is repair. */
  answered = false;
  /** When, on the coordinator's clock. */
  answeredAt = 0;
  /** When it was begun, on the coordinator's clock; null once that was told. */
  begunAt: number | null = null;
  /** The ring it was placed by is outdated; it starts again when the new one arrives. */
  outdated = false;
  /** The epoch of the ring it was placed by. */
  epoch = 0;
  #quorum: ReadQuorum | null = null;
  #partition = 0;
  /** Nodes that stand in were asked, too. */
  #isWide = false;
  /** What replicas were sent, and when those that are silent are sent it again. */
  #read: ReplicaRead | null = null;
  #resend: Resend | null = null;
  readonly #desk: GetDesk;

  /**
   * @param request what the client wants
   * @param terms how it is to be answered
   * @param ticket this coordinator's number for it
   * @param desk its coordinator
   */
  constructor(
    readonly request: GetRequest,
    readonly terms: GetTerms,
    public ticket: number,
    desk: GetDesk,
  ) {
    this.#desk = desk;
  }

  /** Ask every replica. Also used to start over under a newer ring. */
  start(): void {
    const { ring, core, self } = this.#desk;
    const { key } = this.request;
    this.outdated = false;
    this.epoch = ring.epoch;
    const partition = this.#partition = core.partitionOf(key, ring.partitions);
    const replicas = this.#desk.replicasOf(partition);
    const needed = Math.min(this.terms.needed, replicas.length);
    this.#quorum = core.readQuorum({ needed, replicas });
    this.#isWide = false;
    const { deadline } = this.request;
    const read = this.#read = {
      key,
      partition,
      epoch: ring.epoch,
      ticket: this.ticket,
      from: self,
      deadline,
    };
    this.#resend = new Resend(this.#desk.now());
    for (const replica of replicas) {
      if (!this.#desk.sendRead(replica, read)) this.#onAway(replica);
      else if (this.#desk.isDown(replica)) {
        this.#quorum.doubt(replica);
        this.#widen();
      }
    }
    this.#conclude();
  }

  #onAway(replica: NodeId): void {
    this.#quorum?.add(replica, SILENT);
    this.#widen();
  }

  /** Ask those, too, that may hold hints; whether there is anybody who was not asked before. */
  #widen(): boolean {
    const [quorum, read] = [this.#quorum, this.#read];
    if (!this.terms.sloppy || this.#isWide || this.answered || quorum === null || read === null) return false;
    this.#isWide = true;
    const most = this.#desk.replicasOf(this.#partition).length;
    const fallbacks = this.#desk.fallbacksOf(this.#partition).filter((id) => !this.#desk.isDown(id));
    const asked = fallbacks.slice(0, most);
    quorum.widen(asked);
    for (const fallback of asked) {
      if (!this.#desk.sendHintRead(fallback, read)) quorum.add(fallback, SILENT);
    }
    return asked.length > 0;
  }

  /** A replica answered. */
  onReplicaRead(replica: NodeId, answer: ReadAnswer): void {
    if (!answer.ok && answer.code === "wrong-epoch" && (answer.epoch ?? 0) > this.epoch) {
      this.outdated = !this.answered;
      return;
    }
    // It has not heard of the ring by which it was asked: it is told, and asked again.
    if (!answer.ok && answer.code === "wrong-epoch" && (answer.epoch ?? this.epoch) < this.epoch) {
      return this.#desk.teach(replica);
    }
    if ("object" in answer && answer.object !== null) this.#resend?.expect(answer.object.length);
    this.#quorum?.add(replica, answer);
    this.#conclude();
  }

  /** A replica will not answer. */
  onPeerLost(replica: NodeId): void {
    this.#quorum?.add(replica, SILENT);
    if (this.#desk.replicasOf(this.#partition).includes(replica)) this.#widen();
    this.#conclude();
  }

  /** Time went by: replicas whose answer may be lost are asked again. */
  onSweep(now: number): void {
    if (this.answered || this.outdated || this.#quorum === null || this.#read === null) return;
    if (!this.#resend?.isDue(now)) return;
    for (const replica of this.#quorum.silent()) {
      this.#quorum.doubt(replica);
      this.#desk.sendRead(replica, this.#read);
    }
    for (const fallback of this.#quorum.silentFallbacks()) this.#desk.sendHintRead(fallback, this.#read);
    this.#widen();
    this.#conclude();
  }

  /** Nothing more is expected: every replica answered. */
  get settled(): boolean {
    return this.#quorum !== null && this.#quorum.settled();
  }

  /** The deadline passed. */
  expire(): void {
    if (this.answered) return;
    this.#fail(this.#quorum !== null && this.#quorum.impossible() ? "quorum-unmet" : "timeout");
  }

  /** Send what was found missing to whom it was missing; returns how many were stale. */
  repair(): number {
    const repairs = this.#quorum?.repairs() ?? [];
    const stamp = this.#quorum?.stamp ?? 0;
    for (const { replica, object } of repairs) {
      this.#desk.sendRepair(replica, this.#partition, this.request.key, { object, stamp });
    }
    return repairs.length;
  }

  #conclude(): void {
    const quorum = this.#quorum;
    if (this.answered || quorum === null) return;
    if (quorum.enough()) {
      this.#answer(this.#outcome(quorum.response()));
    } else if (quorum.impossible()) {
      if (!this.#widen()) this.#fail("quorum-unmet");
      else if (quorum.impossible()) this.#fail("quorum-unmet");
    }
  }

  #outcome(object: StoredObject | null): GetOutcome {
    if (object === null) return NOTHING;
    const { clusterId } = this.#desk.ring;
    const context = encodeContext(object.clock, this.request.key, clusterId);
    return {
      ok: true,
      values: shownValues(this.#desk.conflicts, object, () => this.#desk.wallMs()),
      context,
    };
  }

  #fail(code: "quorum-unmet" | "timeout"): void {
    const answered = this.#quorum?.answered ?? 0;
    const { needed } = this.terms;
    const message = `${answered} of the ${needed} replicas needed answered the read`;
    this.#answer({ ok: false, code, message, definite: true, answered, needed });
  }

  #answer(outcome: GetOutcome): void {
    this.answered = true;
    this.answeredAt = this.#desk.now();
    this.#desk.answer(this.request, outcome);
  }
}
