import type { Disk } from "../../actors/runtime/environment.ts";
import { assert, assertEquals, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { EngineError } from "../engine.ts";
import { type Journal, openJournal } from "../journal.ts";
import { type SimulatedWorld, simulatedWorld } from "../testing/worlds.ts";

const COPY = "backups/monday";

/** A disk, changed. */
type Change = (disk: Disk) => Disk;

async function open(world: SimulatedWorld, directory?: string, change: Change = (disk) => disk) {
  const place = world.place();
  const numbers: number[] = [];
  const options = { ...place, disk: change(place.disk), sync: "always" as const, segmentBytes: 512 };
  const journal = await openJournal(
    { ...options, directory: directory ?? place.directory },
    ({ payload }) => numbers.push(new DataView(payload.buffer, payload.byteOffset).getUint32(0)) > 0,
  );
  return { journal, numbers };
}

function append(journal: Journal, n: number): Promise<void> {
  const payload = new Uint8Array(4 + n * 37 % 100).fill(n);
  new DataView(payload.buffer).setUint32(0, n);
  return journal.append(1, [payload]);
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

Deno.test("copy: all that was written before the call, while appending and removing go on", async () => {
  for (const count of [0, 1, 30]) {
    const world = simulatedWorld(count);
    const { journal } = await world.settle(open(world));
    for (const n of upTo(count)) await world.settle(append(journal, n));
    const fractions: number[] = [];
    const copying = journal.copyTo(COPY, (fraction) => fractions.push(fraction));
    for (let n = count; n < count + 30; n++) append(journal, n);
    await world.settle(copying);
    await world.settle(journal.removeBefore(journal.segment));
    assertEquals(fractions.at(-1), 1);
    world.crash(); // it is durable
    const copy = await world.settle(open(world, COPY));
    assertEquals(copy.journal.damageAtOpen, []);
    assertEquals(copy.numbers.slice(0, count), upTo(count));
    assertEquals(copy.numbers, upTo(copy.numbers.length));
    await world.settle(append(copy.journal, 999));
    await world.settle(copy.journal.close());
    const original = await world.settle(open(world));
    assert(!original.numbers.includes(999), "the copy is written into the original");
    await world.settle(original.journal.close());
  }
});

/** A crash at every change of the disk leaves no copy, one that does not open, or a whole one. */
async function crashesWhileCopying(change: Change): Promise<void> {
  let isDone = false;
  for (let at = 1; !isDone; at++) {
    const world = simulatedWorld(at);
    const { journal } = await world.settle(open(world));
    for (const n of upTo(30)) await world.settle(append(journal, n));
    await world.settle(journal.close());
    const copying = async () => {
      const { journal } = await open(world, undefined, change);
      await append(journal, 30);
      world.crashAt(at);
      await journal.copyTo(COPY);
      isDone = true;
    };
    await world.survives(copying());
    world.crash();
    const { disk } = world.place();
    if (isDone || disk.exists(COPY) && disk.list(COPY).length > 0) {
      try {
        const copy = await world.settle(open(world, COPY));
        assertEquals(copy.numbers, upTo(31), `crash at ${at}`);
      } catch (error) {
        assert(
          !isDone && error instanceof EngineError && error.code === "corrupt",
          `crash at ${at}: ${error}`,
        );
      }
    }
    assertEquals((await world.settle(open(world))).numbers, upTo(31));
  }
}

Deno.test("43: a crash while a copy is made leaves none, half a one that says so, or a whole one", () =>
  crashesWhileCopying((disk) => disk));

Deno.test("planted: a copy that does not say that it is unfinished is caught", async () => {
  const withoutMark: Change = (disk) =>
    new Proxy(disk, {
      get(target, name) {
        const isMark = (path: string) => path.endsWith("/unfinished");
        if (name === "open") {
          return (path: string, ...rest: []) =>
            isMark(path) ? { close: () => {} } : target.open(path, ...rest);
        }
        if (name === "remove") return (path: string) => isMark(path) || target.remove(path);
        const value = target[name as keyof Disk];
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  await assertRejects(() => crashesWhileCopying(withoutMark));
});

Deno.test("copy: never into a directory that is there; what failed leaves nothing", async () => {
  const world = simulatedWorld(1);
  const { journal } = await world.settle(open(world));
  for (const n of upTo(30)) await world.settle(append(journal, n));
  const { directory, disk } = world.place();
  await assertRejects(() => world.settle(journal.copyTo(directory)), EngineError, "is there already");
  world.faults.capacityBytes = world.usedBytes() + 100;
  const error = await assertRejects(() => world.settle(journal.copyTo(COPY)), EngineError);
  assertEquals([error.code, disk.exists(COPY)], ["full", false]);
  world.faults.capacityBytes = Infinity;
  await world.settle(journal.copyTo(COPY));
  await world.settle(journal.close());
});

Deno.test("40: damage is not copied as if it were none", async () => {
  const world = simulatedWorld(1);
  const { journal } = await world.settle(open(world));
  for (const n of upTo(30)) await world.settle(append(journal, n));
  const { directory, disk } = world.place();
  world.disk.flipBit(`${directory}/${disk.list(directory).at(-2)}`, 64 + 20);
  const error = await assertRejects(() => world.settle(journal.copyTo(COPY)), EngineError);
  assertEquals([error.code, disk.exists(COPY)], ["corrupt", false]);
  await world.settle(journal.close());
});
