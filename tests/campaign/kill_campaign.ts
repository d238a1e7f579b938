/**
 * Kill a process that writes to a store, at each kind of system call in turn, again and again, on the real file
 * system; and see every time whether everything that it had said to be done is there.
 *
 * What this can show: that at no moment the files as they are written so far lose anything, with the kernel and the
 * file system that are there, whatever the process was doing: writing, renaming, removing, recovering from the last
 * kill. What it cannot show is that anything was synced. The page cache outlives a process, so an engine that never
 * syncs passes; only a power cut tells. Those are simulated (`storage/testing/faults.ts`): every change of the disk is
 * a crash point there, and what was not synced is dropped, torn and reordered.
 *
 * @module
 */

import { SimulatedRandom } from "../../actors/simulated/random.ts";
import type { EngineName } from "../../storage/testing/engines.ts";
import { Lane } from "./kill_lane.ts";
import type { Bug } from "./kill_victim.ts";
import { type Call, CALLS, mostCalls } from "./strace.ts";

/** What a campaign is made of. */
export interface KillOptions {
  /** Whom to judge. */
  readonly engine: EngineName;
  /** So many kills. */
  readonly kills: number;
  /** Stores that are worked on at once. */
  readonly lanes: number;
  /** Decides what victims do, and where they are killed as far as that can be decided. */
  readonly seed: number;
  /** The kinds of system calls to kill at. Default: all. */
  readonly calls?: readonly Call[];
  /** What is wrong with victims. Default: nothing. */
  readonly bug?: Bug;
  /** Hears of every life. */
  readonly onLife?: (totals: KillTotals) => void;
}

/** What came of a campaign. */
export interface KillTotals {
  /** Kills by system call. */
  readonly kills: Map<Call, number>;
  /** Lives that ended in order, for the call did not come so often. */
  spared: number;
  /** Kills before the engine was opened, which show nothing and do not count. */
  early: number;
  /** Deeds that were said to be done, and checked. */
  done: number;
  /** What is wrong, for people; the first thing of each store. */
  readonly violations: string[];
}

/** How many kills there were. */
export function killsOf({ kills }: KillTotals): number {
  return [...kills.values()].reduce((sum, count) => sum + count, 0);
}

/** Run a campaign; see the module. */
export async function killCampaign(options: KillOptions): Promise<KillTotals> {
  const { engine, kills, lanes, seed, bug = "none", onLife = () => {} } = options;
  const totals: KillTotals = { kills: new Map(), spared: 0, early: 0, done: 0, violations: [] };
  const root = Deno.makeTempDirSync({ prefix: `denamo-kill-${engine}-` });
  let begun = 0;
  const fates = new Fates(seed, options.calls ?? Object.keys(CALLS));
  await Promise.all(Array.from({ length: Math.min(lanes, kills) }, async (_, index) => {
    const directory = `${root}/${index}/store`;
    const lane = new Lane({ engine, directory, seed: seed + index, bug });
    let fate: { call: Call; n: number } | null = null;
    try {
      await firstLife(lane, `${root}/${index}.calls`, fates);
      while (begun < kills && totals.violations.length === 0) {
        begun++;
        fate = fates.next();
        const { wasKilled, hadBegun, done } = await lane.live(fate);
        fates.learn(fate, wasKilled);
        totals.done += done.length;
        if (wasKilled && hadBegun) totals.kills.set(fate.call, (totals.kills.get(fate.call) ?? 0) + 1);
        else begun--;
        if (!wasKilled) totals.spared++;
        else if (!hadBegun) totals.early++;
        onLife(totals);
      }
    } catch (error) {
      const when = fate ? `killed instead of ${fate.call} number ${fate.n}` : "in its first life";
      totals.violations.push(`${directory}, seed ${seed + index}, ${when}: ${(error as Error).message}`);
    }
  }));
  if (totals.violations.length === 0) Deno.removeSync(root, { recursive: true });
  return totals;
}

/** A life in order, which tells how many calls of each kind there are. */
async function firstLife(lane: Lane, file: string, fates: Fates): Promise<void> {
  await lane.live({ countIn: file });
  fates.count(mostCalls(Deno.readTextFileSync(file)));
}

/** Where to kill: every kind of call in turn, at a number up to which it comes. */
class Fates {
  readonly #random: SimulatedRandom;
  readonly #calls: readonly Call[];
  readonly #most = new Map<Call, number>();
  #turn = 0;

  constructor(seed: number, calls: readonly Call[]) {
    this.#calls = calls;
    this.#random = new SimulatedRandom(`fates/${seed}`);
  }

  count(most: ReadonlyMap<Call, number>): void {
    for (const call of this.#calls) {
      const count = most.get(call) ?? 0;
      if (count > 0) this.#most.set(call, Math.max(count, this.#most.get(call) ?? 0));
    }
  }

  /** Half of them early, at all scales: a life begins with recovery from the last one. */
  next(): { call: Call; n: number } {
    const calls = [...this.#most.keys()];
    const call = calls[this.#turn++ % calls.length]!;
    const most = this.#most.get(call)!;
    const draw = this.#random.next();
    return { call, n: Math.floor(this.#random.chance(0.5) ? 1 + most * draw : (most + 1) ** draw) };
  }

  /** What was too far is not tried again; what was nearly too far may not be far enough. */
  learn({ call, n }: { call: Call; n: number }, wasKilled: boolean): void {
    const most = this.#most.get(call)!;
    if (!wasKilled) this.#most.set(call, Math.max(1, Math.min(most, 0.95 * n)));
    else if (n > 0.9 * most) this.#most.set(call, most * 1.05 + 0.1);
  }
}
