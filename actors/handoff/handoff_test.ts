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
  const fates = ["arrived", "collected", "failed"] as const;
  assertEquals(fates.map(HANDOFF_CORE.isDelivered), [true, false, false]);
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
});
