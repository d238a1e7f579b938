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
  type Check,
  type FaultyWorld,
  keyOf,
  type Operation,
  operation,
  recordOf,
  type Subject,
} from "./subject.ts";
import { Survivor } from "./survivor.ts";

/** Enough of everything, always the same: batches, removals, a drop, pauses, enough dead bytes to be cleaned. */
function workload(): Operation[] {
  const operations: Operation[] = [];
  for (let i = 0; i < 40; i++) {
    const size = i % 5 === 4 ? null : 40 + 7 * (i % 13);
    operations.push({
      kind: "write",
      changes: [{ p: i % 2, k: i % 6, size }, { p: 1, k: (i * 5) % 9, size: 60 }],
    });
    if (i % 3 === 0) operations.push({ kind: "pause" });
    if (i === 25) operations.push({ kind: "drop", p: 0 });
  }
  return operations;
}

async function crashesAtEveryChange(
  subject: Subject,
  newWorld: (seed: number) => FaultyWorld,
): Promise<void> {
  const calm = newWorld(0);
  await new Survivor(subject, calm).live(workload());
  const changes = calm.changes();
  assert(changes > 50, `the workload changes the disk ${changes} times only`);
  for (let at = 1; at <= changes; at++) {
    const world = newWorld(at);
    const survivor = new Survivor(subject, world);
    world.crashAt(at);
    await survivor.live(workload());
    world.crash();
    await survivor.live(workload().slice(0, 9));
    await survivor.live([]);
  }
}

async function crashesAnywhere(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  const life = fc.record({
    operations: fc.array(operation, { maxLength: 40 }),
    crashAt: fc.integer({ min: 1, max: 60 }),
    shortWriteRate: fc.constantFrom(0, 0.3),
  });
  const property = fc.asyncProperty(fc.nat(), fc.array(life, { maxLength: 5 }), async (seed, lives) => {
    const world = newWorld(seed);
    const survivor = new Survivor(subject, world);
    for (const { operations, crashAt, shortWriteRate } of lives) {
      world.faults.shortWriteRate = shortWriteRate;
      world.crashAt(crashAt);
      await survivor.live(operations);
      world.crash();
    }
    assert(await survivor.live([]));
  });
  await fc.assert(property, { numRuns: 200 });
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

async function failedSync(subject: Subject, newWorld: (seed: number) => FaultyWorld): Promise<void> {
  const property = fc.asyncProperty(
    fc.nat(),
    fc.array(operation, { minLength: 10, maxLength: 40 }),
    fc.boolean(),
    async (seed, operations, isPowerCut) => {
      const world = newWorld(seed);
      const survivor = new Survivor(subject, world);
      await survivor.live(operations.slice(0, 5));
      world.faults.syncErrorRate = 0.2;
      survivor.toleratesFailure = true;
      // Opening may fail, too; then nothing was promised.
      await survivor.live(operations).catch((error) => assert(error instanceof EngineError, String(error)));
      world.faults.syncErrorRate = 0;
      world.kill();
      survivor.toleratesFailure = false;
      // The new process reads what was never written back; what it serves must survive the power cut after it.
      await survivor.live([]);
      if (isPowerCut) world.crash();
      await survivor.live([]);
    },
  );
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
  const property = fc.asyncProperty(
    fc.nat(),
    fc.array(operation, { maxLength: 40 }),
    async (seed, operations) => {
      const world = newWorld(seed);
      const survivor = new Survivor(subject, world);
      await survivor.live(operations.slice(0, 5));
      world.faults.writeErrorRate = 0.05;
      survivor.toleratesFailure = true;
      await survivor.live(operations).catch((error) => assert(error instanceof EngineError, String(error)));
      world.faults.writeErrorRate = 0;
      world.crash();
      survivor.toleratesFailure = false;
      await survivor.live([]);
    },
  );
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
  "15: a batch is there as a whole or not at all": batchesAreAtomic,
  "38: a failed sync: what was acknowledged before is kept by the next process": failedSync,
  "38: a failed sync: nothing is written any more": poisonedForGood,
  "36: a full disk: nothing acknowledged, refusing, recovers by itself": fullDisk,
  "a failed write loses nothing that was acknowledged": failedWrite,
  "48: a read-only disk: a clear error at start": readOnlyDisk,
};
