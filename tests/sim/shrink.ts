/**
 * Shrinking: from a history that fails to a small one that still does.
 *
 * Of two hundred calls and sixty faults perhaps five matter. Naive: leave them out one at a time. That takes as
 * many histories as there are things to leave out, for each that goes. Delta debugging leaves out halves, then
 * quarters, and so on, and halves again after a gain: of what does not matter most goes in a few steps, and at the
 * end nothing that is left can be spared on its own (Zeller and Hildebrandt 2002, "Simplifying and Isolating
 * Failure-Inducing Input": its `ddmin`, of which only the complements are tried here; a small part of a history
 * hardly ever fails by itself).
 *
 * A history is not a text, though: without one call every delay after it is drawn anew, and a failure that hung
 * on the right moment goes away although the call had nothing to do with it. So each smaller plan gets several
 * chances, under seeds of its own.
 *
 * @module
 */

import type { Plan } from "./plan.ts";
import { busyClients, earlierEnd, QUICKER, SIMPLER, withCalls, withClients } from "./simpler.ts";

/** How to shrink. */
export interface ShrinkOptions {
  /** Whether a plan fails as the first one did. */
  readonly fails: (plan: Plan) => Promise<boolean>;
  /** Plans tried, at most. Default 500. */
  readonly runs?: number;
  /** Plans tried at the same time; changes nothing about what is found. Default 1. */
  readonly atOnce?: number;
  /** Seeds that each smaller plan is tried with. Default 1. */
  readonly chances?: number;
  /** Whether a plan may be tried at all. Default: any. */
  readonly isFair?: (plan: Plan) => boolean;
  /** Whether time is up. */
  readonly isOver?: () => boolean;
  /** Hears of every step: plans tried so far, and the smallest that fails. */
  readonly onStep?: (runs: number, smallest: Plan) => void;
}

/** What came of it. */
export interface Shrunk {
  /** The smallest plan found that fails. */
  readonly plan: Plan;
  /** Plans tried. */
  readonly runs: number;
  /** Whether nothing that was tried makes it smaller; false when there was no time to try everything. */
  readonly isMinimal: boolean;
}

/** The smallest plan that fails as this one does. */
export async function shrink(plan: Plan, options: ShrinkOptions): Promise<Shrunk> {
  const search = new Search(plan, options);
  await search.improve(earlierEnd);
  let before: Plan;
  do {
    before = search.smallest;
    await search.thin(before.faults, (plan, faults) => ({ ...plan, faults }));
    for (const quicker of QUICKER) await search.improve(quicker); // so is every history from here on
    await search.thin(busyClients(search.smallest), (plan, kept) => withClients(plan, new Set(kept)));
    await search.thin(search.smallest.clients.flat(), (plan, kept) => withCalls(plan, new Set(kept)));
    for (const simpler of SIMPLER) await search.improve(simpler);
  } while (search.smallest !== before && !search.isOver);
  return { plan: search.smallest, runs: search.runs, isMinimal: !search.isOver };
}

/** A plan to be tried, and which of several it is. */
interface Try {
  readonly index: number;
  readonly plan: Plan;
  /** The plan as text. */
  readonly text: string;
}

/** The smallest plan known to fail, and the ways to a smaller one. */
class Search {
  smallest: Plan;
  runs = 0;
  isOver = false;
  readonly #options: ShrinkOptions;
  /** Plans that did not fail, as text. */
  readonly #innocent = new Set<string>();

  constructor(plan: Plan, options: ShrinkOptions) {
    this.smallest = plan;
    this.#options = options;
  }

  /** Leave out as many of `items` as can be spared: all, halves, quarters, at last each alone. */
  async thin<T>(items: readonly T[], keep: (plan: Plan, items: readonly T[]) => Plan): Promise<void> {
    let left = items;
    for (let size = left.length; size > 0;) {
      let spared = 0;
      for (let at = 0; at < left.length && !this.isOver;) {
        const rest = (nth: number) => left.toSpliced(at + nth * size, size);
        const rests = Array.from({ length: Math.ceil((left.length - at) / size) }, (_, nth) => nth);
        const found = await this.#first(rests.values().map((nth) => keep(this.smallest, rest(nth))));
        if (found < 0) break;
        left = rest(found);
        at += found * size; // what stands before it could not be spared
        spared++;
      }
      // Something that had to stay may have become superfluous: once more, until a whole round spares nothing.
      if (size > 1) size = Math.ceil(Math.min(size, left.length) / 2);
      else if (spared === 0) break;
      if (this.isOver) break;
    }
  }

  /** As long as one of the simpler plans fails. */
  async improve(simpler: (plan: Plan) => readonly Plan[]): Promise<void> {
    while (!this.isOver && await this.#first(simpler(this.smallest)) >= 0);
  }

  /** The first of these plans that fails is the smallest now; says which, -1 for none. */
  async #first(plans: Iterable<Plan>): Promise<number> {
    let together: Try[] = [];
    for (const one of this.#tries(plans)) {
      together.push(one);
      if (together.length < (this.#options.atOnce ?? 1)) continue;
      const found = await this.#firstOf(together);
      if (found >= 0 || this.isOver) return found;
      together = [];
    }
    return await this.#firstOf(together);
  }

  /** Every plan, and every plan under other seeds, but for what is known not to fail. */
  *#tries(plans: Iterable<Plan>): Generator<Try> {
    const { isFair = () => true } = this.#options;
    let index = 0;
    for (const plan of plans) {
      for (let chance = 0; isFair(plan) && chance < (this.#options.chances ?? 1); chance++) {
        const one = { ...plan, seed: plan.seed + chance };
        const text = JSON.stringify(one);
        if (!this.#innocent.has(text)) yield { index, plan: one, text };
      }
      index++;
    }
  }

  async #firstOf(together: readonly Try[]): Promise<number> {
    if (together.length === 0 || this.#isUp(together.length)) return -1;
    const fail = await Promise.all(together.map(({ plan }) => this.#options.fails(plan)));
    this.runs += together.length;
    together.forEach(({ text }, at) => fail[at] || this.#innocent.add(text));
    const found = together[fail.indexOf(true)];
    if (found) this.smallest = found.plan;
    this.#options.onStep?.(this.runs, this.smallest);
    return found?.index ?? -1;
  }

  #isUp(more: number): boolean {
    const { runs = 500, isOver } = this.#options;
    this.isOver ||= this.runs + more > runs || isOver?.() === true;
    return this.isOver;
  }
}
