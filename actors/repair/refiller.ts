/**
 * The refiller: a node that may have lost data (its memory was volatile, its store was wiped or damaged) fetches
 * its partitions back before their reads count again.
 *
 * Such a node still takes writes, and what it has left is merged into reads, but it answers `not-whole`: of two
 * replicas that must answer a read it cannot be one, or an acknowledged write could be missed. A partition is
 * whole again when all that every other owner has of it is here, and durable (`copy.ts`).
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
import type { NodeId, NotWhole, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import { sourcesOf } from "../ring_manager/moves.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { Copies } from "./copy.ts";
import { exchange, type Outcome } from "./exchange.ts";

/** Messages of the refiller. */
export type RefillerProtocol = {
  /** Look whether anything is missing, and fetch it. Own timer, and whoever knows that something is. */
  refill: [Record<never, never>, void];
  /** For `status`. */
  describe: [Record<never, never>, CopyStatus];
};

/** What the refiller tells of itself. Counts are since it started. */
export interface CopyStatus {
  /** Bytes that were fetched from other owners, to refill a store or to become an owner. */
  readonly fetchedBytes: number;
}

/** The decisions the refiller leaves to pure functions; a test plants a bug by substituting one. */
export const REFILLER_CORE = { sourcesOf, hasHeard, hasCome, exchange, isVerified };

/** See {@link REFILLER_CORE}. */
export type RefillerCore = typeof REFILLER_CORE;

/** Whether an owner answers, and knows of the change that a copy is for. */
function hasHeard(progress: { readonly epoch: number } | null, since: number): boolean {
  return progress !== null && progress.epoch >= since;
}

/** Whether a page is what was asked for. One that could not be had is not the end of a partition. */
function hasCome({ ok }: { readonly ok: boolean }): boolean {
  return ok;
}

/**
 * Whether all that an owner has is here. What is damaged there is not, and is no reason to wait: nobody can bring it
 * back, and two owners with such a record each would wait for one another for ever.
 */
function isVerified({ isThrough }: Pick<Outcome, "isThrough">): boolean {
  return isThrough;
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
    reentrant: true, // it is asked how far it is
    start(context) {
      const copies = new Copies(context, options);
      let isBusy = false;
      let isWanted = false;
      let timer = context.after(0, "refill", {});
      return {
        async refill() {
          timer.cancel();
          isWanted = true;
          if (isBusy) return;
          isBusy = true;
          try {
            while (isWanted) {
              isWanted = false;
              await refillAll(context, options, copies);
            }
          } finally {
            isBusy = false;
          }
          timer = context.after(REFILL_MS, "refill", {});
        },
        describe: () => ({ fetchedBytes: copies.fetchedBytes }),
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
