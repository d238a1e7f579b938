/**
 * What two replicas of a partition have to look at more closely, of what they told each other.
 *
 * @module
 */

import { compareBytes, equalBytes } from "../runtime/bytes.ts";
import type { KeyPage } from "../replica_store/tree_protocol.ts";
import type { Cut } from "./hash_tree.ts";

/** A stretch that is not the same on both sides. */
export interface Difference {
  /** Where it begins. */
  readonly after: Cut;
  /** Where it ends. */
  readonly upTo: Cut;
  /** Whether it is a piece that both could tell apart from others; else its cuts have to be looked for. */
  readonly isPiece: boolean;
}

type Encoded = Uint8Array | null;

/**
 * The pieces between these cuts that differ. A cut that only one side has makes the digests on either side of it null:
 * such neighbours are one stretch.
 *
 * @example
 * ```ts
 * import { differences } from "./difference.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const [a, b, c] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
 * const cuts = [null, a, b, c, null];
 * assertEquals(differences(cuts, [a, a, a, a], [a, b, null, null]), [
 *   { after: a, upTo: b, isPiece: true },
 *   { after: b, upTo: null, isPiece: false },
 * ]);
 * ```
 */
export function differences(
  cuts: readonly Cut[],
  mine: readonly Encoded[],
  theirs: readonly Encoded[],
): Difference[] {
  const found: Difference[] = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const a = mine[i] ?? null;
    const b = theirs[i] ?? null;
    if (a !== null && b !== null && equalBytes(a, b)) continue;
    const isPiece = a !== null && b !== null;
    const last = found.at(-1);
    const isNeighbour = last !== undefined && !last.isPiece && !isPiece && isSameCut(last.upTo, cuts[i]!);
    const after = isNeighbour ? found.pop()!.after : cuts[i]!;
    found.push({ after, upTo: cuts[i + 1]!, isPiece });
  }
  return found;
}

/** A key under which two replicas hold different things; null: nothing. */
export interface KeyDifference {
  /** The key. */
  readonly key: Uint8Array;
  /** Of what one side has. */
  readonly mine: Encoded;
  /** Of what the other has. */
  readonly theirs: Encoded;
}

/**
 * The keys that differ, as far as both pages go, and where to go on: after this key; null when both have ended.
 *
 * @example
 * ```ts
 * import { keyDifferences } from "./difference.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const [a, b, c] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
 * const mine = { ok: true, isDamaged: false, next: null, keys: [{ key: a, hash: a }, { key: c, hash: c }] };
 * const theirs = { ok: true, isDamaged: false, next: b, keys: [{ key: a, hash: b }, { key: b, hash: b }] };
 * assertEquals(keyDifferences(mine, theirs), {
 *   differing: [{ key: a, mine: a, theirs: b }, { key: b, mine: null, theirs: b }],
 *   next: b, // of c it is not known yet whether the other side has it
 * });
 * ```
 */
export function keyDifferences(
  mine: KeyPage,
  theirs: KeyPage,
): { readonly differing: KeyDifference[]; readonly next: Uint8Array | null } {
  const next = earlier(mine.next, theirs.next);
  const differing: KeyDifference[] = [];
  let i = 0;
  let j = 0;
  while (true) {
    const a = mine.keys[i];
    const b = theirs.keys[j];
    if (a === undefined && b === undefined) break;
    const order = a === undefined ? 1 : b === undefined ? -1 : compareBytes(a.key, b.key);
    const { key } = order <= 0 ? a! : b!;
    if (next !== null && compareBytes(key, next) > 0) break;
    if (order <= 0) i++;
    if (order >= 0) j++;
    if (order === 0 && equalBytes(a!.hash, b!.hash)) continue;
    differing.push({ key, mine: order <= 0 ? a!.hash : null, theirs: order >= 0 ? b!.hash : null });
  }
  return { differing, next };
}

/** The earlier of two places, of which null is the end. */
function earlier(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  if (a === null || b === null) return a ?? b;
  return compareBytes(a, b) <= 0 ? a : b;
}

/** Whether two places are one. */
export function isSameCut(a: Cut, b: Cut): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}
