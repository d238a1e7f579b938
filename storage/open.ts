/**
 * Opening a store whose engine goes by its name.
 *
 * @module
 */

import { StillDisk } from "../actors/runtime/still_disk.ts";
import { openBitcaskEngine } from "./bitcask/engine.ts";
import type { Engine, Pace } from "./engine.ts";
import type { EngineName } from "./engines.ts";
import type { JournalOptions } from "./journal.ts";
import { openLsmEngine } from "./lsm/engine.ts";
import { openMemoryEngine } from "./memory/engine.ts";

/** What {@link openEngine} wants to know; spread an `Environment` into it. */
export interface OpenEngineOptions extends JournalOptions {
  /** False: keep nothing on disk; the memory engine only. Default true. */
  readonly persist?: boolean;
  /** What an engine puts aside itself for a full disk. Default: its own. */
  readonly reserveBytes?: number;
  /** How fast it may rewrite what it holds. Default: as fast as it goes. */
  readonly pace?: Pace;
}

const OPEN: Readonly<Record<EngineName, (options: OpenEngineOptions) => Promise<Engine>>> = {
  memory: openMemoryEngine,
  bitcask: openBitcaskEngine,
  lsm: openLsmEngine,
};

/** Options with which an engine does nothing by itself. */
const IDLE: Readonly<Record<EngineName, Record<string, number>>> = {
  memory: { deadBytes: Infinity },
  bitcask: { deadBytes: Infinity },
  lsm: { memtableBytes: Infinity, level0Tables: Infinity, levelBytes: Infinity, reserveBytes: 0 },
};

/**
 * Open a store.
 *
 * @throws {EngineError} `locked`, `newer`, `corrupt`, `full`, `io`
 * @example
 * ```ts
 * import { storeDirectory } from "./engines.ts";
 * import { openEngine } from "./open.ts";
 * import { realEnvironment } from "../actors/runtime/real/mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = storeDirectory(await Deno.makeTempDir(), "memory");
 * const engine = await openEngine("memory", { ...realEnvironment({ node: "n1" }), directory, sync: "always" });
 * assertEquals(engine.stats().keys, 0);
 * await engine.close();
 * ```
 */
export function openEngine(engine: EngineName, options: OpenEngineOptions): Promise<Engine> {
  return OPEN[engine](options);
}

/**
 * Open a store to look into it. Nothing on the disk is changed: what opening mends, it mends in memory, and nothing is
 * cleaned up. Whoever has the store open keeps others out all the same.
 *
 * @throws {EngineError} as {@link openEngine}
 */
export function lookInto(engine: EngineName, options: OpenEngineOptions): Promise<Engine> {
  return openEngine(engine, { ...options, ...IDLE[engine], disk: new StillDisk(options.disk) });
}
