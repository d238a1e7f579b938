/**
 * The refiller: a node that may have lost data (its memory was volatile, its store was wiped or damaged) fetches
 * its partitions back before their reads count again.
 *
 * Such a node still takes writes, and what it has left is merged into reads, but it answers `not-whole`: of two
 * replicas that must answer a read it cannot be one, or an acknowledged write could be missed. A partition is
 * whole again when every other owner has been read from its first key to its last and all of it is durable here.
 * Every other owner: an acknowledged write may be on any W of them. An owner that is away is waited for; one
 * that is itself not whole gives what it has, for more than that exists nowhere.
 *
 * Whoever was restored from an older copy may go by an older ring, whose owners are not those that took the writes
 * since. An owner that knows a newer one gives nothing, and the newer one comes by gossip.
 *
 * Whatever happens meanwhile to the store here or to the ring makes another loss of it, to be refilled from the
 * start (`actors/replica_store/wholeness.ts`).
 *
 * Where nothing was ever written this is a matter of one question per partition and owner.
 *
 * @module
 */

import type { Budget } from "./budget.ts";
import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import type { NodeId, NotWhole, PartitionDigest, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import { sourcesOf } from "../ring_manager/moves.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { equalBytes } from "../runtime/bytes.ts";
import { Copies } from "./copy.ts";
import { fateOf, resolveSuspects } from "./regression.ts";

/** Messages of the refiller. */
export type RefillerProtocol = {
  /** Look whether anything is missing, and fetch it. Own timer, and whoever knows that something is. */
  refill: [Record<never, never>, void];
};

/** The decisions the refiller leaves to pure functions; a test plants a bug by substituting one. */
export const REFILLER_CORE = { sourcesOf, hasCome, isSame, fateOf };

/** See {@link REFILLER_CORE}. */
export type RefillerCore = typeof REFILLER_CORE;

/** Whether a page is what was asked for. One that could not be had is not the end of a partition. */
function hasCome({ ok }: { readonly ok: boolean }): boolean {
  return ok;
}

/** Whether two pieces are the same: then nothing of it need be fetched again. */
function isSame(theirs: PartitionDigest, ours: PartitionDigest): boolean {
  const isLast = theirs.next === null && ours.next === null;
  return ours.ok && theirs.checksum === ours.checksum && theirs.keys === ours.keys &&
    (isLast || theirs.next !== null && ours.next !== null && equalBytes(theirs.next, ours.next));
}

/** What the refiller is composed of. */
export interface RefillerOptions {
  /** This node. */
  readonly node: NodeId;
  /** What is fetched is paid from it. */
  readonly budget: Pick<Budget, "spend">;
  /** See {@link REFILLER_CORE}. */
  readonly core: RefillerCore;
}

/** How often it looks: also how long an owner that was away is waited for. */
const REFILL_MS = 1_000;
const ASK = { timeoutMs: 5_000 };

/** The actor `refiller`. */
export function refiller(options: RefillerOptions): ActorSpec<RefillerProtocol> {
  return {
    name: "refiller",
    start(context) {
      const copies = new Copies(context, options);
      let timer = context.after(0, "refill", {});
      return {
        async refill() {
          timer.cancel();
          await resolveSuspects(context, options.node, options.core);
          await refillAll(context, options, copies);
          timer = context.after(REFILL_MS, "refill", {});
        },
      };
    },
  };
}

type Context = ActorContext<RefillerProtocol>;

async function refillAll(context: Context, options: RefillerOptions, copies: Copies): Promise<void> {
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  const missing = await store.ask("listNotWhole", {}, ASK).catch(() => null);
  if (missing === null) return;
  const { ring, losses } = missing;
  copies.keepOnly(new Set(losses.map(({ lossId }) => lossId)));
  let refilled = 0;
  for (const loss of losses) {
    if (!await refillPartition(options, copies, ring, loss)) continue;
    store.tell("refilled", loss);
    refilled++;
  }
  if (refilled > 0) context.log.info("partitions were refilled", { refilled, of: losses.length });
}

/** Fetch one partition from every other owner; false when not all of it could be had. */
async function refillPartition(
  { node, core }: RefillerOptions,
  copies: Copies,
  ring: Ring,
  { partition, lossId, since }: NotWhole["losses"][number],
): Promise<boolean> {
  for (const owner of core.sourcesOf(ring, partition, node)) {
    if (!await copies.make({ partition, lossId, since, epoch: ring.epoch, owner })) return false;
  }
  return true;
}
