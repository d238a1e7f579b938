import fc from "fast-check";
import { equalBytes } from "../actors/runtime/bytes.ts";
import { DiskError } from "../actors/runtime/environment.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../actors/runtime/testing/assert.ts";
import { type Damage, EngineError, type SyncPolicy } from "./engine.ts";
import { type Journal, openJournal } from "./journal.ts";
import { END_RECORD, SEGMENT_HEADER_BYTES } from "./journal/format.ts";
import { readSegment } from "./journal/reader.ts";
import { readHeader } from "./journal/segments.ts";
import { formatExample } from "./testing/format_example.ts";
import { type SimulatedWorld, simulatedWorld } from "./testing/worlds.ts";

const FIRST = "data/store/0000000001.log";

interface Opened {
  readonly journal: Journal;
  readonly payloads: Uint8Array[];
}

async function open(
  world: SimulatedWorld,
  sync: SyncPolicy = "always",
  segmentBytes = 1 << 20,
): Promise<Opened> {
  const payloads: Uint8Array[] = [];
  const options = { ...world.place(), sync, segmentBytes };
  const journal = await world.settle(
    openJournal(options, ({ payload }) => payloads.push(payload.slice()) > 0),
  );
  return { journal, payloads };
}

function payloadOf(n: number): Uint8Array {
  return new Uint8Array(10 + 37 * n % 200).fill(n);
}

function fileOf(world: SimulatedWorld, path = FIRST): Uint8Array {
  return world.disk.snapshot().get(path)!;
}

function replaceFile(world: SimulatedWorld, path: string, bytes: Uint8Array): void {
  world.kill();
  world.disk.restore(new Map([...world.disk.snapshot(), [path, bytes]]));
}

/** A closed journal with `count` records, each in a batch of its own. */
async function written(count: number, seed = 1, segmentBytes = 1 << 20): Promise<SimulatedWorld> {
  const world = simulatedWorld(seed);
  const { journal } = await open(world, "always", segmentBytes);
  for (let n = 0; n < count; n++) await world.settle(journal.append(1, [payloadOf(n)]));
  await world.settle(journal.close());
  world.kill();
  return world;
}

/** A stretch of a file. */
interface Place {
  readonly offset: number;
  readonly end: number;
}

/** Where each record begins and ends, those that were appended and the end records. */
function placesOf(world: SimulatedWorld, path = FIRST): { records: Place[]; ends: Place[] } {
  const file = world.place().disk.open(path);
  const found = [...readSegment(file, readHeader(file)!.seed, file.size())];
  world.kill();
  const isEnd = (one: typeof found[number]) => one.kind === "record" && one.type === END_RECORD;
  return { records: found.filter((one) => !isEnd(one)), ends: found.filter(isEnd) };
}

/** Where each record that was appended begins and ends. */
function offsets(world: SimulatedWorld, path = FIRST): Place[] {
  return placesOf(world, path).records;
}

async function reopened(
  world: SimulatedWorld,
): Promise<{ payloads: Uint8Array[]; damage: readonly Damage[] }> {
  const { journal, payloads } = await open(world);
  const damage = journal.damageAtOpen;
  await world.settle(journal.close());
  return { payloads, damage };
}

Deno.test("journal: appends of one turn share a promise, a write and a sync", async () => {
  const world = simulatedWorld(1);
  const { journal } = await open(world);
  const before = world.changes();
  const first = journal.append(1, [payloadOf(1)]);
  assertStrictEquals(journal.append(2, [payloadOf(2), payloadOf(3)]), first);
  await world.settle(first);
  assertEquals(world.changes() - before, 3); // and an end record, for there is nothing more to write
  assertEquals(journal.recordsPerSync, 2);
  assert(journal.append(1, []) !== first);
  await world.settle(journal.close());
});

