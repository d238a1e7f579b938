import { equalBytes } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { DiskError } from "../../actors/runtime/environment.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { EngineError } from "../engine.ts";
import { openJournal } from "../journal.ts";
import { formatExample } from "../testing/format_example.ts";
import { type SimulatedWorld, simulatedWorld } from "../testing/worlds.ts";
import { CHANGE_HEADER_BYTES } from "./codec.ts";
import {
  assertWhole,
  changesOf,
  DIRECTORY,
  expected,
  fileOf,
  key,
  KEYS,
  lastOf,
  open,
  partition,
  path,
  put,
  record,
  remove,
  replaceFiles,
  shown,
  smallStore,
} from "./testing/small_store.ts";

const COPY = "backups/copy";

/** Names in a world's store. */
function names(world: SimulatedWorld, directory = DIRECTORY): string[] {
  return world.place().disk.list(directory);
}

Deno.test("bitcask: writes of one turn share one promise and one sync, and are seen before it", async () => {
  const world = simulatedWorld(1);
  await world.settle((await open(world)).close()); // it has been made: with a record and a sync of its own
  const engine = await open(world, { segmentBytes: 1 << 20 });
  const first = put(engine, 1, 1);
  for (let n = 2; n <= 64; n++) assert(put(engine, n, 1) === first);
  for (let n = 1; n <= 64; n++) assertEquals(await shown(engine, n), record(n, 1));
  await world.settle(first);
  assertEquals(engine.stats().writesPerSync, 64);
  for (let n = 1; n <= 64; n++) assertEquals(await shown(engine, n), record(n, 1));
  await world.settle(engine.close());
});

Deno.test("bitcask: one read of the disk for a record, none for a missing key or one that is not durable yet", async () => {
  const world = await smallStore();
  const engine = await open(world);
  await assertWhole(engine); // files are open
  let reads = 0;
  world.disk.beforeEach = (operation) => void (operation === "read" && reads++);
  await assertWhole(engine);
  assertEquals(reads, Array.from({ length: KEYS }, (_, n) => expected(n)).filter(Boolean).length);
  const durable = put(engine, 3, 9);
  reads = 0;
  assertEquals(await shown(engine, 3), record(3, 9));
  assertEquals(await shown(engine, 1000), null);
  assertEquals(reads, 0);
  await world.settle(durable);
  assertEquals([await shown(engine, 3), reads], [record(3, 9), 1]);
  await world.settle(engine.close());
});

Deno.test("38: what a failed sync leaves is served from memory, whatever the file shows", async () => {
  const world = await smallStore();
  const engine = await open(world);
  world.faults.syncErrorRate = 1;
  await assertRejects(() => world.settle(put(engine, 3, 9)), EngineError);
  const disk = world.place().disk.open(path(5), { write: true });
  disk.write(new Uint8Array(200), disk.size() - 200);
  assertEquals(await shown(engine, 3), record(3, 9));
  await assertRejects(() => world.settle(engine.close()), EngineError);
});

Deno.test("bitcask: opening reads hint files and headers, and no records", async () => {
  const world = await smallStore();
  const records: string[] = [];
  let bytes = 0;
  const place = world.place();
  const counting = new Proxy(place.disk, {
    get(disk, name) {
      if (name !== "open") return Reflect.get(disk, name).bind(disk);
      return (path: string, options: object) => {
        const file = disk.open(path, options);
        const read = file.read.bind(file);
        file.read = (into, position) => {
          const length = read(into, position);
          if (path.endsWith(".log")) bytes += length;
          if (path.endsWith(".log") && position >= 64 && length > 32) records.push(path);
          return length;
        };
        return file;
      };
    },
  });
  const engine = await open(world, { disk: counting });
  assertEquals(records, []);
  assert(bytes > 0 && bytes < 1500, `${bytes} bytes read of segments`);
  await assertWhole(engine);
  assertEquals(records.length > 20, true);
  await world.settle(engine.close());
});

