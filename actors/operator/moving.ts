/**
 * Membership changes among members: leaving, removing one that will not come back, giving a change up; and what a
 * change would mean, before it is made. Joining, and taking another's place, begin at the node that is to be a member:
 * `membership_change.ts`. What has begun is carried on by `actors/repair/mover.ts`, whoever asked for it.
 *
 * @module
 */

import type { ActorContext } from "../runtime/mod.ts";
import type { GossiperProtocol } from "../gossiper/protocol.ts";
import type { HintStoreProtocol } from "../handoff/protocol.ts";
import type { NodeId, ReplicaStoreProtocol, StoreWeights } from "../replica_store/protocol.ts";
import type { Ballot } from "../ring_manager/commit.ts";
import { cancelChange, giveUp, incomingOf } from "../ring_manager/moves.ts";
import { type Change, plan, type Violation } from "../ring_manager/plan.ts";
import type { ProposalOutcome } from "../ring_manager/proposal.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { pause, propose } from "../ring_manager/vote.ts";
import type { ChangeOutcome, MovesView, OperatorActorProtocol, Preview, Refusal } from "./protocol.ts";

type Context = ActorContext<OperatorActorProtocol>;

/** A whole change is given so long, ballots lost to others included. */
export const CHANGE_MS = 20_000;
/** Another change that is under way is waited for so long: whoever asks is to hear of it before his deadline. */
const LATER_MS = 3_000;
/** Longest wait before another ballot. */
export const REBALLOT_MS = 300;
/** The refusal where one change has to wait for another one. */
const UNDER_WAY = "change-under-way";
/** The steps of a change take about so long, however little has to move. */
const STEPS_MS = 3_000;
const ASK = { timeoutMs: 5_000 };
const WEIGH = { timeoutMs: 1_000 };

/** Why a member may not vote that is there: see `RingManagerOptions.mayVote`. */
export const VOTELESS = "without a vote, for it may have forgotten a promise";

/** A refusal. */
export function refusal(code: string, message: string): Refusal {
  return { ok: false, code, message };
}

/** The ring as this node has it. */
export async function currentRing(context: Context): Promise<Ring> {
  return (await context.ref<RingManagerProtocol>("ring_manager").ask("current", {}, ASK)).ring;
}

/** What is to follow a ring: another ring, nothing (with the reason), or something later. */
export type Wish = { readonly next: Ring; readonly fence: boolean } | Refusal | "later";

/**
 * Put rings to the vote until the one that is wished for is chosen. `wish` says what is to follow the present ring;
 * `isDone`, asked first, whether it has come about already.
 */
export async function agree(
  context: Context,
  isDone: (ring: Ring) => boolean,
  wish: (ring: Ring) => Wish,
  onOutcome: (ring: Ring, outcome: ProposalOutcome, fence: boolean) => Refusal | null = refusalOf,
): Promise<{ readonly ok: true; readonly ring: Ring } | Refusal> {
  const { clock, random } = context.environment;
  const until = clock.now() + CHANGE_MS;
  let outbid: Ballot | null = null;
  const laterUntil = clock.now() + LATER_MS;
  while (clock.now() < until) {
    const ring = await currentRing(context);
    if (isDone(ring)) return { ok: true, ring };
    const wished = wish(ring);
    if (wished === "later") {
      if (clock.now() >= laterUntil) {
        return refusal(UNDER_WAY, "another membership change is under way; wait for its end, or cancel it");
      }
      await pause(context, REBALLOT_MS + random.integer(REBALLOT_MS));
      continue;
    }
    if ("ok" in wished) return wished;
    const outcome = await propose(context, { ring, ...wished }, outbid);
    const refused = onOutcome(ring, outcome, wished.fence);
    if (refused !== null) return refused;
    if (outcome.kind === "committed" && isDone(wished.next)) return { ok: true, ring: wished.next };
    outbid = outcome.kind === "outbid" ? outcome.promised : null;
    // No new ring to plan from: another ballot goes first, or this node's disk is too full to remember what was chosen.
    if ((await currentRing(context)).epoch === ring.epoch) await pause(context, random.integer(REBALLOT_MS));
  }
  return refusal("no-agreement", "the members did not agree on a new ring in time; try again");
}