Deno.test("journal: what is appended during a sync is written after it, together", async () => {
  const world = simulatedWorld(1);
  const { journal } = await open(world);
  const first = journal.append(1, [payloadOf(1)]);
  await world.runFor(0); // the sync of the first is under way
  const second = journal.append(1, [payloadOf(2)]);
  assertStrictEquals(journal.append(1, [payloadOf(3)]), second);
  assert(first !== second);
  const order: number[] = [];
  first.then(() => order.push(1));
  second.then(() => order.push(2));
  await world.settle(second);
  assertEquals(order, [1, 2]);
  await world.settle(journal.close());
});

Deno.test("journal: sync policies", async () => {
  for (const sync of ["never", { intervalMs: 50 }] as const) {
    const world = simulatedWorld(1);
    const { journal } = await open(world, sync);
    world.faults.syncMinMs = world.faults.syncMaxMs = 1000;
    await journal.append(1, [payloadOf(1)]); // acknowledged without any time passing
    assertEquals(journal.recordsPerSync, 0);
    await world.runFor(2000);
    assertEquals(journal.recordsPerSync, sync === "never" ? 0 : 1);
    await world.settle(journal.sync());
    assertEquals(journal.recordsPerSync, 1);
    await world.settle(journal.close());
    assertEquals((await reopened(world)).payloads, [payloadOf(1)]);
  }
});

Deno.test("journal: any parts come back as one payload, in order, over segments", async () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 });
  const property = fc.asyncProperty(fc.nat(), fc.array(parts, { maxLength: 30 }), async (seed, records) => {
    const world = simulatedWorld(seed);
    const { journal } = await open(world, "always", 1024);
    for (const [i, record] of records.entries()) {
      const durable = journal.append(1 + i % 255, record);
      if (i % 3 === 0) await world.settle(durable);
    }
    assertEquals(await world.settle(journal.verify()), []);
    await world.settle(journal.close());
    const { payloads, damage } = await reopened(world);
    assertEquals(damage, []);
    assertEquals(payloads, records.map((record) => Uint8Array.from(record.flatMap((part) => [...part]))));
  });
  await fc.assert(property, { numRuns: 50 });
});

Deno.test("36: a short write is continued", async () => {
  const world = simulatedWorld(5);
  const { journal } = await open(world);
  world.faults.shortWriteRate = 0.9;
  for (let n = 0; n < 20; n++) await world.settle(journal.append(1, [payloadOf(n)]));
  world.crash();
  const { payloads } = await reopened(world);
  assertEquals(payloads, Array.from({ length: 20 }, (_, n) => payloadOf(n)));
});

Deno.test("39: a truncated tail: the whole prefix is kept, the cut reported", async () => {
  const whole = await written(8);
  const { records, ends } = placesOf(whole);
  const bytes = fileOf(whole);
  for (let size = SEGMENT_HEADER_BYTES; size < bytes.length - 16; size += 7) {
    const world = simulatedWorld(size);
    replaceFile(world, FIRST, bytes.slice(0, size));
    const { payloads, damage } = await reopened(world);
    const kept = records.filter(({ offset }, n) => offset + 16 + payloadOf(n).length <= size);
    assertEquals(payloads, kept.map((_, n) => payloadOf(n)));
    const last = [...kept, ...ends.filter(({ end }) => end <= size)].map(({ end }) => end);
    const isWhole = size <= Math.max(SEGMENT_HEADER_BYTES, ...last); // or only padding is missing
    assertEquals(damage.map(({ kind }) => kind), isWhole ? [] : ["torn-tail"]);
    assertEquals((await reopened(world)).damage, []); // cut for good
  }
});

/** Reads a journal whose first segment has these bytes: what it holds and what it reports. */
type Reader = (bytes: Uint8Array) => Promise<{ payloads: Uint8Array[]; damage: readonly Damage[] }>;

const read: Reader = (bytes) => {
  const world = simulatedWorld(1);
  replaceFile(world, FIRST, bytes);
  return reopened(world);
};

