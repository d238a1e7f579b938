import fc from "fast-check";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { concatBytes, encodeUtf8, toHex } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { LIMITS } from "../runtime/limits.ts";
import { type Clock, clockOf, EMPTY_CLOCK } from "./clock.ts";
import { decodeContext, encodeContext } from "./context.ts";

const CLUSTER = "c1".repeat(16);
const FOO = encodeUtf8("foo");
const A = "0a".repeat(16);
const B = "0b".repeat(16);

const actor = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex);
const dot = fc.record({ actor, counter: fc.integer({ min: 1, max: 2 ** 53 - 1 }) });
const clock = fc.array(dot, { minLength: 1, maxLength: 5 }).map((dots) => clockOf(...dots));
const key = fc.uint8Array({ minLength: 1, maxLength: 40 });

/** Entries with the checksum that is right for a key, whatever they are. */
function seal(entries: Uint8Array, key: Uint8Array): Uint8Array {
  const seed = crc32c(Uint8Array.of(0), crc32c(encodeUtf8(CLUSTER)));
  return concatBytes(entries, u32(crc32c(entries, crc32c(key, seed))));
}

const sealed = (...parts: Uint8Array[]) => seal(concatBytes(...parts), FOO);

const u32 = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

function entry(actor: string, counter: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes.setFromHex(actor);
  new DataView(bytes.buffer).setBigUint64(16, counter >> 64n);
  new DataView(bytes.buffer).setBigUint64(24, counter & 0xffffffffffffffffn);
  return bytes;
}

Deno.test("context: what was given comes back", () => {
  fc.assert(fc.property(clock, key, fc.string(), (clock, key, cluster) => {
    assertEquals(decodeContext(encodeContext(clock, key, cluster), key, cluster), clock);
  }));
});

Deno.test("context: nothing seen is no bytes, for any key", () => {
  assertEquals(encodeContext(EMPTY_CLOCK, FOO, CLUSTER).length, 0);
  assertEquals(decodeContext(new Uint8Array(0), FOO, CLUSTER), EMPTY_CLOCK);
});

Deno.test("context: RLDB's layout and then the checksum", () => {
  const clock: Clock = [{ actor: A, counter: 1 }, { actor: B, counter: 2 ** 53 - 1 }];
  const expected = sealed(u32(2), entry(A, 1n), entry(B, 2n ** 53n - 1n));
  assertEquals(toHex(encodeContext(clock, FOO, CLUSTER)), toHex(expected));
});

type Decode = typeof decodeContext;

function refusesOtherKeys(decode: Decode) {
  return fc.property(clock, key, key, (clock, key, other) => {
    fc.pre(toHex(key) !== toHex(other));
    assertEquals(decode(encodeContext(clock, key, CLUSTER), other, CLUSTER), null);
    assertEquals(decode(encodeContext(clock, key, CLUSTER), key, "c2".repeat(16)), null);
  });
}

function refusesDamage(decode: Decode) {
  return fc.property(clock, key, (clock, key) => {
    const context = encodeContext(clock, key, CLUSTER);
    for (let bit = 0; bit < context.length * 8; bit++) {
      const damaged = context.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      assertEquals(decode(damaged, key, CLUSTER), null, `bit ${bit}`);
    }
    for (let length = 1; length < context.length; length++) {
      assertEquals(decode(context.subarray(0, length), key, CLUSTER), null, `cut to ${length}`);
    }
    assertEquals(decode(concatBytes(context, Uint8Array.of(0)), key, CLUSTER), null);
  });
}

Deno.test("FAULTS 23: a context of another key, or of another cluster, is refused", () => {
  fc.assert(refusesOtherKeys(decodeContext));
  const context = encodeContext([{ actor: A, counter: 1 }], encodeUtf8("bc"), "a");
  assertEquals(decodeContext(context, encodeUtf8("c"), "ab"), null);
});

Deno.test("FAULTS 24: a context with any bit flipped, cut anywhere, or longer, is refused", () => {
  fc.assert(refusesDamage(decodeContext), { numRuns: 30 });
});

Deno.test("context: planted and found: a checksum that is not looked at", () => {
  const careless: Decode = (bytes, key, cluster) =>
    decodeContext(seal(bytes.subarray(0, -4), key), key, cluster);
  assert(fc.check(refusesOtherKeys(careless)).failed);
  assert(fc.check(refusesDamage(careless)).failed);
});

Deno.test("FAULTS 25, 27: entries over the limit are refused, as many as may be are taken", () => {
  const entries = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ actor: n.toString(16).padStart(32, "0"), counter: 1 }));
  const most = entries(LIMITS.clockEntries);
  assertEquals(decodeContext(encodeContext(most, FOO, CLUSTER), FOO, CLUSTER), most);
  for (const count of [LIMITS.clockEntries + 1, 100_000]) {
    assertEquals(decodeContext(encodeContext(entries(count), FOO, CLUSTER), FOO, CLUSTER), null);
  }
  assertEquals(decodeContext(sealed(u32(0xffffffff), entry(A, 1n)), FOO, CLUSTER), null);
});

Deno.test("context: entries that no node ever wrote are refused though the checksum is right", () => {
  const taken = (...parts: Uint8Array[]) => decodeContext(sealed(...parts), FOO, CLUSTER);
  assertEquals(taken(u32(1), entry(A, 1n)), [{ actor: A, counter: 1 }]);
  assertEquals(taken(u32(0)), null);
  assertEquals(taken(u32(1), entry(A, 0n)), null, "counter 0");
  assertEquals(taken(u32(1), entry(A, 2n ** 53n)), null, "counter past 2^53-1");
  assertEquals(taken(u32(1), entry(A, 2n ** 64n + 1n)), null, "counter past 64 bits");
  assertEquals(taken(u32(2), entry(B, 1n), entry(A, 1n)), null, "unsorted");
  assertEquals(taken(u32(2), entry(A, 1n), entry(A, 2n)), null, "an actor twice");
  assertEquals(taken(u32(1), entry(A, 1n), entry(B, 1n)), null, "more than counted");
  assertEquals(taken(u32(2), entry(A, 1n)), null, "fewer than counted");
});
