import fc from "fast-check";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "../runtime/testing/assert.ts";
import { concatBytes, equalBytes, fromHex } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { LIMITS } from "../runtime/limits.ts";
import { clockOf, EMPTY_CLOCK } from "./clock.ts";
import { includes, merge, mint, type Sibling, sizeBytes, type StoredObject } from "./object.ts";
import { decodeObject, encodeObject, ObjectFormatError } from "./object_codec.ts";
import { NONE, withWrites } from "./replaced.ts";
import { objectsOfOneKey } from "./testing/history.ts";

const A = "a1".repeat(16);
const B = "b2".repeat(16);
const R = "0f".repeat(16);
const utf8 = new TextEncoder();

/** One sibling of actor A's second dot, changed where the test says. */
function object(over: Partial<Sibling> = {}, clock = clockOf({ actor: A, counter: 2 })): StoredObject {
  const sibling = {
    dot: { actor: A, counter: 2 },
    requestId: R,
    tombstone: false,
    value: utf8.encode("bar"),
    crc32c: 179770161,
    wallMs: 1_700_000_000_000,
    ...over,
  };
  return { clock, siblings: [sibling], replaced: NONE };
}

/** Where things are in the encoding of {@link object}. */
const AT = {
  clockCount: 1,
  actor: 3,
  counter: 19,
  replaced: 27,
  siblings: 29,
  index: 33,
  dot: 35,
  flags: 43,
  wall: 48,
  length: 56,
};

function refused(bytes: Uint8Array, why: string): void {
  assertThrows(() => decodeObject(bytes), ObjectFormatError, why);
}

/** The encoding of `of` with some bytes put over it. */
function patched(at: number, bytes: number[], of = object()): Uint8Array {
  const encoded = encodeObject(of).slice();
  encoded.set(bytes, at);
  return encoded;
}