/** Every bit, flipped: the record it is in is reported, or unharmed; every other one survives. */
async function everyFlippedBitIsSeen(read: Reader): Promise<void> {
  const whole = await written(5);
  const { records, ends } = placesOf(whole);
  const bytes = fileOf(whole);
  for (let position = 0; position < bytes.length - 16; position++) {
    const { payloads, damage } = await read(bytes.with(position, bytes[position]! ^ (1 << position % 8)));
    const isHit = ({ offset, end }: Place) => position >= offset && position < end;
    const lost = damage.length > 0 ? records.findIndex(isHit) : -1;
    assertEquals(payloads, [0, 1, 2, 3, 4].filter((n) => n !== lost).map(payloadOf), `byte ${position}`);
    // One of two copies of the header costs nothing.
    const hit = position < SEGMENT_HEADER_BYTES ? { offset: 0 } : [...records, ...ends].find(isHit);
    const expected = position < SEGMENT_HEADER_BYTES ? "rebuilt" : "corrupt";
    for (const { kind, offset } of damage) {
      assertEquals([kind, offset], [expected, hit!.offset], `byte ${position}`);
    }
  }
}

Deno.test("40: any flipped bit is detected and costs one record at most", () => everyFlippedBitIsSeen(read));

Deno.test("planted: a reader that skips the payload's checksum is caught", async () => {
  const careless: Reader = async (bytes) => {
    const { payloads, damage } = await read(bytes);
    // Takes the payload wherever the header verified.
    const skipped = damage.find(({ detail }) => detail.includes("payload"));
    if (!skipped) return { payloads, damage };
    const size = new DataView(bytes.buffer).getUint32(skipped.offset + 8);
    const at = skipped.offset + 16;
    return { payloads: [...payloads, bytes.slice(at, at + size)], damage: [] };
  };
  await assertRejects(() => everyFlippedBitIsSeen(careless));
});

/** A journal of two records that was cut off by a power cut before its last end record was durable. */
async function powerCut(
  payload: Uint8Array,
  first: Uint8Array = payloadOf(1),
): Promise<{ world: SimulatedWorld; last: Place }> {
  const world = simulatedWorld(1);
  const { journal } = await open(world);
  await world.settle(journal.append(1, [first]));
  await world.settle(journal.append(1, [payload]));
  world.kill();
  const last = offsets(world).at(-1)!;
  replaceFile(world, FIRST, fileOf(world).slice(0, last.end));
  return { world, last };
}

Deno.test("40: every flipped bit of what was synced last is damage, whatever a power cut took behind it", async () => {
  const payload = new Uint8Array(700).map((_, i) => i % 3 && 7); // some sector ends in a zero
  const first = new Uint8Array(2048 - SEGMENT_HEADER_BYTES - 16); // and so does the mark in the header
  const { last } = await powerCut(payload, first);
  for (let position = last.offset; position < last.offset + 16 + payload.length; position++) {
    const { world } = await powerCut(payload, first);
    world.disk.flipBit(FIRST, position, position % 8);
    const { payloads, damage } = await reopened(world);
    assertEquals(payloads, [first]);
    const found = damage.map(({ kind, offset }) => [kind, offset]);
    assertEquals(found, [["corrupt", last.offset]], `byte ${position - last.offset}`);
  }
});

Deno.test("40: so are several, where a crash would have left zeros", async () => {
  for (const positions of [[20, 21, 300], [2, 3, 9]]) {
    const { world, last } = await powerCut(new Uint8Array(700).fill(3));
    for (const position of positions) world.disk.flipBit(FIRST, last.offset + position);
    assertEquals((await reopened(world)).damage.map(({ kind }) => kind), ["corrupt"]);
  }
});

