/**
 * What every engine does on a disk that fails: the one sentence that matters is that what was acknowledged is there
 * after any crash, and what was removed is not.
 *
 * @module
 */

import fc from "fast-check";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { EngineError } from "../engine.ts";
import { scanAll } from "./contract.ts";
import {
  anyOperation,
  calmOperation,
  keyOf,
  mortalOperation,
  type Operation,
  recordOf,
} from "./operation.ts";
import { play, stories } from "./stories.ts";
import type { Check, FaultyWorld, Missed, Subject } from "./subject.ts";
import { copiesDurably } from "./upkeep.ts";

/** Enough of everything, always the same: batches, removals, a drop, pauses, enough dead bytes to be compacted. */
function workload(): Operation[] {
  const operations: Operation[] = [];
  for (let i = 0; i < 30; i++) {
    const size = i % 5 === 4 ? null : 40 + 7 * (i % 13);
    operations.push({
      kind: "write",
      changes: [{ p: i % 2, k: i % 6, size }, { p: 1, k: (i * 5) % 9, size: 60 }],
    });
    if (i % 3 === 0) operations.push({ kind: "pause" });
    if (i === 20) operations.push({ kind: "drop", p: 0 });
    if (i % 12 === 11) {
      operations.push({ kind: "compact" }, { kind: "write", changes: [{ p: 0, k: 3, size: 50 }] });
    }
  }
  return [...operations, { kind: "reopen" }, { kind: "compact" }, { kind: "pause" }];
}

async function crashesAtEveryChange(
  subject: Subject,
  newWorld: (seed: number) => FaultyWorld,
): Promise<void> {
  const calm = newWorld(0);
  await play(subject, calm, workload());
  const changes = calm.changes();
  const missed: Missed[] = [];
  for (let at = 1; at <= changes; at++) {
    const world = newWorld(at);
    const again = workload().slice(0, 9);
    await play(subject, world, [
      { kind: "power", change: at },
      ...workload(),
      { kind: "power", change: 0 },
      ...again,
    ]);
    if (world.missed()) missed.push(world.missed()!);
  }
  for (const operation of ["write", "sync", "rename", "remove", "syncDirectory"]) {
    assert(missed.some((one) => one.operation === operation), `no crash was before a ${operation}`);
  }
  for (const [kind, path] of Object.entries(subject.files ?? {})) {
    const count = missed.filter((one) => one.operation === "write" && path.test(one.path)).length;
    assert(count > 0, `of ${changes} crashes none was before a write to a ${kind} file`);
  }
}

async function crashesAnywhere(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  await fc.assert(stories(subject, newWorld, mortalOperation), { numRuns: 150 });
}

async function anythingAtAll(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  await fc.assert(stories(subject, newWorld, anyOperation), { numRuns: 300 });
}

async function batchesAreAtomic(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  const keys = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  for (let seed = 1; seed <= 60; seed++) {
    const world = newWorld(seed);
    world.crashAt(5 + seed % 20);
    const run = async () => {
      const engine = await subject.open(world.place());
      for (let serial = 1;; serial++) {
        await engine.write(keys.map((key, i) => ({ partition: i, key, record: recordOf(serial, 700) })));
      }
    };
    assertEquals(await world.survives(run()), false);
    const engine = await world.settle(subject.open(world.place()));
    const found = await Promise.all(keys.map((key, i) => engine.get(i, key)));
    assertEquals(found[1], found[0]);
    assertEquals(found[2], found[0]);
    await world.settle(engine.close());
  }
}

/** The next process reads what was never written back; what it serves must survive the power cut after it. */
async function failedSync(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  const some = fc.array(calmOperation, { minLength: 10, maxLength: 40, size: "max" });
  const property = fc.asyncProperty(fc.nat(), some, fc.boolean(), async (seed, operations, isPowerCut) => {
    await play(subject, newWorld(seed), [
      ...operations.slice(0, 5),
      { kind: "afflict", affliction: "syncErrorRate", rate: 0.2 },
      ...operations,
      { kind: "kill" },
      { kind: "heal" },
      { kind: "pause" },
      isPowerCut ? { kind: "power", change: 0 } : { kind: "kill" },
    ]);
  });
  await fc.assert(property, { numRuns: 100 });
}

