/**
 * Fetching back what a node may have lost, while things go on to happen to it.
 *
 * @module
 */

import { assert, assertEquals, fail } from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import { machine, onStage, type Stage } from "./stage.ts";

async function fill({ cluster }: Stage, keys: number, valueBytes: number): Promise<void> {
  const client = await cluster.connect({ to: [0] });
  const value = new Uint8Array(valueBytes);
  for (let n = 0; n < keys; n++) {
    value[0] = n;
    await client.put(`k${n}`, value.slice(), { w: 3, timeoutMs: 30_000 });
  }
}

/** What the store holds once the node says that it serves. */
async function keysOnceServing({ sleep }: Stage, client: Client): Promise<number> {
  for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 100) {
    const status = await client.admin("status", {}).catch(() => null);
    if (status?.state === "serving") return status.store.engine.keys;
    await sleep(100);
  }
  return fail("it does not serve");
}

Deno.test("a store that crashes during its refill is whole only when all of it was fetched once more", () =>
  onStage({ nodes: 3, node: { partitions: 1, storage: { persist: false } } }, async (stage) => {
    const { cluster, sleep } = stage;
    await fill(stage, 60, 100 * 1024);
    for (let round = 0; round < 20; round++) {
      cluster.kill(2);
      await cluster.start(2);
      const client = await cluster.connect({ to: [2] });
      await sleep(round);
      cluster.node(2).crash("replica_store");
      assertEquals(await keysOnceServing(stage, client), 60, `round ${round}`);
      await client.close();
    }
  }));

Deno.test("a refill over a slow disk leaves nothing out and holds nobody up", () =>
  onStage({ nodes: 3, node: { partitions: 1, storage: { engine: "memory" } } }, async (stage) => {
    const { cluster, world, until } = stage;
    await fill(stage, 6, 7 * 1024 * 1024);
    cluster.kill(2);
    const { disk } = world.environment(machine(2));
    for (const file of disk.list("data/memory")) disk.remove(`data/memory/${file}`);
    disk.remove("data/memory");
    await cluster.start(2);
    Object.assign(world.disk(machine(2)).faults, { syncMinMs: 1_000, syncMaxMs: 1_000 });
    const client = await cluster.connect({ to: [2] });
    await until(async () => (await client.admin("status", {})).store.engine.keys > 0);
    const began = world.now();
    await client.get("k0", { r: 2 });
    assert(world.now() - began < 400, "the store is not blocked while the disk is");
    assertEquals(await keysOnceServing(stage, client), 6);
  }));
