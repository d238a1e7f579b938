import { assertRejects } from "../actors/runtime/testing/assert.ts";
import { openBitcaskEngine } from "./bitcask/engine.ts";
import { openLsmEngine } from "./lsm/engine.ts";
import { TINY } from "./lsm/testing/tiny.ts";
import { openMemoryEngine } from "./memory/engine.ts";
import { CONTRACT } from "./testing/contract.ts";
import { FAULTS } from "./testing/faults.ts";
import { type Bug, naiveEngine } from "./testing/naive_engine.ts";
import type { Subject } from "./testing/subject.ts";
import { onRealDisk, simulatedWorld } from "./testing/worlds.ts";

/** Small segments, so that a few writes fill several and cleaning has something to do. */
const SMALL = { segmentBytes: 2048, deadBytes: 1024, sync: "always" } as const;

const SUBJECTS: readonly Subject[] = [
  { name: "memory", open: (place) => openMemoryEngine({ ...place, ...SMALL }) },
  { name: "bitcask", open: (place) => openBitcaskEngine({ ...place, ...SMALL }) },
  { name: "lsm", exactCounts: false, open: (place) => openLsmEngine({ ...place, ...TINY }) },
  naiveEngine("none"),
];

for (const subject of SUBJECTS) {
  for (const [name, check] of Object.entries(CONTRACT)) {
    Deno.test(`${subject.name}: ${name}`, () => check(subject, simulatedWorld));
  }
  for (const [name, check] of Object.entries(FAULTS)) {
    Deno.test(`${subject.name}: ${name}`, () => check(subject, simulatedWorld));
  }
}

for (const subject of SUBJECTS.slice(0, 3)) {
  for (const [name, check] of Object.entries(CONTRACT)) {
    Deno.test(`${subject.name} on the real disk: ${name}`, () =>
      onRealDisk((newWorld) => check(subject, newWorld)));
  }
}

/** Which check notices which bug. */
const PLANTED: Readonly<Record<Exclude<Bug, "none">, string>> = {
  "acknowledges before the sync":
    "44: a crash at every change of the disk loses nothing acknowledged, brings nothing back",
  "cleaning forgets a record":
    "44: a crash at every change of the disk loses nothing acknowledged, brings nothing back",
  "cleaning removes the old before the new is durable":
    "44: a crash at every change of the disk loses nothing acknowledged, brings nothing back",
  "forgets to write removals":
    "44: a crash at every change of the disk loses nothing acknowledged, brings nothing back",
  "cleaning forgets the store's id": "has an id that lives as long as its files",
  "draws a store id at every start": "has an id that lives as long as its files",
  "tears batches apart": "15: a batch is there as a whole or not at all",
  "goes on after a failed sync": "38: a failed sync: nothing is written any more",
};

for (const [bug, name] of Object.entries(PLANTED)) {
  Deno.test(`planted: ${bug}`, async () => {
    const check = { ...CONTRACT, ...FAULTS }[name]!;
    await assertRejects(() => check(naiveEngine(bug as Bug), simulatedWorld));
  });
}
