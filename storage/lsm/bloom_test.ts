import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { hashKey } from "../keys/key_table.ts";
import { buildFilter, filterHash, mayHold } from "./bloom.ts";

function hashOf(partition: number, n: number): number {
  return filterHash(partition, hashKey(new TextEncoder().encode(`key ${n}`)));
}

function findsItsKeys(lookedFor: (hash: number) => number): void {
  fc.assert(fc.property(fc.nat(3000), fc.nat(65535), (count, partition) => {
    const hashes = Uint32Array.from({ length: count }, (_, n) => hashOf(partition, n));
    const filter = buildFilter(hashes, count);
    for (const hash of hashes) assert(mayHold(filter, lookedFor(hash)));
  }));
}

Deno.test("bloom: every key that it was built of is found", () => findsItsKeys((hash) => hash));

Deno.test("planted: a filter that is asked for another hash", () => {
  assertThrows(() => findsItsKeys((hash) => (hash ^ hash << 1) >>> 0));
});

Deno.test("bloom: one key in a hundred passes in vain, and a key of another partition is another key", () => {
  const count = 20_000;
  const filter = buildFilter(Uint32Array.from({ length: count }, (_, n) => hashOf(7, n)), count);
  const passes = (partition: number, from: number) =>
    Array.from({ length: count }, (_, n) => mayHold(filter, hashOf(partition, from + n))).filter(Boolean)
      .length;
  assert(passes(7, count) < count / 80, `${passes(7, count)} of ${count}`);
  assert(passes(8, 0) < count / 80, `${passes(8, 0)} of ${count}`);
  assertEquals(filter.length, count * 10 / 8);
  assertEquals(mayHold(buildFilter(new Uint32Array(0), 0), 5), false);
});
