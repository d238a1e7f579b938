/**
 * One store and its victims, life after life, each of them killed somewhere; after every end, is everything there?
 *
 * After a kill the files are looked at as they are, in a copy in memory: the next victim finds them as the last one
 * left them, so that recovery is interrupted, too. What the copy shows is known from then on, for a kill takes
 * nothing back that was written: what the next victim finds, and what is found after it, must agree with it.
 *
 * @module
 */

import { RealClock } from "../../actors/runtime/real/clock.ts";
import { RealDisk } from "../../actors/runtime/real/disk.ts";
import { RealRandom } from "../../actors/runtime/real/random.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { bytesIn } from "../../storage/testing/directory.ts";
import { ENGINES } from "../../storage/testing/engines.ts";
import { assertLike } from "../../storage/testing/likeness.ts";
import type { Place } from "../../storage/testing/subject.ts";
import { Twin } from "../../storage/testing/twin.ts";
import { type Fate, type Life, runVictim } from "./kill_life.ts";
import type { Bug, Orders } from "./kill_victim.ts";
import { deedOf, UNDER_WAY } from "./kill_workload.ts";
import { MemoryDisk } from "./memory_disk.ts";
import { quiet } from "./quiet.ts";

/** What a lane is made of. */
export interface LaneOptions extends Pick<Orders, "engine" | "directory" | "seed"> {
  /** What is wrong with the victims. Default: nothing. */
  readonly bug?: Bug;
}

/** A victim does so much, when it is let. */
export const DEEDS = 60;

/** See the module. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #twin = new Twin();
  #next = 1;
  #storeId: string | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** One life. Throws when something is not as it must be. */
  async live(fate: Fate): Promise<Life> {
    const { bug = "none", ...where } = this.#options;
    const from = this.#next;
    const life = await runVictim({ ...where, bug, from, count: DEEDS }, fate);
    this.#replay(from, life);
    await this.#inspect();
    return life;
  }

  /** What was done for certain, and what may have been. */
  #replay(from: number, { done, wasKilled }: Life): void {
    const isDone = new Set(done);
    let oldest = from;
    while (isDone.has(oldest)) oldest++;
    const end = wasKilled ? Math.min(from + DEEDS, oldest + UNDER_WAY) : from + DEEDS;
    for (const serial of done) assert(serial >= from && serial < end, `${serial} was done before its time`);
    for (let serial = from; serial < end; serial++) {
      const deed = deedOf(this.#options.seed, serial);
      const token = deed.kind === "write"
        ? this.#twin.write(deed.changes)
        : deed.kind === "drop"
        ? this.#twin.drop(deed.partition)
        : null;
      if (token !== null && (isDone.has(serial) || !wasKilled)) this.#twin.acknowledge(token);
    }
    this.#next = end;
  }

  async #inspect(): Promise<void> {
    const { engine: name, directory } = this.#options;
    const inner = "store";
    const files = bytesIn(new RealDisk(), directory);
    const disk = MemoryDisk.of(inner, files);
    const place = { clock: new RealClock(), random: new RealRandom(), log: quiet, disk, directory: inner };
    const engine = await ENGINES[name].open(place as unknown as Place);
    for (const { kind, detail } of engine.damageAtOpen) assertEquals(kind, "torn-tail", detail);
    assertEquals(engine.storeId, this.#storeId ??= engine.storeId, "another store");
    await this.#twin.observe(async (partition, key) => await engine.get(partition, key));
    await assertLike(engine, this.#twin, ENGINES[name]);
    assertEquals(await engine.verify(), []);
    await engine.close();
  }
}
