import fc from "fast-check";
import { assert, assertMatch, assertRejects } from "../actors/runtime/testing/assert.ts";
import { CONTRACT } from "./testing/contract.ts";
import { ENGINES } from "./testing/engines.ts";
import { FAULTS } from "./testing/faults.ts";
import { type Bug, naiveEngine } from "./testing/naive_engine.ts";
import { anyOperation } from "./testing/operation.ts";
import { stories } from "./testing/stories.ts";
import type { Subject } from "./testing/subject.ts";
import { onRealDisk, simulatedWorld } from "./testing/worlds.ts";

const SUBJECTS: readonly Subject[] = [...Object.values(ENGINES), naiveEngine("none")];

for (const subject of SUBJECTS) {
  for (const [name, check] of Object.entries(CONTRACT)) {
    Deno.test(`${subject.name}: ${name}`, () => check(subject, simulatedWorld));
  }
  for (const [name, check] of Object.entries(FAULTS)) {
    Deno.test(`${subject.name}: ${name}`, () => check(subject, simulatedWorld));
  }
}

for (const subject of Object.values(ENGINES)) {
  for (const [name, check] of Object.entries(CONTRACT)) {
    Deno.test(`${subject.name} on the real disk: ${name}`, () =>
      onRealDisk((newWorld) => check(subject, newWorld)));
  }
}

const EVERY_CHANGE =
  "44: a crash at every change of the disk loses nothing acknowledged, brings nothing back";
const LIKE_A_MAP = "does what a Map does, compacted and reopened at any time";
const ANYTHING =
  "whatever goes wrong, and when: it says so, loses nothing acknowledged, and is well again afterwards";

/** Which check notices which bug. */
const PLANTED: Readonly<Record<Exclude<Bug, "none">, string>> = {
  "acknowledges before the sync": EVERY_CHANGE,
  "cleaning forgets a record": EVERY_CHANGE,
  "cleaning removes the old before the new is durable": EVERY_CHANGE,
  "forgets to write removals": EVERY_CHANGE,
  "cleaning forgets the store's id": "has an id that lives as long as its files",
  "draws a store id at every start": "has an id that lives as long as its files",
  "tears batches apart": "15: a batch is there as a whole or not at all",
  "goes on after a failed sync": "38: a failed sync: nothing is written any more",
  "acknowledges what found no room": ANYTHING,
  "takes nothing once the disk was full": ANYTHING,
  "takes a failed read for nothing": ANYTHING,
  "compaction brings back what is removed meanwhile": ANYTHING,
  "compaction leaves what is dead": "compacts until nothing dead is left, while service goes on",
  "resumes a scan at a key that is there": ANYTHING,
  "makes a page of two moments": ANYTHING,
  "counts what is removed": LIKE_A_MAP,
  "shares its files with a copy": "a copy stays what it is",
  "copies without syncing": "43: a copy is durable once it is made, and none before",
};

for (const [bug, name] of Object.entries(PLANTED)) {
  Deno.test(`planted: ${bug}`, async () => {
    const check = { ...CONTRACT, ...FAULTS }[name]!;
    // That it fails is enough; shrinking is for people. And what is found once is found every time.
    fc.configureGlobal({ endOnFailure: true, seed: 1 });
    try {
      await assertRejects(() => check(naiveEngine(bug as Bug), simulatedWorld));
    } finally {
      fc.resetConfigureGlobal();
    }
  });
}

/** A story that ends badly is cut down to so many steps, from up to sixty. */
const FEW = 6;

for (
  const bug of [
    "forgets to write removals",
    "acknowledges what found no room",
    "goes on after a failed sync",
    "counts what is removed",
  ] as const
) {
  Deno.test(`a story that ends badly shrinks to ${FEW} steps at most: ${bug}`, async () => {
    const every = stories(naiveEngine(bug), simulatedWorld, anyOperation);
    const { counterexample } = await fc.check(every, { seed: 1, numRuns: 300 });
    assert(counterexample, "it ends well");
    const [, operations] = counterexample;
    assert(operations.length <= FEW, JSON.stringify(operations));
  });
}

Deno.test("planted: a workload that never comes to write some kind of file is noticed", async () => {
  const subject = { ...naiveEngine("none"), files: { table: /\.sst$/ } };
  const error = await assertRejects(() => FAULTS[EVERY_CHANGE]!(subject, simulatedWorld));
  assertMatch(error.message, /none was before a write to a table file/);
});
