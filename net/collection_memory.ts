/**
 * What a node's journal says of the collection of tombstones: epochs, and which copies may be too old.
 *
 * @module
 */

import { type Epochs, NO_EPOCHS, type Said, type Trust } from "../actors/replica_store/collection.ts";
import { putId, putU64, u64At } from "../actors/replica_store/fields.ts";
import type { Ring } from "../actors/ring_manager/ring.ts";
import { toHex } from "../actors/runtime/bytes.ts";
import type { Engine } from "../storage/engine.ts";
import type { Fact, NodeJournal } from "../storage/node_journal.ts";

/** Collection epochs, and that they may be older than they should be. */
const COLLECTION = "collection";
const UNSURE = "unsure";
/** Partitions of which the store may hold what is older than it should be. */
const SUSPECTS = "suspects";
/** Of all that it holds. */
const ALL = Uint8Array.of(1);
const NO_BYTES = new Uint8Array(0);
const YES = Uint8Array.of(1);

/** What is set once any fact may be older than it should be. */
export const COLLECTION_DOUBTS: readonly Fact[] = [[UNSURE, YES], [SUSPECTS, ALL]];

/** What the store holds that may be older than it should be. */
export function suspectsOf(journal: NodeJournal, engine: Engine, isCorrupt: boolean): number[] {
  const kept = journal.get(SUSPECTS) ?? NO_BYTES;
  const held = engine.partitions();
  if (isCorrupt || kept.length === 1) return held;
  const view = new DataView(kept.buffer, kept.byteOffset, kept.byteLength);
  const known = new Set(Array.from({ length: kept.length >>> 1 }, (_, at) => view.getUint16(2 * at)));
  return held.filter((partition) => known.has(partition));
}

/** Whether any are remembered. */
export function hasSuspects(journal: NodeJournal): boolean {
  return (journal.get(SUSPECTS)?.length ?? 0) > 0;
}

/** Remember which partitions of the store may hold what is older than it should be. */
export async function saveSuspects(journal: NodeJournal, partitions: readonly number[]): Promise<void> {
  const bytes = new Uint8Array(2 * partitions.length);
  const view = new DataView(bytes.buffer);
  partitions.forEach((partition, at) => view.setUint16(2 * at, partition));
  await journal.set(SUSPECTS, bytes);
}

/**
 * The collection epochs as the journal has them: those of the cluster that the node belongs to, or none, and then it is
 * not sure of them.
 */
export function collectionOf(
  journal: NodeJournal,
  { clusterId, members }: Ring,
): { readonly known: Epochs; readonly trust: Trust } {
  const kept = journal.get(COLLECTION);
  const isDoubted = (journal.get(UNSURE)?.length ?? 0) > 0;
  if (kept === null || toHex(kept.subarray(0, 16)) !== clusterId) {
    return { known: NO_EPOCHS, trust: isDoubted ? "doubted" : members.length === 1 ? "sure" : "new" };
  }
  const known = { announced: u64At(kept, 16), closed: u64At(kept, 24), sealed: u64At(kept, 32) };
  return { known, trust: isDoubted ? "doubted" : "sure" };
}

/** Remember them; resolves when that is durable. */
export async function saveCollection(
  journal: NodeJournal,
  clusterId: string,
  { announced, closed, sealed, isSure }: Said,
): Promise<void> {
  const bytes = new Uint8Array(40);
  putId(bytes, 0, clusterId);
  putU64(bytes, putU64(bytes, putU64(bytes, 16, announced), closed), sealed);
  await journal.set(COLLECTION, bytes);
  const wasSure = (journal.get(UNSURE)?.length ?? 0) === 0;
  if (isSure !== wasSure) await journal.set(UNSURE, isSure ? NO_BYTES : YES);
}
