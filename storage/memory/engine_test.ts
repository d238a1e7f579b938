import { assert, assertEquals, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { DiskError } from "../../actors/runtime/environment.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { EngineError } from "../engine.ts";
import { CONTRACT } from "../testing/contract.ts";
import { type SimulatedWorld, simulatedWorld } from "../testing/worlds.ts";
import { type MemoryEngineOptions, openMemoryEngine } from "./engine.ts";

function open(world: SimulatedWorld, options: Partial<MemoryEngineOptions> = {}) {
  return world.settle(openMemoryEngine({ ...world.place(), sync: "always", ...options }));
}

const key = (n: number) => Uint8Array.of(n >> 8, n & 255);

Deno.test("memory: volatile touches no disk and forgets everything", async () => {
  const world = simulatedWorld(1);
  world.disk.beforeEach = (operation, path) => {
    throw new DiskError("io", path, operation);
  };
  const engine = await open(world, { persist: false });
  await engine.write([{ partition: 1, key: key(1), record: key(2) }]);
  assertEquals(engine.get(1, key(1)), key(2));
  await engine.sync();
  await engine.dropPartition(1);
  assertEquals([engine.stats().diskBytes, engine.stats().files, engine.partitions()], [0, 0, []]);
  assertEquals(engine.storeId, null);
  assertEquals(await engine.verify(), []);
  await engine.close();
  assertEquals((await open(world, { persist: false })).stats().keys, 0);
});

Deno.test("memory: volatile scans and refuses like any other", async () => {
  const volatile = {
    name: "volatile",
    open: (place: MemoryEngineOptions) => openMemoryEngine({ ...place, persist: false }),
  };
  for (const name of ["scans in pages, in byte order", "never changes bytes that it has given out"]) {
    const subject = { ...volatile, open: (place: object) => volatile.open(place as MemoryEngineOptions) };
    await CONTRACT[name]!(subject, simulatedWorld);
  }
});

Deno.test("memory: writes of one turn share one promise and one sync", async () => {
  const world = simulatedWorld(1);
  await world.settle((await open(world)).close()); // it has been made: with a record and a sync of its own
  const engine = await open(world);
  const first = engine.write([{ partition: 0, key: key(1), record: key(1) }]);
  for (let n = 2; n <= 64; n++) {
    assert(engine.write([{ partition: n, key: key(n), record: key(n) }]) === first);
  }
  assertEquals(engine.get(5, key(5)), key(5)); // visible before it is durable
  await world.settle(first);
  assertEquals(engine.stats().writesPerSync, 64);
  await world.settle(engine.close());
});

Deno.test("memory: the journal stays within twice what is live, whatever is overwritten and removed", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { segmentBytes: 4096, deadBytes: 8192 });
  for (let n = 0; n < 3000; n++) {
    const record = n % 7 === 6 ? null : new Uint8Array(100).fill(n);
    await world.settle(engine.write([{ partition: n % 3, key: key(n % 40), record }]));
    const { diskBytes, liveBytes } = engine.stats();
    assert(diskBytes < 2 * liveBytes + 40_000, `${diskBytes} bytes on disk for ${liveBytes}`);
  }
  for (let n = 0; n < 40; n++) {
    await world.settle(
      engine.write([0, 1, 2].map((partition) => ({ partition, key: key(n), record: null }))),
    );
  }
  await world.runFor(1000);
  const { keys, diskBytes, files, compactionDebtBytes } = engine.stats();
  assertEquals([keys, compactionDebtBytes], [0, 0]);
  assert(diskBytes < 20_000 && files < 8, `${diskBytes} bytes in ${files} files for nothing`);
  await world.settle(engine.close());
});

Deno.test("memory: a journal that was left dirty is cleaned by the next process", async () => {
  const world = simulatedWorld(1);
  const dirty = await open(world, { segmentBytes: 4096 });
  for (let n = 0; n < 500; n++) {
    await world.settle(dirty.write([{ partition: 0, key: key(1), record: new Uint8Array(100) }]));
  }
  await world.settle(dirty.close());
  const before = world.usedBytes();
  const engine = await open(world, { segmentBytes: 4096, deadBytes: 8192 });
  await world.runFor(1000);
  assert(world.usedBytes() < before / 3);
  assertEquals(engine.get(0, key(1)), new Uint8Array(100));
  await world.settle(engine.close());
});