async function poisonedForGood(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  const world = newWorld(3);
  const engine = await world.settle(subject.open(world.place()));
  const put = (k: number) => engine.write([{ partition: 0, key: keyOf(k), record: recordOf(k, 50) }]);
  await world.settle(put(1));
  world.faults.syncErrorRate = 1;
  const [first, second] = [put(2), put(3)];
  for (const promise of [first, second]) {
    assertEquals((await assertRejects(() => world.settle(promise), EngineError)).code, "poisoned");
  }
  world.faults.syncErrorRate = 0;
  await world.runFor(10_000);
  assertEquals(assertThrows(() => put(4), EngineError).code, "poisoned");
  assertEquals((await assertRejects(() => world.settle(engine.sync()), EngineError)).code, "poisoned");
  assert(engine.stats().refusing?.startsWith("poisoned: "));
  assertEquals(await engine.get(0, keyOf(1)), recordOf(1, 50));
  await assertRejects(() => world.settle(engine.close()), EngineError);
}

async function fullDisk(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  for (let seed = 0; seed < 20; seed++) {
    const world = newWorld(seed);
    let engine = await world.settle(subject.open(world.place()));
    let acknowledged = 0;
    const put = (k: number) =>
      engine.write([{ partition: 0, key: Uint8Array.of(k), record: recordOf(k, 100) }]);
    for (; acknowledged < 5; acknowledged++) await world.settle(put(acknowledged));
    world.faults.capacityBytes = world.usedBytes() + 50 + 40 * seed;
    let refused: unknown = null;
    while (!refused) {
      await world.settle(put(acknowledged)).then(() => acknowledged++, (error) => refused = error);
    }
    assert(refused instanceof EngineError && refused.code === "full", String(refused));
    assertEquals(assertThrows(() => put(200), EngineError).code, "full");
    assert(engine.stats().refusing?.startsWith("full: "));
    for (let k = 0; k < acknowledged; k++) {
      assertEquals(await engine.get(0, Uint8Array.of(k)), recordOf(k, 100));
    }
    if (seed % 2) {
      world.faults.capacityBytes = Infinity;
      await world.runFor(2 * LIMITS.fullProbeMs);
      await world.settle(put(201));
      assertEquals(engine.stats().refusing, null);
      const before = await scanAll(engine, 0);
      await world.settle(engine.close());
      engine = await world.settle(subject.open(world.place()));
      assertEquals(await scanAll(engine, 0), before); // what it served is what it kept
    } else {
      world.crash();
      world.faults.capacityBytes = Infinity;
      engine = await world.settle(subject.open(world.place()));
      for (let k = 0; k < acknowledged; k++) {
        assertEquals(await engine.get(0, Uint8Array.of(k)), recordOf(k, 100));
      }
    }
    await world.settle(engine.close());
  }
}

async function failedWrite(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  const some = fc.array(calmOperation, { maxLength: 40, size: "max" });
  const property = fc.asyncProperty(fc.nat(), some, async (seed, operations) => {
    await play(subject, newWorld(seed), [
      ...operations.slice(0, 5),
      { kind: "afflict", affliction: "writeErrorRate", rate: 0.05 },
      ...operations,
      { kind: "power", change: 0 },
    ]);
  });
  await fc.assert(property, { numRuns: 100 });
}

async function readOnlyDisk(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  const world = newWorld(1);
  await world.settle((await world.settle(subject.open(world.place()))).close());
  world.faults.readOnly = true;
  const error = await assertRejects(() => world.settle(subject.open(world.place())), EngineError);
  assertEquals(error.code, "io");
  assert(error.message.includes(world.place().directory), error.message);
}

/** What an engine that keeps its promises does on a disk that does not, by name. */
export const FAULTS: Readonly<Record<string, Check<FaultyWorld>>> = {
  "44: a crash at every change of the disk loses nothing acknowledged, brings nothing back":
    crashesAtEveryChange,
  "crashes anywhere, recovery included": crashesAnywhere,
  "whatever goes wrong, and when: it says so, loses nothing acknowledged, and is well again afterwards":
    anythingAtAll,
  "15: a batch is there as a whole or not at all": batchesAreAtomic,
  "38: a failed sync: what was acknowledged before is kept by the next process": failedSync,
  "38: a failed sync: nothing is written any more": poisonedForGood,
  "36: a full disk: nothing acknowledged, refusing, recovers by itself": fullDisk,
  "a failed write loses nothing that was acknowledged": failedWrite,
  "43: a copy is durable once it is made, and none before": copiesDurably,
  "48: a read-only disk: a clear error at start": readOnlyDisk,
};
