/**
 * What runs of real processes under load have in common.
 *
 * @module
 */

import type { Customers } from "./customers.ts";

/** What every such run is made of. */
export interface RealRun {
  /** How many keys there are. */
  readonly keys: number;
  /** Of how many bytes each value is. */
  readonly valueBytes: number;
  /** Requests of all clients together, per second, at most. */
  readonly perSecond: number;
  /** More flags of every node. */
  readonly flags: readonly string[];
  /** Between two lines of what is seen. */
  readonly everyMs: number;
  /** How long nothing happens before, between and after what happens. */
  readonly calmMs: number;
  /** Then not for so long, but until so many requests were answered each time: what a test waits for. */
  readonly calmRequests?: number;
  /** What has not come true after so long never will. */
  readonly limitMs: number;
}

/** What clients have to complain of. */
export function problemsOf({ failed, failures, missed, wrong }: Customers): string[] {
  return [
    ...wrong,
    ...missed > 0 ? [`${missed} reads missed what was acknowledged before them`] : [],
    ...failures,
    ...failed > 0 ? [`${failed} requests failed for those who made them`] : [],
  ];
}
