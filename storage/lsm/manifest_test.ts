import fc from "fast-check";
import { DiskError } from "../../actors/runtime/environment.ts";
import { assert, assertEquals, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { EngineError } from "../engine.ts";
import { openJournal } from "../journal.ts";
import { segmentPath } from "../journal/segments.ts";
import { type SimulatedWorld, simulatedWorld } from "../testing/worlds.ts";
import { decodeEdit, encodeEdit } from "./edit_codec.ts";
import { type Manifest, openManifest } from "./manifest.ts";
import { type Edit, firstEdit, type TableMeta, Version } from "./version.ts";

const bytes = fc.uint8Array({ minLength: 3, maxLength: 40 });
const u32 = fc.nat(2 ** 32 - 1);
const contents = fc.record({ partition: fc.nat(65535), entries: u32, removed: u32, sizeBytes: u32 });
const table = fc.record({
  number: u32,
  sizeBytes: u32,
  seed: u32,
  age: fc.maxSafeNat(),
  first: bytes,
  last: bytes,
  contents: fc.array(contents, { maxLength: 4 }),
});
const edit: fc.Arbitrary<Edit> = fc.record({
  number: fc.maxSafeNat(),
  isWhole: fc.boolean(),
  walFrom: u32,
  age: fc.maxSafeNat(),
  nextFile: u32,
  storeId: fc.record({ serial: u32, bytes: fc.uint8Array({ minLength: 16, maxLength: 16 }) }),
  added: fc.array(fc.record({ level: fc.nat(6), table }), { maxLength: 4 }),
  removed: fc.array(u32, { maxLength: 4 }),
  drops: fc.array(fc.tuple(fc.nat(65535), fc.maxSafeNat()), { maxLength: 4 }),
  suspects: fc.array(u32, { maxLength: 4 }),
});

Deno.test("edits: read as written, and nothing else is an edit", () => {
  fc.assert(
    fc.property(edit, (edit) => {
      const encoded = encodeEdit(edit);
      assertEquals(decodeEdit(encoded), edit);
      for (let length = 0; length < encoded.length; length++) {
        assertEquals(decodeEdit(encoded.subarray(0, length)), null);
      }
      assertEquals(
        decodeEdit(new Uint8Array(encoded.length + 1).fill(0).map((_, i) => encoded[i] ?? 0)),
        null,
      );
    }),
    { numRuns: 50 },
  );
});

function tableOf(number: number): TableMeta {
  const key = Uint8Array.of(0, number % 7, number);
  const contents = [{ partition: number % 7, entries: 1, removed: 0, sizeBytes: 1 }];
  return { number, sizeBytes: 100, seed: number, age: number, first: key, last: key, contents };
}

const DIRECTORY = "data/store";

async function open(world: SimulatedWorld, manifestBytes = 1 << 20): Promise<Manifest> {
  const options = { ...world.place(), sync: "always" as const, manifestBytes };
  const manifest = await world.settle(openManifest(options, () => {}));
  if (manifest.isNew) {
    await world.settle(manifest.begin(firstEdit({ serial: 1, bytes: new Uint8Array(16).fill(9) })));
  }
  return manifest;
}

/** What a version says, edits aside. */
function shown({ levels, drops, suspects, edit }: Version) {
  const { walFrom, age, storeId } = edit;
  return { levels, drops: [...drops], suspects: [...suspects], walFrom, age, storeId };
}

async function addTables(world: SimulatedWorld, manifest: Manifest, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const number = manifest.nextFile();
    const removed = number > 5 && manifest.version.has(number - 5) ? [number - 5] : [];
    const changes = {
      added: [{ level: 0, table: tableOf(number) }],
      removed,
      walFrom: number,
      age: number + 1,
    };
    await world.settle(manifest.commit(changes));
  }
}

Deno.test("manifest: the version that was last is opened, however often edits were rewritten", async () => {
  for (const manifestBytes of [1, 20_000, 1 << 20]) {
    const world = simulatedWorld(1);
    for (let life = 0; life < 4; life++) {
      const manifest = await open(world, manifestBytes);
      await addTables(world, manifest, 15);
      const before = shown(manifest.version);
      await world.settle(manifest.close());
      const again = await open(world, manifestBytes);
      assertEquals(shown(again.version), before);
      assertEquals(again.damageAtOpen, []);
      assert(manifestBytes > 20_000 || again.size.sizeBytes < 60_000, `${again.size.sizeBytes} bytes`);
      await world.settle(again.close());
    }
  }
});

Deno.test("manifest: an edit is made durable before it is shown, and after the one before it", async () => {
  const world = simulatedWorld(1);
  const manifest = await open(world);
  const seen: number[] = [];
  const commits = [1, 2, 3].map((number) =>
    manifest.commit({ added: [{ level: 0, table: tableOf(number) }] }, () => {
      seen.push(number);
      assert(manifest.version.has(number));
    })
  );
  assertEquals(manifest.version.has(1), false);
  await world.settle(Promise.all(commits));
  assertEquals(seen, [1, 2, 3]);
  world.crash();
  const again = await open(world);
  assertEquals([1, 2, 3].every((number) => again.version.has(number)), true);
  await world.settle(again.close());
});

