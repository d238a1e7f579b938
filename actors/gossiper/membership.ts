/**
 * Who can be talked to. (Who is a member, the ring says; no rumour ever changes that.)
 *
 * # The problem
 *
 * Every node should know, soon, which members have stopped, without everyone asking everyone.
 *
 * # The naive attempt
 *
 * Each node pings each other one: n^2 messages a round, and one bad link makes one node's private opinion.
 *
 * # The idea
 *
 * Gossip (Dynamo, section 4.8; Demers et al., "Epidemic Algorithms", 1987). A round every `intervalMs`: a
 * node raises its heartbeat and sends what it knows to `fanout` members (`peers.ts`), who answer with what
 * they know better. A message carries a bounded number of rumours, so a round costs the same however large
 * the cluster: always the sender's own; then what the receiver must hear, that it is thought to have failed,
 * or that it knows less; then what changed lately, a few times each (SWIM: Das, Gupta and Motivala, 2002,
 * section 4.1); then heartbeats, the freshest first, which serves everyone better than taking turns (in a
 * simulation of 1,000 members, news of each comes half as late and nearly twice as often). An answer leaves
 * out what the question has just said: that is the freshest of all, and would fill the answer. A member whose
 * heartbeat stands still too long becomes suspect (`failure_detector.ts`), and down when it stays so; that
 * too is a rumour. Who hears itself suspected raises its incarnation (SWIM, section 4.2), which overrides the
 * rumour and is news itself. What this is worth at 10 to 1,000 members, `deno task scale` shows.
 *
 * Rumours about one member are totally ordered: by life (the durable number of the process's start), by the
 * process's random boot id, by incarnation, by heartbeat, and by how bad they are. The greatest wins, so it
 * does not matter in what order, how often or by which way rumours arrive. A suspicion counts only against
 * the heartbeat it was formed on: when a node that was cut off comes back and suspects everyone, those who
 * have heard later heartbeats do not believe it, and there is no storm.
 *
 * Who hears of a life of its own that is not before its present one, and of another boot id, has the memory of an
 * older life than that: an older copy of its disk was put back, and it goes on in a life after that one. Or two
 * processes have one id (a copied disk). Then the other does the same when it hears of that, and the one that sees
 * a process raise its life once more, which it had outlived, is fenced: it must stop.
 *
 * A node that was stopped itself (SIGSTOP, a collection of garbage, a suspended machine) has heard nobody
 * meanwhile, and that is not their fault: time is counted only while this node attended to it. A gap between
 * two calls counts as one round at most.
 *
 * @module
 */

import type { Liveness } from "../coordinator/protocol.ts";
import type { NodeId } from "../replica_store/protocol.ts";
import type { Random } from "../runtime/environment.ts";
import { type DetectorOptions, FailureDetector } from "./failure_detector.ts";
import { type Peer, pickPeers } from "./peers.ts";
import { compareRumours, type Digest, type Gossip, MOST_RUMOURS, type Rumour } from "./rumour.ts";

/** A member's liveness has changed. */
export interface LivenessChange {
  /** The member. */
  readonly node: NodeId;
  /** What it is now. */
  readonly liveness: Liveness;
}

/** What one member is thought to be, for people. */
export interface MemberView extends LivenessChange {
  /** See {@link Rumour.life}; 0 when nothing was ever heard. */
  readonly life: number;
  /** See {@link Rumour.incarnation}. */
  readonly incarnation: number;
  /** Milliseconds since there was news of it; 0 for this node. */
  readonly silentMs: number;
}

/** Who this node is and how it gossips. */
export interface MembershipOptions {
  /** This node. */
  readonly self: NodeId;
  /** See {@link Rumour.life}: raised durably before every start. */
  readonly life: number;
  /** See {@link Rumour.boot}. */
  readonly boot: string;
  /** Chance, to pick peers. */
  readonly random: Random;
  /** Members sent to every round (`heartbeat.fanout`). */
  readonly fanout: number;
  /** Milliseconds between rounds (`heartbeat.interval`). */
  readonly intervalMs: number;
}

