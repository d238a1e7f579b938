/**
 * The victim of a kill campaign: opens an engine, goes through its workload from some number on, and says on standard
 * output what has been done, one system call for each line. Somebody else sees to its end.
 *
 * @module
 */

import type { Disk } from "../../actors/runtime/environment.ts";
import { RealClock } from "../../actors/runtime/real/clock.ts";
import { RealDisk } from "../../actors/runtime/real/disk.ts";
import { RealRandom } from "../../actors/runtime/real/random.ts";
import { type Engine, EngineError } from "../../storage/engine.ts";
import { type EngineName, ENGINES } from "../../storage/testing/engines.ts";
import type { Place } from "../../storage/testing/subject.ts";
import { type Deed, deedOf, UNDER_WAY } from "./kill_workload.ts";
import { quiet } from "./quiet.ts";

/** What can be wrong with it, to show that the campaign notices. */
export type Bug = "none" | "acknowledges before the write" | "removes before it renames" | "never syncs";

/** What it is told. */
export interface Orders {
  /** Which engine. */
  readonly engine: EngineName;
  /** Where. */
  readonly directory: string;
  /** Of its workload. */
  readonly seed: number;
  /** The number of the first deed. */
  readonly from: number;
  /** How many deeds. */
  readonly count: number;
  /** What is wrong with it. */
  readonly bug: Bug;
}

if (import.meta.main) {
  say("begun");
  await live(JSON.parse(Deno.args[0]!));
}

async function live(orders: Orders): Promise<void> {
  const { engine: name, directory, seed, from, count, bug } = orders;
  const place = {
    clock: new RealClock(),
    random: new RealRandom(),
    log: quiet,
    directory,
    disk: diskWith(bug),
  };
  const open = () => ENGINES[name].open(place as unknown as Place);
  let engine = await open();
  const underWay = new Map<number, Promise<void>>();
  for (let serial = from; serial < from + count; serial++) {
    while (oldest(underWay) <= serial - UNDER_WAY) await underWay.get(oldest(underWay));
    const deed = deedOf(seed, serial);
    if (deed.kind === "reopen") {
      await Promise.all(underWay.values());
      await engine.close();
      engine = await open();
      say(String(serial));
      continue;
    }
    const early = bug === "acknowledges before the write";
    if (early) say(String(serial));
    const done = (await begin(engine, deed))().then(() => {
      underWay.delete(serial);
      if (!early) say(String(serial));
    });
    underWay.set(serial, done);
  }
  await Promise.all(underWay.values());
  await engine.close();
}

function oldest(underWay: ReadonlyMap<number, unknown>): number {
  for (const serial of underWay.keys()) return serial;
  return Infinity;
}

/** Begin a deed, as soon as the engine takes it. Gives a function that gives its end: a promise would be waited for. */
async function begin(engine: Engine, deed: Deed): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const done = start(engine, deed);
      return () => done;
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== "overloaded") throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

function start(engine: Engine, deed: Deed): Promise<void> {
  if (deed.kind === "write") return engine.write(deed.changes);
  if (deed.kind === "drop") return engine.dropPartition(deed.partition);
  return deed.kind === "sync" ? engine.sync() : engine.compact();
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function diskWith(bug: Bug): Disk {
  const disk = new RealDisk();
  if (bug === "removes before it renames") {
    const rename = disk.rename.bind(disk);
    disk.rename = (from, to) => {
      if (disk.exists(to)) disk.remove(to);
      rename(from, to);
    };
  }
  if (bug === "never syncs") {
    const open = disk.open.bind(disk);
    disk.open = (path, options) => Object.assign(open(path, options), { sync: () => Promise.resolve() });
  }
  return disk;
}
