/**
 * Endings on trial: one thing at a time is put wrong in what an honest cluster says of itself.
 *
 * @module
 */

import { assert, assertEquals } from "../../../actors/runtime/testing/assert.ts";
import { check } from "../checkers.ts";
import type { Evidence } from "./evidence.ts";
import { type Cast, Story } from "./testing/story.ts";

/** Evidence that can be written to. */
type Draft<T> = T extends readonly (infer Each)[] ? Draft<Each>[]
  : T extends object ? { -readonly [Name in keyof T]: Draft<T[Name]> }
  : T;

/** Two siblings and a delete that did not see them. */
function honest(cast: Cast = {}): Draft<Evidence> {
  const story = new Story(cast);
  story.put("a");
  story.put("bb");
  story.del();
  story.final(["a", "bb"]);
  return structuredClone(story.evidence()) as Draft<Evidence>;
}

/** What is wrong once an honest ending was spoiled. */
function spoiled(spoil: (evidence: Draft<Evidence>) => void, cast: Cast = {}): string[] {
  const evidence = honest(cast);
  spoil(evidence);
  return [...new Set(check(evidence).map(({ checker }) => checker))];
}

const node = ({ ending }: Draft<Evidence>, index = 1) => ending.nodes[index]!;
const replica = ({ ending }: Draft<Evidence>, index = 1) => ending.replicas[index]!;

Deno.test("an honest ending is not convicted, however many members there are", () => {
  for (const cast of [{}, { members: 7 }, { members: 2 }, { members: 1 }, { n: 1 }, { n: 5, members: 6 }]) {
    assertEquals(spoiled(() => {}, cast), []);
  }
});

Deno.test("convicted: replicas that differ, are missing, or cannot say", () => {
  const differ = "replicas differ";
  assertEquals(spoiled((e) => replica(e).version[0] = "a:9"), [differ]);
  assertEquals(spoiled((e) => replica(e).version.push("b:1")), [differ]);
  const other = "a replica holds other than what is read";
  assertEquals(spoiled((e) => replica(e).siblings[0]!.sizeBytes++), [differ, other]);
  assertEquals(spoiled((e) => e.ending.replicas.pop()), ["not 3 replicas"]);
  assertEquals(spoiled((e) => e.ending.replicas = []), ["not 3 replicas"]);
  assertEquals(spoiled((e) => replica(e).node = replica(e, 0).node), ["not 3 replicas"]);
  for (const answer of ["not-whole", "unreadable", "wrong-epoch", "unavailable", "silent"]) {
    assertEquals(spoiled((e) => e.ending.replicas.forEach((each) => each.answer = answer)), [
      "a replica cannot say",
    ]);
  }
  const emptied = spoiled((e) => Object.assign(replica(e), { answer: "missing", version: [], siblings: [] }));
  assertEquals(emptied, [differ, other]);
});

Deno.test("convicted: hash trees that differ, are missing, not known, or were wrong", () => {
  const tree = ({ ending }: Draft<Evidence>) => ending.trees![1]!;
  assertEquals(spoiled((e) => tree(e).digest = "another"), ["hash trees differ"]);
  assertEquals(spoiled((e) => tree(e).digest = null), [
    "an owner does not know its hash tree",
    "hash trees differ",
  ]);
  assertEquals(spoiled((e) => e.ending.trees!.pop()), ["not 3 hash trees"]);
  assertEquals(spoiled((e) => e.ending.trees = []), ["not 3 hash trees"]);
  assertEquals(spoiled((e) => delete e.ending.trees), []);
  assertEquals(spoiled((e) => node(e).status.store.trees.wrong = 1), ["a hash tree was wrong"]);
});

Deno.test("convicted: replicas that all hold other than what they showed", () => {
  const spoil = (change: (siblings: Draft<Evidence>["ending"]["replicas"][number]["siblings"]) => void) =>
    spoiled((e) => e.ending.replicas.forEach(({ siblings }) => change(siblings)));
  const other = "a replica holds other than what is read";
  assertEquals(spoil((siblings) => siblings.pop()), [other]);
  assertEquals(spoil((siblings) => siblings[0]!.sizeBytes++), [other]);
  assertEquals(spoil((siblings) => siblings[0]!.tombstone = true), [other]);
  assertEquals(spoil((siblings) => siblings.push({ ...siblings[0]! })), [other]);
  const bury = (siblings: { dot: string; sizeBytes: number; tombstone: boolean }[]) =>
    siblings.push({ dot: "a:1", sizeBytes: 0, tombstone: true });
  assertEquals(spoil(bury), []); // there was one delete
  assertEquals(spoil((siblings) => bury(siblings) + bury(siblings)), ["more tombstones than deletes"]);
  const denied = spoiled((e) => {
    e.operations.find(({ kind }) => kind === "del")!.outcome = "failed";
    for (const { siblings } of e.ending.replicas) bury(siblings);
  });
  assertEquals(denied, ["more tombstones than deletes"]);
  assertEquals(spoil((siblings) => siblings[0]!.dot = "a:3"), ["a clock lacks a sibling"]);
  assertEquals(spoil((siblings) => siblings[0]!.dot = "b:1"), ["a clock lacks a sibling"]);
});

