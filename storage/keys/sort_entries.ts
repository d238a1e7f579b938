/**
 * Sorting many entries by key.
 *
 * Naive: `sort` with a comparator. It calls back some twenty times for each of a million keys, and each time reads two
 * keys from anywhere in memory. Here four bytes of each key are read once and put above the entry's number in 64 bits;
 * V8 sorts those as plain numbers, ten times as fast. Only keys that agree in these four bytes are looked at again,
 * with the next four (Bentley and Sedgewick, "Fast Algorithms for Sorting and Searching Strings", SODA 1997). Very
 * many entries are first thrown into buckets by the same four bytes, so that it can be done in steps.
 *
 * @module
 */

import type { Arena } from "./arena.ts";

/** So few are sorted by comparing. */
const FEW = 24;
/** So many are sorted, or looked at, in one step: half a millisecond. */
const STEP = 8192;
/** Bytes that are looked at together. */
const WORD_BYTES = 4;
const BUCKETS = 256;

/**
 * Sort entry numbers by key, in place, in steps of so many entries: yields after each. No two keys are equal; all agree
 * in their first `depth` bytes.
 */
export function* sorting(
  arena: Arena,
  entries: Int32Array,
  step: number = STEP,
  depth = 0,
): Generator<void, void, void> {
  if (entries.length <= step) return sortBehind(arena, entries, depth);
  const words = new Uint32Array(entries.length);
  let least = 2 ** 32 - 1;
  let greatest = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] = arena.keyWord(entries[i]!, depth);
    if (word < least) least = word;
    if (word > greatest) greatest = word;
    if (i % step === step - 1) yield;
  }
  if (least === greatest) {
    const ended = endedFirst(arena, entries, depth + WORD_BYTES);
    return yield* sorting(arena, entries.subarray(ended), step, depth + WORD_BYTES);
  }
  const width = Math.floor((greatest - least) / BUCKETS) + 1;
  const starts = scatter(entries, words, (word) => Math.floor((word - least) / width));
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    yield;
    const part = entries.subarray(starts[bucket]!, starts[bucket + 1]!);
    if (part.length > step) yield* sorting(arena, part, step, depth);
    else sortBehind(arena, part, depth, words.subarray(starts[bucket]!, starts[bucket + 1]!));
  }
}

/** Put entries, and their words, in the order of the words' buckets. Gives where each begins, and the last ends. */
function scatter(entries: Int32Array, words: Uint32Array, bucketOf: (word: number) => number): Uint32Array {
  const starts = new Uint32Array(BUCKETS + 1);
  for (let i = 0; i < words.length; i++) starts[bucketOf(words[i]!) + 1]!++;
  for (let bucket = 0; bucket < BUCKETS; bucket++) starts[bucket + 1]! += starts[bucket]!;
  const next = starts.slice();
  const unsorted = entries.slice();
  const unsortedWords = words.slice();
  for (let i = 0; i < words.length; i++) {
    const place = next[bucketOf(unsortedWords[i]!)]!++;
    entries[place] = unsorted[i]!;
    words[place] = unsortedWords[i]!;
  }
  return starts;
}

/** Sort entries whose keys agree in their first `depth` bytes; `words`: the bytes behind, if they have been read. */
function sortBehind(arena: Arena, entries: Int32Array, depth: number, words?: Uint32Array): void {
  const count = entries.length;
  if (count <= FEW) return void entries.sort((a, b) => arena.compare(a, b));
  const pairs = new BigUint64Array(count);
  // The machine is little-endian, as all that Deno runs on are: the lower half comes first.
  const halves = new Uint32Array(pairs.buffer);
  for (let i = 0; i < count; i++) {
    halves[2 * i] = entries[i]!;
    halves[2 * i + 1] = words ? words[i]! : arena.keyWord(entries[i]!, depth);
  }
  pairs.sort();
  for (let i = 0; i < count; i++) entries[i] = halves[2 * i]!;
  for (let from = 0; from < count;) {
    const word = halves[2 * from + 1]!;
    let to = from + 1;
    while (to < count && halves[2 * to + 1] === word) to++;
    if (to - from > 1) {
      const alike = entries.subarray(from, to);
      const ended = endedFirst(arena, alike, depth + WORD_BYTES);
      sortBehind(arena, alike.subarray(ended), depth + WORD_BYTES);
    }
    from = to;
  }
}

/**
 * Of entries whose keys agree in their first `depth` bytes, with zeros for what they have not: sort those that end
 * before, which are the beginnings of all others, to the front. Gives how many they are.
 */
function endedFirst(arena: Arena, entries: Int32Array, depth: number): number {
  const ended = entries.filter((entry) => arena.keyBytes(entry) < depth);
  if (ended.length > 0) {
    const others = entries.filter((entry) => arena.keyBytes(entry) >= depth);
    entries.set(ended.sort((a, b) => arena.keyBytes(a) - arena.keyBytes(b)));
    entries.set(others, ended.length);
  }
  return ended.length;
}