Deno.test("bitcask: hint files come when segments are complete, missing ones are made, rubbish goes", async () => {
  const world = await smallStore();
  replaceFiles(world, {
    [path(1, ".hint")]: null,
    [path(3, ".hint")]: null,
    [path(0, ".hint")]: Uint8Array.of(1),
    [path(2, ".hint.tmp")]: Uint8Array.of(2),
  });
  const engine = await open(world);
  await assertWhole(engine);
  await world.runFor(100);
  for (let n = 1; n <= 4; n++) assert(names(world).includes(path(n, ".hint").slice(11)), `${n}`);
  assert(!names(world).some((name) => name.startsWith("0000000000") || name.endsWith(".tmp")));
  for (let n = 0; n < 20; n++) await world.settle(put(engine, n, 5));
  await world.runFor(100);
  assert(names(world).includes(path(6, ".hint").slice(11)));
  const { files, diskBytes } = engine.stats();
  const sizes = names(world).map((name) => fileOf(world, `${DIRECTORY}/${name}`).length);
  assertEquals([files, diskBytes], [names(world).length - 1, sizes.reduce((sum, size) => sum + size, 0)]);
  await world.settle(engine.close());
});

Deno.test("48: a hint file past the last segment says that one was taken away", async () => {
  const world = await smallStore();
  const last = names(world).filter((name) => name.endsWith(".log")).sort().at(-1)!;
  const number = Number.parseInt(last);
  replaceFiles(world, { [path(number)]: null, [path(number - 1)]: null });
  const error = await assertRejects(() => open(world), EngineError, "is missing; put it back");
  assertEquals([error.code, error.message.includes(path(number - 1))], ["corrupt", true]);
});

Deno.test("bitcask: hint files that cannot be written cost nothing but time", async () => {
  for (const code of ["no-space", "io"] as const) {
    for (const failing of ["write", "sync", "rename", "open"]) {
      const world = simulatedWorld(1);
      world.disk.beforeEach = (operation, path) => {
        if (operation === failing && path.endsWith(".hint.tmp")) throw new DiskError(code, path, "planted");
      };
      const engine = await open(world);
      for (let n = 0; n < KEYS; n++) await world.settle(put(engine, n, 1));
      await world.runFor(100);
      assertEquals(engine.stats().refusing, null);
      await world.settle(engine.close());
      assert(!names(world).some((name) => name.includes(".hint")), failing);
      const again = await open(world);
      for (let n = 0; n < KEYS; n++) assertEquals(await shown(again, n), record(n, 1));
      await world.settle(again.close());
    }
  }
});

Deno.test("bitcask: sequence numbers never go back, whatever is removed and cleaned away", async () => {
  const world = await smallStore();
  const last = (await changesOf(world)).at(-1)!.sequence;
  const engine = await open(world);
  for (let n = 0; n < KEYS; n++) await world.settle(remove(engine, n));
  await world.settle(engine.compact());
  assertEquals(engine.stats().keys, 0);
  await world.settle(engine.close());
  for (const change of await changesOf(world)) assertEquals(change.key.length, 0);
  const again = await open(world);
  await world.settle(put(again, 1, 1));
  await world.settle(again.close());
  const [change] = (await changesOf(world)).filter(({ key }) => key.length > 0);
  assert(change!.sequence > last + KEYS);
});

Deno.test("bitcask: the log stays within twice what is live, and each byte is written twice at most", async () => {
  const KEPT = 60;
  // Any key is overwritten; only five are, and the cold ones are copied again and again.
  for (const next of [(n: number) => n * 7919 % KEPT, (n: number) => n < KEPT ? n : n % 5]) {
    const world = simulatedWorld(1);
    const engine = await open(world, { segmentBytes: 4096, deadBytes: 4096 });
    for (let n = 0; n < 6000; n += 10) {
      for (let i = n; i < n + 10; i++) put(engine, next(i), i % 256);
      await world.settle(engine.sync());
      const { diskBytes, liveBytes } = engine.stats();
      assert(diskBytes < 2 * liveBytes + 40_000, `${diskBytes} bytes on disk for ${liveBytes}`);
    }
    for (let n = 0; n < KEPT; n++) await world.settle(remove(engine, n));
    await world.runFor(1000);
    const { keys, diskBytes, files, compactionDebtBytes } = engine.stats();
    assertEquals([keys, compactionDebtBytes], [0, 0]);
    assert(diskBytes < 20_000 && files < 12, `${diskBytes} bytes in ${files} files for nothing`);
    await world.settle(put(engine, 1, 1));
    await world.settle(engine.close());
    // Every change that was appended has a number: those of clients, and those that cleaning copied.
    const appended = (await changesOf(world)).at(-1)!.sequence;
    assert(appended > 6061 && appended < 2.1 * 6061, `${appended} changes written for 6061`);
  }
});

