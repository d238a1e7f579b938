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
 * Where nothing was ever written this is a matter of one question per partition and owner.
 *
 * @module
 */

import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import type { NodeId, PartitionPage, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import { preferenceList, type Ring } from "../ring_manager/ring.ts";

/** Messages of the refiller. */
export type RefillerProtocol = {
  /** Look whether anything is missing, and fetch it. Own timer. */
  refill: [Record<never, never>, void];
};

/** What the refiller is composed of. */
export interface RefillerOptions {
  /** This node. */
  readonly node: NodeId;
}

/** How often it looks: also how long an owner that was away is waited for. */
const REFILL_MS = 1_000;
const ASK = { timeoutMs: 5_000 };

/** The actor `refiller`. */
export function refiller({ node }: RefillerOptions): ActorSpec<RefillerProtocol> {
  return {
    name: "refiller",
    start(context) {
      context.after(0, "refill", {});
      return {
        async refill() {
          await refillAll(context, node);
          context.after(REFILL_MS, "refill", {});
        },
      };
    },
  };
}

type Context = ActorContext<RefillerProtocol>;

async function refillAll(context: Context, node: NodeId): Promise<void> {
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  const missing = await store.ask("listNotWhole", {}, ASK).catch(() => []);
  if (missing.length === 0) return;
  const manager = context.ref<RingManagerProtocol>("ring_manager");
  const current = await manager.ask("current", {}, ASK).catch(() => null);
  if (current === null) return;
  let refilled = 0;
  for (const partition of missing) {
    if (!await refillPartition(context, node, current.ring, partition)) continue;
    store.tell("refilled", { partition });
    refilled++;
  }
  if (refilled > 0) context.log.info("partitions were refilled", { refilled, of: missing.length });
}

/** Fetch one partition from every other owner; false when not all of it could be had. */
async function refillPartition(
  context: Context,
  node: NodeId,
  ring: Ring,
  partition: number,
): Promise<boolean> {
  for (const { id } of preferenceList(ring, partition)) {
    if (id !== node && !await copyFrom(context, id, partition)) return false;
  }
  return true;
}

async function copyFrom(context: Context, owner: NodeId, partition: number): Promise<boolean> {
  const theirs = context.ref<ReplicaStoreProtocol>({ node: owner, actor: "replica_store" });
  const own = context.ref<ReplicaStoreProtocol>("replica_store");
  let after: Uint8Array | null = null;
  do {
    const page: PartitionPage | null = await theirs.ask("scan", { partition, after }, ASK).catch(() => null);
    if (page === null || !page.ok) return false;
    const absorbed = await own.ask("absorb", { partition, entries: page.entries }, ASK).catch(() => null);
    if (absorbed === null || !absorbed.ok) return false;
    after = page.next;
  } while (after !== null);
  return true;
}
