/**
 * What becomes of copies that may be older than they should be (`replica_store/suspects.ts`): each waits for what all
 * other owners of its partition say, and is then dropped and fetched anew, or merged with theirs.
 *
 * To merge it may bring back what was deleted, once the tombstone was collected. To drop it may lose what was
 * acknowledged here and is nowhere else. It is the copy of a node whose disk has lost something; of those that
 * acknowledged a write fewer than W may, so as long as no other owner lacks anything for such a reason, all that was
 * acknowledged is with them. Where one does, data go before tombstones: what was deleted may come back then.
 *
 * @module
 */

import type { NodeId, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import type { Standing } from "../replica_store/reaper_protocol.ts";
import { sourcesOf } from "../ring_manager/moves.ts";
import type { ActorContext } from "../runtime/mod.ts";
import type { Protocol } from "../runtime/protocol.ts";

/** See the module. */
export type Fate = "wait" | "rebuild" | "merge";

/**
 * What becomes of a suspect copy of a partition. `standings`: what the other owners say, undefined of those that are
 * silent; `sealed`: the collection epoch as this node knows it.
 */
export function fateOf(
  partition: number,
  standings: readonly (Standing | undefined)[],
  sealed: number,
): Fate {
  const known = standings.filter((one) => one !== undefined);
  if (known.length < standings.length) return "wait";
  if (Math.max(sealed, ...known.map((one) => one.sealed)) === 0) return "merge"; // nothing was ever collected
  if (known.length === 0) return "merge";
  return known.some(({ isSerious, notWhole }) => isSerious && notWhole.includes(partition))
    ? "merge"
    : "rebuild";
}

const ASK = { timeoutMs: 5_000 };

/** Decide on all suspects of this node on which it can be decided now. */
export async function resolveSuspects(
  context: Pick<ActorContext<Protocol>, "ref" | "log">,
  node: NodeId,
  core: { readonly fateOf: typeof fateOf },
): Promise<void> {
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  const found = await store.ask("suspects", {}, ASK).catch(() => null);
  if (found === null || found.partitions.length === 0) return;
  const { ring, partitions } = found;
  const standings = new Map<NodeId, Standing>();
  const others = new Set(partitions.flatMap((partition) => sourcesOf(ring, partition, node)));
  await Promise.all([...others].map(async (id) => {
    const other = context.ref<ReplicaStoreProtocol>({ node: id, actor: "replica_store" });
    const standing = await other.ask("standing", {}, ASK).catch(() => null);
    if (standing !== null) standings.set(id, standing);
  }));
  const own = await store.ask("standing", {}, ASK).catch(() => null);
  if (own === null) return;
  for (const partition of partitions) {
    const asked = sourcesOf(ring, partition, node).map((id) => standings.get(id));
    const fate = core.fateOf(partition, asked, own.sealed);
    if (fate !== "wait") store.tell("resolve", { partition, isRebuilt: fate === "rebuild" });
  }
}
