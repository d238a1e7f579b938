import { createRing, type Ring } from "../ring_manager/ring.ts";
import { assertEquals } from "../runtime/testing/assert.ts";
import { HANDOFF_CORE } from "./handoff.ts";

const members = [0, 1, 2, 3].map((index) => ({
  id: `0${index}`.repeat(16),
  address: `127.0.0.1:${index}`,
  zone: "z",
  weight: 1,
}));
const IDS = members.map(({ id }) => id);
const seed = { clusterId: "00".repeat(16), cluster: "c", n: 2, partitions: 2, member: members[0]! };
const RING: Ring = { ...createRing(seed), members, owners: [[0, 1], [2, 3]] };

Deno.test("a hint goes to the one it is kept for while that is a replica, else to all that are now", () => {
  const { recipientsOf } = HANDOFF_CORE;
  assertEquals(recipientsOf(RING, 0, IDS[1]!), [IDS[1]]);
  assertEquals(recipientsOf(RING, 1, IDS[1]!), [IDS[2], IDS[3]], "it was given other partitions");
  assertEquals(recipientsOf(RING, 0, "ff".repeat(16)), [IDS[0], IDS[1]], "it has left");
});

Deno.test("a hint is forgotten when all it was for have acknowledged it, and not before", () => {
  assertEquals([true, false].map(HANDOFF_CORE.isDelivered), [true, false]);
});

Deno.test("while a partition moves a hint goes to all owners, new and old", () => {
  const motions = [{ partition: 0, phase: "copying", others: [1, 2] } as const];
  const moving: Ring = {
    ...RING,
    epoch: 2,
    change: { since: 2, joining: null, leaving: null, gone: [], motions },
  };
  const { recipientsOf } = HANDOFF_CORE;
  assertEquals(recipientsOf(moving, 0, IDS[0]!), [IDS[0], IDS[1], IDS[2]], "it may have been copied already");
  assertEquals(recipientsOf(moving, 1, IDS[3]!), [IDS[3]], "another partition does not move");
  const without = { ...moving, change: { ...moving.change!, gone: [IDS[0]!] } };
  assertEquals(recipientsOf(without, 0, IDS[0]!), [IDS[1], IDS[2]], "who is gone gets nothing");
});

Deno.test("a hint stays where it is until it is delivered; who leaves hands it on to those that stay", () => {
  const { keepersOf } = HANDOFF_CORE;
  assertEquals(keepersOf(RING, 0, IDS[2]!, IDS[1]!), [IDS[2]]);
  const motions = [{ partition: 1, phase: "copying", others: [0, 3] } as const];
  const leaving: Ring = {
    ...RING,
    epoch: 2,
    change: { since: 2, joining: null, leaving: IDS[2]!, gone: [], motions },
  };
  assertEquals(
    keepersOf(leaving, 0, IDS[2]!, IDS[1]!),
    [IDS[3], IDS[0]],
    "first who stands in, then replicas",
  );
  assertEquals(keepersOf(leaving, 0, IDS[3]!, IDS[1]!), [IDS[3]], "another one does not leave");
  const joining = { ...leaving, change: { ...leaving.change!, joining: IDS[3]! } };
  assertEquals(keepersOf(joining, 0, IDS[2]!, IDS[1]!), [IDS[0]], "who joins may have to go again");
});
