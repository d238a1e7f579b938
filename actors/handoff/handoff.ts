/**
 * The handoff: hints go back to where they belong (Dynamo, section 4.6).
 *
 * When a member for which hints are kept is alive again, they are sent to it in the order of their keys, a bounded
 * batch at a time, as writes like any other. A hint is forgotten only when everybody it was for has acknowledged it,
 * and it is then still what was sent: what is forgotten earlier is lost with the next crash on either side (Riak's).
 * Nothing of this is remembered: who crashes in the middle sends some hints twice, which does no harm (FAULTS 59).
 *
 * A hint for one who is no replica of its partition any more, having left or been given other partitions, goes to all
 * that are replicas now. Those of them that are away are not waited for: what they are to have is kept for each under
 * its own name, and then the first hint is forgotten. A member that never comes back is waited for until it is removed;
 * meanwhile its hints are bounded by the store (FAULTS 58).
 *
 * A node that leaves cannot wait for anybody. What it keeps for members that are away it hands on to others that stay,
 * as hints for the same members, durable there before it forgets them; first to those that a read would ask. The change
 * in which it leaves does not come to its end before it has none left (`actors/ring_manager/moves.ts`).
 *
 * @module
 */

import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import type { CoordinatorProtocol } from "../coordinator/protocol.ts";
import { keepersOf as standInsOf } from "../coordinator/fallbacks.ts";
import type { GossiperProtocol } from "../gossiper/protocol.ts";
import type { Budget } from "../repair/budget.ts";
import type { NodeId } from "../replica_store/protocol.ts";
import { isGone, isStaying } from "../ring_manager/moves.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import { ownersOf, type Ring } from "../ring_manager/ring.ts";
import type { HandoffProtocol, Hint, HintPage, HintStoreProtocol } from "./protocol.ts";

/** The decisions the handoff leaves to pure functions; a test plants a bug by substituting one. */
export const HANDOFF_CORE = { recipientsOf, keepersOf, isDelivered, costOf };

/** See {@link HANDOFF_CORE}. */
export type HandoffCore = typeof HANDOFF_CORE;

/**
 * Who is to have a hint: the one it is kept for while that is a replica, else all that are. While the partition moves
 * all owners, new and old: the one it is kept for may be about to drop its copy, and have been copied already. Nobody
 * who is gone.
 */
function recipientsOf(ring: Ring, partition: number, target: NodeId): NodeId[] {
  const { owners, others } = ownersOf(ring, partition);
  const replicas = [...new Set([...owners, ...others].map(({ id }) => id))].filter((id) => !isGone(ring, id));
  return others.length === 0 && replicas.includes(target) ? [target] : replicas;
}

/** Who may keep a hint for one who is away, in order: the node that has it, unless it leaves. */
function keepersOf(ring: Ring, partition: number, node: NodeId, away: NodeId): NodeId[] {
  if (ring.change?.leaving !== node) return [node];
  const { owners, others } = ownersOf(ring, partition);
  const replicas = [...owners, ...others].map(({ id }) => id).filter((id) => isStaying(ring, id));
  return [...new Set([...standInsOf(ring, partition), ...replicas])].filter((id) => id !== away);
}

/** Whether a hint may be forgotten: `ok` says that all it was for have acknowledged it. */
function isDelivered(ok: boolean): boolean {
  return ok;
}

/** What it costs to send hints, in bytes. */
function costOf(hints: readonly Hint[]): number {
  return hints.reduce((sum, { key, object }) => sum + key.length + object.length, 0);
}

/** What the handoff is composed of. */
export interface HandoffOptions {
  /** This node. */
  readonly node: NodeId;
  /** What is sent is paid from it. */
  readonly budget: Pick<Budget, "spend">;
  /** See {@link HANDOFF_CORE}. */
  readonly core: HandoffCore;
}

/** How often it looks. */
const ROUND_MS = 1_000;
/** What was sent is waited for so long; the coordinator's own deadline is a little earlier. */
const DELIVER_MS = 5_000;
const GRACE_MS = 1_000;
const ASK = { timeoutMs: 5_000 };

/** The actor `handoff`. */
export function handoff(options: HandoffOptions): ActorSpec<HandoffProtocol> {
  return {
    name: "handoff",
    reentrant: true,
    start(context) {
      const shell = new Handoff(options, context);
      return {
        round: () => shell.onRound(),
        delivered: ({ ticket, ok }) => shell.onDelivered(ticket, ok),
      };
    },
  };
}

/** What is known when a round begins. */
interface Known {
  readonly ring: Ring;
  readonly alive: ReadonlySet<NodeId>;
}

class Handoff {
  readonly #options: HandoffOptions;
  readonly #context: ActorContext<HandoffProtocol>;
  readonly #waiting = new Map<number, (ok: boolean) => void>();
  #nextTicket: number;
  #isBusy = false;
  #timer;

