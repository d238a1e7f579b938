import fc from "fast-check";
import { compareBytes, toHex } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { BlockIndex, boundBetween, IndexBuilder } from "./index.ts";

const key = fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => bytes.map((byte) => byte % 3));

Deno.test("index: a bound is above what comes before, not above what comes after, and short", () => {
  fc.assert(fc.property(key, key, (a, b) => {
    const order = compareBytes(a, b);
    if (order === 0) return;
    const [before, after] = order < 0 ? [a, b] : [b, a];
    const bound = boundBetween(before, before.length, after, after.length);
    assert(compareBytes(before, bound) < 0 && compareBytes(bound, after) <= 0);
    assert(compareBytes(before, bound.subarray(0, -1)) >= 0, "one byte less would do");
  }));
});

Deno.test("index: finds the block that a key is in", () => {
  const blocks = fc.uniqueArray(key, { selector: toHex, minLength: 1, maxLength: 60, size: "max" })
    .map((keys) => keys.toSorted(compareBytes));
  fc.assert(fc.property(blocks, fc.nat(5), (keys, perBlock) => {
    const builder = new IndexBuilder();
    const firsts: number[] = [];
    for (let i = 0; i < keys.length; i += perBlock + 1) {
      const before = keys[i - 1];
      builder.add(
        firsts.length * 10,
        10,
        before ? boundBetween(before, before.length, keys[i]!, keys[i]!.length) : key0,
      );
      firsts.push(i);
    }
    const index = new BlockIndex(builder.finish());
    assertEquals(index.count, firsts.length);
    keys.forEach((key, i) => {
      const block = index.find(key, key.length);
      assertEquals(block, Math.floor(i / (perBlock + 1)));
      assertEquals([index.offset(block), index.sizeBytes(block)], [block * 10, 10]);
    });
  }));
});

const key0 = new Uint8Array(0);
