/**
 * "Did you mean": the known word nearest to one that nobody knows.
 *
 * The distance is Damerau's (1964) in its restricted form: insertions, deletions, substitutions and swaps of
 * neighbours, each counting one. A swap is the commonest slip of a typing hand, so it must not count two.
 *
 * @module
 */

/**
 * How many single edits turn `a` into `b`.
 *
 * @example
 * ```ts
 * import { editDistance } from "./suggest.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(editDistance("stauts", "status"), 1);
 * assertEquals(editDistance("", "put"), 3);
 * ```
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      let least = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + same);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) least = Math.min(least, before[column - 2]! + 1);
      current.push(least);
    }
    before = last;
    last = current;
  }
  return last[b.length]!;
}

/**
 * The known word that `word` most likely stands for: one that it begins, or the nearest within a third of its
 * length. Undefined when nothing is near.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const wanted = word.toLowerCase();
  const begun = wanted.length >= 2 ? known.filter((name) => name.startsWith(wanted)) : [];
  if (begun.length === 1) return begun[0];
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(wanted, name.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** `"; did you mean X?"`, or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const name = nearest(word, known);
  return name === undefined ? "" : `; did you mean ${name}?`;
}
