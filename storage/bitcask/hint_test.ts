import fc from "fast-check";
import { concatBytes } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { crc32 } from "node:zlib";
import { EngineError } from "../engine.ts";
import { formatExample } from "../testing/format_example.ts";
import { REMOVED } from "./codec.ts";
import { decodeHint, HINT_HEADER_BYTES, HintEncoder, hintEntries, type HintEntry } from "./hint.ts";

const SEGMENT = { number: 3, seed: 0xfedcba98, end: 4096 };

function encode(entries: readonly HintEntry[], storeId: Uint8Array | null = null): Uint8Array {
  const chunks: Uint8Array[] = [];
  const encoder = new HintEncoder((bytes) => chunks.push(bytes.slice()));
  for (const { sequence, partition, key, offset, recordBytes } of entries) {
    const record = recordBytes === REMOVED ? null : new Uint8Array(recordBytes);
    encoder.change({ sequence, partition, key, record, offset: 0 }, offset);
  }
  if (storeId) encoder.storeId(storeId);
  return concatBytes(encoder.finish(SEGMENT), ...chunks);
}

const entries = fc.tuple(
  fc.oneof(fc.constant(0), fc.integer({ min: 2 ** 32 - 10, max: 2 ** 53 - 10_000 })),
  fc.array(
    fc.record({
      gap: fc.integer({ min: 1, max: 9 }),
      partition: fc.nat(65535),
      key: fc.uint8Array({ maxLength: 30 }),
      offset: fc.nat(2 ** 28),
      recordBytes: fc.oneof(fc.nat(1000), fc.constant(REMOVED)),
    }),
    { maxLength: 40 },
  ),
).map(([first, changes]) => {
  let sequence = first;
  return changes.map(({ gap, ...entry }): HintEntry => ({ ...entry, sequence: sequence += gap }));
});

Deno.test("hint: any entries come back", () => {
  const ids = fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => id.with(3, 1)));
  const property = fc.property(entries, ids, (entries, id) => {
    const hint = decodeHint(encode(entries, id), "hint");
    assert(hint);
    assertEquals([hint.number, hint.seed, hint.end], [SEGMENT.number, SEGMENT.seed, SEGMENT.end]);
    assertEquals(hint.storeId, id);
    assertEquals([...hintEntries(hint)], entries);
  });
  fc.assert(property);
});

Deno.test("hint: longer than a chunk", () => {
  const many = Array.from({ length: 20_000 }, (_, i) => ({
    sequence: i + 5,
    partition: i % 64,
    key: new Uint8Array(1 + i % 30).fill(i),
    offset: 50 * i,
    recordBytes: i % 9,
  }));
  const hint = decodeHint(encode(many), "hint");
  assert(hint);
  assertEquals([...hintEntries(hint)], many);
});

Deno.test("41: every flipped bit of a hint file, and every cut, is noticed", () => {
  const bytes = encode([
    { sequence: 7, partition: 1, key: Uint8Array.of(1, 2), offset: 100, recordBytes: 10 },
    { sequence: 8, partition: 2, key: new Uint8Array(0), offset: 150, recordBytes: REMOVED },
  ], new Uint8Array(16).fill(9));
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    assertEquals(
      decodeHint(bytes.with(bit >> 3, bytes[bit >> 3]! ^ 1 << bit % 8), "hint"),
      null,
      `bit ${bit}`,
    );
  }
  for (let size = 0; size < bytes.length; size++) {
    assertEquals(decodeHint(bytes.subarray(0, size), "hint"), null);
  }
  assertEquals(decodeHint(Uint8Array.from([...bytes, 0]), "hint"), null);
});

Deno.test("47: a hint file of a newer format is refused", () => {
  const bytes = encode([]);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, 2);
  view.setUint32(HINT_HEADER_BYTES - 4, crc32(bytes.subarray(0, HINT_HEADER_BYTES - 4)));
  const error = assertThrows(() => decodeHint(bytes, "the path"), EngineError, "the path has format 2");
  assertEquals(error.code, "newer");
});

Deno.test("the worked example of FORMAT.md: a hint file", () => {
  const hint = decodeHint(formatExample("hint"), "hint");
  assert(hint);
  assertEquals([hint.number, hint.seed, hint.end], [1, 0xbbc59e10, 208]);
  assertEquals(hint.storeId?.toHex(), "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
  const text = new TextDecoder();
  assertEquals(
    [...hintEntries(hint)].map(({ sequence, partition, key, offset, recordBytes }) => {
      return [sequence, partition, text.decode(key), offset, recordBytes];
    }),
    [[41, 7, "foo", 112, 3], [42, 7, "old", 138, REMOVED], [43, 258, "", 184, REMOVED]],
  );
});
