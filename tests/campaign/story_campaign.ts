/**
 * Stories without end: everything that can befall a store and the machine it is on, in random order.
 *
 * @module
 */

import fc from "fast-check";
import { anyOperation } from "../../storage/testing/operation.ts";
import { stories } from "../../storage/testing/stories.ts";
import type { Subject } from "../../storage/testing/subject.ts";
import { simulatedWorld } from "../../storage/testing/worlds.ts";

/** What a campaign is made of. */
export interface StoryOptions {
  /** Whom to judge. */
  readonly subject: Subject;
  /** How many stories. */
  readonly stories: number;
  /** Decides which. */
  readonly seed: number;
  /** Hears how many have been told. */
  readonly onTold?: (count: number) => void;
}

/** Tell stories until one ends badly: null if none does, else the steps of it that matter, and why, for people. */
export async function storyCampaign(options: StoryOptions): Promise<string | null> {
  const { subject, stories: numRuns, seed, onTold = () => {} } = options;
  let told = 0;
  const newWorld = (seed: number) => {
    onTold(++told);
    return simulatedWorld(seed);
  };
  const { failed, counterexample, errorInstance } = await fc.check(stories(subject, newWorld, anyOperation), {
    numRuns,
    seed,
  });
  if (!failed) return null;
  const [world, operations] = counterexample!;
  const steps = operations.map((operation) => `  ${JSON.stringify(operation)}\n`).join("");
  return `${subject.name}, seed ${seed}, in world ${world}:\n${steps}${(errorInstance as Error).message}`;
}
