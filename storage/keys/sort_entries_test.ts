import fc from "fast-check";
import { assertEquals, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { Arena } from "./arena.ts";
import { sorting } from "./sort_entries.ts";

const end = fc.string({ unit: fc.constantFrom("\0", "a", "b"), minLength: 1, maxLength: 12 });
/** Keys that all begin alike, of which many agree further, or are the beginning of others, or end in zeros. */
const keys = fc.tuple(fc.constantFrom("", "k", "user:"), fc.uniqueArray(end, { maxLength: 300, size: "max" }))
  .map(([start, ends]) => ends.map((end) => start + end));

function likeItsTwin(arenaOf: () => Arena): void {
  fc.assert(
    fc.property(keys, fc.constantFrom(30, 1000), (keys, step) => {
      const arena = arenaOf();
      const bytes = keys.map((key) => new TextEncoder().encode(key));
      const entries = Int32Array.from(bytes.map((key) => arena.add(0, 0, key, new Uint8Array(0))));
      const twin = [...entries].sort((a, b) => arena.compare(a, b));
      for (const _ of sorting(arena, entries, step));
      assertEquals([...entries], twin);
    }),
    { numRuns: 200, endOnFailure: true },
  );
}

Deno.test("sorting entries: like sort", () => likeItsTwin(() => new Arena()));

Deno.test("planted: words that begin at the wrong end, words that leave a byte out", () => {
  class Reversed extends Arena {
    override keyWord(entry: number, from: number): number {
      const word = super.keyWord(entry, from);
      return (word << 24 | word >>> 24) >>> 0;
    }
  }
  class Gapped extends Arena {
    override keyWord(entry: number, from: number): number {
      return super.keyWord(entry, from + 1);
    }
  }
  assertThrows(() => likeItsTwin(() => new Reversed()));
  assertThrows(() => likeItsTwin(() => new Gapped()));
});
