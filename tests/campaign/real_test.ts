/**
 * Short runs of real processes that are away, replaced, join and leave under load; and what a read must show.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { World } from "../../cli/testing/world.ts";
import { absenceRun } from "./absence_campaign.ts";
import { growRun } from "./grow_campaign.ts";
import { Ledger } from "./ledger.ts";
import type { RealRun } from "./real_run.ts";

const SHORT: RealRun = {
  keys: 2_000,
  valueBytes: 100,
  perSecond: 1_000,
  flags: ["--partitions", "32"],
  everyMs: 1_000,
  calmMs: 0,
  calmRequests: 300,
  limitMs: 120_000,
};

Deno.test("ledger: a read shows the newest write acknowledged before it, or a later one, and nothing else", () => {
  const ledger = new Ledger(3, 100);
  const [one, two, three] = [ledger.begin(1), ledger.begin(1), ledger.begin(1)];
  assertEquals([one.number, three.number, one.value.length], [1, 3, 100]);
  ledger.acknowledge(1, 2);
  assertEquals(ledger.acknowledged(1), 2);
  const judge = (...texts: string[]) => ledger.judge(1, ledger.acknowledged(1), texts);
  assertEquals([judge(two.value), judge(three.value), judge(one.value, two.value)], [null, null, null]);
  assertMatch(judge()!, /^key-000000001: number 2 was acknowledged, .* shows nothing$/);
  assertMatch(judge(one.value)!, /shows 1$/);
  assertMatch(judge(two.value, ledger.begin(2).value)!, /was never written$/);
  assertMatch(judge("key-000000001 9 x")!, /was never written$/);
  assertEquals(ledger.judge(0, 0, []), null);
});

Deno.test("real processes: one of four is away under load, and comes back to what was kept; an empty disk takes its place", async () => {
  const world = new World();
  const problems = await absenceRun({ ...SHORT, nodes: 4, secondsAway: 0 }, world);
  assertEquals(problems, [], world.stdout);
  assertMatch(world.stdout, /\n\d+ hints? kept for it; it starts again\n/);
  assertMatch(world.stdout, /\nfilled in .*: it holds 1,?\d+ keys/);
});

Deno.test("real processes: three nodes become four under load, and three again: what must moves, and nothing more", async () => {
  const world = new World();
  const problems = await growRun({ ...SHORT, from: 3, to: 4 }, world);
  assertEquals(problems, [], world.stdout);
  assertMatch(world.stdout, /joins: 4 members, 24 transfers to make, .*, at least 24 must move\n/);
  assertMatch(world.stdout, /has ended by itself: exit code 0; .*it has left the cluster/);
  assert(/ 0 failed; tried again: /.test(world.stdout), world.stdout);
});
