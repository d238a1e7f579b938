/**
 * @module
 */

import { assertEquals, assertMatch, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { planOf } from "./plan.ts";
import { describePlan, readPlan, writePlan } from "./plan_file.ts";

Deno.test("every plan can be written and read", () => {
  for (let seed = 0; seed < 200; seed++) assertEquals(readPlan(writePlan(planOf(seed))), planOf(seed));
});

Deno.test("a plan from before there was a choice of engines is read", () => {
  const { engine: _, ...rest } = planOf(1);
  assertEquals(readPlan(JSON.stringify(rest)), { ...rest, engine: "memory" });
});

Deno.test("what is no plan is refused, and what is wrong with it is named", () => {
  const good = planOf(1);
  const refused = (change: object, why: string) =>
    assertThrows(() => readPlan(JSON.stringify({ ...good, ...change })), Error, why);
  assertThrows(() => readPlan("{"), Error, "it is not JSON");
  assertThrows(() => readPlan("[]"), Error, "expected a record, got a list of 0");
  refused({ seed: "one" }, "seed: expected a whole number");
  refused({ nodes: 0 }, "nodes: expected a whole number from 1 to 16, got 0");
  refused({ engine: "paper" }, "engine: expected one of memory, ");
  refused({ nodes: 3, members: 4 }, "members: 4 of 3 nodes");
  refused({ faults: [{ ...good.faults[0], kind: "flood" }] }, "faults[0].kind: expected one of loss, delay");
  const kill = { ...good.faults[0], kind: "kill" };
  refused(
    { nodes: 4, members: 4, faults: [{ ...kill, nodes: [15] }] },
    "faults[0].nodes[0]: expected a whole number from 0 to 3, got 15",
  );
  refused(
    { faults: [{ ...kill, nodes: [] }] },
    "faults[0].nodes: expected whom kill befalls, got a list of 0",
  );
  refused({ quorum: { n: 3, r: 5, w: 5 } }, "quorum: R 5 and W 5 of N 3");
  refused({ clients: [[{ ...good.clients[0]![0]!, key: 9 }]], keys: 5 }, "key 9 of 5 keys");
  refused(
    { clients: [[{ ...good.clients[0]![0]!, kind: "cas" }]] },
    "clients[0][0].kind: expected one of get",
  );
});

Deno.test("what cannot be played is refused: a clock that runs backwards, more flips than anyone waits for", () => {
  const good = planOf(1);
  const refused = (fault: object, why: string) => {
    const faults = [{ kind: "pause", atMs: 1, lastsMs: 1, nodes: [0], amount: 1, draw: 1, ...fault }];
    assertThrows(() => readPlan(JSON.stringify({ ...good, faults })), Error, `faults[0].${why}`);
  };
  const drift = "amount: expected for clock-drift a number from 0.1 to 10 (times as fast), got";
  refused({ kind: "clock-drift", amount: -1 }, `${drift} -1`);
  refused({ kind: "clock-drift", amount: 0 }, `${drift} 0`);
  refused({ kind: "bit-rot", amount: 1e12 }, "amount: expected for bit-rot a number from 0 to 10000 (bits)");
  refused({ kind: "loss", amount: 1.5 }, "amount: expected for loss a number from 0 to 1 (chance), got 1.5");
  refused({ amount: "much" }, "amount: expected a number");
  refused({ atMs: -1 }, "atMs: expected a whole number from 0 to 300000, got -1");
  refused({ lastsMs: 1e9 }, "lastsMs: expected a whole number from 0 to 300000");
  assertThrows(() => readPlan(JSON.stringify({ ...good, seed: -4 })), Error, "seed: expected a whole number");
});

Deno.test("a field that no plan has is refused by name, wherever it is", () => {
  const good = planOf(1);
  const refused = (change: object, why: string) =>
    assertThrows(() => readPlan(JSON.stringify({ ...good, ...change })), Error, why);
  refused({ key: 3 }, "it is no plan: key: expected no field but seed, nodes, members");
  refused({ quorum: { ...good.quorum, q: 2 } }, "quorum.q: expected no field but n, r, w, got 2");
  refused(
    { faults: [{ ...good.faults[0], amuont: 1 }] },
    "faults[0].amuont: expected no field but kind, atMs",
  );
  refused({ clients: [[{ ...good.clients[0]![0]!, value: "v" }]] }, "clients[0][0].value: expected no field");
});

Deno.test("faults and calls that were written in any order are read in the order of their times", () => {
  const plan = planOf(3);
  const shuffled = {
    ...plan,
    faults: plan.faults.toSorted((a, b) => b.atMs - a.atMs),
    clients: plan.clients.map((calls) => calls.toSorted((a, b) => b.atMs - a.atMs)),
  };
  const read = readPlan(writePlan(shuffled));
  for (const list of [read.faults, ...read.clients]) {
    const times = list.map(({ atMs }) => atMs);
    assertEquals(times, times.toSorted((a, b) => a - b));
  }
});

Deno.test("a plan in a few lines", () => {
  const text = describePlan(planOf(1, { nodes: 4, ops: 10, faults: ["loss"] }));
  assertMatch(text, /^seed 1: 4 nodes, 4 of them members at first; N \d, R \d, W \d; \w+$/m);
  assertMatch(text, /^ {2}\d+ faults: loss \d+$/m);
});

Deno.test("every plan that is drawn can be written down and read (seed 723175934: a rounded amount left its range)", () => {
  for (const seed of [723175934, ...Array.from({ length: 500 }, (_, n) => n)]) {
    const plan = planOf(seed);
    assertEquals(readPlan(JSON.stringify(plan)), plan);
  }
});