Deno.test("object codec: whatever a history leads to comes back, and has the size foretold", () => {
  fc.assert(
    fc.property(objectsOfOneKey, (objects) => {
      for (const object of objects) {
        const bytes = encodeObject(object);
        assertEquals(bytes.length, sizeBytes(object));
        assertEquals(decodeObject(bytes), object);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("object codec: canonical, and includes() is byte equality of a merge", () => {
  fc.assert(
    fc.property(objectsOfOneKey, fc.nat(), fc.nat(), (objects, m, n) => {
      const [a, b] = [objects[m % objects.length]!, objects[n % objects.length]!];
      assert(equalBytes(encodeObject(merge(a, b)), encodeObject(merge(b, a))));
      assertEquals(includes(a, b), equalBytes(encodeObject(merge(a, b)), encodeObject(a)));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("object codec: extremes come back: the largest counter, times and sizes, many entries", () => {
  const last = { actor: A, counter: 2 ** 53 - 1 };
  const extreme = object({ dot: last, wallMs: 2 ** 53 - 1, crc32c: 2 ** 32 - 1 }, clockOf(last));
  assertEquals(decodeObject(encodeObject(extreme)), extreme);
  const big = object({ value: new Uint8Array(70_000).fill(7) });
  assertEquals(decodeObject(encodeObject(big)), big);
  const actors = Array.from({ length: LIMITS.clockEntries - 1 }, (_, n) => ({
    actor: n.toString(16).padStart(32, "0"),
    counter: n + 1,
  }));
  const wide = object({}, [...actors, { actor: A, counter: 2 }]);
  assertEquals(decodeObject(encodeObject(wide)), wide);
  const index = decodeObject(
    encodeObject(object({}, clockOf({ actor: A, counter: 9 }, { actor: "0".repeat(32), counter: 1 }))),
  );
  assertEquals(index.siblings[0]!.dot, { actor: A, counter: 2 });
});

Deno.test("object codec: further dots come back, in order and at least one", () => {
  const clock = clockOf({ actor: A, counter: 9 }, { actor: B, counter: 7 });
  const also = [{ actor: A, counter: 5 }, { actor: B, counter: 7 }];
  const of = object({ also }, clock);
  const encoded = encodeObject(of);
  assertEquals(encoded.length, sizeBytes(of));
  assertEquals(decodeObject(encoded), of);
  const tombstone = object({ also, tombstone: true, value: new Uint8Array(0), crc32c: 0 }, clock);
  assertEquals(decodeObject(encodeObject(tombstone)), tombstone);
  refused(encodeObject(object({ also: [also[1]!, also[0]!] }, clock)), "dots out of order");
  refused(encodeObject(object({ also: [{ actor: A, counter: 2 }] }, clock)), "dots out of order");
  refused(encodeObject(object({ also: [] }, clock)), "no other dots");
});

Deno.test("object codec: values are views, not copies", () => {
  const bytes = encodeObject(object());
  assertStrictEquals(decodeObject(bytes).siblings[0]!.value.buffer, bytes.buffer);
});

Deno.test("object codec: encodings do not run into one another", () => {
  const objects = Array.from({ length: 500 }, (_, n) => object({ value: new Uint8Array(n).fill(n & 255) }));
  const encoded = objects.map(encodeObject);
  assertEquals(encoded.map(decodeObject), objects);
});

Deno.test("object codec: actors that share their last byte are not taken for one another", () => {
  const actors = ["11".repeat(16), "22".repeat(15) + "11", "33".repeat(15) + "11"];
  for (const actor of [...actors, ...actors]) {
    const one = object({ dot: { actor, counter: 2 } }, clockOf({ actor, counter: 2 }));
    assertEquals(decodeObject(encodeObject(one)).clock[0]!.actor, actor);
  }
});

Deno.test("object codec: every truncation and every byte too many is refused", () => {
  fc.assert(
    fc.property(objectsOfOneKey, (objects) => {
      const bytes = encodeObject(objects.at(-1)!);
      for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length), "");
      refused(concatBytes(bytes, Uint8Array.of(0)), "1 bytes too many");
    }),
    { numRuns: 100 },
  );
});

Deno.test("object codec: damaged bytes are refused, or are exactly what another object is written as", () => {
  fc.assert(
    fc.property(
      objectsOfOneKey,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1 }),
      (objects, damage) => {
        const bytes = encodeObject(objects.at(-1)!).slice();
        for (const [at, value] of damage) bytes[at % bytes.length] = value;
        let decoded;
        try {
          decoded = decodeObject(bytes);
        } catch (error) {
          assert(error instanceof ObjectFormatError);
          return;
        }
        assert(equalBytes(encodeObject(decoded), bytes));
      },
    ),
    { numRuns: 5000 },
  );
});

Deno.test("object codec: the time at which a sibling expires goes along", () => {
  for (const expiresMs of [0, 1_700_000_000_000, Number.MAX_SAFE_INTEGER]) {
    const expiring = object({ expiresMs });
    assertEquals(decodeObject(encodeObject(expiring)), expiring);
    assertEquals(encodeObject(expiring).length, sizeBytes(expiring));
  }
});

Deno.test("object codec: each rule of the layout, broken, is refused by name", () => {
  refused(new Uint8Array(0), "cut short");
  refused(patched(0, [2]), "object version 2");
  refused(patched(AT.counter, [0, 0, 0, 0, 0, 0, 0, 0]), "a counter of 0");
  refused(patched(AT.counter, [0, 0x20, 0, 0, 0, 0, 0, 0]), "past 2^53-1");
  refused(patched(AT.dot, [0, 0, 0, 0, 0, 0, 0, 0]), "a counter of 0");
  refused(patched(AT.dot, [0, 0, 0, 0, 0, 0, 0, 3]), "does not cover");
  refused(patched(AT.index, [0, 1]), "does not cover");
  refused(patched(AT.flags, [8]), "unknown flags");
  refused(patched(AT.flags, [1]), "a tombstone with a value");
  refused(patched(AT.wall, [0xff]), "past 2^53-1");
  refused(patched(AT.length, [0xff, 0xff, 0xff, 0xff]), "cut short");
  refused(patched(AT.replaced, [0xff, 0xff]), "cut short");
  refused(patched(AT.siblings, [0, 0, 0, 0]), "no siblings");
  const replaced = withWrites(NONE, [{ requestId: R, wallMs: 1 }, { requestId: R, wallMs: 2 }]);
  const listing = (list: Uint8Array) => encodeObject({ ...object(), replaced: list });
  assertEquals(decodeObject(listing(replaced)).replaced, replaced);
  refused(listing(concatBytes(replaced.subarray(24), replaced.subarray(0, 24))), "out of order");
  refused(listing(concatBytes(replaced, replaced.subarray(24))), "out of order");
  refused(listing(replaced.slice().fill(0xff, 0, 8)), "past 2^53-1");
  const many = Array.from({ length: LIMITS.replacedRequests + 1 }, (_, n) => {
    return withWrites(NONE, [{ requestId: R, wallMs: n }]);
  });
  refused(listing(concatBytes(...many)), `over ${LIMITS.replacedRequests}`);
  refused(
    encodeObject(object({ tombstone: true, value: new Uint8Array(0), crc32c: 1 })),
    "a tombstone with a value",
  );
  const two = clockOf({ actor: A, counter: 2 }, { actor: B, counter: 2 });
  refused(encodeObject(object({}, two.toReversed())), "clock out of order");
  refused(encodeObject(object({}, [two[0]!, two[0]!])), "clock out of order");
  const [sibling] = object().siblings;
  const of = (...siblings: Sibling[]) => encodeObject({ clock: two, siblings, replaced: NONE });
  refused(of(sibling!, sibling!), "siblings out of order");
  const earlier = { ...sibling!, dot: { actor: A, counter: 1 } };
  refused(of(sibling!, earlier), "siblings out of order");
});

Deno.test("FAULTS 27: a clock of 10^5 entries, or of one over the limit, is refused at once", () => {
  refused(patched(AT.clockCount, [0xff, 0xff]), `over ${LIMITS.clockEntries}`);
  const over = Array.from({ length: LIMITS.clockEntries + 1 }, (_, n) => ({
    actor: n.toString(16).padStart(32, "0"),
    counter: 1,
  }));
  refused(encodeObject(object({ dot: over[0]! }, over)), `over ${LIMITS.clockEntries}`);
  const huge = Array.from(
    { length: 100_000 },
    (_, n) => ({ actor: n.toString(16).padStart(32, "0"), counter: 1 }),
  );
  assertThrows(() => encodeObject(object({}, huge)), RangeError);
});

Deno.test("object codec: the worked example of storage/FORMAT.md", () => {
  const page = Deno.readTextFileSync(new URL("../../storage/FORMAT.md", import.meta.url));
  const lines = /```object\n([^`]*)```/.exec(page)![1]!.split("\n");
  const bytes = fromHex(lines.map((line) => line.slice(0, 42).replaceAll(" ", "")).join(""));
  assert(bytes !== null);
  const write = (text: string | null, n: number, actor: string, counter: number, context = EMPTY_CLOCK) => {
    const value = text === null ? null : utf8.encode(text);
    const crc = value === null ? 0 : crc32c(value);
    const requestId = `0${n}`.repeat(16);
    return {
      context,
      value,
      crc32c: crc,
      requestId,
      wallMs: 1_700_000_000_000 + n - 1,
      dot: { actor, counter },
    };
  };
  const bar1 = mint(null, write("bar1", 1, A, 1));
  assert(bar1.ok);
  const seen = bar1.object.clock;
  const deleted = mint(bar1.object, write(null, 3, A, 2, seen));
  const bar2 = mint(bar1.object, write("bar2", 2, B, 7, seen));
  assert(deleted.ok && bar2.ok);
  const both = merge(deleted.object, bar2.object);
  assertEquals(decodeObject(bytes), both);
  assertEquals(encodeObject(both).toHex(), bytes.toHex());
});
