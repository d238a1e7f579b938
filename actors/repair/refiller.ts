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
import {
  type Absorb,
  type AbsorbAnswer,
  NO_PAGE,
  type NodeId,
  type PartitionPage,
  type ReplicaStoreProtocol,
} from "../replica_store/protocol.ts";
import { preferenceList, type Ring } from "../ring_manager/ring.ts";

/** Messages of the refiller. */
export type RefillerProtocol = {
  /** Look whether anything is missing, and fetch it. Own timer, and whoever knows that something is. */
  refill: [Record<never, never>, void];
};

/** The decisions the refiller leaves to pure functions; a test plants a bug by substituting one. */
export const REFILLER_CORE = { sourcesOf, hasCome };

/** See {@link REFILLER_CORE}. */
export type RefillerCore = typeof REFILLER_CORE;

/** Who has to be read before a partition is whole: an acknowledged write may be on any W owners. */
function sourcesOf(ring: Ring, partition: number, node: NodeId): NodeId[] {
  return preferenceList(ring, partition).map(({ id }) => id).filter((id) => id !== node);
}

/** Whether a page is what was asked for. One that could not be had is not the end of a partition. */
function hasCome({ ok }: PartitionPage): boolean {
  return ok;
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
/** How long the store is left alone that has not made the last page durable. */
const BUSY_MS = 10;
const ASK = { timeoutMs: 5_000 };

/** The actor `refiller`. */
export function refiller(options: RefillerOptions): ActorSpec<RefillerProtocol> {
  return {
    name: "refiller",
    start(context) {
      let timer = context.after(0, "refill", {});
      return {
        async refill() {
          timer.cancel();
          await refillAll(context, options);
          timer = context.after(REFILL_MS, "refill", {});
        },
      };
    },
  };
}

type Context = ActorContext<RefillerProtocol>;

/** What is to be made good. */
type Loss = Pick<Absorb, "partition" | "lossId">;

async function refillAll(context: Context, options: RefillerOptions): Promise<void> {
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  const missing = await store.ask("listNotWhole", {}, ASK).catch(() => null);
  if (missing === null || missing.losses.length === 0) return;
  const { ring, losses } = missing;
  let refilled = 0;
  for (const loss of losses) {
    if (!await refillPartition(context, options, ring, loss)) continue;
    store.tell("refilled", loss);
    refilled++;
  }
  if (refilled > 0) context.log.info("partitions were refilled", { refilled, of: losses.length });
}

/** Fetch one partition from every other owner; false when not all of it could be had. */
async function refillPartition(
  context: Context,
  options: RefillerOptions,
  ring: Ring,
  loss: Loss,
): Promise<boolean> {
  const { node, core } = options;
  for (const owner of core.sourcesOf(ring, loss.partition, node)) {
    if (!await copyFrom(context, options, { owner, epoch: ring.epoch }, loss)) return false;
  }
  return true;
}

async function copyFrom(
  context: Context,
  { core, budget }: RefillerOptions,
  { owner, epoch }: { readonly owner: NodeId; readonly epoch: number },
  loss: Loss,
): Promise<boolean> {
  const { partition } = loss;
  const theirs = context.ref<ReplicaStoreProtocol>({ node: owner, actor: "replica_store" });
  let after: Uint8Array | null = null;
  do {
    const page: PartitionPage = await theirs.ask("scan", { partition, after, epoch }, ASK).catch(() =>
      NO_PAGE
    );
    if (!core.hasCome(page)) return false;
    await budget.spend(page.entries.reduce((sum, { key, object }) => sum + key.length + object.length, 0));
    if (await absorb(context, { ...loss, entries: page.entries }) !== "taken") return false;
    after = page.next;
  } while (after !== null);
  return true;
}

/** Have the store take a page as soon as its disk has caught up. */
async function absorb(context: Context, page: Absorb): Promise<AbsorbAnswer> {
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  while (true) {
    const answer = await store.ask("absorb", page, ASK).catch((): AbsorbAnswer => "refused");
    if (answer !== "busy") return answer;
    await new Promise<void>((resolve) => void context.environment.clock.after(BUSY_MS, resolve));
  }
}