  constructor(options: HandoffOptions, context: ActorContext<HandoffProtocol>) {
    this.#options = options;
    this.#context = context;
    // What an earlier incarnation sent may still be answered.
    this.#nextTicket = 1 + context.environment.random.integer(2 ** 20) * 2 ** 32;
    this.#timer = context.after(ROUND_MS, "round", {});
  }

  async onRound(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#timer.cancel();
    await this.#deliverAll().finally(() => this.#isBusy = false);
    this.#timer = this.#context.after(ROUND_MS, "round", {});
  }

  onDelivered(ticket: number, ok: boolean): void {
    this.#waiting.get(ticket)?.(ok);
  }

  async #deliverAll(): Promise<void> {
    const hints = this.#context.ref<HintStoreProtocol>("hint_store");
    const targets = await hints.ask("targets", {}, ASK).catch(() => []);
    if (targets.length === 0) return;
    const [current, news] = await Promise.all([
      this.#context.ref<RingManagerProtocol>("ring_manager").ask("current", {}, ASK).catch(() => null),
      this.#context.ref<GossiperProtocol>("gossiper").ask("describe", {}, ASK).catch(() => []),
    ]);
    if (current === null) return;
    const { ring } = current;
    const alive = new Set(news.filter(({ liveness }) => liveness === "alive").map(({ node }) => node));
    const isMember = (id: NodeId) => ring.members.some((member) => member.id === id);
    const isLeaving = ring.change?.leaving === this.#options.node;
    const due = targets.filter((target) =>
      isLeaving || alive.has(target) || !isMember(target) || isGone(ring, target)
    );
    await Promise.all(due.map((target) => this.#deliverTo(target, { ring, alive })));
  }

  /** One batch after the other, for as long as all of a batch arrives. */
  async #deliverTo(target: NodeId, known: Known): Promise<void> {
    const store = this.#context.ref<HintStoreProtocol>("hint_store");
    let after: Uint8Array | null = null;
    let delivered = 0;
    do {
      const page: HintPage | null = await store.ask("page", { target, after }, ASK).catch(() => null);
      if (page === null) break;
      await this.#options.budget.spend(this.#options.core.costOf(page.hints));
      const arrived = await Promise.all(page.hints.map((hint) => this.#settle(target, hint, known)));
      const hints = page.hints.filter((_, index) => this.#options.core.isDelivered(arrived[index]!));
      if (hints.length > 0) store.tell("discard", { target, hints });
      delivered += hints.length;
      if (hints.length < page.hints.length) break;
      after = page.next;
    } while (after !== null);
    if (delivered > 0) this.#context.log.info("hints were delivered", { target, delivered });
  }

  /** Whether whoever a hint is for has it, and somebody else keeps it for those of them that are away. */
  async #settle(target: NodeId, hint: Hint, known: Known): Promise<boolean> {
    const recipients = this.#options.core.recipientsOf(known.ring, hint.partition, target);
    const present = recipients.filter((id) => known.alive.has(id));
    const away = recipients.filter((id) => !known.alive.has(id));
    if (recipients.length === 0) return false;
    if (present.length > 0 && !await this.#send(hint, present, null, known)) return false;
    for (const one of away) if (!await this.#handOn(target, hint, one, known)) return false;
    return true;
  }

  /** Have a hint kept for one who is away; false where it stays as it is. */
  async #handOn(target: NodeId, hint: Hint, away: NodeId, known: Known): Promise<boolean> {
    const { node, core } = this.#options;
    for (const keeper of core.keepersOf(known.ring, hint.partition, node, away)) {
      if (keeper === node && away === target) return false;
      if (known.alive.has(keeper) && await this.#send(hint, [keeper], away, known)) return true;
    }
    return false;
  }

  /** Send a hint to replicas, or (`keepFor`) to who is to keep it; whether all of them have it, durably. */
  #send(
    { key, partition, object }: Hint,
    recipients: readonly NodeId[],
    keepFor: NodeId | null,
    { ring }: Known,
  ): Promise<boolean> {
    const { clock } = this.#context.environment;
    const ticket = this.#nextTicket++;
    return new Promise((resolve) => {
      const timer = clock.after(DELIVER_MS + GRACE_MS, () => settle(false));
      const settle = (ok: boolean) => {
        timer.cancel();
        this.#waiting.delete(ticket);
        resolve(ok);
      };
      this.#waiting.set(ticket, settle);
      const deadline = clock.now() + DELIVER_MS;
      const delivery = { ticket, partition, epoch: ring.epoch, key, object, recipients, keepFor, deadline };
      const sent = this.#context.ref<CoordinatorProtocol>("coordinator").tell("deliver", delivery);
      if (sent !== "sent") settle(false);
    });
  }
}
