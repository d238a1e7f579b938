/**
 * A planted bug: a known mistake, put into a cluster by substituting pure functions where nodes and clients are
 * composed, and the histories in which it must show.
 *
 * A checker that never finds anything proves nothing. So each bug is hunted: histories are made with it, seed after
 * seed, until a checker convicts it of what clients saw. That proves nothing either if the same histories fail
 * without it; so every conviction is held against its honest twin, the same plan played by nodes that are well.
 *
 * @module
 */

import type { Violation } from "../checkers.ts";
import { type Plan, planOf, type PlanOptions } from "../plan.ts";
import { simulate, type SimulateOptions } from "../scenario.ts";

/** What is put in the place of what is right. */
export type Plant = Pick<SimulateOptions, "cores" | "client" | "judgesTrees">;

/** See the module. */
export interface Bug {
  /** What the cluster does wrong. */
  readonly name: string;
  /** What that breaks; whose bug it was, where it was somebody's. */
  readonly breaks: string;
  /** Histories in which it can show; kinds of fault above all. */
  readonly plan: PlanOptions & {
    /** Instead of the one drawn. */
    readonly quorum?: Plan["quorum"];
    /** Whether nodes may stand in for replicas that are away; default false. */
    readonly sloppy?: boolean;
    /** What else is to be different. */
    readonly adjust?: (plan: Plan) => Plan;
  };
  /** Whether anti-entropy, which would make good what the bug did before anybody looks, is off; in its twin, too. */
  readonly isUnmended?: boolean;
  /** Called anew for every history. */
  plant(): Plant;
}

/** Within so many seeds a bug is caught, or its checkers are not good enough. */
export const SEEDS = 30;

/** How a bug was caught. */
export interface Conviction {
  /** The first seed that did. */
  readonly seed: number;
  /** What convicted it. */
  readonly checker: string;
  /** What that found. */
  readonly violation: Violation;
}

/** Every replica acknowledges, and one alone is read: whoever said too much is soon asked. */
export const ALL_WRITE = { n: 3, r: 1, w: 3 } as const;

/** What clusters have where nothing is said. */
export const TWO_OF_THREE = { n: 3, r: 2, w: 2 } as const;

/** One alone is read, with a node that is no replica and asks whoever is faster. */
export const ONE_OF_TWO = { n: 2, r: 1, w: 2 } as const;

/** Replicas that cannot reach one another hold different things. */
export const APART: Bug["plan"] = { faults: ["two-way", "majority", "kill", "delay"] };

/** Answers are lost, and writes are tried again through others. */
export const TORN: Bug["plan"] = { faults: ["pause", "two-way", "one-way", "reset"] };

/** Nodes that hold everything: a history is quickly made, and whoever lies is soon asked. */
const NODES = 3;

/** The history that a seed stands for when this bug is hunted. */
export function planFor(
  { plan: { quorum, sloppy = false, adjust, ...options } }: Pick<Bug, "plan">,
  seed: number,
): Plan {
  const drawn = { ...planOf(seed, { nodes: NODES, engine: "memory", ...options }), sloppy, hintBytes: 0 };
  const plan = quorum === undefined ? drawn : { ...drawn, quorum };
  return adjust === undefined ? plan : adjust(plan);
}

/** A cluster with a bug, or with none. */
function planted({ isUnmended }: Bug, plant: Plant): Plant {
  if (!isUnmended) return plant;
  const antiEntropy = { partnersOf: () => [] };
  return { ...plant, cores: { ...plant.cores, antiEntropy }, judgesTrees: false };
}

/** Look for a bug until it is caught; null when so many seeds do not show it. */
export async function hunt(bug: Bug, seeds = SEEDS): Promise<Conviction | null> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations: [violation] } = await simulate(planFor(bug, seed), planted(bug, bug.plant()));
    if (violation !== undefined) return { seed, checker: violation.checker, violation };
  }
  return null;
}

/** The same histories without bugs; several bugs may have one in common. */
export class HonestTwins {
  readonly #known = new Map<string, Promise<readonly Violation[]>>();

  /** What checkers find in the history in which a bug was caught when nobody has it: nothing, or it is a real one. */
  of(bug: Bug, { seed }: Conviction): Promise<readonly Violation[]> {
    const plan = planFor(bug, seed);
    const name = JSON.stringify([plan, bug.isUnmended]);
    let twin = this.#known.get(name);
    if (twin === undefined) {
      twin = simulate(plan, planted(bug, {})).then(({ violations }) => violations);
      this.#known.set(name, twin);
    }
    return twin;
  }
}
