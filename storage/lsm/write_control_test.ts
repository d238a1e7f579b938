import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { DEFAULTS } from "./options.ts";
import { delayOf, pressureOf } from "./write_control.ts";

Deno.test("write control: nothing is felt at first, then each step a little more, at last no write is taken", () => {
  const ofLevel0 = (level0Tables: number) => pressureOf({ waitingBytes: 0, level0Tables }, DEFAULTS);
  const ofWaiting = (share: number) =>
    pressureOf({ waitingBytes: share * DEFAULTS.waitingBytes, level0Tables: 0 }, DEFAULTS);
  assert(ofLevel0(DEFAULTS.level0Tables) <= 0);
  assert(ofWaiting(DEFAULTS.memtableBytes / DEFAULTS.waitingBytes) <= 0);
  assertEquals(ofLevel0(DEFAULTS.level0MaxTables), 1);
  assertEquals(ofWaiting(1), 1);
  for (const pressure of [ofLevel0, (step: number) => ofWaiting(step / 20)]) {
    for (let step = 1; step <= 20; step++) {
      const [before, after] = [delayOf(pressure(step - 1)), delayOf(pressure(step))];
      assert(after >= before && after - before < 20, `from ${before} to ${after} ms`);
    }
  }
  assertEquals([delayOf(-1), delayOf(0), delayOf(1), delayOf(7)], [0, 0, 100, 100]);
});

Deno.test("write control: the worse of the two counts, and tiny limits make sense", () => {
  const settings = { ...DEFAULTS, level0Tables: 2, level0MaxTables: 3, memtableBytes: 1, waitingBytes: 2 };
  assertEquals(pressureOf({ waitingBytes: 2, level0Tables: 0 }, settings), 1);
  assertEquals(pressureOf({ waitingBytes: 0, level0Tables: 3 }, settings), 1);
  assertEquals(pressureOf({ waitingBytes: 1, level0Tables: 2 }, settings), 0);
});
