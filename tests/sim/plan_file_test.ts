/**
 * @module
 */

import { assertEquals, assertMatch, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { planOf } from "./plan.ts";
import { describePlan, readPlan, writePlan } from "./plan_file.ts";

Deno.test("every plan can be written and read", () => {
  for (let seed = 0; seed < 200; seed++) assertEquals(readPlan(writePlan(planOf(seed))), planOf(seed));
});

Deno.test("what is no plan is refused, and what is wrong with it is named", () => {
  const good = planOf(1);
  const refused = (change: object, why: string) =>
    assertThrows(() => readPlan(JSON.stringify({ ...good, ...change })), Error, why);
  assertThrows(() => readPlan("{"), Error, "it is not JSON");
  assertThrows(() => readPlan("[]"), Error, "expected a record, got a list of 0");
  refused({ seed: "one" }, "seed: expected a whole number");
  refused({ nodes: 0 }, "nodes: expected a whole number from 1 to 16, got 0");
  refused({ nodes: 3, members: 4 }, "members: 4 of 3 nodes");
  refused({ faults: [{ ...good.faults[0], kind: "flood" }] }, "faults[0].kind: expected one of loss, delay");
  const kill = { ...good.faults[0], kind: "kill" };
  refused(
    { nodes: 4, members: 4, faults: [{ ...kill, nodes: [15] }] },
    "faults[0].nodes: 15, but the last of 4 is 3",
  );
  refused({ faults: [{ ...kill, nodes: [] }] }, "faults[0].nodes: kill of whom?");
  refused({ quorum: { n: 3, r: 5, w: 5 } }, "quorum: R 5 and W 5 of N 3");
  refused({ clients: [[{ ...good.clients[0]![0]!, key: 9 }]], keys: 5 }, "key 9 of 5 keys");
  refused(
    { clients: [[{ ...good.clients[0]![0]!, kind: "cas" }]] },
    "clients[0][0].kind: expected one of get",
  );
});

Deno.test("a plan in a few lines", () => {
  const text = describePlan(planOf(1, { nodes: 4, ops: 10, faults: ["loss"] }));
  assertMatch(text, /^seed 1: 4 nodes, 4 of them members at first; N \d, R \d, W \d$/m);
  assertMatch(text, /^ {2}\d+ faults: loss \d+$/m);
});
