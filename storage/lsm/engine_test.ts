import { DiskError } from "../../actors/runtime/environment.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "../../actors/runtime/testing/assert.ts";
import { EngineError } from "../engine.ts";
import { segmentPath } from "../journal/segments.ts";
import { scanAll } from "../testing/contract.ts";
import { type SimulatedWorld, simulatedWorld } from "../testing/worlds.ts";
import { type LsmEngine, type LsmOptions, openLsmEngine } from "./engine.ts";
import { TINY } from "./testing/tiny.ts";

const DIRECTORY = "data/store";
const SCAN = { limit: 10_000, limitBytes: Infinity };

function open(world: SimulatedWorld, options: Partial<LsmOptions> = {}): Promise<LsmEngine> {
  return world.settle(openLsmEngine({ ...world.place(), ...TINY, ...options }));
}

const key = (n: number) => Uint8Array.of(n >> 8, n & 255);
const record = (n: number, size = 60) => new Uint8Array(size).fill(n);

async function put(
  world: SimulatedWorld,
  engine: LsmEngine,
  from: number,
  to: number,
  size?: number,
): Promise<void> {
  for (let n = from; n < to; n++) {
    await world.settle(engine.write([{ partition: n % 3, key: key(n), record: record(n, size) }]));
  }
}

function names(world: SimulatedWorld, ending: string): string[] {
  const { disk } = world.place();
  return disk.list(DIRECTORY).filter((name) => name.endsWith(ending)).map((name) => `${DIRECTORY}/${name}`);
}

async function files(world: SimulatedWorld, ending = ".sst"): Promise<string[]> {
  await world.runFor(1000);
  return names(world, ending);
}

Deno.test("lsm: what was flushed is not replayed: a clean start reads next to nothing", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { memtableBytes: 1 << 20 });
  await put(world, engine, 0, 3000, 100);
  await world.settle(engine.close());
  let readBytes = 0;
  world.disk.beforeEach = (operation) => void (operation === "read" && readBytes++);
  const again = await open(world, { memtableBytes: 1 << 20 });
  world.disk.beforeEach = null;
  assert(readBytes < 30, `${readBytes} reads to open`);
  assertEquals(again.get(0, key(2997)), record(2997, 100));
  await world.settle(again.close());
});

Deno.test("lsm: levels stay within their measure, and each key is there", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world);
  for (let round = 0; round < 4; round++) await put(world, engine, 0, 150);
  await world.runFor(10_000);
  assertEquals(engine.stats().compactionDebtBytes, 0);
  const tables = (await files(world)).length;
  assert(tables > 5, `${tables} tables`);
  for (let n = 0; n < 150; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
  const { write, space } = engine.amplification();
  assert(write > 1.5 && write < 30, `a byte was written ${write} times`);
  assert(space < 10, `a byte takes ${space}`);
  assertEquals(await world.settle(engine.verify()), []);
  await world.settle(engine.close());
});

Deno.test("lsm: compacting leaves one level, and nothing that was removed or dropped", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world);
  await put(world, engine, 0, 300);
  for (let n = 0; n < 300; n += 3) {
    await world.settle(engine.write([{ partition: n % 3, key: key(n), record: null }]));
  }
  await world.settle(engine.dropPartition(1));
  const fractions: number[] = [];
  await world.settle(engine.compact((fraction) => fractions.push(fraction)));
  assertEquals(fractions.at(-1), 1);
  assertEquals(fractions, fractions.toSorted((a, b) => a - b));
  assertEquals([engine.count(0), engine.count(1), engine.count(2)], [0, 0, 100]);
  assertEquals(engine.partitions(), [2]);
  const tableBytes = names(world, ".sst").reduce(
    (sum, path) => sum + world.place().disk.open(path).size(),
    0,
  );
  assert(tableBytes < 2.5 * engine.stats().liveBytes, `${tableBytes} bytes for ${engine.stats().liveBytes}`);
  await world.settle(engine.close());
});

