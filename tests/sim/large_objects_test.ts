import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { machine, onStage, others, type Stage } from "./stage.ts";

const KEY = "k";
const SIZE = 7 * 1024 * 1024;

/** Have each of three nodes, cut off from the others, take a value of 7 MiB: merged, they are over a frame. */
async function overgrow({ cluster, world, sleep }: Stage): Promise<void> {
  const clients = await Promise.all([0, 1, 2].map((i) => cluster.connect({ to: [i] })));
  for (const i of [0, 1]) world.network.partition([machine(i)], others(3, i).map(machine));
  for (const [i, client] of clients.entries()) await client.put(KEY, new Uint8Array(SIZE).fill(i), { w: 1 });
  world.heal();
  await sleep(15_000);
}

Deno.test("siblings that together exceed a frame are read, with a context, and replaced", () =>
  onStage({ nodes: 3, node: { partitions: 1 } }, async (stage) => {
    await overgrow(stage);
    for (const i of [0, 1, 2]) {
      const client = await stage.cluster.connect({ to: [i] });
      for (const r of [3, 2]) {
        const { values } = await client.get(KEY, { r });
        const found = values.map((value) => [value.length, value[0], value[SIZE - 1]]);
        assertEquals(found.sort(), [0, 1, 2].map((fill) => [SIZE, fill, fill]));
      }
    }
    const client = await stage.cluster.connect();
    const key = encodeUtf8(KEY);
    const { replicas } = await client.admin("explain", { key, timeoutMs: 5_000 });
    assertEquals(replicas.map(({ answer, siblings }) => [answer, siblings.length]), [
      ["found", 3],
      ["found", 3],
      ["found", 3],
    ]);
    const { context } = await client.get(KEY);
    await client.put(KEY, "small", { context });
    assertEquals((await client.get(KEY, { r: 3 })).texts(), ["small"]);
  }));

Deno.test("a delete is never refused for bytes, with a context or without", () =>
  onStage({ nodes: 3, node: { partitions: 1 } }, async (stage) => {
    await overgrow(stage);
    const client = await stage.cluster.connect();
    const before = await client.get(KEY);
    await client.del(KEY); // concurrent with all it has not seen: a tombstone more
    assertEquals((await client.get(KEY)).values.length, 3);
    await client.del(KEY, { context: before.context });
    const after = await client.get(KEY, { r: 3 });
    assertEquals(after.values, []);
    assert(after.context.length > 0);
  }));