Deno.test("bitcask: a segment of which a live key cannot be read is not removed, until the key is written again", async () => {
  const world = await smallStore();
  const hit = await lastOf(world, 2);
  assertEquals(hit.segment, 1);
  const engine = await open(world);
  world.disk.flipBit(path(1), hit.at + CHANGE_HEADER_BYTES + 10);
  const error = await assertRejects(() => world.settle(engine.compact()), EngineError);
  assertEquals(error.code, "corrupt");
  assert(names(world).includes(path(1).slice(11)));
  for (let n = 0; n < KEYS; n++) assertEquals(await shown(engine, n), n === 2 ? "corrupt" : expected(n));
  await world.settle(put(engine, 2, 1));
  await world.settle(engine.compact());
  assert(!names(world).includes(path(1).slice(11)));
  await assertWhole(engine);
  await world.settle(engine.close());
});

Deno.test("bitcask: compacting leaves live changes only, while writes go on, and then has nothing more to do", async () => {
  const world = await smallStore();
  const engine = await open(world);
  const fractions: number[] = [];
  const compacting = engine.compact((fraction) => fractions.push(fraction));
  const late = put(engine, 3, 9);
  await world.settle(compacting);
  await world.settle(late);
  assertEquals(fractions.at(-1), 1);
  assertEquals(fractions, fractions.toSorted((a, b) => a - b));
  await world.settle(engine.compact()); // of 3, that was live
  const before = world.changes();
  await world.settle(engine.compact());
  assertEquals(world.changes(), before);
  const { liveBytes, keys } = engine.stats();
  await world.settle(engine.close());
  const changes = (await changesOf(world)).filter(({ key }) => key.length > 0);
  assertEquals(changes.length, keys);
  assertEquals(changes.reduce((sum, { key, record }) => sum + key.length + record!.length, 0), liveBytes);
  const again = await open(world);
  for (let n = 0; n < KEYS; n++) assertEquals(await shown(again, n), n === 3 ? record(3, 9) : expected(n));
  await world.settle(again.close());
});

Deno.test("bitcask: what is not written yet is compacted, too (seed 1018199345)", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world);
  for (let n = 0; n < 12; n++) put(engine, n % 10, n);
  await world.settle(engine.compact());
  for (let n = 0; n < 10; n++) assertEquals(await shown(engine, n), record(n, n < 2 ? 10 + n : n));
  assert(engine.stats().deadBytes < 600);
  await world.settle(engine.close());
});

Deno.test("bitcask: a copy opens as the same store, with its hint files, made while writes and cleaning go on", async () => {
  const world = await smallStore();
  const engine = await open(world, { deadBytes: 1024 });
  const copying = engine.copyTo(COPY);
  for (let n = 0; n < KEYS; n++) if (expected(n)) put(engine, n, 5);
  await world.settle(copying);
  for (let round = 0; round < 10; round++) {
    for (let n = 0; n < KEYS; n++) await world.settle(put(engine, n, 6));
  }
  await world.settle(engine.close());
  for (let n = 1; n <= 4; n++) assert(names(world, COPY).includes(path(n, ".hint").slice(11)));
  const copy = await open(world, { directory: COPY });
  assertEquals([copy.storeId, copy.damageAtOpen], [engine.storeId, []]);
  for (let n = 0; n < KEYS; n++) {
    const found = await shown(copy, n);
    const isLate = expected(n) !== null && found instanceof Uint8Array && found[1] === 5;
    if (!isLate) assertEquals(found, expected(n));
  }
  assertEquals(await world.settle(copy.verify()), []);
  await world.settle(put(copy, 1, 7));
  await world.settle(copy.close());
  const original = await open(world);
  assertEquals(await shown(original, 1), record(1, 6));
  await world.settle(original.close());
});

Deno.test("bitcask: scans read records in the order of keys, in pages, and say when one cannot be read", async () => {
  const world = await smallStore();
  const engine = await open(world);
  const all = await engine.scan({ partition: 1, limit: 100, limitBytes: Infinity });
  const keys = Array.from({ length: KEYS }, (_, n) => n).filter((n) => partition(n) === 1 && expected(n));
  assertEquals(all.entries.map(({ key }) => key), keys.map(key));
  assertEquals(all.entries.map(({ record }) => record), keys.map((n) => expected(n)));
  world.faults.readErrorRate = 1;
  await assertRejects(async () => await engine.scan({ partition: 1, limit: 9, limitBytes: 9 }), EngineError);
  const told = () => assert(false, "what is not read is not damaged");
  const lenient = { partition: 1, limit: 9, limitBytes: 9, onDamaged: told };
  await assertRejects(async () => await engine.scan(lenient), EngineError);
  world.faults.readErrorRate = 0;
  await world.settle(engine.close());
});

