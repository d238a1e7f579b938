import fc from "fast-check";
import { assert, assertEquals, assertStrictEquals } from "../runtime/testing/assert.ts";
import { LIMITS } from "../runtime/limits.ts";
import {
  ENTRY_BYTES,
  faultOf,
  has,
  join,
  newestMs,
  NONE,
  type ReplacedWrite,
  withWrites,
} from "./replaced.ts";

const idOf = (n: number) => n.toString(16).padStart(32, "0");

const writes = fc.array(
  fc.record({ requestId: fc.nat({ max: 80 }).map(idOf), wallMs: fc.nat({ max: 5 }) }),
  { maxLength: 150, size: "max" },
);

/** A dumb twin: all there ever was, sorted and cut when it is looked at. */
function rememberedOf(writes: readonly ReplacedWrite[]): string[] {
  const all = new Set(
    writes.map(({ wallMs, requestId }) => wallMs.toString(16).padStart(16, "0") + requestId),
  );
  return [...all].sort().slice(-LIMITS.replacedRequests);
}

function entriesOf(list: Uint8Array): string[] {
  const count = list.length / ENTRY_BYTES;
  return Array.from(
    { length: count },
    (_, n) => list.subarray(n * ENTRY_BYTES, (n + 1) * ENTRY_BYTES).toHex(),
  );
}

Deno.test("replaced: a list is the youngest of all there ever was, in whatever order it was learned", () => {
  fc.assert(fc.property(writes, writes, writes, (a, b, c) => {
    const [listA, listB, listC] = [withWrites(NONE, a), withWrites(NONE, b), withWrites(NONE, c)];
    const all = join(join(listA, listB), listC);
    assertEquals(entriesOf(all), rememberedOf([...a, ...b, ...c]));
    assertEquals(join(listC, join(listB, listA)), all);
    assertEquals(faultOf(all), null);
    assertStrictEquals(join(all, listA), all);
    const remembered = new Set(rememberedOf([...a, ...b, ...c]).map((entry) => entry.slice(16)));
    for (let n = 0; n <= 80; n++) assertEquals(has(all, idOf(n)), remembered.has(idOf(n)));
    assertEquals(newestMs(all), Math.max(0, ...[...a, ...b, ...c].map(({ wallMs }) => wallMs)));
  }));
});

Deno.test("replaced: lists are not changed by what is made of them", () => {
  const one = withWrites(NONE, [{ requestId: idOf(1), wallMs: 1 }]);
  const before = one.slice();
  join(one, withWrites(one, [{ requestId: idOf(2), wallMs: 0 }]));
  assertEquals(one, before);
  assert(NONE.length === 0);
});