Deno.test("lsm: two who compact everything at once do not do the same job twice", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world);
  await put(world, engine, 0, 30);
  await world.settle(Promise.all([engine.compact(), engine.compact(), engine.compact()]));
  for (let partition = 0; partition < 3; partition++) {
    assertEquals((await scanAll(engine, partition)).length, 10);
    assertEquals(engine.count(partition), 10);
  }
  await world.settle(engine.close());
});

Deno.test("lsm: a snapshot shows what was there, until it is released and its tables go", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world);
  await put(world, engine, 0, 60);
  const snapshot = engine.snapshot();
  const before = snapshot.scan({ partition: 0, ...SCAN });
  for (let n = 0; n < 60; n++) {
    await world.settle(engine.write([{ partition: n % 3, key: key(n), record: null }]));
  }
  await world.settle(engine.dropPartition(0));
  await world.settle(engine.compact());
  assertEquals(engine.partitions(), []);
  assertEquals(snapshot.scan({ partition: 0, ...SCAN }), before);
  assertEquals(snapshot.get(1, key(1)), record(1));
  assert((await files(world)).length > 0);
  snapshot.release();
  snapshot.release();
  assertEquals(await files(world), []);
  await world.settle(engine.close());
  assertEquals(assertThrows(() => snapshot.get(0, key(0)), EngineError).code, "closed");
});

Deno.test("lsm: snapshots between writes do not make a table each", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { memtableBytes: 1 << 20, level0Tables: 100, level0MaxTables: 200 });
  for (let n = 0; n < 300; n++) {
    engine.snapshot().release();
    const held = engine.snapshot();
    await put(world, engine, n, n + 1);
    held.release();
  }
  const tables = (await files(world)).length;
  assert(tables < 15, `${tables} tables for 300 writes`);
  for (let n = 0; n < 300; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
  await world.settle(engine.close());
});

Deno.test("lsm: a copy opens as the same store, made while writes, flushes and compactions go on", async () => {
  for (let seed = 0; seed < 10; seed++) {
    const world = simulatedWorld(seed);
    const engine = await open(world);
    await put(world, engine, 0, 100);
    const copying = engine.copyTo("backups/copy");
    for (let n = 0; n < 100; n++) engine.write([{ partition: n % 3, key: key(n), record: record(n + 1) }]);
    await world.settle(copying);
    await world.settle(engine.compact());
    world.crash();
    const copy = await open(world, { directory: "backups/copy" });
    assertEquals([copy.storeId, copy.damageAtOpen], [engine.storeId, []]);
    let isLater = true;
    for (let n = 0; n < 100; n++) {
      const found = copy.get(n % 3, key(n))?.[0];
      assert(found === n || found === n + 1, `key ${n} shows ${found}`);
      assert(isLater || found === n, "a later write is there and an earlier one is not");
      isLater = found === n + 1;
    }
    assertEquals(await world.settle(copy.verify()), []);
    await put(world, copy, 0, 50);
    await world.settle(copy.close());
    const original = await open(world);
    for (let n = 0; n < 100; n++) assertEquals(original.get(n % 3, key(n))?.[0], n + 1);
    await world.settle(original.close());
  }
});

Deno.test("lsm: half a copy does not open, and a failed one is removed", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world);
  await put(world, engine, 0, 50);
  world.disk.beforeEach = (operation, path) => {
    if (operation === "link" && path.endsWith(".sst")) throw new DiskError("io", path, "input/output error");
  };
  assertEquals((await assertRejects(() => world.settle(engine.copyTo("copy")), EngineError)).code, "io");
  assertEquals(world.place().disk.exists("copy"), false);
  world.disk.beforeEach = (operation, path) => {
    if (operation === "link" && path.endsWith(".sst")) world.kill();
  };
  const copying = engine.copyTo("copy");
  copying.catch(() => {});
  await world.runFor(1000);
  world.disk.beforeEach = null;
  const error = await assertRejects(() => open(world, { directory: "copy" }), EngineError);
  assertEquals(error.code, "corrupt");
  await world.settle((await open(world)).close());
});

