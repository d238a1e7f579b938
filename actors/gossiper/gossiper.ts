/**
 * The gossiper: a round of rumours every interval, and what they say about who is alive and whose ring is newer.
 * What is believed and what is said is decided in `membership.ts` and `failure_detector.ts`.
 *
 * @module
 */

import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import type { Address, Handlers } from "../runtime/protocol.ts";
import type { CoordinatorProtocol } from "../coordinator/protocol.ts";
import type { HandoffProtocol } from "../handoff/protocol.ts";
import type { NodeId } from "../replica_store/protocol.ts";
import type { Collection } from "../replica_store/collection.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { ringDigest } from "../ring_manager/ring_codec.ts";
import type { ClusterClock } from "./cluster_clock.ts";
import { type LivenessChange, Membership, untilNextRoundMs } from "./membership.ts";
import { decodeGossip, encodeGossip } from "./gossip_codec.ts";
import type { GossiperProtocol } from "./protocol.ts";
import { type Gossip, isBehind } from "./rumour.ts";

/** The decisions the gossiper leaves to pure code; a test plants a bug by substituting some. */
export const GOSSIPER_CORE = {
  /** What one node knows of the others. */
  membership: (...known: ConstructorParameters<typeof Membership>): Membership => new Membership(...known),
  isBehind,
};

/** See {@link GOSSIPER_CORE}. */
export type GossiperCore = typeof GOSSIPER_CORE;

/** A life of a node: see {@link Rumour}. */
export type HeardLife = { readonly life: number; readonly bootId: string };

/** What the gossiper is composed of. */
export interface GossiperOptions {
  /** This node. */
  readonly node: NodeId;
  /** The durable number of this process's start. */
  readonly incarnation: number;
  /** 8 random bytes of this process, as 16 hex digits. */
  readonly bootId: string;
  /** Peers per round, and milliseconds between rounds. */
  readonly heartbeat: { readonly fanout: number; readonly intervalMs: number };
  /** Hears of every life of a node that somebody speaks of. */
  readonly onLife: (node: NodeId, life: HeardLife) => void;
  /**
   * Hears that members know of a life of this node that is not before this one: this one's memory is an older copy.
   * `outlive` is to follow.
   */
  readonly onForgotten: (life: HeardLife) => void;
  /** The collection epochs of this node, which every message tells. */
  readonly collection: Collection;
  /** What time members say that it is. */
  readonly clocks: ClusterClock;
  /** For how long nothing was read from a member, in milliseconds; infinite when it is not connected. */
  readonly silentMs: (node: NodeId) => number;
  /** Hears that another process lives under this node's id: this one must stop. */
  readonly onDuplicate: () => void;
  /** See {@link GOSSIPER_CORE}. */
  readonly core: GossiperCore;
}

/** The actor `gossiper`. */
export function gossiper(options: GossiperOptions): ActorSpec<GossiperProtocol> {
  // A restarted gossiper must not fall behind what the others have heard from it: it goes on where it was.
  let membership: Membership | null = null;
  return {
    name: "gossiper",
    async start(context) {
      const manager = context.ref<RingManagerProtocol>("ring_manager");
      const { ring } = await manager.ask("current", {}, { timeoutMs: 10_000 });
      const { clock, random } = context.environment;
      const { node: self, incarnation: life, bootId: boot, heartbeat } = options;
      membership ??= options.core.membership(
        { self, life, boot, random, ...heartbeat },
        ringDigest(ring),
        clock.now(),
      );
      return new Gossiper(options, context, membership, ring).handlers();
    },
  };
}

class Gossiper {
  readonly #options: GossiperOptions;
  readonly #context: ActorContext<GossiperProtocol>;
  readonly #membership: Membership;
  #ring: Ring;

  constructor(
    options: GossiperOptions,
    context: ActorContext<GossiperProtocol>,
    membership: Membership,
    ring: Ring,
  ) {
    this.#options = options;
    this.#context = context;
    this.#membership = membership;
    this.#ring = ring;
    this.#onRing(ring);
    context.after(0, "round", {});
  }

  handlers(): Handlers<GossiperProtocol> {
    return {
      gossip: ({ message, wallMs, collection }, from) => {
        if (from !== undefined) {
          this.#options.clocks.hear(from.node, wallMs, this.#now());
          this.#options.collection.hear(from.node, collection);
        }
        this.#onGossip(message, from);
      },
      round: () => this.#onRound(),
      ring: ({ ring }) => this.#onRing(ring),
      outlive: ({ life }) => this.#membership.outlive(life),
      describe: () => this.#membership.describe(this.#now()),
    };
  }

  #now(): number {
    return this.#context.environment.clock.now();
  }

  #onRing(ring: Ring): void {
    this.#ring = ring;
    this.#options.clocks.setMembers(ring.members.map(({ id }) => id));
    this.#membership.setRing(ringDigest(ring), ring.members.map(({ id }) => id), this.#now());
  }

  #onRound(): void {
    const { intervalMs } = this.#options.heartbeat;
    this.#context.after(untilNextRoundMs(intervalMs, this.#context.environment.random), "round", {});
    const { sends, changes } = this.#membership.tick(this.#now(), this.#options.silentMs);
    for (const { to, gossip } of sends) this.#send(to, gossip);
    this.#publish(changes);
  }

  #onGossip(message: Uint8Array, from: Address | undefined): void {
    const gossip = decodeGossip(message);
    if (from === undefined || gossip === null) return;
    const { answer, changes } = this.#membership.onGossip(from.node, gossip, this.#now());
    if (answer !== null) this.#send(from.node, answer);
    this.#publish(changes);
    this.#compareRings(from.node, gossip);
    const { onLife, onForgotten, onDuplicate } = this.#options;
    for (const { node, life, boot: bootId } of gossip.rumours) onLife(node, { life, bootId });
    const { isFenced, laterLife } = this.#membership;
    if (isFenced) onDuplicate();
    else if (laterLife !== null) onForgotten(laterLife);
  }

  /** Whoever is behind is taught; whoever is ahead finds out from the answer that this node is. */
  #compareRings(node: NodeId, { digest }: Gossip): void {
    const own = ringDigest(this.#ring);
    if (this.#options.core.isBehind(digest, own)) {
      this.#context.ref<RingManagerProtocol>("ring_manager").tell("teach", { node });
    } else if (digest.epoch === own.epoch && digest.checksum !== own.checksum) {
      this.#context.log.error("two rings of one epoch", { peer: node, epoch: own.epoch });
    }
  }

  #send(to: NodeId, gossip: Gossip): void {
    this.#context.ref<GossiperProtocol>({ node: to, actor: "gossiper" }).tell("gossip", {
      message: encodeGossip(gossip),
      wallMs: Math.trunc(this.#context.environment.clock.wall()),
      collection: this.#options.collection.said(),
    });
  }

  #publish(changes: readonly LivenessChange[]): void {
    for (const { node, liveness } of changes) {
      this.#context.log.info(`a member is ${liveness}`, { peer: node });
      const coordinator = this.#context.ref<CoordinatorProtocol>("coordinator");
      coordinator.tell("liveness", { node, liveness });
      if (liveness === "down") coordinator.tell("peerLost", { node });
      if (liveness === "alive") this.#context.ref<HandoffProtocol>("handoff").tell("round", {});
    }
  }
}
