/**
 * The ring manager: keeps this node's ring and vote on disk, and tells the others of this node when the ring
 * changes. What a vote means is in `commit.ts`; who proposes, in `actors/operator/membership_change.ts`.
 *
 * @module
 */

import { EngineError } from "../../storage/engine.ts";
import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import type { Handlers } from "../runtime/protocol.ts";
import type { Refusal } from "../operator/protocol.ts";
import type { NodeId, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import {
  type Acceptor,
  acceptorOf,
  type AcceptReply,
  type AcceptRequest,
  learnRing,
  onAccept,
  onPrepare,
  type PrepareReply,
  type PrepareRequest,
  WriteFence,
} from "./commit.ts";
import { encodeAcceptor } from "./commit_codec.ts";
import type { CurrentRing, RingManagerProtocol } from "./protocol.ts";
import { isLeaving } from "./moves.ts";
import type { Ring } from "./ring.ts";
import { decodeRing, encodeRing } from "./ring_codec.ts";

/** The pure functions of a vote; a test plants a bug by substituting one. */
export const RING_MANAGER_CORE = { learnRing, onAccept, onPrepare };

/** See {@link RING_MANAGER_CORE}. */
export type RingManagerCore = typeof RING_MANAGER_CORE;

/** What the ring manager is composed of. */
export interface RingManagerOptions {
  /** This node. */
  readonly node: NodeId;
  /** The vote as the node's journal has it now. */
  load(): Acceptor;
  /** False when the journal may have lost a promise: this member abstains. */
  mayVote(): boolean;
  /** Put a vote into the node's journal; resolves when it is durable. */
  save(vote: Uint8Array): Promise<void>;
  /** Hears of every ring and fence before anyone else on this node. */
  readonly onCurrent: (current: CurrentRing) => void;
  /** Hears that the ring no longer has this node; `wasLeaving`: as far as this node knew, it was about to leave. */
  readonly onRemoved: (wasLeaving: boolean) => void;
  /** See {@link RING_MANAGER_CORE}. */
  readonly core: RingManagerCore;
}

/** How long a proposer may hold up writes before this node asks what became of it, and how often it looks. */
const FENCE_LEASE_MS = 10_000;
const TICK_MS = 1_000;

/** A member that has no part in a vote. */
const noVote = (message: string) => ({ kind: "refused", message }) as const;
const ABSTAINS = noVote("its journal was damaged or is an older copy, and may have lost a promise");
const FORGETFUL = noVote("its disk takes no votes now");
const UNFENCED = noVote("its store does not say whether it holds data");

/** The actor `ring_manager`. */
export function ringManager(options: RingManagerOptions): ActorSpec<RingManagerProtocol> {
  return {
    name: "ring_manager",
    start: (context) => new RingManager(options, context).handlers(),
  };
}

const UNABLE: Refusal = { ok: false, code: "unavailable", message: "this node cannot take another ring now" };

/** Whoever has to know the ring. */
type Subscriber = { ring: [{ ring: Ring }, void] };
const SUBSCRIBERS = ["peers", "replica_store", "gossiper", "hint_store", "coordinator"] as const;

/** Who can find out what became of a vote. */
type Inquirer = { inquire: [Record<never, never>, void] };

class RingManager {
  readonly #options: RingManagerOptions;
  readonly #context: ActorContext<RingManagerProtocol>;
  readonly #fence = new WriteFence(FENCE_LEASE_MS);
  #vote: Acceptor;

  constructor(options: RingManagerOptions, context: ActorContext<RingManagerProtocol>) {
    this.#options = options;
    this.#context = context;
    this.#vote = options.load();
    this.#fence.follow(this.#vote, this.#now());
    options.onCurrent(this.#current());
    // An earlier incarnation may have raised the fence for a vote that it did not live to remember, or
    // remembered a ring that it did not live to tell of.
    this.#setFence();
    this.#tellSubscribers();
    context.after(TICK_MS, "tick", {});
  }

  handlers(): Handlers<RingManagerProtocol> {
    return {
      current: () => this.#current(),
      teach: ({ node }) => {
        const ring = encodeRing(this.#vote.ring);
        this.#context.ref<RingManagerProtocol>({ node, actor: "ring_manager" }).tell("learn", { ring });
      },
      learn: (body) => this.#onLearn(body.ring),
      prepare: (request) => this.#onPrepare(request),
      accept: (request) => this.#onAccept(request),
      install: (body) => this.#onInstall(body.ring),
      refence: () => this.#setFence(),
      tick: () => this.#onTick(),
    };
  }

  #now(): number {
    return this.#context.environment.clock.now();
  }

  #current(): CurrentRing {
    return { ring: this.#vote.ring, isFenced: this.#vote.fenced !== null };
  }

  async #onLearn(bytes: Uint8Array): Promise<void> {
    const decoded = decodeRing(bytes);
    if (!decoded.ok) return this.#context.log.warn("a ring from a peer is ignored", { why: decoded.message });
    await this.#remember(this.#options.core.learnRing(this.#vote, decoded.ring));
  }

  async #onPrepare(request: PrepareRequest): Promise<PrepareReply> {
    if (!this.#options.mayVote()) return ABSTAINS;
    const holdsData = request.fence ? await this.#raiseFence() : false;
    if (holdsData === null) return UNFENCED;
    const { acceptor, reply } = this.#options.core.onPrepare(
      this.#vote,
      this.#options.node,
      request,
      holdsData,
    );
    const isRemembered = await this.#remember(acceptor);
    this.#setFence();
    return isRemembered ? reply : FORGETFUL;
  }

  async #onAccept(request: AcceptRequest): Promise<AcceptReply> {
    if (!this.#options.mayVote()) return ABSTAINS;
    const { acceptor, reply } = this.#options.core.onAccept(this.#vote, this.#options.node, request);
    return await this.#remember(acceptor) ? reply : FORGETFUL;
  }

  async #onInstall(bytes: Uint8Array): Promise<{ ok: true } | Refusal> {
    const decoded = decodeRing(bytes);
    if (!decoded.ok) return { ok: false, code: "bad-ring", message: decoded.message };
    const { ring } = decoded;
    const own = this.#vote.ring;
    if (!ring.members.some(({ id }) => id === this.#options.node)) {
      return { ok: false, code: "bad-ring", message: "the ring does not have this node" };
    }
    if (ring.clusterId === own.clusterId) {
      return await this.#remember(this.#options.core.learnRing(this.#vote, ring)) ? { ok: true } : UNABLE;
    }
    if (own.members.length > 1) {
      const message = `this node is one of ${own.members.length} members of ${own.cluster} already`;
      return { ok: false, code: "already-joined", message };
    }
    const holdsData = await this.#raiseFence();
    const isRemembered = holdsData === false && await this.#remember(acceptorOf(ring));
    this.#setFence();
    if (isRemembered) return { ok: true };
    if (holdsData !== true) return UNABLE;
    return { ok: false, code: "has-data", message: "this node has been written to since it asked to join" };
  }

  /**
   * Durable first, then known: nobody on this node acts on a ring that a crash could take back. False when the
   * disk does not take it; then nothing has changed.
   */
  async #remember(vote: Acceptor): Promise<boolean> {
    if (vote === this.#vote) return true;
    const before = this.#vote;
    try {
      await this.#options.save(encodeAcceptor(vote));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#context.log.error("the ring or a vote on it cannot be remembered", { why: error.message });
      return false;
    }
    this.#vote = vote;
    this.#fence.follow(vote, this.#now());
    this.#options.onCurrent(this.#current());
    if (before.fenced !== vote.fenced) this.#setFence();
    if (before.ring !== vote.ring) this.#announce(vote.ring, isLeaving(before.ring, this.#options.node));
    return true;
  }

  #announce(ring: Ring, wasLeaving: boolean): void {
    const { cluster, epoch, members } = ring;
    this.#context.log.info("the ring changed", { cluster, epoch, members: members.length });
    this.#tellSubscribers();
    if (ring.removed.includes(this.#options.node)) this.#options.onRemoved(wasLeaving);
  }

  #tellSubscribers(): void {
    const { ring } = this.#vote;
    for (const actor of SUBSCRIBERS) this.#context.announce<Subscriber, "ring">(actor, "ring", { ring });
  }

  /**
   * Whether the store holds data, null when it does not say. If it holds none, it takes no client writes from its
   * reply on.
   */
  async #raiseFence(): Promise<boolean | null> {
    const store = this.#context.ref<ReplicaStoreProtocol>("replica_store");
    const reply = await store.ask("fence", { raised: true, ifEmpty: true }, { timeoutMs: 2_000 }).catch(() =>
      null
    );
    return reply === null ? null : reply.holdsData;
  }

  /** Bring the store's fence in line with the vote. */
  #setFence(): void {
    const raised = this.#vote.fenced !== null;
    this.#context.announce<ReplicaStoreProtocol, "fence">("replica_store", "fence", {
      raised,
      ifEmpty: false,
    });
  }

  #onTick(): void {
    if (this.#fence.isOverdue(this.#now())) {
      this.#context.log.warn("a membership change has held up writes; asking what became of it");
      this.#context.ref<Inquirer>("operator").tell("inquire", {});
    }
    this.#context.after(TICK_MS, "tick", {});
  }
}
