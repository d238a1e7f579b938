/**
 * Shrinking, against failures that are made up, and once against a real one.
 *
 * @module
 */

import fc from "fast-check";
import { WriteQuorum } from "../../actors/coordinator/write_quorum.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { FAULTS } from "../../actors/simulated/faults.ts";
import { callsOf, isFair, type Plan, planOf } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { failsAs, judge } from "./verdict.ts";

/** What a made-up failure needs: these faults, by their draw, and these calls, by client and time. */
interface Needs {
  readonly faults: ReadonlySet<number>;
  readonly calls: ReadonlySet<number>;
}

/** What {@link made} makes a case from. */
const CASE = fc.record({
  seed: fc.nat(10_000),
  ops: fc.integer({ min: 1, max: 60 }),
  faults: fc.array(fc.nat(), { maxLength: 4 }),
  calls: fc.array(fc.nat(), { maxLength: 5 }),
});

/** A plan in which every call can be told from the others by when it is due, and some of what is in it. */
function made({ seed, ops, faults, calls }: typeof CASE extends fc.Arbitrary<infer T> ? T : never) {
  let dueMs = 0;
  const drawn = planOf(seed, { ops });
  const clients = drawn.clients.map((calls) => calls.map((call) => ({ ...call, atMs: dueMs++ })));
  const plan: Plan = { ...drawn, clients };
  const needs: Needs = {
    faults: new Set(faults.map((n) => plan.faults[n % plan.faults.length]!.draw)),
    calls: new Set(calls.map((n) => n % dueMs)),
  };
  return { plan, needs };
}

function has({ faults, clients }: Plan, needs: Needs): boolean {
  const draws = new Set(faults.map(({ draw }) => draw));
  const times = new Set(clients.flat().map(({ atMs }) => atMs));
  return needs.faults.isSubsetOf(draws) && needs.calls.isSubsetOf(times);
}

/** Every plan with one fault or one call less. */
function oneLess(plan: Plan): Plan[] {
  return [
    ...plan.faults.map((_, at) => ({ ...plan, faults: plan.faults.toSpliced(at, 1) })),
    ...plan.clients.flatMap((calls, client) =>
      calls.map((_, at) => ({ ...plan, clients: plan.clients.with(client, calls.toSpliced(at, 1)) }))
    ),
  ];
}

const BUDGET = 20_000;

Deno.test("what a failure needs is all that is left of its plan", async () => {
  await fc.assert(fc.asyncProperty(CASE, async (one) => {
    const { plan, needs } = made(one);
    const shrunk = await shrink(plan, { runs: BUDGET, fails: (plan) => Promise.resolve(has(plan, needs)) });
    assert(shrunk.isMinimal);
    assertEquals(new Set(shrunk.plan.faults.map(({ draw }) => draw)), needs.faults);
    assertEquals(new Set(shrunk.plan.clients.flat().map(({ atMs }) => atMs)), needs.calls);
    assertEquals(shrunk.plan.keys, 1);
    assertEquals([shrunk.plan.nodes, shrunk.plan.members], [1, 1]);
  }));
});

Deno.test("a failure that comes and goes with what is left out: it still fails, nothing can be spared", async () => {
  await fc.assert(
    fc.asyncProperty(CASE, fc.integer({ min: 2, max: 5 }), async (one, modulus) => {
      const { plan, needs } = made(one);
      const whim = (callsOf(plan) + plan.faults.length) % modulus;
      const fails = (plan: Plan) =>
        has(plan, needs) && (callsOf(plan) + plan.faults.length) % modulus === whim;
      const shrunk = await shrink(plan, { runs: BUDGET, fails: (plan) => Promise.resolve(fails(plan)) });
      assert(shrunk.isMinimal && fails(shrunk.plan));
      assertEquals(oneLess(shrunk.plan).filter(fails), []);
    }),
  );
});

Deno.test("how many plans are tried at once changes nothing about what is found", async () => {
  await fc.assert(
    fc.asyncProperty(CASE, fc.integer({ min: 2, max: 7 }), async (one, atOnce) => {
      const { plan, needs } = made(one);
      const fails = (plan: Plan) => Promise.resolve(has(plan, needs));
      const [alone, together] = [await shrink(plan, { fails }), await shrink(plan, { fails, atOnce })];
      if (alone.isMinimal && together.isMinimal) assertEquals(together.plan, alone.plan);
    }),
    { numRuns: 30 },
  );
});

Deno.test("no more plans are tried than allowed, and what is given then still fails", async () => {
  await fc.assert(fc.asyncProperty(CASE, fc.nat(80), async (one, runs) => {
    const { plan, needs } = made(one);
    let tried = 0;
    const fails = (plan: Plan) => {
      tried++;
      return Promise.resolve(has(plan, needs));
    };
    const shrunk = await shrink(plan, { fails, runs, atOnce: 2 });
    assertEquals(tried, shrunk.runs);
    assert(tried <= runs && has(shrunk.plan, needs));
  }));
});

Deno.test("no plan is tried that asks for more than is promised", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const plan = planOf(seed);
    assert(isFair(plan));
    const loses = (plan: Plan) => plan.faults.some(({ kind }) => FAULTS[kind].loses);
    const fails = (smaller: Plan) => {
      assert(isFair(smaller));
      return Promise.resolve(loses(smaller) === loses(plan));
    };
    const small = await shrink(plan, { fails, isFair });
    assert(small.isMinimal);
    assertEquals(small.plan.members, loses(plan) ? 3 : 1);
  }
});

Deno.test("a failure that hangs on chance is followed under other seeds", async () => {
  const plan = planOf(1);
  // Every other history of a plan fails, whatever is in it.
  const fails = (plan: Plan) => Promise.resolve((plan.seed + callsOf(plan) + plan.faults.length) % 2 === 0);
  const [once, twice] = [await shrink(plan, { fails }), await shrink(plan, { fails, chances: 2 })];
  assertEquals([callsOf(twice.plan), twice.plan.faults.length], [0, 0]);
  assert(callsOf(once.plan) + once.plan.faults.length <= 1);
});

Deno.test("a node that acknowledges too early: what is left is a put, a get and what was between", async () => {
  const cores = {
    coordinator: {
      writeQuorum: (options: ConstructorParameters<typeof WriteQuorum>[0]) =>
        new WriteQuorum({ ...options, needed: 1 }),
    },
  };
  const LOST = "an acknowledged write is lost";
  const fails = async (plan: Plan) => failsAs(await judge(plan, { cores }), LOST);
  let plan: Plan;
  for (let seed = 1;; seed++) {
    const faults = ["power", "two-way", "crash", "delay"] as const;
    plan = planOf(seed, { nodes: 3, ops: 60, engine: "memory", faults });
    if (await fails(plan)) break;
  }
  const shrunk = await shrink(plan, { fails, runs: 400, chances: 2 });
  assert(await fails(shrunk.plan));
  assert(callsOf(shrunk.plan) <= 3 && shrunk.plan.faults.length <= 3, JSON.stringify(shrunk));
  assert(!failsAs(await judge(shrunk.plan), LOST), "an honest node is not guilty of it");
});
