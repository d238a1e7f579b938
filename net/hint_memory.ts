/**
 * What a node finds of the hints it keeps: in a store of their own, in the same directory.
 *
 * @module
 */

import { equalBytes, fromHex } from "../actors/runtime/bytes.ts";
import type { Environment } from "../actors/runtime/environment.ts";
import type { Engine, Pace } from "../storage/engine.ts";
import { storeDirectory } from "../storage/engines.ts";
import type { NodeJournal } from "../storage/node_journal.ts";
import { openEngine, type OpenEngineOptions } from "../storage/open.ts";
import { refuseOtherStores, VOLATILE } from "./node_memory.ts";
import type { Settings } from "./node_options.ts";

/** Which store the node's hints were in the last time. */
const HINTS = "hints";

const MIB = 1024 * 1024;
/** Few hints at a time are the rule: their store takes little memory, and little of what is kept for a full disk. */
const SMALL = { segmentBytes: 4 * MIB, memtableBytes: 4 * MIB, cacheBytes: 4 * MIB } as const;

/** The decisions about hints that a test substitutes to plant a bug. */
export const HINT_MEMORY_CORE = {
  /** Opens their engine. */
  openHints: (...[engine, options]: Parameters<typeof openEngine>): Promise<Engine> =>
    openEngine(engine, { ...SMALL, ...options } as OpenEngineOptions),
};

/** See {@link HINT_MEMORY_CORE}. */
export type HintMemoryCore = typeof HINT_MEMORY_CORE;

/** Where in its data directory a node keeps its hints; the engine's own directory is in there. */
export function hintsDirectory(path: string): string {
  return `${path}/hints`;
}

/**
 * Open the hints. `lossy`: some that were acknowledged may be gone: the store is damaged, or is not the one it was. Who
 * they were for hears of it by anti-entropy; an operator by `status`.
 */
export async function openHintStore(
  settings: Settings,
  environment: Environment & { readonly pace?: Pace },
  journal: NodeJournal,
  core: HintMemoryCore,
): Promise<{ engine: Engine; lossy: boolean }> {
  const { sync, persist } = settings;
  const path = hintsDirectory(settings.path);
  if (persist) await refuseOtherStores({ ...settings, path }, environment);
  const directory = storeDirectory(path, settings.engine);
  const engine = await core.openHints(settings.engine, {
    ...environment,
    directory,
    sync,
    persist,
    reserveBytes: 0, // the node's own is for all
  });
  try {
    const { storeId, damageAtOpen } = engine;
    const known = journal.get(HINTS);
    const id = storeId === null ? VOLATILE : fromHex(storeId)!;
    const isTheSame = storeId !== null && known !== null && equalBytes(known, id);
    if (!isTheSame) await journal.set(HINTS, id);
    const isDamaged = damageAtOpen.some(({ kind }) => kind === "corrupt");
    return { engine, lossy: isDamaged || (known !== null && !isTheSame) };
  } catch (error) {
    await engine.close().catch(() => {});
    throw error;
  }
}
