/**
 * What the victim of a kill campaign does: a function of a seed and a number, so that whoever looks at what is left
 * knows what was done without having been told.
 *
 * @module
 */

import { SimulatedRandom } from "../../actors/simulated/random.ts";
import type { Change } from "../../storage/engine.ts";
import { keyOf, recordOf } from "../../storage/testing/operation.ts";

/** So many things may be under way at once. The victim begins nothing before this many earlier ones are done. */
export const UNDER_WAY = 8;

/** One thing that the victim does. */
export type Deed =
  | { readonly kind: "write"; readonly changes: readonly Change[] }
  | { readonly kind: "drop"; readonly partition: number }
  | { readonly kind: "sync" }
  | { readonly kind: "compact" }
  | { readonly kind: "reopen" };

const PARTITIONS = [0, 1, 65535];
const KEYS = 30;

/** What is done as number `serial`, 1 being the first. */
export function deedOf(seed: number, serial: number): Deed {
  const random = new SimulatedRandom(`kill/${seed}/${serial}`);
  const draw = random.next();
  if (draw < 0.02) return { kind: "drop", partition: random.pick(PARTITIONS) };
  if (draw < 0.05) return { kind: "sync" };
  if (draw < 0.08) return { kind: "compact" };
  if (draw < 0.10) return { kind: "reopen" };
  const changes = Array.from({ length: 1 + random.integer(3) }, (): Change => {
    const size = random.chance(0.03) ? 5000 : random.integer(400);
    const record = random.chance(0.3) ? null : recordOf(serial, size);
    return { partition: random.pick(PARTITIONS), key: keyOf(random.integer(KEYS)), record };
  });
  return { kind: "write", changes };
}