Deno.test("lsm: the answer to a write comes the later the more is owed, none for long, and that passes", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { level0MaxTables: 12, waitingBytes: 20_000 });
  // Tables cannot be made: memtables wait.
  const refuse = (operation: string, path: string) => {
    if (operation === "write" && path.endsWith(".sst")) {
      throw new DiskError("no-space", path, "no space left on device");
    }
  };
  world.disk.beforeEach = refuse;
  const { clock } = world.place();
  const delays: number[] = [];
  let refused: EngineError | null = null;
  for (let n = 0; refused === null && n < 2000; n++) {
    const begun = clock.now();
    try {
      await world.settle(engine.write([{ partition: 0, key: key(n), record: record(n) }]));
      delays.push(clock.now() - begun);
    } catch (error) {
      refused = error as EngineError;
    }
  }
  assertEquals(refused?.code, "overloaded");
  const smoothed = delays.map((_, i) => Math.max(...delays.slice(Math.max(0, i - 8), i + 1)));
  for (let i = 20; i < smoothed.length; i++) {
    assert(smoothed[i]! >= smoothed[i - 10]! - 2, `${smoothed[i]} ms after ${smoothed[i - 10]} ms`);
    assert(smoothed[i]! - smoothed[i - 1]! < 20, `from ${smoothed[i - 1]} to ${smoothed[i]} ms at once`);
  }
  assert(Math.max(...delays) > 50 && Math.max(...delays) < 120, `${Math.max(...delays)} ms at most`);
  assertEquals(engine.get(0, key(0)), record(0)); // reads go on
  world.disk.beforeEach = null;
  await world.runFor(2 * LIMITS.fullProbeMs);
  const begun = clock.now();
  await world.settle(engine.write([{ partition: 0, key: key(1), record: record(1) }]));
  assert(clock.now() - begun < 5, "it is over");
  await world.settle(engine.close());
});

Deno.test("36: a full disk in the middle of flushing and compacting: nothing is lost, and it goes on", async () => {
  for (let seed = 0; seed < 15; seed++) {
    const world = simulatedWorld(seed);
    let engine = await open(world);
    await put(world, engine, 0, 40);
    await world.runFor(1000);
    world.faults.capacityBytes = world.usedBytes() + 300 * seed;
    let acknowledged = 40;
    for (let refused = false; !refused;) {
      await put(world, engine, acknowledged, acknowledged + 1).then(
        () => acknowledged++,
        () => refused = true,
      );
      if (acknowledged > 400) break;
    }
    await world.runFor(3000);
    for (let n = 0; n < acknowledged; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
    if (seed % 3 === 0) {
      world.crash();
      world.faults.capacityBytes = Infinity;
      engine = await open(world);
    } else {
      world.faults.capacityBytes = Infinity;
      await world.runFor(3000);
    }
    for (let n = 0; n < acknowledged; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
    await put(world, engine, 0, 60);
    await world.runFor(10_000);
    assertEquals(engine.stats().compactionDebtBytes, 0);
    assertEquals(engine.stats().refusing, null);
    assertEquals(await world.settle(engine.verify()), []);
    await world.settle(engine.close());
  }
});

Deno.test("36: an engine closes on a disk that stays full, whatever was under way, and nothing is lost", async () => {
  for (let seed = 0; seed < 15; seed++) {
    const world = simulatedWorld(seed);
    let engine = await open(world);
    await put(world, engine, 0, 20);
    world.faults.capacityBytes = world.usedBytes() + 700 * seed;
    let acknowledged = 20;
    for (let refused = false; !refused && acknowledged < 300;) {
      await put(world, engine, acknowledged, acknowledged + 1).then(
        () => acknowledged++,
        () => refused = true,
      );
    }
    await world.settle(engine.close().catch((error) => assert(error instanceof EngineError)));
    world.faults.capacityBytes = Infinity;
    engine = await open(world);
    for (let n = 0; n < acknowledged; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
    await world.settle(engine.close());
  }
});

Deno.test("36: the space kept for a full disk is given up for a flush, and put aside again", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { reserveBytes: 4096, level0Tables: 8 });
  await world.runFor(100);
  assertEquals(world.place().disk.open(`${DIRECTORY}/reserve`).size(), 4096);
  const used = world.usedBytes();
  await put(world, engine, 0, 3);
  world.faults.capacityBytes = world.usedBytes() + 400; // for the log, not for a table
  await put(world, engine, 3, 5);
  await world.runFor(2 * LIMITS.fullProbeMs);
  assertEquals((await files(world)).length, 1);
  assertEquals(world.place().disk.exists(`${DIRECTORY}/reserve`), false);
  world.faults.capacityBytes = Infinity;
  await world.runFor(LIMITS.reserveAgainMs);
  assertEquals(world.place().disk.open(`${DIRECTORY}/reserve`).size(), 4096);
  assert(world.usedBytes() > used);
  await world.settle(engine.close());
});

/** A store with tables in several levels, closed. */
async function made(world: SimulatedWorld, options: Partial<LsmOptions> = {}): Promise<string> {
  const engine = await open(world, options);
  await put(world, engine, 0, 120);
  await world.runFor(5000);
  await world.settle(engine.close());
  return engine.storeId;
}

Deno.test("37: a disk that cannot be read: said so, never `not found`", async () => {
  const world = simulatedWorld(1);
  await made(world);
  const engine = await open(world);
  world.faults.readErrorRate = 1;
  const codes = new Set<string>();
  for (let n = 0; n < 120; n++) {
    try {
      assertEquals(engine.get(n % 3, key(n)), record(n));
    } catch (error) {
      codes.add((error as EngineError).code);
    }
  }
  assertEquals([...codes], ["io"]);
  assertEquals(assertThrows(() => engine.scan({ partition: 0, ...SCAN }), EngineError).code, "io");
  world.faults.readErrorRate = 0;
  for (let n = 0; n < 120; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
  await world.settle(engine.close());
});

Deno.test("37: compaction that cannot read holds up no flush", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world, { level0MaxTables: 1000 });
  await put(world, engine, 0, 60);
  const before = (await files(world)).length;
  world.faults.readErrorRate = 1;
  await put(world, engine, 200, 260);
  await world.runFor(LIMITS.fullProbeMs / 2);
  assert(names(world, ".sst").length >= before + 4, `${before} tables, then ${names(world, ".sst").length}`);
  world.faults.readErrorRate = 0;
  await world.runFor(5 * LIMITS.fullProbeMs);
  assertEquals(engine.stats().compactionDebtBytes, 0);
  await world.settle(engine.close());
});

