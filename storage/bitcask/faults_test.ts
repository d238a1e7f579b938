import { crc32 } from "node:zlib";
import { crc32c } from "../../actors/runtime/crc32c.ts";
import { assert, assertEquals, assertNotEquals, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { EngineError } from "../engine.ts";
import { encodeRecordHeader, recordBytes, SEGMENT_HEADER_BYTES } from "../journal/format.ts";
import { readSegment } from "../journal/reader.ts";
import { readHeader } from "../journal/segments.ts";
import { Journal } from "../journal.ts";
import { type SimulatedWorld, simulatedWorld } from "../testing/worlds.ts";
import { CHANGE_HEADER_BYTES, decodeChanges, isChange, type PlacedChange, REMOVED } from "./codec.ts";
import { BITCASK_CORE, type BitcaskCore } from "./core.ts";
import { decodeHint, HINT_HEADER_BYTES } from "./hint.ts";
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
  opening,
  partition,
  path,
  put,
  record,
  remove,
  replaceFiles,
  shown,
  smallStore,
} from "./testing/small_store.ts";

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.with(bit >> 3, bytes[bit >> 3]! ^ 1 << bit % 8);
}

// Reading

Deno.test("37: a read error is an error, never a missing key", async () => {
  const world = await smallStore();
  const engine = await open(world);
  world.faults.readErrorRate = 1;
  for (let n = 0; n < KEYS; n++) assertEquals(await shown(engine, n), expected(n) && "io");
  world.faults.readErrorRate = 0;
  await assertWhole(engine);
  await world.settle(engine.close());
});

for (const fault of ["bitFlipRate", "misdirectedReadRate"] as const) {
  Deno.test(`40: what was spoiled on the way from the disk (${fault}) is read again`, async () => {
    const world = await smallStore();
    const engine = await open(world);
    let reads = 0;
    world.disk.beforeEach = (operation) => {
      if (operation === "read") world.faults[fault] = ++reads % 4 === 0 ? 0 : 1;
    };
    await assertWhole(engine);
    assert(reads > KEYS);
    world.disk.beforeEach = null;
    world.faults[fault] = 0;
    assertEquals(await world.settle(engine.verify()), []);
    await world.settle(engine.close());
  });
}

/** A damaged segment that was not read at open costs the keys in the damage, and the next process mends it. */
async function damageBesideAHint(core: BitcaskCore): Promise<void> {
  const world = await smallStore();
  const hit = await lastOf(world, 2);
  assert(hit.segment === 1);
  world.disk.flipBit(path(1), hit.at + CHANGE_HEADER_BYTES + 10);
  const engine = await open(world, { core });
  assertEquals(engine.damageAtOpen, []);
  for (let n = 0; n < KEYS; n++) assertEquals(await shown(engine, n), n === 2 ? "corrupt" : expected(n));
  const damage = await world.settle(engine.verify());
  assertEquals(damage.map(({ kind, path, partition }) => ({ kind, path, partition })), [
    { kind: "corrupt", path: path(1), partition: partition(2) },
  ]);
  await world.settle(engine.close());
  const again = await open(world, { core });
  assertEquals(again.damageAtOpen.map(({ kind, path }) => [kind, path]), [["corrupt", path(1)]]);
  assertNotEquals(again.storeId, engine.storeId);
  for (let n = 0; n < KEYS; n++) assertEquals(await shown(again, n), n === 2 ? null : expected(n));
  await world.settle(again.close());
  const mended = await open(world, { core });
  assertEquals([mended.damageAtOpen, mended.storeId], [[], again.storeId]);
  assertEquals(await world.settle(mended.verify()), []);
  await world.settle(mended.close());
}

Deno.test("40: damage that a hint file hides at open is an error to read, told by verify, mended by the next process", () =>
  damageBesideAHint(BITCASK_CORE));

Deno.test("40: what does not verify when it is read is not hidden from the next process", async () => {
  const world = await smallStore();
  const hit = await lastOf(world, 2);
  world.disk.flipBit(path(hit.segment), hit.at + CHANGE_HEADER_BYTES + 10);
  const engine = await open(world);
  assertEquals(await shown(engine, 2), "corrupt");
  await world.settle(put(engine, 2, 3)); // repaired from its peers, say
  assertEquals(await shown(engine, 2), record(2, 3));
  world.kill();
  const again = await open(world);
  assertEquals(again.damageAtOpen.map(({ kind }) => kind), ["corrupt"]);
  assertEquals(await shown(again, 2), record(2, 3));
  await world.settle(again.close());
});