Deno.test("41: any byte of the manifest damaged: nothing is lost, and it is reported or harmless", async () => {
  const world = simulatedWorld(1);
  const manifest = await open(world);
  await addTables(world, manifest, 6);
  const before = shown(manifest.version);
  await world.settle(manifest.close());
  const whole = world.disk.snapshot();
  const path = segmentPath(`${DIRECTORY}/manifest`, 1);
  const size = whole.get(path)!.length;
  for (let position = 0; position < size; position += 91) {
    world.kill();
    world.disk.restore(whole);
    world.disk.flipBit(path, position, position % 8);
    const again = await open(world);
    assertEquals(shown(again.version), before, `byte ${position}`);
    await world.settle(again.close());
  }
});

Deno.test("41: a sector of the manifest damaged: the other copy of the edit counts", async () => {
  const world = simulatedWorld(1);
  const manifest = await open(world);
  await addTables(world, manifest, 6);
  const before = shown(manifest.version);
  await world.settle(manifest.close());
  const whole = world.disk.snapshot();
  const path = segmentPath(`${DIRECTORY}/manifest`, 1);
  for (let position = 0; position < whole.get(path)!.length; position += 4096) {
    world.kill();
    world.disk.restore(whole);
    for (let i = 64; i < 4096; i++) world.disk.flipBit(path, position + i, i % 8);
    const again = await open(world);
    assertEquals(shown(again.version), before, `sector at ${position}`);
    assert(again.damageAtOpen.some(({ kind }) => kind === "corrupt"), `sector at ${position}`);
    await world.settle(again.close());
  }
});

Deno.test("41: both copies of an edit damaged: refused, and nothing is changed", async () => {
  const world = simulatedWorld(1);
  const manifest = await open(world);
  await addTables(world, manifest, 6);
  await world.settle(manifest.close());
  const path = segmentPath(`${DIRECTORY}/manifest`, 1);
  // With the spacer between its copies an edit takes a little more than a sector.
  for (let position = 9000; position < 19_000; position++) world.disk.flipBit(path, position);
  const before = world.disk.snapshot();
  const error = await assertRejects(() => open(world), EngineError);
  assertEquals(error.code, "corrupt");
  assert(error.message.includes("edits after number"), error.message);
  assertEquals(world.disk.snapshot(), before);
});

Deno.test("47: a manifest of a newer format: refused, and nothing is changed", async () => {
  const world = simulatedWorld(1);
  const place = world.place();
  const journal = await world.settle(
    openJournal({ ...place, directory: `${DIRECTORY}/manifest`, sync: "always" }, () => true),
  );
  const newer = encodeEdit(firstEdit({ serial: 1, bytes: new Uint8Array(16) }));
  newer[0] = 2;
  await world.settle(journal.append(1, [newer]));
  await world.settle(journal.close());
  const before = world.disk.snapshot();
  assertEquals((await assertRejects(() => open(world), EngineError)).code, "newer");
  assertEquals(world.disk.snapshot(), before);
});

Deno.test("version: edits one by one come to the same as all at once", () => {
  const step = fc.record({ level: fc.nat(2), drop: fc.option(fc.nat(6)), remove: fc.option(fc.nat(20)) });
  fc.assert(fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
    let version = new Version(firstEdit({ serial: 1, bytes: new Uint8Array(16) }), null);
    steps.forEach(({ level, drop, remove }, i) => {
      const removed = remove !== null && version.has(remove) ? [remove] : [];
      const edit: Edit = {
        ...version.edit,
        number: version.edit.number + 1,
        isWhole: false,
        added: [{ level, table: tableOf(i + 1) }],
        removed,
        drops: drop === null ? [] : [[drop, i]],
        suspects: [],
      };
      version = new Version(edit, version);
      // A line stays just as long as there is a table that it hides something of.
      for (const [partition, line] of version.drops) {
        const hidden = [...version.tables()].filter(({ age, contents }) =>
          age <= line && contents[0]!.partition === partition
        );
        assert(hidden.length > 0);
      }
      assertEquals(shown(new Version(version.asWhole(99), null)), shown(version));
    });
  }));
});

Deno.test("manifest: edits that could not be removed for good are the end of it, though the last one counts (989006663)", async () => {
  const world = simulatedWorld(1);
  const manifest = await open(world, 1);
  let isRemoved = false;
  world.disk.beforeEach = (operation, path) => {
    isRemoved ||= operation === "remove";
    if (isRemoved && operation === "syncDirectory") throw new DiskError("io", path, "input/output error");
  };
  await addTables(world, manifest, 1);
  world.disk.beforeEach = null;
  assert(isRemoved && manifest.version.has(1));
  assert(manifest.refusing?.startsWith("poisoned"), `${manifest.refusing}`);
  await assertRejects(() => addTables(world, manifest, 1), EngineError);
});
