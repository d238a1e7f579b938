/**
 * What each kind of partition cuts, on trial.
 *
 * @module
 */

import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { cutsOf, diskFaults } from "./conditions.ts";
import { drawFaults, type Fault, FAULT_KINDS, FAULTS, MEMBERSHIP } from "./faults.ts";
import { SimulatedRandom } from "./random.ts";

const MACHINES = ["a", "b", "c", "d", "e"];

function fault(kind: Fault["kind"], nodes: readonly number[], more: Partial<Fault> = {}): Fault {
  return { kind, atMs: 0, lastsMs: 1, nodes, amount: 0, draw: 0, ...more };
}

function cuts(one: Fault): string[] {
  return cutsOf(one, MACHINES, ["guest"]).map(([from, to]) => from + to).sort();
}

Deno.test("one way: a node hears nobody, or nobody hears it; clients are spared or not", () => {
  assertEquals(cuts(fault("one-way", [0])), ["ab", "ac", "ad", "ae"]);
  assertEquals(cuts(fault("one-way", [0], { draw: 1 })), ["ba", "ca", "da", "ea"]);
  assertEquals(cuts(fault("one-way", [0], { amount: 1 })), ["ab", "ac", "ad", "ae", "aguest"]);
});

Deno.test("two way, majority: both directions, and nothing within a side", () => {
  assertEquals(cuts(fault("two-way", [4])), ["ae", "be", "ce", "de", "ea", "eb", "ec", "ed"]);
  const halves = cuts(fault("majority", [0, 1]));
  assertEquals(halves.length, 12);
  assert(!halves.includes("ab") && !halves.includes("cd"));
});

Deno.test("ring: every node reaches its two neighbours; bridge: one node reaches both halves", () => {
  const ring = cuts(fault("ring", []));
  assertEquals(ring, ["ac", "ad", "bd", "be", "ca", "ce", "da", "db", "eb", "ec"]);
  const bridge = cuts(fault("bridge", [0, 1]));
  assert(["ac", "ca", "bc", "cb", "cd", "dc"].every((way) => !bridge.includes(way)));
  assertEquals(bridge, ["ad", "ae", "bd", "be", "da", "db", "ea", "eb"]);
});

Deno.test("a disk that is full stays as full as it was when that began", () => {
  const full = [fault("no-space", [0], { amount: 10 })];
  const at = (usedBytes: number, capacityBytes: number) =>
    diskFaults(full, usedBytes, capacityBytes).capacityBytes;
  assertEquals(at(100, Infinity), 110);
  assertEquals(at(105, 110), 110);
  assertEquals(diskFaults([], 105, 110).capacityBytes, Infinity);
});

Deno.test("a timetable: at least three kinds, all within their bounds, and one node at most loses what it held", () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const faults = drawFaults(new SimulatedRandom(`test/${seed}`), { nodes: 5, forMs: 30_000 });
    const losers = new Set<number>();
    for (const { kind, nodes, amount, lastsMs, atMs } of faults) {
      seen.add(kind);
      const { amount: [low, high], lastsMs: [shortest, longest], loses } = FAULTS[kind];
      assert(low <= amount && amount <= high && shortest <= lastsMs && lastsMs <= longest);
      assert(0 <= atMs && atMs < 30_000 && nodes.every((node) => node < 5));
      if (loses) nodes.forEach((node) => losers.add(node));
    }
    assert(losers.size <= 1 && new Set(faults.map(({ kind }) => kind)).size >= 3);
    assertEquals(faults.map(({ atMs }) => atMs), faults.map(({ atMs }) => atMs).sort((a, b) => a - b));
  }
  assertEquals([...seen].sort(), FAULT_KINDS.filter((kind) => !MEMBERSHIP.has(kind)).sort());
});