Deno.test("convicted: nodes that differ about the ring", () => {
  const differ = "nodes differ about the ring";
  assertEquals(spoiled((e) => node(e).state.clusterId = "another"), [differ]);
  assertEquals(spoiled((e) => node(e).state.ring.epoch++), [differ]);
  assertEquals(spoiled((e) => node(e).state.ring.checksum++), [differ]);
  assertEquals(spoiled((e) => node(e).ring.epoch++), [differ]);
  assertEquals(spoiled((e) => node(e).ring.checksum++), [differ]);
  assertEquals(spoiled((e) => node(e).state.ring.epoch = node(e).ring.epoch = 8), [differ]);
  assertEquals(spoiled((e) => node(e).state.ring.checksum = node(e).ring.checksum = 8), [differ]);
  assertEquals(spoiled((e) => node(e).ring.owners[0]!.reverse()), [differ]);
  const gone = spoiled((e) => node(e).state.members.pop());
  assertEquals(gone, [differ, "members are not those that serve"]);
  const unasked = spoiled((e) => e.ending.nodes.pop());
  assertEquals(unasked, ["members are not those that serve"]);
  const noOne = spoiled((e) => e.ending.nodes = []);
  assertEquals(noOne, ["nobody was asked"]);
});

Deno.test("convicted: a member that another does not hold to be alive", () => {
  for (const liveness of ["suspect", "down"]) {
    assertEquals(spoiled((e) => node(e).state.members[0]!.liveness = liveness), [
      "a member is not alive in another's eyes",
    ]);
  }
});

Deno.test("convicted: a partition without N distinct owners, though everyone agrees", () => {
  const spoil = (owners: number[], cast: Cast = {}) =>
    spoiled((e) => e.ending.nodes.forEach(({ ring }) => ring.owners[2] = owners), cast);
  assertEquals(spoil([2, 1, 0]), []);
  assertEquals(spoil([0, 1]), ["a partition has not 3 owners"]);
  assertEquals(spoil([0, 1, 1]), ["a partition has not 3 owners"]);
  assertEquals(spoil([0, 1, 3]), ["a partition has not 3 owners"]);
  assertEquals(spoil([0, 1, 2, 2]), ["a partition has not 3 owners"]);
  assertEquals(spoil([0], { members: 2 }), ["a partition has not 2 owners"]);
  assertEquals(spoil([1, 0], { members: 2 }), []);
  assertEquals(spoiled((e) => node(e).state.quorum.n = 2), ["a key has not 3 replicas"]);
});

Deno.test("convicted: a node that is not well again, or alarmed without a cause", () => {
  assertEquals(spoiled((e) => node(e).status.store.notWhole = 1), ["a store is not whole after healing"]);
  const refusing = (e: Draft<Evidence>) => node(e).status.store.engine.refusing = "poisoned: a sync failed";
  assertEquals(spoiled(refusing), ["a store takes no writes after healing"]);
  for (const state of ["joining", "poisoned: a sync failed", "not-whole", "under-replicated"]) {
    assertEquals(spoiled((e) => node(e).status.state = state), ["a node does not serve after healing"]);
  }
  const boasts = spoiled((e) => node(e).status.state = "serving", { members: 2 });
  assertEquals(boasts, ["a node does not serve after healing"]); // it keeps fewer replicas than asked for
  assertEquals(spoiled((e) => node(e).status.store.damage = 3), []); // found, and repaired
  assertEquals(spoiled((e) => node(e).status.store.alarms = 1), ["an alarm without a cause"]);
  assertEquals(spoiled((e) => node(e).status.store.alarms = 1, { losses: true }), []);
});

Deno.test("convicted: what is still under way, or piles up", () => {
  assertEquals(spoiled((e) => node(e).status.coordinator.inFlight = 1), [
    "requests are under way after all ended",
  ]);
  const waiting = (count: number) => spoiled((e) => node(e).status.actors[0]!.waiting = count);
  assertEquals(waiting(1), []); // whoever looks
  assertEquals(waiting(9), ["a mailbox does not empty"]);
  assertEquals(spoiled((e) => node(e).status.hints.count = 1), ["hints are not given back"]);
  assertEquals(spoiled((e) => node(e).status.hints.bytes = 1), ["room is kept for hints that are gone"]);
  assertEquals(spoiled((e) => node(e).status.background.waiting = 9), ["work in the background piles up"]);
  assertEquals(spoiled((e) => node(e).status.connections.clients = 9), ["connections pile up"]);
  assertEquals(spoiled((e) => node(e).status.connections.peers = 3), ["connections pile up"]);
  assertEquals(spoiled((e) => node(e).status.store.engine.keys = 2), ["more keys than were ever written"]);
});

Deno.test("convicted: version vectors with more actors than stores were ever started", () => {
  const actors = (count: number, losses = false) =>
    spoiled((e) => {
      const more = Array.from({ length: count - 1 }, (_, index) => `b${index}:1`);
      for (const { version } of e.ending.replicas) version.push(...more);
    }, { losses });
  assertEquals(actors(3), []);
  assertEquals(actors(4), ["version vectors grow"]);
  assertEquals(actors(6, true), []);
  assertEquals(actors(7, true), ["version vectors grow"]);
});

Deno.test("a violation names its key, the node it is seen at, and fits on a line", () => {
  const evidence = honest();
  replica(evidence).version[0] = "a:9";
  node(evidence).status.store.notWhole = 2;
  const [differ, notWhole] = check(evidence);
  assertEquals(differ?.key, "k");
  assertEquals(notWhole?.detail, "11111111: 2 partitions");
  assert(!differ!.detail.includes("\n") && differ!.detail.includes("a:9"));
});
