import { createRing, type Ring } from "../ring_manager/ring.ts";
import { assertEquals } from "../runtime/testing/assert.ts";
import { ANTI_ENTROPY_CORE } from "./anti_entropy.ts";

const members = [0, 1, 2].map((index) => ({
  id: `0${index}`.repeat(16),
  address: `127.0.0.1:${index}`,
  zone: "z",
  weight: 1,
}));
const [A, B, C] = [members[0]!.id, members[1]!.id, members[2]!.id];
const seed = { clusterId: "00".repeat(16), cluster: "c", n: 2, partitions: 2, member: members[0]! };
const motions = [{ partition: 1, phase: "copying", others: [1, 2] } as const];
const MOVING: Ring = {
  ...createRing(seed),
  epoch: 2,
  members,
  owners: [[0, 1], [0, 1]],
  change: { since: 2, joining: null, leaving: null, gone: [], motions },
};

Deno.test("anti-entropy: owners compare what is at rest, and not what moves", () => {
  const partnersOf = (partition: number) =>
    [A, B, C].map((node) => ANTI_ENTROPY_CORE.partnersOf(MOVING, partition, node));
  assertEquals(partnersOf(0), [[B], [A], []]);
  assertEquals(partnersOf(1), [[], [], []]);
});