Deno.test("memory: cleaning that fails is tried again after a while, not at every write", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { segmentBytes: 4096, deadBytes: 8192 });
  let attempts = 0;
  world.disk.beforeEach = (operation, path) => {
    if (operation !== "remove") return;
    attempts++;
    throw new DiskError("io", path, "input/output error");
  };
  const write = async (count: number) => {
    for (let n = 0; n < count; n++) {
      await world.settle(engine.write([{ partition: 0, key: key(1), record: new Uint8Array(100) }]));
    }
  };
  await write(1000);
  assertEquals(attempts, 1);
  await world.runFor(LIMITS.cleaningPauseMs);
  await write(10);
  assertEquals(attempts, 2);
  world.disk.beforeEach = null;
  await world.runFor(LIMITS.cleaningPauseMs);
  await write(1);
  await world.runFor(1000);
  assert(engine.stats().diskBytes < 20_000);
  await world.settle(engine.close());
});

Deno.test("memory: a record that does not decode is damage, not a crash", async () => {
  const { openJournal } = await import("../journal.ts");
  const world = simulatedWorld(1);
  const journal = await world.settle(openJournal({ ...world.place(), sync: "always" }, () => true));
  journal.append(1, [Uint8Array.of(1, 2, 3)]);
  journal.append(9, []);
  journal.append(3, [new Uint8Array(15)]);
  await world.settle(journal.close());
  const engine = await open(world);
  assertEquals(engine.damageAtOpen.map(({ detail }) => detail), [
    "the record does not decode",
    "the record does not decode",
    "the record does not decode",
  ]);
  await world.settle(engine.close());
});

Deno.test("memory: compacting leaves no more than what is live, while writes go on", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { segmentBytes: 4096 });
  const put = (n: number, fill: number) =>
    engine.write([{ partition: n % 3, key: key(n), record: new Uint8Array(100).fill(fill) }]);
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 40; n++) await world.settle(put(n, round));
  }
  for (let n = 30; n < 40; n++) {
    await world.settle(engine.write([{ partition: n % 3, key: key(n), record: null }]));
  }
  const fractions: number[] = [];
  const compacting = engine.compact((fraction) => fractions.push(fraction));
  const late = put(7, 99);
  await world.settle(compacting);
  await world.settle(late);
  assertEquals(fractions.at(-1), 1);
  assertEquals(fractions, fractions.toSorted((a, b) => a - b));
  const { keys, diskBytes, liveBytes } = engine.stats();
  assertEquals(keys, 30);
  assert(diskBytes < liveBytes + 3000, `${diskBytes} bytes on disk for ${liveBytes}`);
  world.crash();
  const again = await open(world);
  for (let n = 0; n < 40; n++) {
    const expected = n < 30 ? new Uint8Array(100).fill(n === 7 ? 99 : 19) : null;
    assertEquals(again.get(n % 3, key(n)), expected);
  }
  await world.settle(again.close());
});

Deno.test("memory: compacting an engine that is closed, or closes meanwhile, says so", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { segmentBytes: 4096 });
  for (let n = 0; n < 100; n++) {
    await world.settle(engine.write([{ partition: 0, key: key(n), record: new Uint8Array(100) }]));
  }
  const compacting = engine.compact();
  const closing = engine.close();
  assertEquals((await assertRejects(() => world.settle(compacting), EngineError)).code, "closed");
  await world.settle(closing);
  assertEquals((await assertRejects(() => world.settle(engine.compact()), EngineError)).code, "closed");
  assertEquals((await assertRejects(() => world.settle(engine.copyTo("copy")), EngineError)).code, "closed");
});

Deno.test("memory: a copy opens as the same store, made while writes and cleaning go on", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { segmentBytes: 4096, deadBytes: 8192 });
  const put = (n: number, fill: number) =>
    engine.write([{ partition: 0, key: key(n), record: new Uint8Array(100).fill(fill) }]);
  for (let round = 0; round < 10; round++) for (let n = 0; n < 40; n++) await world.settle(put(n, round));
  const copying = engine.copyTo("backups/copy");
  for (let n = 0; n < 20; n++) put(n, 77);
  await world.settle(copying);
  for (let round = 0; round < 10; round++) for (let n = 0; n < 40; n++) await world.settle(put(n, 88));
  await world.settle(engine.close());
  const copy = await open(world, { directory: "backups/copy" });
  assertEquals([copy.storeId, copy.damageAtOpen], [engine.storeId, []]);
  for (let n = 0; n < 40; n++) {
    const fill = (await copy.get(0, key(n)))?.[0];
    assert(fill === 9 || n < 20 && fill === 77, `key ${n} shows ${fill}`);
  }
  assertEquals(await world.settle(copy.verify()), []);
  await world.settle(copy.close());
});