/** What to do in a round. */
export interface Round {
  /** Messages to send. */
  readonly sends: readonly { readonly to: NodeId; readonly gossip: Gossip }[];
  /** Members that turned suspect or down. */
  readonly changes: readonly LivenessChange[];
}

/** What came of a message. */
export interface Heard {
  /** To be sent back, when not null. */
  readonly answer: Gossip | null;
  /** Members whose liveness is different now. */
  readonly changes: readonly LivenessChange[];
}

/** Those of them that may be retold changes, so that heartbeats get through whatever happens. */
const MOST_RETOLD = MOST_RUMOURS / 2;
/** Silence up to so many rounds is never suspicious. */
const FLOOR_ROUNDS = 4;
/** See `DetectorOptions.threshold`. */
const THRESHOLD = 8;
/** Rounds that a suspicion may stand before it becomes a fact, and for each doubling of the members as many more. */
const DOWN_ROUNDS = 16;
const DOWN_ROUNDS_PER_DOUBLING = 4;
/** Times that a change is passed on, for each doubling of the members. */
const RETELL = 3;
/** A round may come this much early or late, so that nodes started together do not all speak at once. */
const JITTER = 0.1;

/** Milliseconds until the next round. */
export function untilNextRoundMs(intervalMs: number, random: Random): number {
  return intervalMs * (1 + JITTER * (2 * random.next() - 1));
}

