/**
 * What became of the elements of sets, and what a store promises about it.
 *
 * Clients add elements to sets that others add to, too: read, add, write with what was read. Others put an element
 * under a key of its own, read it back, and remove it again. Every element ends in one of these classes, as in the set
 * tests of Jepsen (Kingsbury, "Jepsen: Riak", 2013): only two of them break a promise, and only where R + W > N.
 *
 * @module
 */

/** What became of an element. */
export type Fate =
  /** Acknowledged, and there in the end. */
  | "stable"
  /** Acknowledged, and not there in the end. */
  | "lost"
  /** Not acknowledged, and not there: it did not happen. */
  | "never read"
  /** Not acknowledged, and there all the same: it did. */
  | "recovered"
  /** Acknowledged and there in the end, but a read that began later did not show it. */
  | "stale"
  /** Removed, which was acknowledged, and there again. */
  | "resurrected"
  /** Removed, which was acknowledged, and gone. */
  | "removed"
  /** Removing it was not acknowledged: there or not. */
  | "in doubt";

/** All of them, in the order of a table. */
export const FATES: readonly Fate[] = [
  "stable",
  "removed",
  "recovered",
  "never read",
  "in doubt",
  "stale",
  "lost",
  "resurrected",
];

/** What is known of one element. Times are of one clock. */
export interface Element {
  /** When adding it was acknowledged, null: never. */
  addedAt: number | null;
  /** Whether removing it was begun, and acknowledged. */
  removal: "none" | "begun" | "acknowledged";
  /** A read that began after it was acknowledged, and before it was removed, did not show it. */
  wasMissed: boolean;
}

/** A new element. */
export function newElement(): Element {
  return { addedAt: null, removal: "none", wasMissed: false };
}

/** What became of an element that is there in the end, or is not. */
export function fateOf({ addedAt, removal, wasMissed }: Element, isThere: boolean): Fate {
  if (removal === "acknowledged") return isThere ? "resurrected" : "removed";
  if (removal === "begun") return "in doubt";
  if (addedAt === null) return isThere ? "recovered" : "never read";
  if (!isThere) return "lost";
  return wasMissed ? "stale" : "stable";
}

/** How many elements had each fate. */
export type Fates = Readonly<Record<Fate, number>>;

/** Count them. */
export function countFates(
  elements: ReadonlyMap<string, Element>,
  isThere: (name: string) => boolean,
): Fates {
  const counts = Object.fromEntries(FATES.map((fate) => [fate, 0])) as Record<Fate, number>;
  for (const [name, element] of elements) counts[fateOf(element, isThere(name))]++;
  return counts;
}
