/**
 * @module
 */

import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { Violation } from "./checkers.ts";
import { describe, type Operation } from "./history.ts";
import { planOf } from "./plan.ts";
import { explainRun, type Report } from "./scenario.ts";

/** A call that takes 5 ms. */
function call(id: number, startMs: number, key: string): Operation {
  return {
    ...{ id, client: "c0", kind: "get", key, value: null, context: null, quorum: 2, timeoutMs: 500, startMs },
    ...{ endMs: startMs + 5, outcome: "ok", values: [], error: null, isFinal: false },
  };
}

/** Every 10 ms a call, of two keys in turn; every second a fault. */
const operations = Array.from({ length: 1_000 }, (_, id) => call(id, id * 10, `key${id % 2}`));
const troubles = Array.from({ length: 10 }, (_, n) => ({ atMs: n * 1_000, nodes: [0], what: `fault ${n}` }));

/** What is told of a violation, without what it is and what happened last. */
function leadingTo(violation: Violation): string[] {
  const report: Partial<Report> = {
    plan: planOf(1),
    violations: [violation],
    operations,
    troubles,
    trace: [],
  };
  return explainRun(report as Report).split("\n").slice(2, -1).map((line) => line.trim());
}

Deno.test("what led to a violation: the faults and the calls of its key, up to what convicts, and what it cites", () => {
  const [write, read] = [operations[2]!, operations[500]!];
  const detail = `${describe(write)}; missing from ${describe(read)}`;
  const lines = leadingTo({ checker: "lost", detail, key: "key0" });
  assertEquals(lines.length, 121);
  assertEquals([lines[0], lines.at(-1)], [describe(write), describe(read)]);
  assert(lines.every((line) => !line.includes("key1")));
  assertEquals(lines.filter((line) => line.startsWith("fault")), [
    "fault 3000.0 node1 fault 3",
    "fault 4000.0 node1 fault 4",
    "fault 5000.0 node1 fault 5",
  ]);
});

Deno.test("of a violation that cites no calls all of its key count; of one without a key the faults", () => {
  const keyed = leadingTo({ checker: "differ", detail: "", key: "key1" });
  assertEquals([keyed.length, keyed.at(-1)], [120, describe(operations[999]!)]);
  const keyless = leadingTo({ checker: "crashed", detail: "" });
  assertEquals(keyless.length, 10);
});