/** Any bit of any file: never a wrong record, and never unnoticed. */
async function everyFlippedBit(core: BitcaskCore, step: number): Promise<void> {
  const whole = await smallStore();
  const files = [...whole.disk.snapshot()].filter(([, bytes]) => bytes && bytes.length > 0);
  for (const [path, bytes] of files) {
    for (let bit = step % 7; bit < 8 * bytes!.length; bit += step) {
      const world = simulatedWorld(1);
      replaceFiles(world, Object.fromEntries(whole.disk.snapshot()) as Record<string, Uint8Array>);
      world.disk.restore(new Map([...whole.disk.snapshot(), [path, flipped(bytes!, bit)]]));
      const engine = await open(world, { core });
      let isNoticed = engine.damageAtOpen.length > 0;
      const lost = engine.damageAtOpen.some(({ kind }) => kind !== "rebuilt");
      for (let n = 0; n < KEYS; n++) {
        const found = await shown(engine, n);
        if (found === "corrupt") isNoticed = true;
        else if (!lost) assertEquals(found, expected(n), `bit ${bit} of ${path}: key ${n}`);
        // What a lost change had covered may show again; the store is another one then.
        else if (found !== null) assert([1, 2].some((version) => equal(found, record(n, version))));
      }
      isNoticed ||= (await world.settle(engine.verify())).length > 0;
      assert(isNoticed, `bit ${bit} of ${path}: nobody noticed`);
      world.kill();
    }
  }
}

function equal(a: unknown, b: Uint8Array): boolean {
  return a instanceof Uint8Array && a.toHex() === b.toHex();
}

Deno.test("40, 41: a flipped bit anywhere: never a wrong record, never unnoticed", () =>
  everyFlippedBit(BITCASK_CORE, 41));

Deno.test("39: a truncated tail: the whole prefix is kept, and a hint file says nothing of what is cut", async () => {
  const whole = await smallStore();
  const changes = await changesOf(whole);
  const bytes = fileOf(whole, path(5));
  for (let size = SEGMENT_HEADER_BYTES; size < bytes.length; size += 11) {
    const world = await smallStore();
    replaceFiles(world, { [path(5)]: bytes.slice(0, size) });
    const engine = await open(world);
    const kept = new Map<string, PlacedChange>();
    for (const change of changes) {
      if (change.segment < 5 || change.at + change.sizeBytes <= size) kept.set(change.key.toHex(), change);
    }
    for (let n = 0; n < KEYS; n++) assertEquals(await shown(engine, n), kept.get(key(n).toHex())!.record);
    assert(engine.damageAtOpen.every(({ kind }) => kind === "torn-tail"));
    assertEquals(await world.settle(engine.verify()), []);
    await world.settle(engine.close());
  }
});

/** Blocks that were whole once, in places where they do not belong. */
async function foreignBlocks(core: BitcaskCore): Promise<void> {
  // The same key twice, in segments whose records stand at the same places; and another store.
  const make = async (seed: number) => {
    const world = simulatedWorld(seed);
    const engine = await open(world);
    for (const version of [1, 2, 3]) {
      for (let n = 0; n < 8; n++) await world.settle(put(engine, 20 + n % 2, version * 10 + n));
    }
    await world.settle(engine.close());
    world.kill();
    return world;
  };
  const world = await make(1);
  const last = await lastOf(world, 20);
  const older = (await changesOf(world)).filter(({ key, sequence }) => {
    return key.toHex() === last.key.toHex() && sequence !== last.sequence;
  });
  const block = ({ segment, at, sizeBytes }: typeof last, from = world) =>
    fileOf(from, path(segment)).slice(at, at + sizeBytes);
  const other = await make(2);
  const blocks = [...older.map((change) => block(change)), block(await lastOf(other, 21))];
  for (const [i, bytes] of blocks.entries()) {
    const victim = await make(1);
    const engine = await open(victim, { core });
    const file = victim.place().disk.open(path(last.segment), { write: true });
    file.write(bytes, last.at);
    assertEquals(await shown(engine, 20), "corrupt", `block ${i}`);
    assertEquals(await shown(engine, 21), record(21, 37));
    victim.kill();
  }
}