/** The rumours one node knows. No clock: every call says what time it is, in monotonic milliseconds. */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #peers = new Map<NodeId, Peer>();
  #self: Rumour;
  #isFenced = false;
  /** Processes that live under this node's id, or did, in a life not before this one's; and which life. */
  readonly #outlived = new Map<string, number>();
  /** Those of whom there was news, the latest last; again and again the same ones. */
  #recent: Peer[] = [];
  /** Those with something to retell, the latest change last. */
  readonly #changed = new Set<NodeId>();
  #attendedMs = 0;
  #lastMs: number;
  #digest: Digest;

  /** @param options who and how @param digest the ring now @param nowMs the time */
  constructor(options: MembershipOptions, digest: Digest, nowMs: number) {
    const { self: node, life, boot } = options;
    this.#options = options;
    this.#digest = digest;
    this.#lastMs = nowMs;
    this.#self = { node, life, boot, incarnation: 0, heartbeat: 0, liveness: "alive" };
  }

  /** Whether another process lives under this node's id; this one must stop serving, and gossips no more. */
  get isFenced(): boolean {
    return this.#isFenced;
  }

  /** The latest life of this node that others know of, when that is not before the present one; else null. */
  get laterLife(): { readonly life: number; readonly bootId: string } | null {
    const [latest] = [...this.#outlived].sort(([, a], [, b]) => b - a);
    return latest && latest[1] >= this.#self.life ? { bootId: latest[0], life: latest[1] } : null;
  }

  /** Go on in a later life. */
  outlive(life: number): void {
    if (life > this.#self.life) this.#self = { ...this.#self, life, incarnation: 0 };
  }

  /** A member's liveness; null when it is none. New members count as alive until they prove silent. */
  liveness(node: NodeId): Liveness | null {
    return node === this.#options.self ? "alive" : this.#peers.get(node)?.rumour.liveness ?? null;
  }

  /** The ring changed: rumours about others than `members` are forgotten, and not listened to. */
  setRing(digest: Digest, members: readonly NodeId[], nowMs: number): void {
    this.#attend(nowMs);
    this.#digest = digest;
    const kept = new Set(members);
    for (const node of this.#peers.keys()) if (!kept.has(node)) this.#forget(node);
    this.#recent = this.#recent.filter((peer) => kept.has(peer.rumour.node));
    const { self, intervalMs, fanout } = this.#options;
    // What the simulation shows: news of a member comes once a round, and later where messages cannot hold
    // all.
    const expectedMs = intervalMs * (1 + members.length / (2 * fanout * MOST_RUMOURS));
    const options = { expectedMs, floorMs: FLOOR_ROUNDS * intervalMs, threshold: THRESHOLD };
    for (const node of members) {
      if (node === self || this.#peers.has(node)) continue;
      const detector = this.newDetector(options, this.#attendedMs);
      const rumour: Rumour = { node, life: 0, boot: "", incarnation: 0, heartbeat: 0, liveness: "alive" };
      this.#peers.set(node, { rumour, detector, suspectMs: 0, retell: 0, asked: 0 });
    }
  }

  /**
   * A round is due. `silentMs` is for how long nothing at all was read from a member: one that is sending something
   * lives, though its news may be stuck behind that.
   */
  tick(nowMs: number, silentMs: (node: NodeId) => number = () => Infinity): Round {
    this.#attend(nowMs);
    if (this.#isFenced) return { sends: [], changes: [] };
    this.#self = { ...this.#self, heartbeat: this.#self.heartbeat + 1 };
    const changes = this.#judge(silentMs);
    const { fanout, random } = this.#options;
    const sends = pickPeers(this.#peers.values(), fanout, this.#attendedMs, random).map((peer) => {
      peer.asked++;
      return { to: peer.rumour.node, gossip: this.#compose(peer.rumour.node, null) };
    });
    return { sends, changes };
  }

  /** A message arrived from `from`, member or not. */
  onGossip(from: NodeId, { rumours, isAnswer }: Gossip, nowMs: number): Heard {
    this.#attend(nowMs);
    const changes: LivenessChange[] = [];
    for (const rumour of rumours) {
      if (rumour.node === this.#options.self) this.#onOwnRumour(rumour);
      else if (this.#merge(rumour)) changes.push({ node: rumour.node, liveness: rumour.liveness });
    }
    const answer = isAnswer || this.#isFenced ? null : this.#compose(from, rumours);
    return { answer, changes };
  }

  /** What is known of every member, this node first. */
  describe(nowMs: number): MemberView[] {
    this.#attend(nowMs);
    const { node, life, incarnation } = this.#self;
    const views: MemberView[] = [{ node, liveness: "alive", life, incarnation, silentMs: 0 }];
    for (const { rumour: { node, liveness, life, incarnation }, detector } of this.#peers.values()) {
      views.push({ node, liveness, life, incarnation, silentMs: detector.silentMs(this.#attendedMs) });
    }
    return views;
  }

  /** What judges a member's silence. */
  protected newDetector(options: DetectorOptions, nowMs: number): FailureDetector {
    return new FailureDetector(options, nowMs);
  }

  /** Time passed; more than a round and a half without a call was not attended to, and counts as one round. */
  #attend(nowMs: number): void {
    const { intervalMs } = this.#options;
    const gapMs = nowMs - this.#lastMs;
    this.#attendedMs += gapMs > 1.5 * intervalMs ? intervalMs : Math.max(0, gapMs);
    this.#lastMs = nowMs;
  }

  #forget(node: NodeId): void {
    this.#peers.delete(node);
    this.#changed.delete(node);
  }

  /** Turn silent members suspect, and suspects of long standing down. */
  #judge(silentMs: (node: NodeId) => number): LivenessChange[] {
    const changes: LivenessChange[] = [];
    const rounds = DOWN_ROUNDS + DOWN_ROUNDS_PER_DOUBLING * Math.log2(this.#peers.size + 1);
    const downMs = rounds * this.#options.intervalMs;
    const floorMs = FLOOR_ROUNDS * this.#options.intervalMs;
    for (const [node, peer] of this.#peers) {
      const { liveness } = peer.rumour;
      const isSilent = peer.detector.isSuspicious(this.#attendedMs) && silentMs(node) > floorMs;
      if (liveness === "alive" && isSilent) {
        this.#change(peer, { ...peer.rumour, liveness: "suspect" });
        changes.push({ node, liveness: "suspect" });
      } else if (liveness === "suspect" && this.#attendedMs - peer.suspectMs >= downMs) {
        this.#change(peer, { ...peer.rumour, liveness: "down" });
        changes.push({ node, liveness: "down" });
      }
    }
    return changes;
  }

  /** Believe a rumour that is later than what is known; whether the member's liveness changed. */
  #merge(rumour: Rumour): boolean {
    const peer = this.#peers.get(rumour.node);
    if (peer === undefined || compareRumours(rumour, peer.rumour) <= 0) return false;
    const { liveness, life, boot, incarnation, heartbeat } = peer.rumour;
    const isSameLife = rumour.life === life && rumour.boot === boot;
    const isSign = !isSameLife || rumour.incarnation > incarnation || rumour.heartbeat > heartbeat;
    if (isSign && isSameLife && liveness !== "down") peer.detector.onNews(this.#attendedMs);
    else if (isSign) peer.detector.onReturn(this.#attendedMs);
    if (isSign) this.#onSign(peer);
    // That a member is there, and well, everybody knows already from the ring and from heartbeats.
    const isChanged = life > 0 && (!isSameLife || rumour.incarnation > incarnation);
    const isTold = isChanged || rumour.liveness !== liveness;
    if (isTold) this.#change(peer, rumour);
    else peer.rumour = rumour;
    return rumour.liveness !== liveness;
  }

  #onSign(peer: Peer): void {
    peer.asked = 0;
    if (this.#recent.push(peer) > 8 * MOST_RUMOURS) this.#recent = this.#recent.slice(-4 * MOST_RUMOURS);
  }

  /** A change that others should hear of soon. */
  #change(peer: Peer, rumour: Rumour): void {
    if (rumour.liveness === "suspect" && peer.rumour.liveness !== "suspect") {
      peer.suspectMs = this.#attendedMs;
    }
    peer.rumour = rumour;
    if (rumour.life === 0) return;
    peer.retell = RETELL * Math.ceil(Math.log2(this.#peers.size + 2));
    this.#changed.delete(rumour.node);
    this.#changed.add(rumour.node);
  }

  #onOwnRumour(rumour: Rumour): void {
    const { life, boot, incarnation } = this.#self;
    if (rumour.life === life && rumour.boot === boot) {
      if (rumour.liveness === "alive" || rumour.incarnation < incarnation) return;
      this.#self = { ...this.#self, incarnation: rumour.incarnation + 1 };
    } else if (rumour.life >= life) {
      const before = this.#outlived.get(rumour.boot);
      if (before !== undefined && before < rumour.life) this.#isFenced = true;
      this.#outlived.set(rumour.boot, rumour.life);
    }
  }

  /** The message for `to`; `known` is what it has just said it knows, where it has. */
  #compose(to: NodeId, known: readonly Rumour[] | null): Gossip {
    const chosen = new Map<NodeId, Rumour>([[this.#options.self, this.#self]]);
    const needless = new Set<NodeId>();
    const add = ({ rumour }: Peer) => {
      const { node, life } = rumour;
      if (life > 0 && chosen.size < MOST_RUMOURS && !needless.has(node)) chosen.set(node, rumour);
    };
    const receiver = this.#peers.get(to);
    if (receiver !== undefined && receiver.rumour.liveness !== "alive") add(receiver);
    for (const theirs of known ?? []) {
      const peer = this.#peers.get(theirs.node);
      if (peer === undefined) continue;
      if (compareRumours(peer.rumour, theirs) > 0) add(peer);
      else needless.add(theirs.node);
    }
    const room = Math.min(chosen.size + MOST_RETOLD, MOST_RUMOURS);
    for (const node of [...this.#changed].reverse()) {
      if (chosen.size >= room) break;
      const peer = this.#peers.get(node)!;
      if (chosen.has(node) || needless.has(node)) continue;
      add(peer);
      if (--peer.retell <= 0) this.#changed.delete(node);
    }
    for (let i = this.#recent.length - 1; i >= 0 && chosen.size < MOST_RUMOURS; i--) add(this.#recent[i]!);
    for (const peer of this.#peers.values()) {
      if (chosen.size >= MOST_RUMOURS) break;
      add(peer);
    }
    return { digest: this.#digest, isAnswer: known !== null, rumours: [...chosen.values()] };
  }
}