Deno.test("40: damage in a table: reads say so, the next start cuts it out, and it is another store then", async () => {
  const world = simulatedWorld(1);
  const id = await made(world);
  const path = names(world, ".sst").at(-1)!;
  world.disk.flipBit(path, 40);
  let engine = await open(world);
  assertEquals([engine.storeId, engine.damageAtOpen], [id, []]);
  const unread: number[] = [];
  for (let n = 0; n < 120; n++) {
    try {
      assertEquals(engine.get(n % 3, key(n)), record(n));
    } catch (error) {
      assertEquals((error as EngineError).code, "corrupt");
      unread.push(n);
    }
  }
  assert(unread.length > 0 && unread.length < 10, `${unread.length} keys cannot be read`);
  const found = await world.settle(engine.verify());
  assertEquals(found.map(({ kind, path }) => [kind, path]), [["corrupt", path]]);
  // What is written anew is there, whatever lies below it.
  const [first, ...others] = unread;
  await world.settle(engine.write([{ partition: first! % 3, key: key(first!), record: record(7) }]));
  assertEquals(engine.get(first! % 3, key(first!)), record(7));
  await world.settle(engine.close());

  engine = await open(world);
  assertNotEquals(engine.storeId, id);
  assertEquals(engine.damageAtOpen.map(({ kind, path }) => [kind, path]), [["corrupt", path]]);
  for (let n = 0; n < 120; n++) {
    const expected = n === first ? record(7) : others.includes(n) ? null : record(n);
    assertEquals(engine.get(n % 3, key(n)), expected, `key ${n}`);
  }
  assertEquals(await world.settle(engine.verify()), []);
  assertEquals(names(world, ".damaged"), [`${path}.damaged`]);
  const { storeId } = engine;
  await world.settle(engine.close());
  engine = await open(world);
  assertEquals([engine.storeId, engine.damageAtOpen], [storeId, []]);
  await world.settle(engine.close());
});