Deno.test("42: a block of another place, of another store, an older version of the same key: not served", () =>
  foreignBlocks(BITCASK_CORE));

/** Files of the store in places where they do not belong. */
async function foreignHints(core: BitcaskCore): Promise<void> {
  const whole = await smallStore(1);
  const elsewhere = await smallStore(2);
  const foreign = [
    fileOf(whole, path(1, ".hint")),
    fileOf(whole, path(3, ".hint")),
    fileOf(elsewhere, path(2, ".hint")),
  ];
  for (const hint of foreign) {
    const world = await smallStore(1);
    replaceFiles(world, { [path(2, ".hint")]: hint });
    const engine = await open(world, { core });
    await assertWhole(engine);
    await world.runFor(100);
    assertEquals(fileOf(world, path(2, ".hint")), fileOf(whole, path(2, ".hint"))); // made anew
    await world.settle(engine.close());
  }
}

Deno.test("42: a hint file of another segment or store is not believed, and made anew", () =>
  foreignHints(BITCASK_CORE));

/** What was appended behind a clean close is read, and not what the hint file of that close says. */
async function appendedBehindAHint(core: BitcaskCore): Promise<void> {
  for (const isClean of [false, true]) {
    const world = await smallStore();
    const hint = fileOf(world, path(5, ".hint"));
    const engine = await open(world, { core });
    await world.settle(put(engine, 3, 9));
    await world.settle(remove(engine, 4));
    if (isClean) await world.settle(engine.close());
    replaceFiles(world, { [path(5, ".hint")]: hint });
    const again = await open(world, { core });
    assertEquals([await shown(again, 3), await shown(again, 4)], [record(3, 9), null]);
    await world.settle(again.close());
  }
}

Deno.test("44: a hint file is outlived by what is appended behind it (seed 1941965687)", () =>
  appendedBehindAHint(BITCASK_CORE));

Deno.test("41: a damaged hint file is reported, costs nothing, and is made anew", async () => {
  for (const suffix of ["at open", "while it is open"]) {
    const world = await smallStore();
    const before = fileOf(world, path(2, ".hint")).slice();
    if (suffix === "at open") world.disk.flipBit(path(2, ".hint"), 100);
    const engine = await open(world);
    if (suffix !== "at open") world.disk.flipBit(path(2, ".hint"), 100);
    const damage = suffix === "at open" ? engine.damageAtOpen : await world.settle(engine.verify());
    assertEquals(damage.map(({ kind, path }) => [kind, path]), [["rebuilt", path(2, ".hint")]]);
    await assertWhole(engine);
    await world.runFor(100);
    assertEquals(fileOf(world, path(2, ".hint")), before);
    assertEquals(await world.settle(engine.verify()), []);
    const { storeId } = engine;
    await world.settle(engine.close());
    const again = await open(world);
    assertEquals([again.damageAtOpen, again.storeId], [[], storeId]);
    await world.settle(again.close());
  }
});

Deno.test("41: a hint file that verifies and says something else than its segment is found by verify", async () => {
  const world = await smallStore();
  const bytes = fileOf(world, path(2, ".hint")).slice();
  bytes[HINT_HEADER_BYTES + 17]! ^= 1; // in a key
  const view = new DataView(bytes.buffer);
  const headerCrc = crc32(bytes.subarray(0, HINT_HEADER_BYTES - 4), crc32(bytes.subarray(HINT_HEADER_BYTES)));
  view.setUint32(HINT_HEADER_BYTES - 4, headerCrc);
  replaceFiles(world, { [path(2, ".hint")]: bytes });
  const engine = await open(world);
  const damage = await world.settle(engine.verify());
  assertEquals(damage.map(({ kind, path }) => [kind, path]), [["rebuilt", path(2, ".hint")]]);
  await world.settle(engine.close());
  const again = await open(world);
  await assertWhole(again);
  await world.settle(again.close());
});

