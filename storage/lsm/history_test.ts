import fc from "fast-check";
import { compareBytes } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { keyOf, recordOf } from "../testing/operation.ts";
import { type SimulatedWorld, simulatedWorld } from "../testing/worlds.ts";
import { DeeperLevels } from "./compaction.ts";
import { type LsmEngine, openLsmEngine, type Snapshot } from "./engine.ts";
import type { Memtable } from "./memtable.ts";
import { planted } from "./testing/planted.ts";
import { TINY } from "./testing/tiny.ts";
import { Tree } from "./tree.ts";
import type { Changes } from "./version.ts";
import { Version } from "./version.ts";

/** What is there, by partition and key; and cannot be wrong. */
type Twin = Map<number, Map<string, Uint8Array>>;

const PARTITIONS = [0, 1, 7];

const change = fc.record({
  p: fc.constantFrom(...PARTITIONS),
  k: fc.nat(15),
  size: fc.option(fc.nat(150), { freq: 3 }),
});
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      changes: fc.array(change, { maxLength: 8 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("drop" as const), p: fc.constantFrom(...PARTITIONS) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      ms: fc.nat(20).map((tenths) => tenths / 10),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "compact" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "snapshot" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "release" as const }) },
);

function show(reader: LsmEngine | Snapshot, twin: Twin): void {
  for (const partition of PARTITIONS) {
    const expected = [...twin.get(partition) ?? []].map(([hex, record]) => ({
      key: Uint8Array.fromHex(hex),
      record,
    }))
      .sort((a, b) => compareBytes(a.key, b.key));
    const page = reader.scan({ partition, limit: 1000, limitBytes: Infinity });
    assertEquals(page, { entries: expected, done: true });
    for (let k = 0; k <= 15; k++) {
      const key = keyOf(k);
      assertEquals(reader.get(partition, key), twin.get(partition)?.get(key.toHex()) ?? null);
    }
  }
}

/** Whatever is written, dropped, flushed and compacted: the engine, and each snapshot, shows what its twin does. */
async function likeItsTwin(numRuns: number): Promise<void> {
  const steps = fc.array(step, { minLength: 10, maxLength: 120, size: "max" });
  const property = fc.asyncProperty(fc.nat(), steps, async (seed, steps) => {
    const world = simulatedWorld(seed);
    const open = () => world.settle(openLsmEngine({ ...world.place(), ...TINY }));
    const twin: Twin = new Map();
    let engine = await open();
    let held: { readonly snapshot: Snapshot; readonly twin: Twin }[] = [];
    let serial = 0;
    for (const step of steps) {
      if (step.kind === "write") {
        engine.write(step.changes.map(({ p, k, size }) => {
          const [key, record] = [keyOf(k), size === null ? null : recordOf(++serial, size)];
          const keys = twin.get(p) ?? new Map<string, Uint8Array>();
          twin.set(p, keys);
          if (record) keys.set(key.toHex(), record);
          else keys.delete(key.toHex());
          return { partition: p, key, record };
        }));
      } else if (step.kind === "drop") {
        engine.dropPartition(step.p);
        twin.delete(step.p);
      } else if (step.kind === "pass") await world.runFor(step.ms);
      else if (step.kind === "compact") engine.compact().catch(() => {}); // it may be closed meanwhile
      else if (step.kind === "snapshot") {
        held.push({
          snapshot: engine.snapshot(),
          twin: new Map([...twin].map(([partition, keys]) => [partition, new Map(keys)])),
        });
      } else if (step.kind === "release") held.shift()?.snapshot.release();
      else {
        await world.settle(engine.close());
        engine = await open();
        held = [];
      }
      show(engine, twin);
      for (const { snapshot, twin } of held) show(snapshot, twin);
      const partitions = [...twin].filter(([, keys]) => keys.size > 0).map(([partition]) => partition);
      assertEquals(engine.partitions(), partitions.sort((a, b) => a - b));
    }
    for (const { snapshot } of held) snapshot.release();
    await world.settle(engine.compact());
    show(engine, twin);
    assertExact(engine, twin);
    assertEquals(await world.settle(engine.verify()), []);
    await world.settle(engine.close());
    onlyWhatIsNeeded(world);
  });
  await fc.assert(property, { numRuns, endOnFailure: numRuns > 200 });
}

/** After compaction every key counts once. */
function assertExact(engine: LsmEngine, twin: Twin): void {
  for (const partition of PARTITIONS) assertEquals(engine.count(partition), twin.get(partition)?.size ?? 0);
  const records = [...twin.values()].flatMap((keys) => [...keys]);
  assertEquals(engine.stats().keys, records.length);
  assertEquals(
    engine.stats().liveBytes,
    records.reduce((sum, [hex, record]) => sum + hex.length / 2 + record.length, 0),
  );
}

/** No table is left that nobody needs: each could be opened, and the store is not larger than what it holds. */
function onlyWhatIsNeeded(world: SimulatedWorld): void {
  const { disk, directory } = world.place();
  const tables = disk.list(directory).filter((name) => name.endsWith(".sst"));
  assert(tables.length < 20, `${tables.length} tables`);
}

Deno.test("lsm: like a Map, whatever goes on in the background, and so is every snapshot", () =>
  likeItsTwin(40));

Deno.test("planted: a drop that hides by number and not by age", () =>
  planted(
    Tree.prototype,
    "commit",
    function (changes: Changes, flushed: readonly Memtable[] = []) {
      const line = this.manifest.nextFile();
      const added = changes.added?.map(({ level, table }) => ({
        level,
        table: { ...table, age: table.number },
      }));
      const drops = changes.drops?.map(([partition]) => [partition, line] as const);
      return commit.call(this, { ...changes, ...added ? { added } : {}, ...drops ? { drops } : {} }, flushed);
    },
    async () => void await assertRejects(() => likeItsTwin(1000)),
  ));
const { commit } = Tree.prototype;

Deno.test("planted: lines of dropped partitions are forgotten", () =>
  planted(
    Version.prototype,
    "lineOf",
    () => -1,
    async () => void await assertRejects(() => likeItsTwin(1000)),
  ));

Deno.test("45, planted: compaction drops a removal while a deeper level holds what it removed", () =>
  planted(
    DeeperLevels.prototype,
    "mayHold",
    () => false,
    async () => void await assertRejects(() => likeItsTwin(1000)),
  ));

Deno.test("planted: a snapshot that later writes show in", () =>
  planted(
    Tree.prototype,
    "freezeIfPinned",
    () => false,
    async () => void await assertRejects(() => likeItsTwin(1000)),
  ));