/** Why there is no sense in another ballot, null when there is. */
function refusalOf(ring: Ring, outcome: ProposalOutcome): Refusal | null {
  if (outcome.kind !== "unreachable") return null;
  const name = (id: NodeId) => ring.members.find((member) => member.id === id)?.address ?? id;
  const who = outcome.missing.map(name).join(", ");
  return refusal(
    "unreachable",
    `most members must agree, and most of those that will be left; these do not: ${who} (away, or ${VOTELESS})`,
  );
}

function outcomeOf(agreed: { readonly ok: true; readonly ring: Ring } | Refusal): ChangeOutcome {
  if (!agreed.ok) return agreed;
  const { epoch, change } = agreed.ring;
  return { ok: true, epoch, partitions: change?.motions.length ?? 0 };
}

/** This node hands over what it has, and goes. */
export async function leave(context: Context, node: NodeId): Promise<ChangeOutcome> {
  const isDone = ({ removed, change }: Ring) => removed.includes(node) || change?.leaving === node;
  return outcomeOf(await agree(context, isDone, (ring) => wishFor(ring, { kind: "leave", id: node })));
}

/**
 * A member that will not come back goes. A change that is under way does not wait for it any more; if that was the one
 * in which it leaves, that is all, and if it was the one in which it joins, that is given up as far as it can be.
 */
export async function forceRemove(
  context: Context,
  node: NodeId,
  id: NodeId,
  isAliveToo: boolean,
): Promise<ChangeOutcome> {
  if (id === node) {
    return refusal("not-itself", "a node that runs leaves; another member removes one that does not");
  }
  if (!isAliveToo && !await isAway(context, id)) {
    const what = "that member passes for alive, and had better leave";
    return refusal(
      "alive",
      `${what}; if it has just stopped, try again in some seconds; --alive removes it anyway`,
    );
  }
  const isDone = ({ removed, change }: Ring) =>
    removed.includes(id) || change?.leaving === id && change.gone.includes(id);
  const agreed = await agree(context, isDone, (ring) => {
    const undone = ring.change?.joining === id ? cancelChange(ring) : null;
    const next = undone?.ok ? undone.next : giveUp(ring, id);
    return next === null ? wishFor(ring, { kind: "force-remove", id }) : { next, fence: false };
  });
  if (agreed.ok || agreed.code !== UNDER_WAY) return outcomeOf(agreed);
  return refusal(
    UNDER_WAY,
    "another membership change is under way, and does not wait for it any more; remove it when that is over, " +
      "or has been cancelled",
  );
}

/** What has not flipped stays where it is. */
export async function cancel(context: Context): Promise<ChangeOutcome> {
  const begun = (await currentRing(context)).change;
  if (begun === null) return refusal("no-change", "no membership change is under way");
  const isDone = ({ change }: Ring) => change?.since !== begun.since || isWindingUp(change);
  return outcomeOf(
    await agree(context, isDone, (ring) => {
      const cancelled = cancelChange(ring);
      return cancelled.ok
        ? { next: cancelled.next, fence: false }
        : refusal(cancelled.code, cancelled.message);
    }),
  );
}

/** Whether nothing is left of a change but what has flipped. */
function isWindingUp({ joining, leaving, motions }: NonNullable<Ring["change"]>): boolean {
  return joining === null && leaving === null && motions.every(({ phase }) => phase === "settling");
}

/** What a change asks for. */
export function wishFor(ring: Ring, change: Change): Wish {
  const planned = plan(ring, change);
  if (planned.ok) return { next: planned.begun, fence: false };
  return planned.code === UNDER_WAY ? "later" : refusal(planned.code, planned.message);
}