Deno.test("40: a scan that is to leave out what is damaged shows nothing older in its place", async () => {
  const world = simulatedWorld(1);
  await made(world);
  const before = new Set(names(world, ".sst"));
  // From now on tables only gather, above those that there are.
  const gathering = { memtableBytes: 2048, level0Tables: 100, level0MaxTables: 1000 };
  let engine = await open(world, gathering);
  for (let n = 0; n < 120; n++) {
    await world.settle(engine.write([{ partition: n % 3, key: key(n), record: record(n + 1) }]));
  }
  await world.runFor(1000);
  await world.settle(engine.close());
  const path = names(world, ".sst").find((name) => !before.has(name))!;
  world.disk.flipBit(path, 40);
  engine = await open(world, gathering);
  const told: string[] = [];
  const shown = [0, 1, 2].flatMap((partition) => {
    const options = { partition, ...SCAN, onDamaged: ({ message }: EngineError) => void told.push(message) };
    return [...engine.scan(options).entries];
  });
  for (const { key, record: found } of shown) assertEquals(found, record(1 + (key[0]! << 8 | key[1]!)));
  assert(shown.length > 100 && shown.length < 120, `${shown.length} are shown`);
  assert(told.length > 0 && told.every((message) => message.includes(path)));
  await world.settle(engine.close());
});

Deno.test("40: a scan that is to leave out what is damaged shows whatever a get shows (seed 983159208)", async () => {
  const world = simulatedWorld(1);
  const gathering = { memtableBytes: 2048, level0Tables: 100, level0MaxTables: 1000 };
  let engine = await open(world, gathering);
  // Old tables with all keys, young ones with every fourth; between those the old ones are to be seen.
  for (const step of [1, 4]) {
    for (let n = 0; n < 120; n += step) {
      await world.settle(engine.write([{ partition: 0, key: key(n), record: record(n + step) }]));
    }
    await world.runFor(1000);
  }
  await world.settle(engine.close());
  world.disk.flipBit(names(world, ".sst").at(-1)!, 40);
  engine = await open(world, gathering);
  const page = engine.scan({ partition: 0, ...SCAN, onDamaged: () => {} });
  const shown = new Map(page.entries.map(({ key, record }) => [key.toHex(), record]));
  let got = 0;
  for (let n = 0; n < 120; n++) {
    let record: Uint8Array | null = null;
    try {
      record = engine.get(0, key(n));
      got++;
    } catch (error) {
      assert(error instanceof EngineError);
    }
    assertEquals(shown.get(key(n).toHex()) ?? null, record, `${n}`);
  }
  assert(got > 60 && got < 120, `${got} of 120 can be had`);
  await world.settle(engine.close());
});

Deno.test("lsm: what a dropped partition hid does not come back when young tables become one", async () => {
  const world = simulatedWorld(1);
  const options = { level0Tables: 2, memtableBytes: 512, levelBytes: 1 << 20, tableBytes: 1 << 20 };
  let engine = await open(world, options);
  await put(world, engine, 0, 60);
  await world.settle(engine.compact());
  await world.settle(engine.close());
  for (const path of names(world, ".sst")) world.disk.flipBit(path, 40);
  engine = await open(world, options);
  for (const partition of [0, 1, 2]) engine.scan({ partition, ...SCAN, onDamaged: () => {} }); // they are suspect now
  const flush = async () => { // over the same keys
    for (let n = 1; n < 60; n += 3) {
      await world.settle(engine.write([{ partition: 1, key: key(n), record: record(n) }]));
    }
    await world.runFor(500);
  };
  await world.settle(engine.write([{ partition: 2, key: key(500), record: record(5) }]));
  await flush();
  await world.settle(engine.dropPartition(2));
  for (let round = 0; round < 6; round++) await flush();
  const look = () => [engine.get(2, key(500)), engine.partitions().includes(2)];
  assertEquals(look(), [null, false]);
  await world.settle(engine.close());
  engine = await open(world, options);
  assertEquals(look(), [null, false]);
  await world.settle(engine.close());
});