/** Give every record of a segment the checksum of the payload that it has by now, as a bad memory might have. */
function forge(bytes: Uint8Array, number: number): Uint8Array {
  const world = simulatedWorld(1);
  world.disk.restore(new Map([["data", null], [DIRECTORY, null], [path(number), bytes]]));
  const file = world.place().disk.open(path(number));
  const { seed } = readHeader(file)!;
  const forged = bytes.slice();
  for (const found of readSegment(file, seed, bytes.length)) {
    if (found.kind === "record") continue;
    const payloadBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(found.offset + 8);
    const payload = bytes.subarray(found.offset + 16, found.offset + 16 + payloadBytes);
    const header = { type: 1, payloadBytes, payloadCrc: crc32c(payload), durable: SEGMENT_HEADER_BYTES };
    forged.set(encodeRecordHeader(seed, found.offset, header), found.offset);
    assertEquals(found.end, found.offset + recordBytes(payloadBytes));
  }
  return forged;
}

/** Without a hint file the keydir is built from the records: each with its checksum. */
async function rebuiltFromRecords(core: BitcaskCore): Promise<void> {
  const world = await smallStore();
  const hit = await lastOf(world, 2);
  const bytes = fileOf(world, path(hit.segment)).slice();
  bytes[hit.at + CHANGE_HEADER_BYTES + 10]! ^= 4;
  replaceFiles(world, { [path(hit.segment)]: forge(bytes, hit.segment), [path(hit.segment, ".hint")]: null });
  const engine = await open(world, { core });
  assertEquals(engine.damageAtOpen.map(({ kind, path }) => [kind, path]), [["corrupt", path(hit.segment)]]);
  for (let n = 0; n < KEYS; n++) assertEquals(await shown(engine, n), n === 2 ? null : expected(n));
  await world.settle(engine.close());
}

Deno.test("40: without a hint file every change is verified before it counts (unverified CRCs on rebuild)", () =>
  rebuiltFromRecords(BITCASK_CORE));

Deno.test("47: a newer hint file is refused, and nothing touched", async () => {
  const world = await smallStore();
  const bytes = fileOf(world, path(2, ".hint")).slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(8, 2);
  const headerCrc = crc32(bytes.subarray(0, HINT_HEADER_BYTES - 4), crc32(bytes.subarray(HINT_HEADER_BYTES)));
  view.setUint32(HINT_HEADER_BYTES - 4, headerCrc);
  replaceFiles(world, { [path(2, ".hint")]: bytes, [path(9, ".hint.tmp")]: Uint8Array.of(1) });
  world.disk.flipBit(path(4), 200); // damage that would have been repaired
  const before = world.disk.checksum();
  const error = await assertRejects(() => open(world), EngineError, "it was written by a newer one");
  assertEquals([error.code, world.disk.checksum()], ["newer", before]);
});

Deno.test("41: a hint file that the disk does not give is no damage, and its segment is read (seed -974894236)", async () => {
  const world = await smallStore();
  world.disk.beforeEach = (operation, path) => {
    world.faults.readErrorRate = operation === "read" && path.endsWith(".hint") ? 1 : 0;
  };
  const engine = await open(world);
  assertEquals(engine.damageAtOpen, []);
  await assertWhole(engine);
  await world.settle(engine.close());
});

// Crashes

/** What a store is to hold by key. */
type Contents = Map<number, Uint8Array | null>;

/** A store with much to clean: versions over versions, and removals whose values lie in older segments. */
async function dirtyStore(seed: number): Promise<{ world: SimulatedWorld; contents: Contents }> {
  const world = simulatedWorld(seed);
  const engine = await open(world);
  const contents: Contents = new Map();
  for (let version = 1; version <= 4; version++) {
    for (let n = 0; n < 16; n++) {
      const isGone = version === 3 && n % 4 === 1 || version === 4 && n % 4 !== 0;
      if (version === 4 && n % 4 === 1) continue; // stays removed, by a removal in the middle of the log
      contents.set(n, isGone ? null : record(n, version));
      await world.settle(isGone ? remove(engine, n) : put(engine, n, version));
    }
  }
  await world.settle(engine.dropPartition(2));
  for (const n of contents.keys()) if (partition(n) === 2) contents.set(n, null);
  await world.settle(engine.close());
  world.kill();
  return { world, contents };
}

async function assertContents(world: SimulatedWorld, contents: Contents, when: string): Promise<void> {
  const engine = await open(world);
  for (const [n, bytes] of contents) assertEquals(await shown(engine, n), bytes, `${when}: key ${n}`);
  for (const { kind, detail } of engine.damageAtOpen) assertEquals(kind, "torn-tail", `${when}: ${detail}`);
  assertEquals(await world.settle(engine.verify()), [], when);
  await world.settle(engine.close());
}

