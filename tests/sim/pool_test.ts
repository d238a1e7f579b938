/**
 * The pool, with processes that make histories and with processes that do not.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { callsOf, planOf } from "./plan.ts";
import { Pool } from "./pool.ts";
import { kindOf, verdictOf } from "./verdict.ts";
import { simulate } from "./scenario.ts";

const SMALL = { nodes: 3, ops: 12, faults: ["kill", "delay"] } as const;

Deno.test("a process makes the same histories as this one, one after the other", async () => {
  await using pool = new Pool({ workers: 2 });
  const plans = [1, 2, 3, 1].map((seed) => planOf(seed, SMALL));
  const there = await Promise.all(plans.map((plan) => pool.run(plan)));
  const here = [];
  for (const plan of plans) here.push(verdictOf(await simulate(plan)));
  assertEquals(there, here);
  assert(there[0]!.counts["operations"]! > callsOf(plans[0]!));
});

Deno.test("a history that throws is a failure, and the process makes the next one", async () => {
  await using pool = new Pool({ workers: 1 });
  const good = planOf(1, SMALL);
  const verdict = await pool.run({ ...good, members: 0 });
  assertMatch(kindOf(verdict), /^the history broke off: \w+: /);
  assertEquals(verdict.seed, 1);
  assertEquals((await pool.run(good)).violations, []);
});

Deno.test("a process that ends is a failure with its last words, and another one goes on", async () => {
  const program = ["eval", "--quiet", "throw new Error('out of memory, say')"];
  await using pool = new Pool({ workers: 1, program });
  for (const seed of [5, 6]) {
    const verdict = await pool.run(planOf(seed, SMALL));
    assertEquals([verdict.seed, kindOf(verdict)], [seed, "the history took its process along"]);
    assertMatch(verdict.violations[0]!.detail, /out of memory, say[^]*exit code 1$/);
  }
});

Deno.test("a history that does not end is a failure when its time is up, and does not keep the others", async () => {
  const program = ["eval", "--quiet", "for (;;);"];
  await using pool = new Pool({ workers: 2, program, limitMs: 300 });
  const verdicts = await Promise.all([1, 2, 3].map((seed) => pool.run(planOf(seed, SMALL))));
  assertEquals(verdicts.map(kindOf), Array.from({ length: 3 }, () => "the history does not end"));
});
