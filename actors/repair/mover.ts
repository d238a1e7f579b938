/**
 * The mover: sees to it that a membership change that has begun comes to its end.
 *
 * What may be done next follows from the ring and from what its members say (`actors/ring_manager/moves.ts`); nothing
 * is remembered here. So any member can do it, and does: whoever is the first in the list of those it believes alive.
 * When that one dies the next goes on where the ring stands. Two that believe to be the first propose the same rings,
 * and one of them loses a vote.
 *
 * The copies are made by their receivers (`refiller.ts`). The last step, in which a member that leaves is none any
 * more, waits until that one holds nothing: no partition, for all it had are dropped by then, and no hint, for a hint
 * is an acknowledged write and may be the only copy of it that there is. What it keeps for one that is away it must
 * get rid of while it may still send; and it is given no more (`actors/coordinator/fallbacks.ts`).
 *
 * @module
 */

import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import { AskError } from "../runtime/protocol.ts";
import type { GossiperProtocol } from "../gossiper/protocol.ts";
import type { HintStoreProtocol } from "../handoff/protocol.ts";
import type { NodeId, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import type { Ballot } from "../ring_manager/commit.ts";
import { isGone, type MoveReport, MOVES_CORE, type MovesCore, nextRing } from "../ring_manager/moves.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { propose } from "../ring_manager/vote.ts";

/** Messages of the mover. */
export type MoverProtocol = {
  /** Look whether anything can be done. Own timer. */
  drive: [Record<never, never>, void];
};

/** The decisions the mover leaves to pure functions; a test plants a bug by substituting one. */
export interface MoverCore extends MovesCore {
  /** Who is to drive a change, of those believed alive. */
  driverOf(ring: Ring, alive: readonly NodeId[]): NodeId | undefined;
}

/** See {@link MoverCore}. */
export const MOVER_CORE: MoverCore = { ...MOVES_CORE, driverOf };

/** Who is to drive a change, of those believed alive: the first member that does not go. */
function driverOf(ring: Ring, alive: readonly NodeId[]): NodeId | undefined {
  return ring.members.map(({ id }) => id).find((id) => alive.includes(id) && !isGone(ring, id));
}

/** What the mover is composed of. */
export interface MoverOptions {
  /** This node. */
  readonly node: NodeId;
  /** See {@link MOVER_CORE}. */
  readonly core: MoverCore;
}

/** How often it looks while there is a change, and while there is none. */
const DRIVE_MS = 500;
const IDLE_MS = 1_000;
const ASK = { timeoutMs: 2_000 };

/** The actor `mover`. */
export function mover(options: MoverOptions): ActorSpec<MoverProtocol> {
  return {
    name: "mover",
    start(context) {
      const votes: Votes = { outbid: null };
      context.after(0, "drive", {});
      return {
        async drive() {
          const isMoving = await drive(context, options, votes);
          // Two that drive had better not do it at the same moments.
          const nextMs = isMoving ? DRIVE_MS * (0.5 + context.environment.random.next()) : IDLE_MS;
          context.after(nextMs, "drive", {});
        },
      };
    },
  };
}

type Context = ActorContext<MoverProtocol>;

/** What is known of ballots: whoever was outbid has to go higher. */
interface Votes {
  outbid: Ballot | null;
}

/** Take the next step of a change, if there is one and this node is to; whether there is a change. */
async function drive(context: Context, { node, core }: MoverOptions, votes: Votes): Promise<boolean> {
  try {
    const { ring } = await context.ref<RingManagerProtocol>("ring_manager").ask("current", {}, ASK);
    if (ring.change === null) return false;
    const news = await context.ref<GossiperProtocol>("gossiper").ask("describe", {}, ASK);
    const alive = news.filter(({ liveness }) => liveness === "alive").map((member) => member.node);
    if (core.driverOf(ring, alive) !== node) return true;
    const next = nextRing(ring, await reportsOf(context, ring), core);
    if (next === null) return true;
    const outcome = await propose(context, { ring, next, fence: false }, votes.outbid);
    votes.outbid = outcome.kind === "outbid" ? outcome.promised : null;
    const left = next.change?.motions.length ?? 0;
    context.log.info("a membership change goes on", { epoch: next.epoch, outcome: outcome.kind, left });
    return true;
  } catch (error) {
    if (!(error instanceof AskError)) throw error; // one of this node's own actors is on its way back
    return true;
  }
}

/**
 * Whether a node holds nothing any more, neither partitions nor hints, and takes no hints since the ring of this epoch;
 * false also while that cannot be told.
 */
export async function holdsNothing(
  refs: Pick<Context, "ref">,
  node: NodeId | null,
  since: number,
): Promise<boolean> {
  const at = (actor: string) => node === null ? actor : { node, actor };
  const weights = await refs.ref<ReplicaStoreProtocol>(at("replica_store")).ask("weigh", {}, ASK).catch(() =>
    null
  );
  const hints = await refs.ref<HintStoreProtocol>(at("hint_store")).ask("left", {}, ASK).catch(() => null);
  return weights?.partitions.length === 0 && hints?.count === 0 && hints.epoch >= since;
}

/** What every member says of the change, as far as it says anything. */
async function reportsOf(context: Context, ring: Ring): Promise<Map<NodeId, MoveReport>> {
  const reports = new Map<NodeId, MoveReport>();
  const { since, leaving, motions } = ring.change!;
  await Promise.all(
    ring.members.filter(({ id }) => !isGone(ring, id)).map(async ({ id }) => {
      const store = context.ref<ReplicaStoreProtocol>({ node: id, actor: "replica_store" });
      const report = await store.ask("progress", {}, ASK).catch(() => null);
      if (report === null) return;
      const isLast = id === leaving && motions.length === 0;
      reports.set(id, isLast ? { ...report, isEmptied: await holdsNothing(context, id, since) } : report);
    }),
  );
  return reports;
}