/** The power goes at every change of the disk while a store is cleaned and hint files are written. */
async function crashesWhileCleaning(): Promise<void> {
  let changes = Infinity;
  for (let at = 1; at <= changes + 1; at++) {
    const { world, contents } = await dirtyStore(at);
    const before = world.changes();
    world.crashAt(at);
    // Nothing is written but what cleaning writes, and nobody syncs but cleaning.
    const cleaning = async () => {
      const engine = await opening(world, { sync: "never" });
      await engine.compact();
      await new Promise((resolve) => world.place().clock.after(50, () => resolve(null)));
      assertEquals(engine.stats().deadBytes < 600, true);
      await engine.close();
      changes = world.changes() - before;
    };
    await world.survives(cleaning());
    world.crash();
    await assertContents(world, contents, `crash at ${at}`);
    await assertContents(world, contents, `crash at ${at}, once more`);
  }
  assert(changes > 40 && changes < 1000, `${changes} changes of the disk`);
}

Deno.test(
  "43, 44: a crash at every change of the disk while cleaning and writing hint files: nothing lost, nothing back",
  crashesWhileCleaning,
);

/** A removal stays for as long as an older segment holds what it removed. */
async function removalsOutliveValues(world = simulatedWorld(1)): Promise<void> {
  const contents: Contents = new Map();
  const engine = await open(world, { deadBytes: 1500 });
  for (let n = 0; n < 8; n++) await world.settle(put(engine, n, 1)); // the first segment
  for (let n = 0; n < 8; n++) contents.set(n, record(n, 1));
  for (const n of [1, 2, 3]) {
    contents.set(n, null);
    await world.settle(remove(engine, n));
  }
  // More and more is dead, and cleaning goes on segment by segment; look after every step.
  for (let version = 1; version < 60; version++) {
    contents.set(20, record(20, version));
    await world.settle(put(engine, 20, version));
    await world.runFor(5);
    const snapshot = world.disk.snapshot();
    const look = simulatedWorld(2);
    replaceFiles(look, Object.fromEntries(snapshot) as Record<string, Uint8Array>);
    await assertContents(look, contents, `version ${version}`);
  }
  assert(!world.place().disk.exists(path(2)), "nothing was cleaned");
  await world.settle(engine.close());
}

Deno.test("45: a merge that meets a removal before the value it covers keeps it (bitcask #82)", () =>
  removalsOutliveValues());

/** What the disk was asked to do, in order. */
type Trace = readonly (readonly [operation: string, path: string])[];

/** A hint file gets its name when the segment beside it is durable, and nothing more is written there. */
function assertHintsComeLast(trace: Trace): void {
  const unsynced = new Set<string>();
  const hinted = new Set<string>();
  for (const [operation, path] of trace) {
    const segment = path.slice(0, path.indexOf(".", 20));
    if (operation === "write" && path.endsWith(".log")) {
      unsynced.add(segment);
      hinted.delete(segment);
    } else if (operation === "sync" && path.endsWith(".log")) unsynced.delete(segment);
    else if (operation === "rename" && path.endsWith(".hint.tmp")) {
      assert(!unsynced.has(segment), `${path} is there before its segment is durable`);
      hinted.add(segment);
    }
  }
  assert(hinted.size > 2, "no hint files were written");
}

async function traceOf(): Promise<Trace> {
  const world = simulatedWorld(1);
  const trace: [string, string][] = [];
  world.disk.beforeEach = (operation, path) => void trace.push([operation, path]);
  const engine = await open(world);
  for (let n = 0; n < 40; n++) await world.settle(put(engine, n, 1));
  await world.runFor(100);
  return trace;
}

Deno.test("44: a hint file is written when its segment is durable", async () =>
  assertHintsComeLast(await traceOf()));

// Planted bugs

/** A check fails, and for this reason. */
async function caught(reason: string, check: () => Promise<unknown>): Promise<void> {
  await assertRejects(check, Error, reason);
}

/** A method of the journal, replaced while `task` runs. */
async function withJournal<K extends keyof Journal>(
  method: K,
  broken: (this: Journal, ...parameters: never[]) => unknown,
  task: () => Promise<unknown>,
  kind: "value" | "get" = "value",
): Promise<void> {
  const whole = Object.getOwnPropertyDescriptor(Journal.prototype, method)!;
  Object.defineProperty(Journal.prototype, method, { ...whole, [kind]: broken });
  try {
    await task();
  } finally {
    Object.defineProperty(Journal.prototype, method, whole);
  }
}

