/**
 * Bugs that the simulator found, each as the smallest plan that shrinking left of its history.
 *
 * @module
 */

import { assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { SeenMessage } from "../../actors/simulated/links.ts";
import { NODE_MEMORY_CORE } from "../../net/node_memory.ts";
import { type Change, EngineError } from "../../storage/engine.ts";
import type { Plan, PlannedCall } from "./plan.ts";
import { explainRun, simulate } from "./scenario.ts";

const SMALL = {
  nodes: 3,
  members: 3,
  engine: "memory",
  quorum: { n: 1, r: 1, w: 1 },
  sloppy: false,
  hintBytes: 0,
  keys: 1,
} as const;

function call([kind, atMs]: readonly [PlannedCall["kind"], number]): PlannedCall {
  return { kind, atMs, key: 0, informed: false, quorum: 0, sizeBytes: 0 };
}

const PLANS: Readonly<Record<string, Plan>> = {
  "a node killed while it started took with it the process that was started next": {
    ...SMALL,
    seed: 982718873,
    timeoutMs: 1000,
    clients: [],
    faults: [
      { kind: "bit-flip", atMs: 56, lastsMs: 11, nodes: [0], amount: 0.1485, draw: 1345046474 },
      { kind: "misdirected-read", atMs: 56, lastsMs: 10, nodes: [0], amount: 0.2378, draw: 1247809682 },
    ],
    forMs: 56,
  },
  "an answer that came twice was taken for the answer to what was sent again": {
    ...SMALL,
    seed: 47602175,
    timeoutMs: 2000,
    clients: [
      [],
      [],
      ([["get", 2995], ["get", 3610], ["put", 3957], ["put", 4036], ["get", 4977], ["get", 5220], [
        "get",
        5567,
      ], ["put", 5861]] as const).map(call),
    ],
    faults: [
      { kind: "majority", atMs: 2779, lastsMs: 4483, nodes: [1], amount: 0.7095, draw: 1493491858 },
      { kind: "all-power", atMs: 3347, lastsMs: 20, nodes: [], amount: 0.2745, draw: 1942489204 },
      { kind: "pause", atMs: 6823, lastsMs: 2739, nodes: [0], amount: 0.934, draw: 742033942 },
      { kind: "duplicate", atMs: 7416, lastsMs: 2261, nodes: [], amount: 0.02487, draw: 112956997 },
      { kind: "delay", atMs: 9152, lastsMs: 762, nodes: [], amount: 193.1, draw: 1400231375 },
    ],
    forMs: 9152,
  },
};

for (const [name, plan] of Object.entries(PLANS)) {
  Deno.test(`${name} (seed ${plan.seed})`, async () => {
    const report = await simulate(plan);
    assertEquals(report.violations.length, 0, explainRun(report));
  });
}

const LARGE = 100_000;
const BUSY_MS = 300;

/** A store that takes no write for a moment after a large one: `overloaded`, which is to be tried again. */
function busyStores(nowMs: () => number): Partial<typeof NODE_MEMORY_CORE> {
  return {
    openEngine: async (name, options) => {
      const engine = await NODE_MEMORY_CORE.openEngine(name, options);
      let freeAt = 0;
      return new Proxy(engine, {
        get(target, property) {
          const value: unknown = Reflect.get(target, property);
          if (property !== "write") return typeof value === "function" ? value.bind(target) : value;
          return (changes: readonly Change[]) => {
            if (nowMs() < freeAt) throw new EngineError("overloaded", "too much waits for the disk");
            if (changes.some(({ record }) => (record?.length ?? 0) > LARGE)) freeAt = nowMs() + BUSY_MS;
            return target.write(changes);
          };
        },
      });
    },
  };
}

Deno.test("a store that was busy for a moment after a large object passed for one that takes no writes (920072)", async () => {
  const large = { ...call(["put", 1_000]), sizeBytes: 2 * LARGE };
  const plan: Plan = {
    ...SMALL,
    quorum: { n: 3, r: 3, w: 1 },
    keys: 3,
    seed: 920072,
    timeoutMs: 2_000,
    clients: [[large, { ...call(["put", 3_000]), key: 1 }, { ...call(["put", 3_100]), key: 2 }]],
    faults: [],
    forMs: 4_000,
  };
  let nowMs = 0;
  const onMessage = ({ sentMs }: SeenMessage) => void (nowMs = sentMs);
  const report = await simulate(plan, { cores: { memory: busyStores(() => nowMs) }, onMessage });
  assertEquals(report.violations, [], explainRun(report));
});
