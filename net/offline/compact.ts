/**
 * Giving back the dead bytes of stores.
 *
 * @module
 */

import type { Damage, EngineStats } from "../../storage/engine.ts";
import { type EngineName, storeDirectory } from "../../storage/engines.ts";
import { openEngine } from "../../storage/open.ts";
import { Reserve } from "../reserve.ts";
import { ReserveDisk } from "../reserve_disk.ts";
import { holding, type OnProgress, refuseOpening, storesIn, type Tools, withStore } from "./directory.ts";

/** What {@link compactDirectory} did to a store. */
export interface Compaction {
  /** The store before. */
  readonly before: EngineStats;
  /** And after. */
  readonly after: EngineStats;
}

/** What came of it. With `damage` nothing was done: a node has to see it, to know what it may have lost. */
export interface Compactions {
  /** Every store. */
  readonly stores: readonly Compaction[];
  /** What keeps them from being compacted. */
  readonly damage: readonly Damage[];
}

/** Rewrite the stores of a data directory without their dead bytes. @throws {Refused} @throws {EngineError} */
export async function compactDirectory(
  tools: Tools,
  path: string,
  onProgress: OnProgress,
): Promise<Compactions> {
  const engines = storesIn(tools.disk, path);
  const stores: Compaction[] = [];
  const damage: Damage[] = [];
  await holding(tools, path, async () => {
    for (const engine of engines) {
      await withStore(tools, path, engine, damage, ({ damageAtOpen }) => {
        damage.push(...damageAtOpen.filter(({ kind }) => kind !== "rebuilt"));
      });
    }
    if (damage.length > 0) return;
    for (const [index, engine] of engines.entries()) {
      const onStore: OnProgress = (fraction) => onProgress((index + fraction) / engines.length);
      stores.push(await compactStore(tools, path, engine, onStore));
    }
  });
  return { stores, damage };
}

async function compactStore(
  tools: Tools,
  path: string,
  engine: EngineName,
  onProgress: OnProgress,
): Promise<Compaction> {
  // On a full disk it takes room to make room.
  const disk = new ReserveDisk(tools.disk, new Reserve(tools, path, 0));
  const directory = storeDirectory(path, engine);
  const options = { ...tools, disk, directory, sync: "always" as const, reserveBytes: 0 };
  const store = await openEngine(engine, options).catch(refuseOpening(path));
  try {
    const before = store.stats();
    await store.compact(onProgress);
    return { before, after: store.stats() };
  } finally {
    await store.close();
  }
}