Deno.test("planted: a hint file without its checksum is caught", async () => {
  const careless: typeof decodeHint = (bytes, path) => {
    if (bytes.length < HINT_HEADER_BYTES) return null;
    const forged = bytes.slice();
    const view = new DataView(forged.buffer);
    const head = forged.subarray(0, HINT_HEADER_BYTES - 4);
    view.setUint32(HINT_HEADER_BYTES - 4, crc32(head, crc32(forged.subarray(HINT_HEADER_BYTES))));
    return decodeHint(forged, path);
  };
  await caught("bit ", () => everyFlippedBit({ ...BITCASK_CORE, decodeHint: careless }, 41));
});

Deno.test("planted: a hint file that is believed whatever segment it is of is caught", async () => {
  const world = await smallStore();
  const seedOf = (path: string) => decodeHint(fileOf(world, path), path)!.seed;
  const seeds = new Map([1, 2, 3, 4, 5].map((n) => [path(n, ".hint"), seedOf(path(n, ".hint"))]));
  const anySegment: typeof decodeHint = (bytes, path) => {
    const hint = decodeHint(bytes, path);
    return hint && { ...hint, number: Number(path.slice(11, 21)), seed: seeds.get(path)! };
  };
  await caught("key", () => foreignHints({ ...BITCASK_CORE, decodeHint: anySegment }));
});

Deno.test("planted: a rebuild that does not verify checksums is caught", async () => {
  const careless: typeof decodeChanges = (payload) => {
    const forged = payload.slice();
    const view = new DataView(forged.buffer);
    for (let at = 0; at < forged.length;) {
      const sizes = [view.getUint16(at + 14), view.getUint32(at + 16)] as const;
      const end = at + CHANGE_HEADER_BYTES + sizes[0] + (sizes[1] === REMOVED ? 0 : sizes[1]);
      view.setUint32(at, crc32(forged.subarray(at + 4, end)));
      at = end;
    }
    return decodeChanges(forged);
  };
  await caught("", () => rebuiltFromRecords({ ...BITCASK_CORE, decodeChanges: careless }));
});

Deno.test("planted: a read that does not verify the sequence number, or nothing at all, is caught", async () => {
  const anySequence: typeof isChange = (bytes, _, partition, key) => {
    const view = new DataView(bytes.buffer);
    return isChange(bytes, view.getUint32(4) * 2 ** 32 + view.getUint32(8), partition, key);
  };
  await caught("block", () => foreignBlocks({ ...BITCASK_CORE, isChange: anySequence }));
  const anything = { ...BITCASK_CORE, isChange: () => true };
  await caught("", () => damageBesideAHint(anything));
  await caught("block", () => foreignBlocks(anything));
});

Deno.test("planted: cleaning that removes the old before the copies are durable is caught", async () => {
  await caught("crash at", () => withJournal("sync", () => Promise.resolve(), crashesWhileCleaning));
});

Deno.test("planted: a merge that drops a removal while an older segment holds the value is caught", async () => {
  // It takes the second segment before the first, and leaves an empty file in its place.
  const world = simulatedWorld(1);
  const oldest = Object.getOwnPropertyDescriptor(Journal.prototype, "oldest")!.get!;
  const second = function (this: Journal) {
    return Math.min(oldest.call(this) + 1, this.segment);
  };
  const emptyLast = (number: number) => {
    world.place().disk.open(path(number - 1), { write: true }).truncate(SEGMENT_HEADER_BYTES);
    return Promise.reject(new Error("once is enough"));
  };
  const check = () => removalsOutliveValues(world);
  await caught(
    "key 1",
    () => withJournal("oldest", second, () => withJournal("removeBefore", emptyLast, check), "get"),
  );
});

Deno.test("planted: a hint file written before its segment is durable is caught", async () => {
  const trace = (await traceOf()).filter(([operation, path]) =>
    operation !== "sync" || !path.endsWith(".log")
  );
  await caught(
    "before its segment is durable",
    () => Promise.resolve().then(() => assertHintsComeLast(trace)),
  );
});
