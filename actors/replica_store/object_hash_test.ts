import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { encodeUtf8 } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { mint, type StoredObject } from "./object.ts";
import { encodeObject } from "./object_codec.ts";
import { decodeHash, encodeHash, HASH_BYTES, isSameHash, objectHash } from "./object_hash.ts";

const KEY = encodeUtf8("k");

/** Three siblings of one actor, and what they replaced. */
function objectOf(): StoredObject {
  let object: StoredObject | null = null;
  for (let n = 1; n <= 4; n++) {
    const value = n === 2 ? null : encodeUtf8("value".repeat(n));
    const context: StoredObject["clock"] = n === 4 ? [{ actor: "aa".repeat(16), counter: 1 }] : [];
    const outcome = mint(object, {
      context,
      value,
      crc32c: value === null ? 0 : crc32c(value),
      requestId: `${n}`.padStart(32, "0"),
      wallMs: n,
      dot: { actor: "aa".repeat(16), counter: n },
    });
    assert(outcome.ok);
    object = outcome.object;
  }
  return object!;
}

Deno.test("object hash: every byte that is not of a value counts, and of a value its checksum does", () => {
  const object = objectOf();
  const record = encodeObject(object).slice();
  const hash = objectHash(KEY, record);
  const values = object.siblings.map(({ value }) => value.length).reduce((a, b) => a + b);
  let passed = 0;
  for (let at = 0; at < record.length; at++) {
    for (const bit of [1, 128]) {
      record[at]! ^= bit;
      if (isSameHash(objectHash(KEY, record), hash)) passed++;
      record[at]! ^= bit;
    }
  }
  assertEquals(passed, 2 * values);
  assert(!isSameHash(objectHash(encodeUtf8("l"), record), hash));
});

Deno.test("object hash: two keys that exchange their objects change the sum", () => {
  const one = encodeObject(objectOf()).slice();
  const other = one.slice();
  other[10]! ^= 1;
  const keys = [encodeUtf8("k1"), encodeUtf8("k2")] as const;
  const sum = (a: Uint8Array, b: Uint8Array) => {
    const [x, y] = [objectHash(keys[0], a), objectHash(keys[1], b)];
    return [(x.low + y.low) >>> 0, (x.high + y.high) >>> 0];
  };
  const [low, high] = sum(one, other);
  const [otherLow, otherHigh] = sum(other, one);
  assert(low !== otherLow && high !== otherHigh);
});

Deno.test("object hash: whatever bytes there are, it ends, and it travels in eight bytes", () => {
  for (const bytes of [new Uint8Array(0), new Uint8Array(3), new Uint8Array(200).fill(255)]) {
    const hash = objectHash(KEY, bytes);
    assertEquals(decodeHash(encodeHash(hash)), hash);
    assertEquals(encodeHash(hash).length, HASH_BYTES);
  }
});
