import fc from "fast-check";
import { compareBytes, toHex } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { BlockWalker, findInBlock } from "./block.ts";
import { BlockBuilder } from "./block_builder.ts";
import { REMOVED } from "./cursor.ts";
import { putVarint, varintAt, varintBytes } from "./varint.ts";

/** Keys of which many begin alike, and some are the beginning of others. */
const key = fc.uint8Array({ minLength: 1, maxLength: 6 }).map((bytes) => bytes.map((byte) => byte % 3));
const entry = fc.tuple(key, fc.option(fc.uint8Array({ maxLength: 200 })));
const entries = fc.uniqueArray(entry, {
  selector: ([key]) => toHex(key),
  minLength: 1,
  maxLength: 80,
  size: "max",
})
  .map((entries) => entries.toSorted(([a], [b]) => compareBytes(a, b)));

type Entries = readonly (readonly [Uint8Array, Uint8Array | null])[];

/** A block somewhere in a larger array. */
function blockOf(
  entries: Entries,
): { readonly bytes: Uint8Array; readonly from: number; readonly to: number } {
  const builder = new BlockBuilder();
  for (const [key, record] of entries) {
    builder.add(key, key.length, record ?? key, 0, record === null ? REMOVED : record.length);
  }
  const { sizeBytes } = builder;
  const block = builder.finish();
  assertEquals(block.length, sizeBytes);
  const bytes = new Uint8Array(block.length + 20).fill(0xee);
  bytes.set(block, 7);
  return { bytes, from: 7, to: 7 + block.length };
}

/** What a walker shows. */
function shown(
  { key, keyBytes, bytes, recordAt, recordBytes }: BlockWalker,
): [Uint8Array, Uint8Array | null] {
  const record = recordBytes === REMOVED ? null : bytes.slice(recordAt, recordAt + recordBytes);
  return [key.slice(0, keyBytes), record];
}

function found(bytes: Uint8Array, at: number): Uint8Array | null | undefined {
  if (at < 0) return undefined;
  const tag = varintAt(bytes, at);
  const recordAt = at + varintBytes(tag);
  return tag === 0 ? null : bytes.slice(recordAt, recordAt + tag - 1);
}

function likeItsTwin(numRuns: number): void {
  fc.assert(
    fc.property(entries, fc.array(key, { maxLength: 20 }), (entries, others) => {
      const { bytes, from, to } = blockOf(entries);
      const walker = new BlockWalker();
      walker.enter(bytes, from, to);
      for (const entry of entries) {
        assert(walker.next());
        assertEquals(shown(walker), [...entry]);
      }
      assertEquals(walker.next(), false);
      for (const wanted of [...others, ...entries.map(([key]) => key)]) {
        const exact = entries.find(([key]) => compareBytes(key, wanted) === 0);
        assertEquals(found(bytes, findInBlock(bytes, from, to, wanted, wanted.length)), exact?.[1]);
        const next = entries.find(([key]) => compareBytes(key, wanted) >= 0);
        assertEquals(walker.enterAt(bytes, from, to, wanted, wanted.length), next !== undefined);
        if (next) assertEquals(shown(walker), [...next]);
      }
    }),
    { numRuns },
  );
}

Deno.test("block: what was put in is found and walked, nothing else is", () => likeItsTwin(300));

Deno.test("planted: a builder that shares a byte too many", () => {
  const { add } = BlockBuilder.prototype;
  BlockBuilder.prototype.add = function (key, ...rest) {
    add.call(this, key.length > 2 ? key.with(1, 0) : key, ...rest);
  };
  try {
    assertThrows(() => likeItsTwin(300));
  } finally {
    BlockBuilder.prototype.add = add;
  }
});

Deno.test("varints: as short as can be, read as written", () => {
  fc.assert(fc.property(fc.oneof(fc.nat(300), fc.nat(2 ** 21 + 5), fc.nat(2 ** 32 - 1)), (value) => {
    const bytes = new Uint8Array(8);
    const end = putVarint(bytes, 1, value);
    assertEquals(end - 1, varintBytes(value));
    assertEquals(varintAt(bytes, 1), value);
    assert(end === 2 || bytes[end - 1] !== 0);
  }));
  for (const value of [0, 127, 128, 16383, 16384, 2 ** 21, 2 ** 28 - 1, 2 ** 28, 2 ** 32 - 1]) {
    const bytes = new Uint8Array(5);
    assertEquals(putVarint(bytes, 0, value), varintBytes(value));
    assertEquals(varintAt(bytes, 0), value);
  }
});
