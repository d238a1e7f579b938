/**
 * Who a node is in this life of its process.
 *
 * @module
 */

import type { RuntimeFigures } from "../actors/operator/operator.ts";
import type { NodeId } from "../actors/replica_store/protocol.ts";
import type { CurrentRing } from "../actors/ring_manager/protocol.ts";
import type { Member, Ring } from "../actors/ring_manager/ring.ts";
import type { Environment } from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import type { ActorSystem } from "../actors/runtime/mod.ts";
import type { Transport } from "../actors/runtime/protocol.ts";
import type { NodeJournal } from "../storage/node_journal.ts";
import type { NodeFacts } from "./handshake.ts";
import { Lives } from "./lives.ts";
import type { Settings } from "./node_options.ts";

/**
 * A member that takes this process for a second one under its id is right when it says so for this long: the
 * connection that an earlier process left behind (a machine lost its power) is in the way for two pings at most.
 */
const TWIN_MS = 3 * LIMITS.pingMs;
/** Shown to an operator; see {@link Life.isVouchedFor}. */
const MOVED = "moved: reads here count once every member has been met";

/** Who the node is in this life: what it read from its journal, and what has changed since. */
export class Life {
  /** As the ring manager has it. */
  current: CurrentRing;
  /** The way to other nodes, once `peers` has started. */
  transport: Transport | null = null;
  /** For how long nothing was read from a member; by the listener, once it has started. */
  silentMs: (node: NodeId) => number = () => Infinity;
  /** Why the node had to end itself. */
  fenced: string | null = null;
  /** It was about to leave, and is no member any more. */
  isDeparting = false;
  /** Its directory is older than what it has promised: see `outlive` in `node.ts`. */
  isOlderCopy = false;
  /** What keeps it from simply serving. */
  condition: string | null = null;
  /** What the others were last known to be. */
  readonly lives: Lives;
  readonly environment: Environment;
  readonly facts: NodeFacts;
  readonly member: Member;
  readonly #journal: NodeJournal;
  readonly #startedAt: number;
  /** Members that have let this life in. */
  readonly #vouchers = new Set<NodeId>();
  /** It began alone, with nobody to ask. */
  readonly #wasAlone: boolean;
  /** Members that take this process for a second one under its id, and since when. */
  readonly #refusedSince = new Map<NodeId, number>();

  constructor(
    settings: Settings,
    environment: Environment,
    journal: NodeJournal,
    address: string,
    ring: Ring,
  ) {
    const { clock } = environment;
    this.environment = environment;
    this.#journal = journal;
    this.current = { ring, isFenced: false };
    const lives = this.lives = new Lives(journal);
    this.#startedAt = clock.now();
    this.#wasAlone = ring.members.length === 1;
    this.member = { id: journal.identity, address, zone: settings.zone, weight: settings.weight };
    const current = () => this.ring;
    this.facts = {
      nodeId: journal.identity,
      bootId: journal.bootId,
      get life() {
        return journal.incarnation;
      },
      get pastBootIds() {
        return journal.pastBootIds;
      },
      address,
      get cluster() {
        return current().cluster;
      },
      get clusterId() {
        return current().clusterId;
      },
      get partitions() {
        return current().partitions;
      },
      get n() {
        return current().n;
      },
      get epoch() {
        return current().epoch;
      },
      lifeForgottenBy: (theirs) => lives.forgottenBy(theirs),
      isRemoved: (id) => current().removed.includes(id),
      isMember: (id) => current().members.some((member) => member.id === id),
    };
    this.#settle();
  }

  /**
   * Hears how dialling a member went; true once it has said for {@link TWIN_MS} that another process has this
   * node's id.
   */
  isTwin(node: NodeId, code: string | undefined): boolean {
    if (code !== "duplicate-id") {
      this.#refusedSince.delete(node);
      return false;
    }
    const now = this.environment.clock.now();
    const since = this.#refusedSince.get(node) ?? now;
    this.#refusedSince.set(node, since);
    return now - since >= TWIN_MS;
  }

  /** A member has let this life of the node in: it knows none that the node does not. */
  onLetIn(member: NodeId): void {
    this.#vouchers.add(member);
    this.#settle();
  }

  /** A directory that has changed its place is this node's once it is known to be the newest copy. */
  #settle(): void {
    if (!this.#journal.isCopy || !this.isVouchedFor) return;
    // Until that is remembered it goes on being asked.
    const { log } = this.environment;
    this.#journal.settle().catch((error) => log.warn("a moved directory is not settled", { error }));
  }

  /**
   * Whether members have had the chance to say that this node has forgotten a life, and did not: one of them, and
   * every one when the directory is a copy.
   */
  get isVouchedFor(): boolean {
    if (!this.#journal.isCopy) return this.#wasAlone || this.#vouchers.size > 0;
    return this.ring.members.every(({ id }) => id === this.facts.nodeId || this.#vouchers.has(id));
  }

  /** The newest ring this node knows. */
  get ring(): Ring {
    return this.current.ring;
  }

  /** Figures for `status` that no actor keeps. */
  figures(system: ActorSystem): RuntimeFigures {
    const stats = system.stats();
    return {
      uptimeMs: Math.round(this.environment.clock.now() - this.#startedAt),
      condition: this.condition ?? this.#journal.refusing ??
        (this.#journal.isCopy && !this.isVouchedFor ? MOVED : null),
      messages: { deadLetters: stats.deadLetters, lostToPeers: stats.remoteLost },
      actors: stats.perActor.map(({ name, restarts, mailboxDepth, handled, overloaded }) => ({
        name,
        restarts,
        waiting: mailboxDepth,
        handled,
        refused: overloaded,
      })),
    };
  }
}
