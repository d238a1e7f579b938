/**
 * Many nodes that do nothing but gossip: the gossiper's pure cores, as many as there are nodes, between a heap of
 * events and a network that delays and loses. All they decide the cores decide; what stands here is what the shell
 * around them does, in the same order: a round when it is due, an answer to a message, a lesson for whoever has an
 * older ring.
 *
 * Messages are passed on as they are. Through the codec they would be the same, and all would take four times as
 * long; `codec` does it, and a test shows that nothing comes of it.
 *
 * @module
 */

import { GOSSIPER_CORE, type GossiperCore } from "../../actors/gossiper/gossiper.ts";
import { decodeGossip, encodeGossip, gossipBytes } from "../../actors/gossiper/gossip_codec.ts";
import { type LivenessChange, type Membership, untilNextRoundMs } from "../../actors/gossiper/membership.ts";
import type { Digest, Gossip, Rumour } from "../../actors/gossiper/rumour.ts";
import { Events } from "../../actors/simulated/events.ts";
import { SimulatedRandom } from "../../actors/simulated/random.ts";

/** Milliseconds between rounds, and members sent to in one: the defaults of a node. */
export const INTERVAL_MS = 500;
/** See {@link INTERVAL_MS}. */
export const FANOUT = 2;
/** A message is this long under way, in milliseconds. */
const DELAY_MS = [1, 50] as const;
/** So long a ring takes to be durable where it arrives. */
const SAVE_MS = 10;

/** What a {@link GossipCluster} is made of. */
export interface GossipClusterOptions {
  /** How many nodes, all members of one ring, started within one round. */
  readonly nodes: number;
  /** Everything that is chance. */
  readonly seed: number;
  /** The share of messages that are lost. */
  readonly loss: number;
  /** Substitutes, to plant bugs. */
  readonly core?: Partial<GossiperCore>;
  /** Whether messages become bytes and back. */
  readonly codec?: boolean;
  /** Hears now and then what time it is. */
  readonly onTime?: (ms: number) => void;
}

/** A node changed its mind about a member. */
export interface Opinion extends LivenessChange {
  /** Which node, by index. */
  readonly by: number;
  /** About which, by index. */
  readonly of: number;
  /** Whether its own detector said so, and not a rumour. */
  readonly isOwn: boolean;
  /** When. */
  readonly atMs: number;
}

interface Node {
  readonly id: string;
  readonly membership: Membership;
  readonly random: SimulatedRandom;
  digest: Digest;
  isUp: boolean;
  /** What it said of itself last. */
  said: Rumour | null;
  /** When it learned the ring it has. */
  learnedMs: number;
  /** Bytes it sent in the interval of this number. */
  interval: number;
  sentBytes: number;
}

/** See the module. */
export class GossipCluster {
  /** The heap. */
  readonly events = new Events(0);
  /** All changes of mind, in order. */
  readonly opinions: Opinion[] = [];
  /** Bytes and messages that nodes sent to each other so far, rings not counted. */
  bytes = 0;
  /** See {@link GossipCluster.bytes}. */
  messages = 0;
  /** The most that one node sent in one interval. */
  busiestBytes = 0;
  /** Rings sent so far. */
  lessons = 0;

  readonly #options: GossipClusterOptions;
  readonly #core: GossiperCore;
  readonly #nodes: Node[];
  readonly #index = new Map<string, number>();
  readonly #doubters: Set<number>[];
  /** Chance outside nodes. */
  readonly random: SimulatedRandom;

