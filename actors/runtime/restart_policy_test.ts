import fc from "fast-check";
import {
  backoffMs,
  type ChildFailure,
  decide,
  type Decision,
  type RestartHistory,
  type RestartPolicy,
  type Strategy,
} from "./restart_policy.ts";
import { assert, assertEquals, assertThrows } from "./testing/assert.ts";

/** The same rules, as slowly and plainly as possible: over all restarts there ever were. */
function twin(policy: RestartPolicy, everyRestart: readonly number[], failure: ChildFailure) {
  let recent = 0;
  for (const at of everyRestart) if (at + policy.intensity.withinMs >= failure.nowMs) recent++;
  if (recent + 1 > policy.intensity.restarts) return { action: "escalate" };
  const restarted: number[] = [];
  for (let child = 0; child < failure.children; child++) {
    const self = child === failure.child;
    const later = child > failure.child;
    if (self || policy.strategy === "one-for-all" || (policy.strategy === "rest-for-one" && later)) {
      restarted.push(child);
    }
  }
  let longest = policy.backoff.minMs;
  for (let doubled = 0; doubled < recent; doubled++) longest *= 2;
  if (longest > policy.backoff.maxMs) longest = policy.backoff.maxMs;
  return { action: "restart", restarted, leastMs: longest / 2, longest };
}

const policies: fc.Arbitrary<RestartPolicy> = fc.record({
  strategy: fc.constantFrom<Strategy>("one-for-one", "one-for-all", "rest-for-one"),
  intensity: fc.record({ restarts: fc.nat(6), withinMs: fc.nat(100) }),
  backoff: fc.record({ minMs: fc.nat(50), maxMs: fc.integer({ min: 50, max: 500 }) }),
});
const crashes = fc.array(fc.record({ child: fc.nat(4), waitedMs: fc.nat(60), chance: fc.nat(999) }));

function agreesWithTwin(decideRestart: typeof decide): void {
  fc.assert(
    fc.property(policies, crashes, (policy, crashes) => {
      const children = 5;
      let nowMs = 0;
      let history: RestartHistory = [];
      const everyRestart: number[] = [];
      for (const { child, waitedMs, chance } of crashes) {
        nowMs += waitedMs;
        const failure = { child, children, nowMs, chance: chance / 1000 };
        const decision: Decision = decideRestart(policy, history, failure);
        const expected = twin(policy, everyRestart, failure);
        assertEquals(decision.action, expected.action);
        if (decision.action === "escalate") return;
        const { first, end, delayMs } = decision;
        assertEquals(
          Array.from({ length: end - first }, (_, index) => first + index),
          expected.restarted ?? [],
        );
        assert(delayMs >= (expected.leastMs ?? 0) && delayMs <= (expected.longest ?? 0), `waits ${delayMs}`);
        assert(decision.history.length <= policy.intensity.restarts, "the history grows without bound");
        history = decision.history;
        everyRestart.push(nowMs);
      }
    }),
    { numRuns: 500 },
  );
}

Deno.test("the restart policy agrees with a dumb twin", () => agreesWithTwin(decide));

const planted: Record<string, typeof decide> = {
  "one-for-all that restarts only the one": (policy, history, failure) =>
    decide(
      policy.strategy === "one-for-all" ? { ...policy, strategy: "one-for-one" } : policy,
      history,
      failure,
    ),
  "a window that never closes": (policy, history, failure) =>
    decide({ ...policy, intensity: { ...policy.intensity, withinMs: Infinity } }, history, failure),
  "one restart too many": (policy, history, failure) => {
    const { restarts, withinMs } = policy.intensity;
    return decide({ ...policy, intensity: { restarts: restarts + 1, withinMs } }, history, failure);
  },
  "a restart that is not remembered": (policy, history, failure) => {
    const decision = decide(policy, history, failure);
    return decision.action === "restart" ? { ...decision, history } : decision;
  },
  "a wait without a limit": (policy, history, failure) =>
    decide({ ...policy, backoff: { ...policy.backoff, maxMs: Infinity } }, history, failure),
};
for (const [bug, broken] of Object.entries(planted)) {
  Deno.test(`planted: ${bug} is caught`, () => void assertThrows(() => agreesWithTwin(broken)));
}

Deno.test("restarts wait longer each time, up to the limit", () => {
  const waits = [1, 2, 3, 4, 5, 2000].map((attempt) => backoffMs({ minMs: 10, maxMs: 100 }, attempt, 1));
  assertEquals(waits, [10, 20, 40, 80, 100, 100]);
});
