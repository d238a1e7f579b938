import { assertEquals } from "../runtime/testing/assert.ts";
import { createRing, type Ring } from "../ring_manager/ring.ts";
import { COORDINATOR_CORE } from "./core.ts";
import { nextCoordinator } from "./candidate.ts";
import { fallbacksOf, keepersOf, nextStandIn } from "./fallbacks.ts";

const ZONES = ["a", "b", "c", "a", "b", "c"];
const members = ZONES.map((zone, index) => ({
  id: `0${index}`.repeat(16),
  address: `127.0.0.1:${index}`,
  zone,
  weight: 1,
}));
const IDS = members.map(({ id }) => id);
const seed = { clusterId: "00".repeat(16), cluster: "c", n: 3, partitions: 2, member: members[0]! };
const RING: Ring = { ...createRing(seed), members, owners: [[0, 1, 2], [4, 2, 3]] };
const zoneOf = (id: string) => ZONES[IDS.indexOf(id)]!;

Deno.test("stand-ins: whoever owns the partitions that follow, then whoever is left; never a replica", () => {
  assertEquals(fallbacksOf(RING, 0), [IDS[4], IDS[3], IDS[5]]);
  assertEquals(fallbacksOf(RING, 1), [IDS[0], IDS[1], IDS[5]]);
  assertEquals(fallbacksOf({ ...RING, members: members.slice(0, 3), owners: [[0, 1, 2], [0, 1, 2]] }, 0), []);
});

Deno.test("stand-ins: nobody who is to own the partition, or owned it until now", () => {
  const motions = [{ partition: 0, phase: "copying", others: [1, 2, 3] } as const];
  const change = { since: 2, joining: null, leaving: null, gone: [], motions };
  assertEquals(fallbacksOf({ ...RING, epoch: 2, change }, 0), [IDS[4], IDS[5]]);
  const leaving = { ...RING, epoch: 2, change: { ...change, leaving: IDS[4]! } };
  assertEquals([fallbacksOf(leaving, 0), keepersOf(leaving, 0)], [[IDS[4], IDS[5]], [IDS[5]]]);
});

Deno.test("stand-ins: the first that is well, before it one in a zone that no other copy is in", () => {
  const search = {
    primary: IDS[0]!,
    primaries: IDS.slice(0, 3),
    fallbacks: fallbacksOf(RING, 0),
    used: [] as string[],
    isDown: (_: string) => false,
    zoneOf,
  };
  assertEquals(nextStandIn(search), IDS[3]);
  assertEquals(nextStandIn({ ...search, isDown: (id) => id === IDS[3] }), IDS[4]);
  assertEquals(nextStandIn({ ...search, used: [IDS[3]!] }), IDS[4]);
  assertEquals(nextStandIn({ ...search, used: search.fallbacks }), undefined);
});

Deno.test("a write is coordinated by a fallback where no primary is left but those that are down", () => {
  const candidates = {
    self: IDS[5]!,
    primaries: IDS.slice(0, 2),
    fallbacks: IDS.slice(4),
    tried: [] as string[],
    isForwarded: false,
    isFallback: false,
    isDown: (id: string) => id === IDS[1],
    fastestOf: (nodes: readonly string[]) => nodes[0],
  };
  assertEquals(nextCoordinator(candidates), IDS[0]);
  assertEquals(nextCoordinator({ ...candidates, tried: [IDS[0]!] }), IDS[4]);
  assertEquals(nextCoordinator({ ...candidates, tried: [IDS[0]!], fallbacks: [] }), IDS[1]);
  assertEquals(nextCoordinator({ ...candidates, isForwarded: true }), undefined);
  assertEquals(nextCoordinator({ ...candidates, isForwarded: true, isFallback: true }), IDS[5]);
  assertEquals(COORDINATOR_CORE.nextCoordinator, nextCoordinator);
});