Deno.test("40: what was synced last and is missing is a torn tail only when the power was cut on the end record", async () => {
  for (const isEndLost of [false, true]) {
    const world = simulatedWorld(1);
    const { journal } = await open(world);
    await world.settle(journal.append(1, [payloadOf(1)]));
    await world.settle(journal.append(1, [payloadOf(2)]));
    world.kill();
    const last = offsets(world).at(-1)!;
    const bytes = fileOf(world).slice(0, isEndLost ? last.end : undefined);
    bytes.fill(0, last.offset, last.end);
    replaceFile(world, FIRST, bytes);
    const { payloads, damage } = await reopened(world);
    assertEquals(payloads, [payloadOf(1)]);
    assertEquals(damage.map(({ kind, offset }) => [kind, offset]), [
      [isEndLost ? "torn-tail" : "corrupt", last.offset],
    ]);
  }
});

Deno.test("39: no crash leaves what passes for damage", async () => {
  for (let seed = 0; seed < 1000; seed++) {
    const world = simulatedWorld(seed);
    const { journal } = await open(world);
    const append = (n: number) => journal.append(1, [new Uint8Array(1 + 97 * n % 2_000).fill(1 + n % 255)]);
    await world.settle(append(seed)); // and there is an end record
    append(seed + 1).catch(() => {});
    if (seed % 2 === 0) append(seed + 2).catch(() => {});
    await world.runFor(seed % 5 / 10); // some of it, or all, is synced
    append(seed + 3).catch(() => {});
    await world.runFor(0.05);
    world.crash();
    const { damage } = await reopened(world);
    assertEquals(damage.filter(({ kind }) => kind === "corrupt"), [], `seed ${seed}`);
  }
});

Deno.test("40: a damaged segment is kept aside, and reported once", async () => {
  const world = await written(5);
  world.disk.flipBit(FIRST, offsets(world)[2]!.offset + 18);
  const damaged = fileOf(world);
  assertEquals((await reopened(world)).damage.length, 1);
  assert(equalBytes(fileOf(world, `${FIRST}.damaged`), damaged));
  const again = await reopened(world);
  assertEquals(again.damage, []);
  assertEquals(again.payloads, [0, 1, 3, 4].map(payloadOf));
});

Deno.test("40: verify finds what has been damaged since", async () => {
  const world = simulatedWorld(1);
  const { journal } = await open(world, "always", 512);
  for (let n = 0; n < 12; n++) await world.settle(journal.append(1, [payloadOf(n)]));
  const progress: number[] = [];
  assertEquals(await world.settle(journal.verify((fraction) => progress.push(fraction))), []);
  assertEquals(progress.at(-1), 1);
  world.disk.flipBit(FIRST, SEGMENT_HEADER_BYTES + 20);
  const damage = await world.settle(journal.verify());
  assertEquals(damage.map(({ path, offset }) => [path, offset]), [[FIRST, SEGMENT_HEADER_BYTES]]);
  await world.settle(journal.close());
});

Deno.test("42: a record moved to another place or another file is not taken for one that belongs there", async () => {
  // Records of equal size, so that a swap leaves everything else in its place.
  const make = async (seed: number) => {
    const world = simulatedWorld(seed);
    const { journal } = await open(world);
    for (let n = 0; n < 6; n++) {
      await world.settle(journal.append(1, [new Uint8Array(48).fill(n + 10 * seed)]));
    }
    await world.settle(journal.close());
    world.kill();
    return world;
  };
  const world = await make(1);
  const places = offsets(world);
  const { offset } = places[3]!;
  const elsewhere = fileOf(world).slice(places[1]!.offset, places[1]!.end);
  const other = fileOf(await make(2)).slice(offset, places[3]!.end);
  for (const block of [elsewhere, other]) {
    const bytes = fileOf(world).slice();
    bytes.set(block, offset);
    const { payloads, damage } = await read(bytes);
    assertEquals(payloads.map((payload) => payload[0]), [10, 11, 12, 14, 15]);
    assertEquals(damage.map((place) => [place.kind, place.offset]), [["corrupt", offset]]);
  }
});

