/**
 * Whether everything in a data directory reads as it was written.
 *
 * @module
 */

import type { Damage, EngineStats } from "../../storage/engine.ts";
import { missingFrom } from "../backup_manifest.ts";
import { type OnProgress, storesIn, type Tools, withJournal, withStore } from "./directory.ts";

/** What {@link verifyDirectory} found. */
export interface Verification {
  /** Whether nothing is damaged. */
  readonly whole: boolean;
  /** Every damaged place, of the node's own journal and of its stores. */
  readonly damage: readonly Damage[];
  /** The stores, as far as they open. */
  readonly stores: readonly EngineStats[];
}

/** Read everything in a data directory and report what is damaged. Changes nothing. @throws {Refused} */
export async function verifyDirectory(
  tools: Tools,
  path: string,
  onProgress: OnProgress,
): Promise<Verification> {
  const engines = storesIn(tools.disk, path);
  const damage = missingFrom(tools.disk, path);
  const stores: EngineStats[] = [];
  await withJournal(tools, path, damage, async (journal) => {
    damage.push(...journal?.damageAtOpen ?? []);
    for (const [index, engine] of engines.entries()) {
      await withStore(tools, path, engine, damage, async (store) => {
        damage.push(...store.damageAtOpen);
        damage.push(...await store.verify((fraction) => onProgress((index + fraction) / engines.length)));
        stores.push(store.stats());
      });
    }
  });
  return { whole: damage.length === 0, damage, stores };
}
