import fc from "fast-check";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { Change } from "../engine.ts";
import { changeBytes, decodeChanges, dropOf, encodeChanges, isChange, NOTHING } from "./codec.ts";

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      partition: fc.nat(65535),
      key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
      record: fc.option(fc.uint8Array({ maxLength: 300 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 32_700, max: 32_800 }).map((size) => ({
      partition: 1,
      key: Uint8Array.of(1),
      record: new Uint8Array(size).fill(size),
    })),
  },
  { weight: 1, arbitrary: fc.nat(65535).map(dropOf) },
  { weight: 1, arbitrary: fc.constant(NOTHING) },
);

/** What a journal would hold of these parts. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

Deno.test("bitcask codec: any changes come back, numbered, each where its size says", () => {
  const sequences = fc.oneof(fc.nat(10), fc.integer({ min: 2 ** 32 - 5, max: 2 ** 53 - 200 }));
  const property = fc.property(fc.array(change, { maxLength: 12 }), sequences, (changes, first) => {
    const decoded = decodeChanges(joined(encodeChanges(changes, first)));
    assert(decoded);
    let offset = 0;
    const expected = changes.map(({ partition, key, record }, i) => {
      const placed = { sequence: first + i, partition, key, record, offset };
      offset += changeBytes(key.length, record === null ? 0xffffffff : record.length);
      return placed;
    });
    assertEquals(decoded, expected);
  });
  fc.assert(property);
});

Deno.test("bitcask codec: parts that a journal keeps by reference are not used again", () => {
  const large = (fill: number) => {
    return Array.from({ length: 20 }, (_, i) => ({
      partition: i,
      key: Uint8Array.of(i),
      record: new Uint8Array(4000).fill(fill),
    }));
  };
  const first = encodeChanges(large(1), 1);
  assert(first.every((part) => part.length < 32 * 1024 || part.buffer.byteLength < 100_000));
  const before = joined(first);
  encodeChanges(large(2), 1);
  assertEquals(joined(first), before);
});

Deno.test("42: no flipped bit, other number, key, partition or length passes for the change that is wanted", () => {
  const key = Uint8Array.of(1, 2, 3);
  const record = new Uint8Array(40).fill(7);
  const encode = (change: Change, sequence: number) => joined(encodeChanges([change], sequence));
  const bytes = encode({ partition: 9, key, record }, 77);
  assert(isChange(bytes, 77, 9, key));
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    assert(!isChange(bytes.with(bit >> 3, bytes[bit >> 3]! ^ 1 << bit % 8), 77, 9, key), `bit ${bit}`);
  }
  assert(!isChange(encode({ partition: 9, key, record }, 76), 77, 9, key), "an older version");
  assert(
    !isChange(encode({ partition: 9, key, record }, 77 + 2 ** 32), 77, 9, key),
    "4 billion changes later",
  );
  assert(!isChange(encode({ partition: 8, key, record }, 77), 77, 9, key), "another partition");
  assert(!isChange(encode({ partition: 9, key: key.with(0, 9), record }, 77), 77, 9, key), "another key");
  const longer = encode({ partition: 9, key, record: new Uint8Array(41) }, 77);
  assert(!isChange(longer.subarray(0, bytes.length), 77, 9, key), "a longer record");
  assert(!isChange(new Uint8Array(bytes.length), 0, 0, new Uint8Array(3)), "zeros");
});

Deno.test("bitcask codec: what is no payload of changes is refused", () => {
  const bytes = joined(encodeChanges([{ partition: 1, key: Uint8Array.of(1), record: Uint8Array.of(2) }], 1));
  for (let size = 1; size < bytes.length; size++) assertEquals(decodeChanges(bytes.subarray(0, size)), null);
  for (let at = 0; at < bytes.length; at++) {
    assertEquals(decodeChanges(bytes.with(at, bytes[at]! ^ 16)), null, `byte ${at}`);
  }
  const keyless = joined(
    encodeChanges([{ partition: 1, key: new Uint8Array(0), record: Uint8Array.of(2) }], 1),
  );
  assertEquals(decodeChanges(keyless), null);
});
