import type { Hashes } from "../replica_store/reaper_protocol.ts";
import { createRing, type Ring } from "../ring_manager/ring.ts";
import { LIMITS } from "../runtime/limits.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { COLLECTOR_CORE, type Report } from "./collection_core.ts";

const { leaderOf, waitedFor, nextEpoch, agreed, isSameLife, waitMs } = COLLECTOR_CORE;

const members = [2, 0, 1].map((index) => ({
  id: `0${index}`.repeat(16),
  address: `127.0.0.1:${index}`,
  zone: "z",
  weight: 1,
}));
const [, first, second] = members.map(({ id }) => id);
const seed = { clusterId: "00".repeat(16), cluster: "c", n: 2, partitions: 2, member: members[0]! };
const RING: Ring = { ...createRing(seed), epoch: 4, members };
const WELL: Report = { ring: 4, isWell: true, announced: 3, life: "a", listed: 1 };

Deno.test("collection: the first member leads, nobody while members change", () => {
  assertEquals(leaderOf(RING), first);
  const change = { since: 4, joining: null, leaving: null, gone: [], motions: [] };
  assertEquals(leaderOf({ ...RING, change }), null);
});

Deno.test("collection: a round waits for whoever is silent, not well, or goes by another ring", () => {
  const reports = new Map(members.map(({ id }) => [id, WELL]));
  assertEquals(waitedFor(RING, reports), []);
  for (const change of [null, { isWell: false }, { ring: 3 }, { ring: 5 }]) {
    const some = new Map(reports);
    if (change === null) some.delete(second!);
    else some.set(second!, { ...WELL, ...change });
    assertEquals(waitedFor(RING, some), [second]);
  }
});

Deno.test("collection: an epoch is one that nobody has announced, a step is taken in one life and by one ring", () => {
  assertEquals([nextEpoch([]), nextEpoch([WELL, { ...WELL, announced: 7 }, WELL])], [1, 8]);
  assert(isSameLife(WELL, { ring: 4, life: "a" }));
  assert(!isSameLife(WELL, { ring: 5, life: "a" }) && !isSameLife(WELL, { ring: 4, life: "b" }));
});

Deno.test("collection: only what all owners durably hold alike may go; who does not answer holds nothing", () => {
  const keys = [1, 2, 3, 4].map((n) => Uint8Array.of(n));
  const [a, b] = [Uint8Array.of(10), Uint8Array.of(11)];
  const said = (...hashes: readonly (Uint8Array | null)[]): Hashes => ({ ok: true, hashes });
  const one = said(a, a, null, b);
  assertEquals(agreed(keys, [one, said(a, b, null, b), said(a, a, a, b)]), [
    { key: keys[0]!, hash: a },
    { key: keys[3]!, hash: b },
  ]);
  assertEquals(agreed(keys, [one, { ok: false, hashes: [] }]), []);
  assertEquals(agreed(keys, [one, said(a)]), [{ key: keys[0]!, hash: a }], "an answer that was cut short");
  assertEquals(agreed(keys, []), []);
});

Deno.test("collection: the wait is longer than a request and its retry with the same id live", () => {
  assert(waitMs() >= 2 * LIMITS.deadlineMs);
});
