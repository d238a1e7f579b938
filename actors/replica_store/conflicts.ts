/**
 * What becomes of writes that were concurrent.
 *
 * `siblings`: all are kept and shown, until somebody who has read them writes. `last-write-wins` is for those who
 * would rather lose a write than resolve two: a write replaces everything that its coordinator holds, whether its
 * writer has seen it or not, and where replicas still differ a reader is shown the youngest, by the clock of the
 * node that minted it, and of equals the one with the greater dot. Nothing of it is decided while replicas merge, so
 * that they come to hold the same whatever their clocks say, and who changes the policy loses nothing that is there.
 *
 * What is lost so is counted: a value that is replaced by a write that had not seen it.
 *
 * @module
 */

import { type Clock, compareDots, covers, join } from "./clock.ts";
import { liveValues, type Sibling, type StoredObject } from "./object.ts";

/** What becomes of concurrent writes, the same at every node of a cluster. */
export type ConflictPolicy = "siblings" | "last-write-wins";

/** All of them. */
export const CONFLICT_POLICIES: readonly ConflictPolicy[] = ["siblings", "last-write-wins"];

/** What a write is to replace: what its writer had seen, or all that its coordinator holds. */
export function replacedBy(policy: ConflictPolicy, context: Clock, held: StoredObject | null): Clock {
  return policy === "siblings" || held === null ? context : join(context, held.clock);
}

/** How many values a write replaces that its writer had not seen. */
export function unseen(policy: ConflictPolicy, context: Clock, held: StoredObject | null): number {
  if (policy === "siblings" || held === null) return 0;
  return held.siblings.filter(({ dot, also = [], tombstone }) =>
    !tombstone && ![dot, ...also].some((name) => covers(context, name))
  ).length;
}

/**
 * The values a reader is shown: none that has expired. `wallMs` says what time it is, and is asked only where that
 * matters; null, not known: then nothing has expired.
 *
 * @example
 * ```ts
 * import { shownValues } from "./conflicts.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const sibling = (counter: number, wallMs: number) => ({
 *   dot: { actor: "a", counter },
 *   requestId: "",
 *   tombstone: false,
 *   value: Uint8Array.of(counter),
 *   crc32c: 0,
 *   wallMs,
 * });
 * const object = { clock: [], siblings: [sibling(1, 20), sibling(2, 10)], replaced: new Uint8Array(0) };
 * assertEquals(shownValues("siblings", object, () => null).length, 2);
 * assertEquals(shownValues("last-write-wins", object, () => null)[0]!.value, Uint8Array.of(1));
 * ```
 */
export function shownValues(
  policy: ConflictPolicy,
  object: StoredObject,
  wallMs: () => number | null,
): ReturnType<typeof liveValues> {
  let { siblings } = object;
  if (policy === "last-write-wins" && siblings.length > 1) {
    siblings = [siblings.reduce((a, b) => isYounger(b, a) ? b : a)];
  }
  if (siblings.some(({ expiresMs }) => expiresMs !== undefined)) {
    const nowMs = wallMs() ?? -Infinity;
    siblings = siblings.filter(({ expiresMs = Infinity }) => expiresMs > nowMs);
  }
  return liveValues(siblings === object.siblings ? object : { ...object, siblings });
}

function isYounger(a: Sibling, b: Sibling): boolean {
  return a.wallMs === b.wallMs ? compareDots(a.dot, b.dot) > 0 : a.wallMs > b.wallMs;
}
