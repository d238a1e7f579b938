import fc from "fast-check";
import { assert, assertEquals } from "../actors/runtime/testing/assert.ts";
import { editDistance, nearest } from "./suggest.ts";

/** Straight from the definition: the least over the last edit, without remembering anything. */
function slowDistance(a: string, b: string, swaps = true): number {
  if (a === "" || b === "") return a.length + b.length;
  const same = a.at(-1) === b.at(-1) ? 0 : 1;
  const [shortA, shortB] = [a.slice(0, -1), b.slice(0, -1)];
  const ways = [
    slowDistance(shortA, b, swaps) + 1,
    slowDistance(a, shortB, swaps) + 1,
    slowDistance(shortA, shortB, swaps) + same,
  ];
  if (swaps && a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1)) {
    ways.push(slowDistance(a.slice(0, -2), b.slice(0, -2)) + 1);
  }
  return Math.min(...ways);
}

const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });

Deno.test("edit distance: as its slow twin, symmetric, 0 only for equals", () => {
  fc.assert(fc.property(word, word, (a, b) => {
    const distance = editDistance(a, b);
    assertEquals(distance, slowDistance(a, b));
    assertEquals(distance, editDistance(b, a));
    assertEquals(distance === 0, a === b);
  }));
});

Deno.test("edit distance: planted: a distance that knows no swaps is found out", () => {
  const forgetful = fc.property(word, word, (a, b) => editDistance(a, b) === slowDistance(a, b, false));
  assert(fc.check(forgetful, { numRuns: 5000 }).failed);
});

Deno.test("nearest: slips of the hand, beginnings, and nothing for strangers", () => {
  const known = ["server", "join-cluster", "put", "get", "del", "status", "cluster-state"];
  assertEquals(nearest("stauts", known), "status");
  assertEquals(nearest("PUT", known), "put");
  assertEquals(nearest("join", known), "join-cluster");
  assertEquals(nearest("sever", known), "server");
  assertEquals(nearest("frobnicate", known), undefined);
  assertEquals(nearest("", known), undefined);
});
