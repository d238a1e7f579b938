/**
 * A node's data directory, seen while no node runs on it.
 *
 * Looking changes nothing, not even what a start would mend (`actors/runtime/still_disk.ts`). Who looks takes the locks
 * that a node takes, so that neither meets the other at work.
 *
 * @module
 */

import { type Disk, DiskError, type Environment } from "../../actors/runtime/environment.ts";
import { StillDisk } from "../../actors/runtime/still_disk.ts";
import { type Damage, type Engine, EngineError } from "../../storage/engine.ts";
import { type EngineName, ENGINES, storeDirectory } from "../../storage/engines.ts";
import type { NodeJournal } from "../../storage/node_journal.ts";
import { lookInto } from "../../storage/open.ts";
import { journalDirectory, loadVote, openJournal } from "../node_memory.ts";

/** What a tool needs of the world. */
export type Tools = Pick<Environment, "disk" | "clock" | "random" | "log">;

/** Hears how much of a task is done, from 0 to 1. */
export type OnProgress = (fraction: number) => void;

/** Why something was not begun: what it was asked for makes no sense there, or is not possible now. */
export class Refused extends Error {
  /** Tells it from other errors. */
  override readonly name = "Refused";
}

/** The engines that have a store in a data directory. @throws {Refused} when it is none */
export function storesIn(disk: Disk, path: string): EngineName[] {
  try {
    const engines = ENGINES.filter((engine) => disk.exists(storeDirectory(path, engine)));
    if (engines.length > 0 || disk.exists(journalDirectory(path))) return engines;
  } catch (error) {
    throw asRefusal(path, error);
  }
  throw new Refused(`${path} is no node's data directory`);
}

/** Look into the node's own journal; what it cannot be opened for is damage, and `task` gets null. */
export async function withJournal(
  tools: Tools,
  path: string,
  damage: Damage[],
  task: (journal: NodeJournal | null) => Promise<void>,
): Promise<void> {
  const say = (detail: string) =>
    damage.push({ kind: "corrupt", path: journalDirectory(path), offset: 0, detail });
  if (!tools.disk.exists(journalDirectory(path))) {
    say("the node's own journal is missing: nothing says whose data this is");
    return await task(null);
  }
  const looking = { ...tools, disk: new StillDisk(tools.disk) };
  const journal = await openJournal({ path }, looking).catch(damageInstead(path, say));
  if (journal === null) return await holding(tools, path, () => task(null));
  try {
    let isReadable = true;
    try {
      loadVote(journal);
    } catch (error) {
      isReadable = false;
      say(error instanceof Error ? error.message : String(error));
    }
    await task(isReadable ? journal : null);
  } finally {
    await journal.close();
  }
}

/** Look into a store; what it cannot be opened or read for is damage. */
export async function withStore(
  tools: Tools,
  path: string,
  engine: EngineName,
  damage: Damage[],
  task: (store: Engine) => void | Promise<void>,
): Promise<void> {
  const directory = storeDirectory(path, engine);
  const orDamage = damageInstead(path, (detail) => {
    damage.push({ kind: "corrupt", path: directory, offset: 0, detail });
  });
  const store = await lookInto(engine, { ...tools, directory, sync: "always" }).catch(orDamage);
  if (store === null) return;
  try {
    await task(store);
  } catch (error) {
    orDamage(error);
  } finally {
    await store.close();
  }
}

/** Keep nodes out meanwhile. */
export async function holding(tools: Tools, path: string, task: () => Promise<void>): Promise<void> {
  let lock;
  try {
    lock = new StillDisk(tools.disk).lock(`${journalDirectory(path)}/lock`);
  } catch (error) {
    throw asRefusal(path, error);
  }
  try {
    await task();
  } finally {
    lock.release();
  }
}

/** What is there and cannot be read is damaged; anything else is a reason not to begin. */
function damageInstead(path: string, say: (detail: string) => void): (error: unknown) => null {
  return (error) => {
    if (!(error instanceof EngineError) || !["corrupt", "io"].includes(error.code)) {
      throw asRefusal(path, error);
    }
    say(error.message);
    return null;
  };
}

/** What a store that does not open is answered. */
export function refuseOpening(path: string): (error: unknown) => never {
  return (error) => {
    throw asRefusal(path, error);
  };
}

/** For people, why a directory cannot be had; errors that are bugs as they are. */
function asRefusal(path: string, error: unknown): unknown {
  if (!(error instanceof EngineError) && !(error instanceof DiskError)) return error;
  if (error.code === "locked") return new Refused(`${path} is in use: stop the node that runs on it first`);
  return new Refused(error.message);
}