Deno.test("40: compaction does not touch a table in which damage was seen, and does not lose it", async () => {
  const world = simulatedWorld(2);
  await made(world);
  const path = names(world, ".sst").at(0)!;
  world.disk.flipBit(path, 40);
  const engine = await open(world);
  for (let round = 0; round < 3; round++) await put(world, engine, 200, 260);
  await world.settle(engine.compact()).catch((error) => assertEquals((error as EngineError).code, "corrupt"));
  await world.runFor(2 * LIMITS.cleaningPauseMs);
  await world.settle(engine.compact());
  assert(world.place().disk.exists(path));
  let unread = 0;
  for (let n = 0; n < 120; n++) {
    try {
      assertEquals(engine.get(n % 3, key(n)), record(n));
    } catch (error) {
      assertEquals((error as EngineError).code, "corrupt");
      unread++;
    }
  }
  assert(unread > 0);
  await world.settle(engine.close());
});

Deno.test("41: a damaged index or filter is made again by the next start, and nothing is lost", async () => {
  const world = simulatedWorld(1);
  const id = await made(world);
  for (const path of names(world, ".sst")) {
    world.disk.flipBit(path, world.place().disk.open(path).size() - 70); // in the index
  }
  let engine = await open(world);
  for (let n = 0; n < 120; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
  await world.runFor(100);
  await world.settle(engine.close());
  engine = await open(world);
  assertEquals(engine.storeId, id);
  assert(engine.damageAtOpen.length > 0);
  assert(engine.damageAtOpen.every(({ kind }) => kind === "rebuilt"));
  for (let n = 0; n < 120; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
  assertEquals(await world.settle(engine.verify()), []);
  await world.settle(engine.close());
});

Deno.test("42: a table in the place of another, one cut short, one that is missing: found at the start", async () => {
  const spoil: Record<string, (world: SimulatedWorld, path: string, other: string) => void> = {
    missing: (world, path) => world.place().disk.remove(path),
    short: (world, path) => world.place().disk.open(path, { write: true }).truncate(100),
    empty: (world, path) => world.place().disk.open(path, { write: true }).truncate(0),
    misplaced: (world, path, other) => {
      const { disk } = world.place();
      disk.remove(path);
      disk.link(other, path);
    },
  };
  for (const [how, task] of Object.entries(spoil)) {
    const world = simulatedWorld(1);
    const id = await made(world);
    const [path, other] = names(world, ".sst");
    task(world, path!, other!);
    let engine = await open(world);
    assertNotEquals(engine.storeId, id, how);
    assertEquals(engine.damageAtOpen.map(({ kind, path }) => [kind, path]), [["corrupt", path]], how);
    let there = 0;
    for (let n = 0; n < 120; n++) {
      const found = engine.get(n % 3, key(n));
      if (found) assertEquals(found, record(n));
      if (found) there++;
    }
    assert(there > 80 && there < 120, `${how}: ${there} are there`);
    const { storeId } = engine;
    await world.settle(engine.close());
    engine = await open(world);
    assertEquals([engine.storeId, engine.damageAtOpen], [storeId, []], how);
    await world.settle(engine.close());
  }
});

Deno.test("40: damage in the log makes another store, and damage in a table after that yet another", async () => {
  const world = simulatedWorld(1);
  const ids = [await made(world)];
  const engine = await open(world, { memtableBytes: 1 << 20 });
  await put(world, engine, 200, 220);
  await world.settle(engine.close());
  const log = names(world, "wal").map((wal) =>
    world.place().disk.list(wal).find((name) => name.endsWith(".log"))
  )[0]!;
  world.disk.flipBit(`${DIRECTORY}/wal/${log}`, 200);
  for (const spoil of [() => {}, () => world.place().disk.remove(names(world, ".sst")[0]!)]) {
    spoil();
    for (let life = 0; life < 2; life++) {
      const engine = await open(world, { memtableBytes: 1 << 20 });
      if (life === 0) ids.push(engine.storeId);
      assertEquals(engine.storeId, ids.at(-1));
      await world.settle(engine.close());
    }
  }
  assertEquals(new Set(ids).size, 3);
});

Deno.test("lsm: no segment of the log goes before there is a record behind it: its torn end is no damage", async () => {
  const world = simulatedWorld(1);
  let engine = await open(world);
  await put(world, engine, 0, 3);
  world.disk.beforeEach = (operation, path) => {
    if (operation === "remove" && path.endsWith(".log")) {
      throw new DiskError("io", path, "input/output error");
    }
  };
  await assertRejects(() => world.settle(engine.compact()), EngineError);
  await world.settle(engine.close());
  world.disk.beforeEach = null;
  const { storeId } = engine;
  // A crash right after the edit: the newest segment is there, the first record in it is not.
  const newest = () => {
    const segments = world.place().disk.list(`${DIRECTORY}/wal`).filter((name) => name.endsWith(".log"));
    return { path: `${DIRECTORY}/wal/${segments.at(-1)}`, count: segments.length };
  };
  assert(newest().count > 1);
  world.place().disk.open(newest().path, { write: true }).truncate(64);
  engine = await open(world);
  assertEquals(newest().count, 1);
  world.crash();
  const file = world.place().disk.open(newest().path, { write: true });
  file.write(new Uint8Array(100), file.size());
  engine = await open(world);
  assertEquals([engine.storeId, engine.damageAtOpen.map(({ kind }) => kind)], [storeId, ["torn-tail"]]);
  for (let n = 0; n < 3; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
  await world.settle(engine.close());
});

Deno.test("a store of which parts are missing: refused, and nothing is changed", async () => {
  const remove = (world: SimulatedWorld, directory: string) => {
    const { disk } = world.place();
    for (const name of disk.list(directory)) if (name !== "lock") disk.remove(`${directory}/${name}`);
  };
  const parts: Record<string, (world: SimulatedWorld) => void> = {
    "the manifest": (world) => remove(world, `${DIRECTORY}/manifest`),
    "the log": (world) => remove(world, `${DIRECTORY}/wal`),
    // An older manifest, and not the tables that it knows.
    "the last edits": (world) => {
      const { disk } = world.place();
      const [first] = disk.list(`${DIRECTORY}/manifest`).filter((name) => name.endsWith(".log"));
      disk.open(`${DIRECTORY}/manifest/${first}`, { write: true }).truncate(3 * 4400);
    },
  };
  for (const [what, task] of Object.entries(parts)) {
    const world = simulatedWorld(1);
    await made(world, { manifestBytes: 1 << 20 });
    task(world);
    const before = world.disk.snapshot();
    const error = await assertRejects(() => open(world), EngineError, DIRECTORY);
    assertEquals(error.code, "corrupt", what);
    const after = world.disk.snapshot();
    assertEquals(
      [...after].filter(([path]) => !path.endsWith("lock")),
      [...before].filter(([path]) => !path.endsWith("lock")),
    );
  }
});

Deno.test("47: a table, a log or a manifest of a newer format: refused, and nothing is changed", async () => {
  const world = simulatedWorld(1);
  await made(world);
  const whole = world.disk.snapshot();
  const { crc32 } = await import("node:zlib");
  const { crc32c } = await import("../../actors/runtime/crc32c.ts");
  const logs = (directory: string) =>
    [...whole.keys()].filter((path) =>
      path.startsWith(`${DIRECTORY}/${directory}/`) && path.endsWith(".log")
    );
  const [table] = names(world, ".sst");
  const newer: Record<string, (disk: ReturnType<typeof world.place>["disk"]) => void> = {
    table: (disk) => {
      const bytes = whole.get(table!)!.slice(-64);
      for (const at of [0, 32]) {
        const view = new DataView(bytes.buffer, at);
        view.setUint32(8, 2);
        view.setUint32(28, crc32(bytes.subarray(at, at + 28)));
      }
      disk.open(table!, { write: true }).write(bytes, whole.get(table!)!.length - 64);
    },
    ...Object.fromEntries(
      ["wal", "manifest"].map((directory) => [directory, (disk: ReturnType<typeof world.place>["disk"]) => {
        const path = logs(directory).at(-1)!;
        const bytes = whole.get(path)!.slice(0, 64);
        for (const at of [0, 32]) {
          const view = new DataView(bytes.buffer, at);
          view.setUint32(8, 2);
          view.setUint32(28, crc32c(bytes.subarray(at, at + 28)));
        }
        disk.open(path, { write: true }).write(bytes, 0);
      }]),
    ),
  };
  for (const [what, task] of Object.entries(newer)) {
    world.kill();
    world.disk.restore(whole);
    task(world.place().disk);
    const before = world.disk.snapshot();
    const error = await assertRejects(() => open(world), EngineError);
    assertEquals(error.code, "newer", what);
    assertEquals(world.disk.snapshot(), before, what);
  }
  assertEquals(segmentPath("x", 1), "x/0000000001.log");
});

Deno.test("38: a table that cannot be synced poisons the store", async () => {
  const world = simulatedWorld(1);
  const engine = await open(world);
  await put(world, engine, 0, 3);
  const place = world.place();
  world.disk.beforeEach = (operation, path) => {
    if (operation === "sync" && path.endsWith(".sst")) throw new DiskError("io", path, "input/output error");
  };
  await assertRejects(async () => {
    for (let n = 3; n < 100; n++) await put(world, engine, n, n + 1);
  }, EngineError);
  assert(engine.stats().refusing?.startsWith("poisoned"), `${engine.stats().refusing}`);
  assertEquals(
    assertThrows(() => engine.write([{ partition: 0, key: key(1), record: record(1) }]), EngineError).code,
    "poisoned",
  );
  assertEquals((await assertRejects(() => world.settle(engine.sync()), EngineError)).code, "poisoned");
  assertEquals(engine.get(0, key(0)), record(0));
  world.disk.beforeEach = null;
  await world.runFor(60_000);
  assert(engine.stats().refusing?.startsWith("poisoned"), `${engine.stats().refusing}`);
  await assertRejects(() => world.settle(engine.close()), EngineError);
  const again = await open(world);
  assertEquals(again.get(0, key(0)), record(0));
  await world.settle(again.close());
  assertEquals(place.directory, DIRECTORY);
});

Deno.test("lsm: rubbish of a crash is removed, and a table that cannot be removed is removed later", async () => {
  const world = simulatedWorld(1);
  await made(world);
  const stray = `${DIRECTORY}/0000099999.sst`;
  world.place().disk.open(stray, { write: true, create: true }).write(Uint8Array.of(1, 2, 3), 0);
  let engine = await open(world);
  assertEquals(world.place().disk.exists(stray), false);
  world.disk.beforeEach = (operation, path) => {
    if (operation === "remove" && path.endsWith(".sst")) {
      throw new DiskError("io", path, "input/output error");
    }
  };
  await put(world, engine, 0, 120);
  await world.settle(engine.compact());
  const left = (await files(world)).length;
  world.disk.beforeEach = null;
  await world.settle(engine.close());
  engine = await open(world);
  assert((await files(world)).length < left);
  for (let n = 0; n < 120; n++) assertEquals(engine.get(n % 3, key(n)), record(n));
  await world.settle(engine.close());
});

Deno.test("lsm: a manifest that takes no more edits is the end of writing, and is said at once (989006663)", async () => {
  /** Compact; the disk fails at the end of the edit of this number. How many edits there were. */
  const compacted = async (failsAt: number) => {
    const world = simulatedWorld(1);
    const engine = await open(world, { manifestBytes: 1 });
    await put(world, engine, 0, 20);
    await world.settle(engine.compact(() => {}));
    await put(world, engine, 20, 40);
    let edits = 0;
    let isRemoved = false;
    world.disk.beforeEach = (operation, path) => {
      if (operation === "remove" && path.includes("/manifest/")) [edits, isRemoved] = [edits + 1, true];
      if (operation !== "syncDirectory" || !isRemoved) return;
      isRemoved = false;
      if (edits === failsAt) throw new DiskError("io", path, "input/output error");
    };
    await world.settle(engine.compact(() => {}));
    world.disk.beforeEach = null;
    return { edits, refusing: engine.stats().refusing, world, engine };
  };
  const well = await compacted(0);
  assertEquals(well.refusing, null);
  const { refusing, engine } = await compacted(well.edits); // nothing comes after it that would find it out
  assert(refusing?.startsWith("poisoned"), `${refusing}`);
  assertThrows(() => engine.write([{ partition: 0, key: key(0), record: record(0) }]), EngineError);
});