  /** @param options how many nodes, which chance */
  constructor(options: GossipClusterOptions) {
    this.#options = options;
    this.#core = { ...GOSSIPER_CORE, ...options.core };
    const root = new SimulatedRandom(`scale/${options.seed}`);
    this.random = root.fork("world");
    const digest = { epoch: 1, checksum: 1 };
    const fixed = { life: 1, fanout: FANOUT, intervalMs: INTERVAL_MS };
    this.#nodes = Array.from({ length: options.nodes }, (_, i) => {
      const random = root.fork(`node${i}`);
      const [self, boot] = [toId(i, 16), toId(i, 8)];
      const membership = this.#core.membership({ ...fixed, self, boot, random }, digest, 0);
      this.#index.set(self, i);
      const unused = { isUp: true, said: null, learnedMs: 0, interval: 0, sentBytes: 0 };
      return { id: self, membership, random, digest, ...unused };
    });
    this.#doubters = this.#nodes.map(() => new Set());
    const ids = this.ids;
    for (const node of this.#nodes) {
      node.membership.setRing(digest, ids, 0);
      this.#after(this.random.between(0, INTERVAL_MS), () => this.#onRound(node));
    }
  }

  /** The members' ids, by index. */
  get ids(): string[] {
    return this.#nodes.map(({ id }) => id);
  }

  /** Milliseconds since the start. */
  get now(): number {
    return this.events.now;
  }

  /** Let this much time pass. */
  run(ms: number): void {
    const end = this.now + ms;
    for (let at = this.events.nextAt(); at !== null && at <= end; at = this.events.nextAt()) {
      this.events.step();
    }
    this.events.now = end;
    this.#options.onTime?.(end);
  }

  /** Let time pass, in steps of a tenth of a round, until something is so; false when it is not within `mostMs`. */
  until(isSo: () => boolean, mostMs: number): boolean {
    for (const end = this.now + mostMs; !isSo(); this.run(INTERVAL_MS / 10)) {
      if (this.now >= end) return false;
    }
    return true;
  }

  /** The ring changed, and this node is the first to have the new one. */
  changeRing(index: number): void {
    const { epoch } = this.#nodes[index]!.digest;
    this.#learn(this.#nodes[index]!, { epoch: epoch + 1, checksum: epoch + 1 });
  }

  /** When each node that is up learned of the ring with this epoch; null for those that have not. */
  learned(epoch: number): (number | null)[] {
    return this.#nodes.filter(({ isUp }) => isUp)
      .map(({ digest, learnedMs }) => digest.epoch >= epoch ? learnedMs : null);
  }

  /** Who takes a member for suspect or down. */
  doubters(of: number): ReadonlySet<number> {
    return this.#doubters[of]!;
  }

  /** A node ends, without a word. */
  stop(index: number): void {
    this.#nodes[index]!.isUp = false;
  }

  /** A node comes to suspect another one, which did nothing wrong and was heard of a moment ago. */
  misjudge(by: number, of: number): void {
    const { said, digest } = this.#nodes[of]!;
    const gossip: Gossip = { digest, isAnswer: true, rumours: [{ ...said!, liveness: "suspect" }] };
    const { changes } = this.#nodes[by]!.membership.onGossip(this.#nodes[of]!.id, gossip, this.now);
    this.#note(by, changes, true);
  }

  #after(ms: number, task: () => void): void {
    this.events.schedule(ms, null, "", task);
  }

  #onRound(node: Node): void {
    if (!node.isUp) return;
    this.#after(untilNextRoundMs(INTERVAL_MS, node.random), () => this.#onRound(node));
    const { sends, changes } = node.membership.tick(this.now);
    this.#note(this.#index.get(node.id)!, changes, true);
    for (const { to, gossip } of sends) {
      node.said = gossip.rumours[0]!;
      this.#send(node, this.#nodes[this.#index.get(to)!]!, gossip);
    }
  }

  #send(from: Node, to: Node, gossip: Gossip): void {
    const sizeBytes = gossipBytes(gossip.rumours.length);
    this.messages++;
    this.bytes += sizeBytes;
    const interval = Math.floor(this.now / INTERVAL_MS);
    if (from.interval !== interval) [from.interval, from.sentBytes] = [interval, 0];
    from.sentBytes += sizeBytes;
    this.busiestBytes = Math.max(this.busiestBytes, from.sentBytes);
    if (this.random.chance(this.#options.loss)) return;
    const received = this.#options.codec ? decodeGossip(encodeGossip(gossip)) : gossip;
    if (received === null) return;
    this.#after(this.random.between(...DELAY_MS), () => this.#onGossip(from, to, received));
  }

  #onGossip(from: Node, to: Node, gossip: Gossip): void {
    if (!to.isUp) return;
    const { answer, changes } = to.membership.onGossip(from.id, gossip, this.now);
    if (answer !== null) this.#send(to, from, answer);
    this.#note(this.#index.get(to.id)!, changes, false);
    if (this.#core.isBehind(gossip.digest, to.digest)) this.#teach(from, to.digest);
  }

  #teach(node: Node, digest: Digest): void {
    this.lessons++;
    if (this.random.chance(this.#options.loss)) return;
    const ms = this.random.between(...DELAY_MS) + this.random.between(0, SAVE_MS);
    this.#after(ms, () => this.#learn(node, digest));
  }

  #learn(node: Node, digest: Digest): void {
    if (!node.isUp || digest.epoch <= node.digest.epoch) return;
    node.digest = digest;
    node.learnedMs = this.now;
    node.membership.setRing(digest, this.ids, this.now);
  }

  #note(by: number, changes: readonly LivenessChange[], isOwn: boolean): void {
    for (const { node, liveness } of changes) {
      const of = this.#index.get(node)!;
      this.opinions.push({ by, of, node, liveness, isOwn, atMs: this.now });
      if (liveness === "alive") this.#doubters[of]!.delete(by);
      else this.#doubters[of]!.add(by);
    }
  }
}

function toId(index: number, sizeBytes: number): string {
  return index.toString(16).padStart(2 * sizeBytes, "0");
}
