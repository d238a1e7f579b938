/**
 * Evidence, prepared once for all checkers.
 *
 * @module
 */

import type { Evidence } from "./evidence.ts";
import { KeyHistory } from "./key_history.ts";

/** See the module. */
export interface Case extends Evidence {
  /** Members that there are in the end; 0 when nobody was asked. */
  readonly members: number;
  /** Replicas of a key, as they were: no more than there are members. Membership is settled before the first write. */
  readonly replicas: number;
  /** The operations of each key. */
  readonly keys: ReadonlyMap<string, KeyHistory>;
}

/** Prepare evidence; `strict`: see {@link KeyHistory.settled}. */
export function caseOf(evidence: Evidence, strict = false): Case {
  const { n, losses, restores = false, sloppy = false, operations, ending: { nodes } } = evidence;
  const members = Math.max(0, ...nodes.map(({ state }) => state.members.length));
  const replicas = members === 0 ? n : Math.min(n, members);
  const keys = new Map<string, KeyHistory>();
  for (const [key, some] of Map.groupBy(operations, ({ key }) => key)) {
    keys.set(key, new KeyHistory(some, { n: replicas, losses, restores, sloppy, strict }));
  }
  return { ...evidence, members, replicas, keys };
}
