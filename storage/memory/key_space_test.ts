import fc from "fast-check";
import { compareBytes, toHex } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { KeyOrder } from "../keys/key_order.ts";
import { KeySpace } from "./key_space.ts";
import { KeyTable } from "../keys/key_table.ts";

/** The dumb twin: a Map from hex. */
type Twin = Map<string, Uint8Array>;

const step = fc.record({
  key: fc.nat(50).map((n) => new Uint8Array(1 + n % 7 * (n % 3)).fill(n).with(0, 19 * n)),
  size: fc.option(fc.oneof(fc.nat(200), fc.constantFrom(32_768, 40_000)), { freq: 2 }),
  scans: fc.boolean(),
});

function like(twin: Twin, space: KeySpace, partition: number): void {
  const expected = [...twin].map(([hex, record]) => ({ key: Uint8Array.fromHex(hex), record }))
    .sort((a, b) => compareBytes(a.key, b.key));
  const page = space.scan({ partition, limit: 1e9, limitBytes: Infinity });
  assertEquals(page.entries.length, expected.length);
  expected.forEach(({ key, record }, i) => {
    assert(compareBytes(page.entries[i]!.key, key) === 0, "key");
    assert(compareBytes(page.entries[i]!.record, record) === 0, "record");
  });
}

/** Any steps leave the space like its twin. A planted bug gets more tries: it ends the run when it is found. */
function likeItsTwin(numRuns: number, endOnFailure: boolean): void {
  const property = fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const space = new KeySpace();
    const twin: Twin = new Map();
    steps.forEach(({ key, size, scans }, serial) => {
      const record = size === null ? null : new Uint8Array(size).fill(serial);
      space.apply({ partition: 3, key, record }, serial);
      if (record) twin.set(toHex(key), record);
      else twin.delete(toHex(key));
      assertEquals(space.keys, twin.size);
      assertEquals(space.get(3, key), record);
      if (scans) like(twin, space, 3);
    });
    like(twin, space, 3);
    for (const hex of twin.keys()) {
      space.apply({ partition: 3, key: Uint8Array.fromHex(hex), record: null }, 0);
    }
    assertEquals([space.keys, space.liveBytes, space.index.partitions().length], [0, 0, 0]);
  });
  fc.assert(property, { numRuns, endOnFailure });
}

Deno.test("key space: like a Map", () => likeItsTwin(100, false));

/** Substitute a broken method and see that the property notices. */
function planted<T>(
  prototype: T,
  method: keyof T,
  broken: (this: T, ...parameters: never[]) => unknown,
): void {
  const whole = Object.getOwnPropertyDescriptor(prototype, method)!;
  Object.defineProperty(prototype, method, { ...whole, value: broken });
  try {
    assertThrows(() => likeItsTwin(20_000, true));
  } finally {
    Object.defineProperty(prototype, method, whole);
  }
}

Deno.test("planted: a table that forgets removals, an order that misses insertions", () => {
  planted(KeyTable.prototype, "remove", () => {});
  planted(KeyOrder.prototype, "insert", () => {});
  planted(KeyOrder.prototype, "remove", () => {});
});

Deno.test("key space: slabs are let go when most of them is dead, and no byte given out changes", () => {
  const space = new KeySpace();
  const keys = Array.from({ length: 5000 }, (_, i) => new TextEncoder().encode(`key ${i}`));
  const given: { view: Uint8Array; fill: number }[] = [];
  for (let round = 0; round < 20; round++) {
    for (const [i, key] of keys.entries()) {
      space.apply({ partition: i % 16, key, record: new Uint8Array(100).fill(round) }, round);
    }
    given.push({ view: space.get(0, keys[0]!)!, fill: round });
  }
  for (const { view, fill } of given) assert(view.every((byte) => byte === fill));
  for (const [i, key] of keys.entries()) assertEquals(space.get(i % 16, key)?.[99], 19);
  const live = space.liveBytes;
  const held = space.index.arena.slabBytes;
  assert(held <= 2 * live + 2 * 256 * 1024, `${held} bytes held for ${live}`);
});

Deno.test("key space: many new keys between two scans, few, and none", () => {
  const space = new KeySpace();
  const twin: Twin = new Map();
  let serial = 0;
  for (const count of [500, 0, 1, 30, 3000, 2, 700]) {
    for (let i = 0; i < count; i++) {
      const key = new TextEncoder().encode(`${(++serial * 7919) % 10_007}`);
      const record = Uint8Array.of(serial & 255);
      space.apply({ partition: 0, key, record }, 0);
      twin.set(toHex(key), record);
    }
    like(twin, space, 0);
  }
});

Deno.test("key space: a large view of a larger buffer does not keep it, others are kept by reference", () => {
  const space = new KeySpace();
  const key = Uint8Array.of(1);
  const own = new Uint8Array(50_000);
  space.apply({ partition: 0, key, record: own }, 0);
  assertEquals(space.get(0, key)?.buffer, own.buffer);
  const part = new Uint8Array(1_000_000).subarray(7, 50_007);
  space.apply({ partition: 0, key, record: part }, 0);
  assertEquals(space.get(0, key)?.buffer.byteLength, 50_000);
});

Deno.test("key space: dropping a partition leaves the others", () => {
  const space = new KeySpace();
  for (let i = 0; i < 100; i++) {
    space.apply({ partition: i % 2, key: Uint8Array.of(i), record: Uint8Array.of(i) }, 0);
  }
  space.drop(0);
  space.drop(9);
  assertEquals(space.index.partitions(), [1]);
  assertEquals([space.keys, space.liveBytes, space.index.count(0), space.index.count(1)], [50, 100, 0, 50]);
  space.apply({ partition: 0, key: Uint8Array.of(2), record: Uint8Array.of(9) }, 0);
  assertEquals(space.get(0, Uint8Array.of(2)), Uint8Array.of(9));
  assertEquals(space.get(1, Uint8Array.of(3)), Uint8Array.of(3));
});