Deno.test("42: a whole segment in the place of another is not read", async () => {
  const world = await written(20, 1, 512);
  const bytes = fileOf(world);
  replaceFile(world, "data/store/0000000002.log", bytes);
  const { damage } = await reopened(world);
  assertEquals(damage.map(({ path, detail }) => [path, detail]), [
    ["data/store/0000000002.log", "this is segment 1, misplaced"],
  ]);
});

Deno.test("40: what a client stores cannot pass for a record", async () => {
  // A value that holds an image of the journal itself, in front of which the header is destroyed.
  const world = await written(3);
  const image = fileOf(world);
  const { journal } = await open(world);
  await world.settle(journal.append(1, [image]));
  await world.settle(journal.append(1, [payloadOf(9)]));
  await world.settle(journal.close());
  world.kill();
  const { offset } = offsets(world)[3]!;
  world.disk.flipBit(FIRST, offset);
  const { payloads, damage } = await reopened(world);
  assertEquals(payloads, [payloadOf(0), payloadOf(1), payloadOf(2), payloadOf(9)]);
  assertEquals(damage.map((place) => place.offset), [offset]);
});

Deno.test("41: one damaged header copy is survived, two cost the segment, and only that", async () => {
  const world = await written(20, 1, 512);
  const all = (await reopened(world)).payloads.length;
  world.disk.flipBit(FIRST, 9);
  assertEquals((await reopened(world)).payloads.length, all);
  world.disk.flipBit(FIRST, 41);
  const { payloads, damage } = await reopened(world);
  assert(payloads.length > 0 && payloads.length < all);
  assertEquals(damage.map(({ kind, path }) => [kind, path]), [["corrupt", FIRST]]);
  assertEquals((await reopened(world)).damage, []);
});

Deno.test("43: a crash while a segment is made leaves the old state or the new", async () => {
  for (let at = 1; at < 40; at++) {
    const world = simulatedWorld(at);
    world.crashAt(at);
    const acknowledged: number[] = [];
    const run = async () => {
      const journal = await openJournal({ ...world.place(), sync: "always", segmentBytes: 256 }, () => true);
      for (let n = 0; n < 30; n++) await journal.append(1, [payloadOf(n)]).then(() => acknowledged.push(n));
      await journal.close();
    };
    await world.survives(run());
    world.crash();
    const { payloads, damage } = await reopened(world);
    assertEquals(payloads.slice(0, acknowledged.length), acknowledged.map(payloadOf));
    assert(damage.every(({ kind }) => kind === "torn-tail"));
  }
});

Deno.test("46: two processes on one journal: the second is told", async () => {
  const world = simulatedWorld(1);
  const { journal } = await open(world);
  const error = await assertRejects(() => open(world), EngineError, "another process holds it");
  assertEquals(error.code, "locked");
  await world.settle(journal.close());
  assertEquals((await reopened(world)).damage, []);
});

Deno.test("47: a newer format is refused, and nothing touched", async () => {
  const { crc32c } = await import("../actors/runtime/crc32c.ts");
  const world = await written(20, 1, 512);
  const path = "data/store/0000000003.log";
  const bytes = fileOf(world, path).slice();
  for (const at of [0, 32]) {
    const view = new DataView(bytes.buffer, at, 32);
    view.setUint32(8, 2);
    view.setUint32(28, crc32c(bytes.subarray(at, at + 28)));
  }
  replaceFile(world, path, bytes);
  replaceFile(world, "data/store/0000000009.log.tmp", Uint8Array.of(1));
  world.disk.flipBit(FIRST, 100); // damage that would have been repaired
  const before = world.disk.checksum();
  const error = await assertRejects(() => open(world), EngineError, "it was written by a newer one");
  assertEquals(error.code, "newer");
  assertEquals(world.disk.checksum(), before);
});

