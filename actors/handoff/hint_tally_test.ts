/**
 * What is kept for whom, how much of it, and its bytes.
 *
 * @module
 */

import { encodeUtf8 } from "../runtime/bytes.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { LIMITS } from "../runtime/limits.ts";
import { hasRoom, HintTally } from "./hint_tally.ts";
import { decodeHint, encodeHint } from "./hint_record.ts";

Deno.test("58: a hint has room while its target and all together stay within their limits; less always has", () => {
  const { hintTargetBytes, hintBytes } = LIMITS;
  assert(hasRoom({ targetBytes: 0, totalBytes: 0, addedBytes: hintTargetBytes }));
  assert(!hasRoom({ targetBytes: 1, totalBytes: 1, addedBytes: hintTargetBytes }));
  assert(!hasRoom({ targetBytes: 0, totalBytes: hintBytes, addedBytes: 1 }));
  assert(hasRoom({ targetBytes: hintTargetBytes, totalBytes: hintBytes, addedBytes: 0 }));
  assert(hasRoom({ targetBytes: hintTargetBytes + 9, totalBytes: hintBytes + 9, addedBytes: -1 }));
});

Deno.test("a target has a slot for as long as anything is kept for it, and the first that is free", () => {
  const tally = new HintTally();
  const add = (target: string, count: number, bytes: number) =>
    tally.add({ target, partition: 1, count, bytes }, tally.claim(target));
  add("a", 1, 10);
  add("b", 1, 20);
  add("a", 1, 5);
  assertEquals([tally.slotOf("a"), tally.slotOf("b"), tally.claim("c")], [0, 1, 2]);
  assertEquals([tally.bytesOf("a"), tally.bytes, tally.count, tally.heldOf(1)], [15, 35, 3, 3]);
  add("a", -2, -15);
  assertEquals([tally.slotOf("a"), tally.claim("c"), tally.heldOf(1), tally.heldOf(2)], [undefined, 0, 1, 0]);
  assertEquals(tally.targets(), [{ node: "b", count: 1, bytes: 20 }]);
});

Deno.test("a hint's record is read from anywhere in a buffer, and what is none is none", () => {
  const hint = {
    target: "ab".repeat(16),
    partition: 65_535,
    stamp: 2 ** 53 - 1,
    object: encodeUtf8("object"),
  };
  const bytes = encodeHint(hint);
  const buffer = new Uint8Array(bytes.length + 7);
  buffer.set(bytes, 7);
  assertEquals(decodeHint(buffer.subarray(7)), hint);
  assertEquals(decodeHint(bytes.subarray(0, 26)), null);
  assertEquals(decodeHint(Uint8Array.of(1, ...bytes.subarray(1))), null);
});
