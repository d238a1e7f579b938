/**
 * A campaign: histories of one seed after the other, over all cores; and what is done about one that fails.
 *
 * @module
 */

import { dirname } from "node:path";
import { counted } from "../../cli/paint.ts";
import { isFair, type Plan, planOf, type PlanOptions } from "./plan.ts";
import { describePlan, writePlan } from "./plan_file.ts";
import type { Pool } from "./pool.ts";
import { shrink } from "./shrink.ts";
import { sizeOf } from "./simpler.ts";
import { Totals } from "./summary.ts";
import { failsAs, kindOf, type Verdict } from "./verdict.ts";

/** Which histories. */
export interface CampaignOptions {
  /** The first seed; the others follow. */
  readonly from: number;
  /** How many at most. */
  readonly seeds: number;
  /** Whether none is begun any more; for campaigns that have a time, not a number. */
  readonly isOver?: () => boolean;
  /** What all plans have in common. */
  readonly plan: PlanOptions;
  /** Hears of every history that is over. */
  readonly onVerdict?: (verdict: Verdict, totals: Totals) => void;
}

/** What came of a campaign. */
export interface Outcome {
  /** Everything, counted. */
  readonly totals: Totals;
  /** Histories that failed, in the order of their seeds. */
  readonly failures: readonly Verdict[];
}

/** Make all histories. */
export async function campaign(pool: Pool, options: CampaignOptions): Promise<Outcome> {
  const { from, seeds, isOver, plan, onVerdict } = options;
  const totals = new Totals();
  const failures: Verdict[] = [];
  let next = from;
  const goOn = async () => {
    while (next < from + seeds && !isOver?.()) {
      const verdict = await pool.run(planOf(next++, plan));
      totals.add(verdict);
      if (verdict.violations.length > 0) failures.push(verdict);
      onVerdict?.(verdict, totals);
    }
  };
  await Promise.all(Array.from({ length: pool.workers }, goOn));
  return { totals, failures: failures.sort((a, b) => a.seed - b.seed) };
}

/** One of each kind, as far as the first checker that found something tells kinds apart; at most `most`. */
export function oneOfEach(failures: readonly Verdict[], most: number): Verdict[] {
  return [...Map.groupBy(failures, kindOf).values()].map((some) => some[0]!).slice(0, most);
}

/** How a failure is made small. */
export interface ShrinkFailureOptions {
  /** Where smaller plans are tried. */
  readonly pool: Pool;
  /** Where the smallest is written. */
  readonly file: string;
  /** Hears how far it has come: a share of the time that it may take, and words. */
  readonly onStep?: (share: number, text: string) => void;
  /** So long it may take, in real milliseconds. */
  readonly limitMs: number;
}

/** Smaller plans tried. */
const RUNS = 1_000;
/** Seeds that each is tried with. */
const CHANCES = 3;

/** Write the smallest plan that fails the same way to a file; for people, how small it got and what happens in it. */
export async function shrinkFailure(
  plan: Plan,
  verdict: Verdict,
  { pool, file, onStep, limitMs }: ShrinkFailureOptions,
): Promise<string> {
  const again = await pool.run(plan);
  if (again.traceHash !== verdict.traceHash) {
    return `the same plan made another history, trace ${again.traceHash} instead of ${verdict.traceHash}: ` +
      "something in it does not come from its seed, or the source has changed\n";
  }
  const start = performance.now();
  const share = () => (performance.now() - start) / limitMs;
  const small = await shrink(plan, {
    fails: async (smaller) => failsAs(await pool.run(smaller), kindOf(verdict)),
    runs: RUNS,
    atOnce: pool.workers,
    chances: CHANCES,
    ...(isFair(plan) && { isFair }),
    isOver: () => share() > 1,
    onStep: (runs, smallest) => onStep?.(share(), `${counted(runs, "run")}, ${sizeOf(smallest)}`),
  });
  Deno.mkdirSync(dirname(file), { recursive: true });
  Deno.writeTextFileSync(file, writePlan(small.plan));
  const { explained } = await pool.run(small.plan);
  return [
    `shrunk from ${sizeOf(plan)} to ${sizeOf(small.plan)} in ${counted(small.runs, "run")}; ` +
    (small.isMinimal ? "nothing can be left out any more" : "time was up") +
    (small.plan.seed === plan.seed ? "" : `; it is easier to have with seed ${small.plan.seed}`),
    describePlan(small.plan),
    explained,
    "",
  ].join("\n");
}