Deno.test("48: a missing segment: a clear error, and a way to go on without it", async () => {
  const world = await written(20, 1, 512);
  const files = new Map(world.disk.snapshot());
  files.delete("data/store/0000000002.log");
  world.disk.restore(files);
  const error = await assertRejects(() => open(world), EngineError, "0000000002.log is missing");
  assertEquals(error.code, "corrupt");
  replaceFile(world, "data/store/0000000002.log", new Uint8Array(0));
  const { payloads, damage } = await reopened(world);
  assert(payloads.length > 0);
  assertEquals(damage.map(({ kind }) => kind), ["corrupt"]);
});

Deno.test("48: on the real disk, a symbolic link in the place of a segment is refused", async () => {
  const { onRealDisk } = await import("./testing/worlds.ts");
  await onRealDisk(async (newWorld) => {
    const place = newWorld().place();
    const journal = await openJournal({ ...place, sync: "always" }, () => true);
    await journal.close();
    const path = `${place.directory}/0000000001.log`;
    Deno.renameSync(path, `${path}.elsewhere`);
    Deno.symlinkSync(`${path}.elsewhere`, path);
    const error = await assertRejects(
      () => openJournal({ ...place, sync: "always" }, () => true),
      EngineError,
    );
    assertEquals(error.code, "io");
    assert(error.message.includes(path), error.message);
  });
});

Deno.test("37: a read error at start is an error, never an empty journal", async () => {
  const world = await written(3);
  world.faults.readErrorRate = 1;
  const error = await assertRejects(() => open(world), EngineError);
  assertEquals(error.code, "io");
});

Deno.test("38: a process that saw its sync fail leaves a tail that the next one makes durable", async () => {
  for (let seed = 0; seed < 30; seed++) {
    const world = simulatedWorld(seed);
    const { journal } = await open(world);
    await world.settle(journal.append(1, [payloadOf(1)]));
    world.faults.syncErrorRate = 1;
    const error = await assertRejects(() => world.settle(journal.append(1, [payloadOf(2)])), EngineError);
    assertEquals(error.code, "poisoned");
    await assertRejects(() => world.settle(journal.close()), EngineError);
    world.faults.syncErrorRate = 0;
    world.kill();
    const { payloads } = await open(world); // reads from the page cache, and copies
    assertEquals(payloads, [payloadOf(1), payloadOf(2)]);
    world.crash();
    assertEquals((await reopened(world)).payloads, payloads);
  }
});

Deno.test("38: a sync that fails for lack of space poisons, and is not tried again when there is some", async () => {
  const record = new Uint8Array(400);
  const policies: readonly SyncPolicy[] = ["always", "never", { intervalMs: 50 }];
  for (const sync of policies) {
    for (const operation of ["sync", "syncDirectory"]) {
      const world = simulatedWorld(1);
      const { journal } = await open(world, sync, 1024);
      await world.settle(journal.append(1, [record]));
      await world.settle(journal.sync());
      let isFull = true;
      let failures = 0;
      world.disk.beforeEach = (current, path) => {
        // The temporary file of a new segment is made anew at every attempt: that one may run out of space.
        if (current !== operation || path.endsWith(".tmp") || !isFull) return;
        failures++;
        throw new DiskError("no-space", path, "disk quota exceeded");
      };
      // The second of them goes to the next segment.
      const begun = [journal.append(1, [record]), journal.append(1, [record]), journal.sync()];
      const outcomes = await world.settle(Promise.allSettled(begun));
      const last = outcomes.at(-1)!;
      assert(
        last.status === "rejected" && last.reason.code === "poisoned",
        `${JSON.stringify(sync)} ${operation}`,
      );
      isFull = false;
      await world.runFor(10_000);
      assertEquals(failures, 1);
      assert(journal.refusing?.startsWith("poisoned: "));
      assertThrows(() => journal.append(1, []), EngineError, "poisoned");
      assertEquals((await assertRejects(() => world.settle(journal.sync()), EngineError)).code, "poisoned");
      await assertRejects(() => world.settle(journal.close()), EngineError);
    }
  }
});

