import type { Standing } from "../replica_store/reaper_protocol.ts";
import { assertEquals } from "../runtime/testing/assert.ts";
import { fateOf } from "./regression.ts";

const WELL: Standing = { isSerious: false, notWhole: [], sealed: 2 };

Deno.test("regression: a copy that may be too old waits until all other owners have said how they are", () => {
  assertEquals(fateOf(7, [WELL, undefined], 0), "wait");
  assertEquals(fateOf(7, [undefined], 5), "wait");
});

Deno.test("regression: it is fetched anew where anything was ever collected, whoever knows of it", () => {
  assertEquals(fateOf(7, [WELL, WELL], 0), "rebuild");
  assertEquals(fateOf(7, [{ ...WELL, sealed: 0 }], 1), "rebuild");
  assertEquals(fateOf(7, [{ ...WELL, sealed: 0 }, { ...WELL, sealed: 0 }], 0), "merge");
});

Deno.test("regression: data go before tombstones where another owner has lost something, but for a torn record", () => {
  assertEquals(fateOf(7, [WELL, { ...WELL, isSerious: true, notWhole: [7] }], 2), "merge");
  assertEquals(fateOf(7, [WELL, { ...WELL, isSerious: true, notWhole: [8] }], 2), "rebuild");
  assertEquals(fateOf(7, [WELL, { ...WELL, isSerious: false, notWhole: [7] }], 2), "rebuild");
  assertEquals(fateOf(7, [], 2), "merge", "nobody has another copy");
});