/** Whether a member is not believed alive by this node. */
export async function isAway(context: Context, id: NodeId): Promise<boolean> {
  return !(await believedAlive(context)).has(id);
}

async function believedAlive(context: Context): Promise<ReadonlySet<NodeId>> {
  const news = await context.ref<GossiperProtocol>("gossiper").ask("describe", {}, ASK);
  return new Set(news.filter(({ liveness }) => liveness === "alive").map(({ node }) => node));
}

/**
 * What a change would mean; nothing is done.
 *
 * @param bytesPerS what the budget of this node gives just now: about what those who copy will have
 */
export async function preview(context: Context, change: Change, bytesPerS: number): Promise<Preview> {
  const ring = await currentRing(context);
  const planned = plan(ring, change);
  if (!planned.ok && planned.code === UNDER_WAY && change.kind === "force-remove") {
    const message =
      "another membership change is under way: force-remove has it go on without that member, " +
      "and can be planned when that is over";
    return refusal(UNDER_WAY, message);
  }
  if (!planned.ok) return refusal(planned.code, planned.message);
  const weights = await weigh(context, ring);
  const bytes = planned.moves.reduce((sum, { partition }) => sum + (weights.get(partition) ?? 0), 0);
  const receivers = new Set(planned.moves.map(({ to }) => to)).size;
  return {
    ok: true,
    epoch: ring.epoch,
    members: planned.next.members.length,
    moves: planned.moves,
    bytes,
    estimateMs: STEPS_MS + Math.ceil(1000 * bytes / Math.max(1, bytesPerS) / Math.max(1, receivers)),
    violations: planned.violations.map(inWords),
  };
}

function inWords(violation: Violation): string {
  if (violation.code === "too-few-zones") {
    return `replicas will share zones: there are ${violation.zones} for ${violation.n} replicas`;
  }
  return `under-replicated: ${violation.members} members for ${violation.n} replicas`;
}

/** How far the change under way is; null: there is none. */
export async function movesView(context: Context): Promise<MovesView | null> {
  const ring = await currentRing(context);
  const { change } = ring;
  if (change === null) return null;
  const weights = await weigh(context, ring);
  const copying = change.motions.filter(({ phase }) => phase === "copying");
  const bytesLeft = copying.reduce(
    (sum, motion) => sum + incomingOf(ring, motion).length * (weights.get(motion.partition) ?? 0),
    0,
  );
  const { since, joining, leaving, gone, motions } = change;
  const isGone = leaving !== null && gone.includes(leaving);
  const settling = motions.length - copying.length;
  const hintsLeft = leaving === null || isGone ? null : await hintsAt(context, leaving);
  const alive = await believedAlive(context);
  const away = ring.members.map(({ id }) => id).filter((id) => !alive.has(id) && !gone.includes(id));
  return { since, joining, leaving, isGone, copying: copying.length, settling, bytesLeft, hintsLeft, away };
}

async function hintsAt(context: Context, node: NodeId): Promise<number | null> {
  const store = context.ref<HintStoreProtocol>({ node, actor: "hint_store" });
  const left = await store.ask("left", {}, WEIGH).catch(() => null);
  return left === null ? null : left.count;
}

/** How large each partition is, by the owner that has most of it. */
async function weigh(context: Context, ring: Ring): Promise<Map<number, number>> {
  const sizes = new Map<number, number>();
  const nothing: StoreWeights = { partitions: [], keys: [], bytes: [] };
  await Promise.all(ring.members.map(async ({ id }) => {
    const store = context.ref<ReplicaStoreProtocol>({ node: id, actor: "replica_store" });
    const { partitions, bytes } = await store.ask("weigh", {}, WEIGH).catch(() => nothing);
    partitions.forEach((partition, at) => {
      sizes.set(partition, Math.max(sizes.get(partition) ?? 0, bytes[at] ?? 0));
    });
  }));
  return sizes;
}
