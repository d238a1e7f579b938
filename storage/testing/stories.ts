/**
 * Telling stories, one or many.
 *
 * @module
 */

import fc from "fast-check";
import type { Operation } from "./operation.ts";
import { Story } from "./story.ts";
import type { Subject, World } from "./subject.ts";

/** One after the other, whatever the world does. */
export async function play(subject: Subject, world: World, operations: readonly Operation[]): Promise<void> {
  const story = new Story(subject, world);
  for (const operation of operations) await story.play(operation);
  await story.end();
}

/** All stories of such operations, to be checked by fast-check; the first of the two is what chance is drawn from. */
export function stories<W extends World>(
  subject: Subject,
  newWorld: (seed: number) => W,
  operation: fc.Arbitrary<Operation>,
): fc.IAsyncProperty<[seed: number, operations: Operation[]]> {
  const operations = fc.array(operation, { maxLength: 60, size: "max" });
  return fc.asyncProperty(fc.nat(), operations, (seed, all) => play(subject, newWorld(seed), all));
}