Deno.test("journal: past the backlog an append is refused at once", async () => {
  const world = simulatedWorld(1);
  const { journal } = await open(world);
  world.faults.syncMinMs = world.faults.syncMaxMs = 60_000;
  const large = new Uint8Array(16 << 20);
  journal.append(1, [payloadOf(1)]);
  await world.runFor(0);
  const waiting = [1, 2, 3].map(() => journal.append(1, [large]));
  let code = "";
  try {
    journal.append(1, [large]);
  } catch (error) {
    if (error instanceof EngineError) code = error.code;
  }
  assertEquals(code, "overloaded");
  world.faults.syncMinMs = world.faults.syncMaxMs = 1;
  await world.settle(Promise.all(waiting));
  await world.settle(journal.append(1, [large]));
  await world.settle(journal.close());
});

Deno.test("journal: reading twice and finding two things is a failing disk, not a journal", async () => {
  const world = await unclean();
  let reads = 0;
  world.disk.beforeEach = (operation) => {
    // The header, the header, both copies of it, the first pass; then the pass that copies.
    if (operation === "read" && ++reads === 5) world.disk.flipBit(FIRST, SEGMENT_HEADER_BYTES + 20);
  };
  await assertRejects(() => open(world), EngineError, "reads differently each time");
  world.disk.flipBit(FIRST, SEGMENT_HEADER_BYTES + 20);
  assertEquals((await reopened(world)).payloads.length, 10);
});

/** A journal with ten records that ends without an end record. */
async function unclean(): Promise<SimulatedWorld> {
  const world = await written(10);
  replaceFile(world, FIRST, fileOf(world).slice(0, offsets(world).at(-1)!.end));
  return world;
}

for (const fault of ["bitFlipRate", "misdirectedReadRate"] as const) {
  Deno.test(`40: what was spoiled on the way from the disk (${fault}) is read again, and nothing is cut`, async () => {
    for (let spoiled = 1; spoiled <= 6; spoiled++) {
      const world = await unclean();
      let reads = 0;
      world.disk.beforeEach = (operation) => {
        if (operation === "read") world.faults[fault] = ++reads === spoiled ? 1 : 0;
      };
      const { payloads, damage } = await reopened(world);
      assertEquals([payloads.length, damage], [10, []], `read ${spoiled}`);
    }
  });
}

Deno.test("40: what is misread behind damage is not lost with it, and the damage does not pass for a torn tail", async () => {
  for (let spoiled = 1; spoiled <= 16; spoiled++) {
    const world = await unclean();
    world.disk.flipBit(FIRST, offsets(world)[4]!.offset); // a header: what follows has to be searched for
    let reads = 0;
    world.disk.beforeEach = (operation) => {
      if (operation === "read") world.faults.misdirectedReadRate = ++reads === spoiled ? 1 : 0;
    };
    const { payloads, damage } = await reopened(world);
    assertEquals([payloads.length, damage.map(({ kind }) => kind)], [9, ["corrupt"]], `read ${spoiled}`);
  }
});

Deno.test("40: what was copied because of damage is known to be durable from then on", async () => {
  const world = await written(5);
  world.disk.flipBit(FIRST, offsets(world)[2]!.offset + 18);
  await open(world);
  world.kill();
  world.disk.flipBit(FIRST, offsets(world).at(-2)!.offset + 18);
  assertEquals((await reopened(world)).damage.map(({ kind }) => kind), ["corrupt"]);
});

