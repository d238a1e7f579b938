/**
 * Giving back the dead bytes of stores.
 *
 * @module
 */

import type { Damage, EngineStats } from "../../storage/engine.ts";
import { storeDirectory } from "../../storage/engines.ts";
import { openEngine } from "../../storage/open.ts";
import { Reserve } from "../reserve.ts";
import { ReserveDisk } from "../reserve_disk.ts";
import { holding, type OnProgress, refuseOpening, storesIn, type Tools } from "./directory.ts";

/** What {@link compactDirectory} did to a store. */
export interface Compaction {
  /** The store before. */
  readonly before: EngineStats;
  /** And after. */
  readonly after: EngineStats;
  /** What opening it found damaged, and cut out. */
  readonly damage: readonly Damage[];
}

/** Rewrite the stores of a data directory without their dead bytes. @throws {Refused} @throws {EngineError} */
export async function compactDirectory(
  tools: Tools,
  path: string,
  onProgress: OnProgress,
): Promise<Compaction[]> {
  const done: Compaction[] = [];
  // On a full disk it takes room to make room.
  const disk = new ReserveDisk(tools.disk, new Reserve(tools, path, 0), true);
  const engines = storesIn(tools.disk, path);
  await holding(tools, path, async () => {
    for (const [index, engine] of engines.entries()) {
      const directory = storeDirectory(path, engine);
      const store = await openEngine(engine, { ...tools, disk, directory, sync: "always" }).catch(
        refuseOpening(path),
      );
      try {
        const before = store.stats();
        await store.compact((fraction) => onProgress((index + fraction) / engines.length));
        done.push({ before, after: store.stats(), damage: store.damageAtOpen });
      } finally {
        await store.close();
      }
    }
  });
  return done;
}
