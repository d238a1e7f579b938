/**
 * Nodes that are told to use another engine than the one their data is in.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { type EngineName, ENGINES, storeDirectory } from "../../storage/engines.ts";
import { machine, onStage, type Stage } from "./stage.ts";

/** Every engine, and one that is not it. */
const PAIRS = ENGINES.map((engine, n) => [engine, ENGINES[(n + 1) % ENGINES.length]!] as const);

async function statusOf({ cluster }: Stage, index: number) {
  await using client = await cluster.connect({ to: [index] });
  return await client.admin("status", {});
}

/** Files of a store. */
function filesOf({ world }: Stage, index: number, engine: EngineName): string[] {
  const directory = storeDirectory("data", engine);
  const files = [...world.disk(machine(index)).snapshot()].filter(([path, bytes]) =>
    bytes !== null && path.startsWith(`${directory}/`)
  );
  return files.map(([path, bytes]) => `${path} ${bytes!.length}`);
}

for (const [first, second] of PAIRS) {
  Deno.test(`a node with data of ${first} does not start on ${second}, and nothing of it is changed`, () => {
    const storage: { engine: EngineName } = { engine: first };
    return onStage({ nodes: 1, node: { storage } }, async (stage) => {
      const { cluster, world } = stage;
      const client = await cluster.connect();
      await client.put("k", "v");
      assertEquals((await statusOf(stage, 0)).store.engine.engine, first);
      cluster.kill(0);
      const before = filesOf(stage, 0, first);
      storage.engine = second;
      const error = await assertRejects(() => cluster.start(0), Error, `storage.engine ${first}`);
      assert(error.message.includes(`data/${first} holds data of the ${first} engine`), error.message);
      assert(error.message.includes(`the configuration says ${second}`), error.message);
      world.killNode(machine(0));
      assertEquals(filesOf(stage, 0, first), before);
      assertEquals(filesOf(stage, 0, second), []);
      storage.engine = first;
      await cluster.start(0);
      const again = await cluster.connect();
      assertEquals((await again.get("k")).texts(), ["v"]);
    });
  });

  Deno.test(`a node without data of ${first} may use ${second} from now on, and not go back`, () => {
    const storage: { engine: EngineName } = { engine: first };
    return onStage({ nodes: 1, node: { storage } }, async (stage) => {
      const { cluster, world } = stage;
      cluster.kill(0);
      storage.engine = second;
      await cluster.start(0);
      const client = await cluster.connect();
      await client.put("k", "v");
      cluster.kill(0);
      storage.engine = first;
      await assertRejects(() => cluster.start(0), Error, `the configuration says ${first}`);
      world.killNode(machine(0));
      storage.engine = second;
      await cluster.start(0);
    });
  });

  Deno.test(`a member that moves its ${first} store away fetches everything anew into ${second}`, () => {
    const storage: { engine: EngineName } = { engine: first };
    return onStage({ nodes: 3, node: { storage } }, async (stage) => {
      const { cluster, world, until } = stage;
      const client = await cluster.connect({ to: [0] });
      for (let n = 0; n < 20; n++) await client.put(`k${n}`, "v");
      cluster.kill(2);
      const disk = world.disk(machine(2));
      const away = [...disk.snapshot()].filter(([path]) => !`${path}/`.startsWith(`data/${first}/`));
      disk.restore(new Map(away));
      storage.engine = second;
      await cluster.start(2);
      assert((await statusOf(stage, 2)).store.notWhole > 0);
      await until(async () => (await statusOf(stage, 2)).state === "serving");
      const { engine } = (await statusOf(stage, 2)).store;
      assertEquals([engine.engine, engine.keys], [second, 20]);
    });
  });
}

Deno.test("another engine's store that is damaged may hold anything: it is refused, too", () => {
  const storage: { engine: EngineName } = { engine: "memory" };
  return onStage({ nodes: 1, node: { storage } }, async (stage) => {
    const { cluster, world } = stage;
    const client = await cluster.connect();
    await client.put("k", "v");
    cluster.kill(0);
    const disk = world.disk(machine(0));
    const log = "data/memory/0000000001.log";
    disk.flipBit(log, 150);
    storage.engine = PAIRS[0]![1];
    await assertRejects(() => cluster.start(0), Error, "data/memory holds data");
    world.killNode(machine(0));
  });
});

Deno.test("nothing on disk is for the memory engine alone", async () => {
  for (const engine of ENGINES.filter((engine) => engine !== "memory")) {
    const storage = { engine, persist: false };
    await assertRejects(
      () => onStage({ nodes: 1, node: { storage } }, async () => {}),
      RangeError,
      "memory engine",
    );
  }
  await onStage({ nodes: 1, node: { storage: { persist: false } } }, async (stage) => {
    assertEquals((await statusOf(stage, 0)).store.engine.engine, "memory");
  });
});