Deno.test("40: a loss is remembered by the same stroke that cuts the damage out, crash where it may", async () => {
  const scar = { type: 7, payload: Uint8Array.of(1, 2, 3) };
  for (let at = 1; at < 40; at++) {
    const world = await written(20, 1, 512);
    world.disk.flipBit(FIRST, offsets(world)[1]!.offset + 18);
    world.crashAt(at);
    const seen: number[] = [];
    const open = () => {
      seen.length = 0;
      const options = { ...world.place(), sync: "always" as const, segmentBytes: 512, scar: () => scar };
      return openJournal(options, ({ type }) => seen.push(type) > 0);
    };
    await world.survives(open().then((journal) => journal.close()));
    world.crash();
    const journal = await world.settle(open());
    assertEquals(seen.at(-1), scar.type, `crash at ${at}`); // mended before or mended now, it knows
    await world.settle(journal.close());
  }
});

Deno.test("40: who cannot go on with a damaged journal leaves it as it was", async () => {
  const world = await written(5);
  world.disk.flipBit(FIRST, offsets(world)[2]!.offset + 18);
  const before = world.disk.checksum();
  const scar = () => {
    throw new EngineError("corrupt", "too much is lost");
  };
  const options = { ...world.place(), sync: "always" as const, scar };
  await assertRejects(() => world.settle(openJournal(options, () => true)), EngineError, "too much is lost");
  assertEquals(world.disk.checksum(), before);
});

Deno.test("the worked example of FORMAT.md: a segment", async () => {
  const bytes = formatExample("segment");
  const { payloads, damage } = await read(bytes);
  assertEquals(damage, []);
  assertEquals(payloads.map((payload) => payload.toHex()), [
    "0007000300000003666f6f62617200070003ffffffff6f6c64",
    "0102",
  ]);
});

Deno.test("journal: what the last process cut off is gone for good, once a new one has not seen it", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const world = simulatedWorld(seed);
    const { journal } = await open(world);
    await world.settle(journal.append(1, [payloadOf(0)]));
    await world.runFor(1000); // nothing to do: an end record is written
    world.faults.capacityBytes = world.usedBytes() + 1000;
    journal.append(1, [payloadOf(1)]);
    await assertRejects(
      () => world.settle(journal.append(1, [new Uint8Array(64 << 10)])),
      EngineError,
      "full",
    );
    await assertRejects(() => world.settle(journal.close()), EngineError);
    world.kill();
    world.faults.capacityBytes = Infinity;
    assertEquals((await open(world)).payloads.length, 1);
    world.crash();
    assertEquals((await open(world)).payloads.length, 1, `seed ${seed}`);
  }
});

Deno.test("39: a segment that is not the newest, cut where a record ends, is damage and not the end of it", async () => {
  const world = await written(60, 1, 512);
  const segments = [...world.disk.snapshot().keys()].filter((path) => path.endsWith(".log")).sort();
  const path = segments.at(-2)!;
  const whole = fileOf(world, path);
  const { records, ends } = placesOf(world, path);
  let cuts = 0;
  for (const { end } of [...records, ...ends]) {
    if (end === whole.length) continue;
    const other = await written(60, 1, 512);
    replaceFile(other, path, whole.slice(0, end));
    const { damage } = await reopened(other);
    assertEquals(damage.map(({ kind, path }) => [kind, path]), [["corrupt", path]], `cut at ${end}`);
    assertEquals((await reopened(other)).damage, [], "told once");
    cuts++;
  }
  assert(cuts > 1, `${cuts} cuts`);
});

Deno.test("journal: each removal of a segment is durable before the next: file systems need not keep their order", async () => {
  const world = await written(60, 1, 512);
  const { journal } = await open(world, "always", 512);
  const changes: string[] = [];
  world.disk.beforeEach = (operation, path) => {
    if (operation === "remove" || operation === "syncDirectory") changes.push(`${operation} ${path}`);
  };
  const before = journal.segment;
  await world.settle(journal.removeBefore(before));
  const expected = Array.from({ length: before - 1 }, (_, i) => [
    `remove data/store/${String(i + 1).padStart(10, "0")}.log`,
    "syncDirectory data/store",
  ]);
  assert(before > 4);
  assertEquals(changes, expected.flat());
});