Deno.test("40: a scan that is to leave out what is damaged shows the rest", async () => {
  const world = await smallStore();
  const engine = await open(world);
  for (const [path, bytes] of world.disk.snapshot()) {
    for (let at = 100; path.endsWith(".log") && at < (bytes?.length ?? 0); at += 300) {
      world.disk.flipBit(path, at);
    }
  }
  const all = [0, 1, 2, 3].map((partition) => ({ partition, limit: 100, limitBytes: Infinity }));
  const told: string[] = [];
  let shown = 0;
  for (const options of all) {
    const page = await engine.scan({ ...options, onDamaged: ({ message }) => void told.push(message) });
    for (const { key: found, record } of page.entries) {
      const n = Array.from({ length: KEYS }, (_, n) => n).find((n) => equalBytes(key(n), found))!;
      assertEquals(record, expected(n));
      shown++;
    }
  }
  const there = Array.from({ length: KEYS }, (_, n) => n).filter((n) => expected(n)).length;
  assert(told.length > 0);
  assertEquals(shown + told.length, there);
  await world.settle(engine.close());
});

Deno.test("bitcask: a record that does not decode is damage, not a crash", async () => {
  const world = simulatedWorld(1);
  const journal = await world.settle(openJournal({ ...world.place(), sync: "always" }, () => true));
  journal.append(1, [Uint8Array.of(1, 2, 3)]);
  journal.append(9, []);
  journal.append(3, [new Uint8Array(15)]);
  await world.settle(journal.close());
  for (let life = 0; life < 2; life++) {
    const engine = await open(world);
    assertEquals(engine.damageAtOpen.map(({ detail }) => detail), [
      "the record does not decode",
      "the record does not decode",
      "the record does not decode",
    ]);
    await world.settle(put(engine, 1, 1));
    assertEquals(await shown(engine, 1), record(1, 1));
    await world.settle(engine.close());
  }
});

Deno.test("bitcask: what fails at open lets go of the lock, and a damaged store with all its hints opens", async () => {
  const world = await smallStore();
  world.faults.readErrorRate = 1;
  assertEquals((await assertRejects(() => open(world), EngineError)).code, "io");
  world.faults.readErrorRate = 0;
  const engine = await open(world);
  await assertWhole(engine);
  await world.settle(engine.close());
});

Deno.test("bitcask: cleaning that fails is tried again after a while, not at every write", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { segmentBytes: 4096, deadBytes: 8192 });
  let attempts = 0;
  world.disk.beforeEach = (operation, path) => {
    if (operation !== "remove" || !path.endsWith(".log")) return;
    attempts++;
    throw new DiskError("io", path, "input/output error");
  };
  for (let n = 0; n < 1000; n++) await world.settle(put(engine, 1, n % 256));
  assertEquals(attempts, 1);
  world.disk.beforeEach = null;
  await world.runFor(LIMITS.cleaningPauseMs);
  await world.settle(put(engine, 1, 1));
  await world.runFor(1000);
  assert(engine.stats().diskBytes < 20_000);
  await world.settle(engine.close());
});

Deno.test("the worked example of FORMAT.md: a bitcask segment, and its hint file", async () => {
  const text = new TextEncoder();
  for (const hint of [formatExample("hint"), null]) {
    const world = simulatedWorld(1);
    world.disk.restore(new Map([["data", null], [DIRECTORY, null], [path(1), formatExample("bitcask")]]));
    if (hint) replaceFiles(world, { [path(1, ".hint")]: hint });
    const engine = await open(world);
    assertEquals([engine.damageAtOpen, engine.storeId], [[], "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"]);
    assertEquals([engine.stats().keys, engine.partitions()], [1, [7]]);
    assertEquals(await engine.get(7, text.encode("foo")), text.encode("bar"));
    assertEquals(await engine.get(7, text.encode("old")), null);
    await world.settle(engine.close());
    // A close makes the same hint file.
    assertEquals(fileOf(world, path(1, ".hint")), formatExample("hint"));
  }
});
