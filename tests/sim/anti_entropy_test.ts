/**
 * Replicas that differ find it out by themselves, and say no more than they know.
 *
 * @module
 */

import { ANTI_ENTROPY_CORE } from "../../actors/repair/anti_entropy.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { NodeStatus, PartitionsView } from "../../actors/operator/protocol.ts";
import type { NodeCores } from "../../net/node.ts";
import { machine, onStage, others, type Stage } from "./stage.ts";

const NODES = [0, 1, 2];

async function statusOf({ cluster }: Stage, index: number): Promise<NodeStatus> {
  const client = await cluster.connect({ to: [index] });
  const status = await client.admin("status", {});
  await client.close();
  return status;
}

async function partitionsOf({ cluster }: Stage, index: number): Promise<PartitionsView["partitions"]> {
  const client = await cluster.connect({ to: [index] });
  const { partitions } = await client.admin("partitions", {});
  await client.close();
  return partitions;
}

/** Whether all nodes hold the same of every partition, and know it. */
async function isEqual(stage: Stage): Promise<boolean> {
  const digests: string[] = [];
  for (const index of NODES) {
    digests.push((await partitionsOf(stage, index)).map(({ digest }) => digest ?? index).join());
  }
  return new Set(digests).size === 1 && digests[0] !== "";
}

Deno.test("anti-entropy: a node that was away gets what it missed, though nobody reads it", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, until } = stage;
    const client = await cluster.connect({ to: [0] });
    for (let n = 0; n < 50; n++) await client.put(`k${n}`, "v", { w: 3 });
    cluster.kill(2);
    for (let n = 0; n < 100; n++) await client.put(`k${n}`, "w", { w: 2 });
    await client.del("k7", { w: 2 });
    await cluster.start(2);
    await until(() => isEqual(stage));
    assertEquals((await statusOf(stage, 2)).store.engine.keys, 100);
    const states = await Promise.all(NODES.map((index) => statusOf(stage, index)));
    assertEquals(states.reduce((sum, { coordinator }) => sum + coordinator.readRepairs, 0), 0);
    assertEquals(states.map(({ store }) => store.trees.wrong), [0, 0, 0]);
    await until(async () => (await statusOf(stage, 2)).repair.unknown === 0);
  }));

Deno.test("anti-entropy: what each of two sides alone holds, both have in the end", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world, until } = stage;
    const clients = await Promise.all(NODES.map((index) => cluster.connect({ to: [index] })));
    for (const index of NODES) world.network.partition([machine(index)], others(3, index).map(machine));
    for (const [index, client] of clients.entries()) {
      for (let n = 0; n < 20; n++) {
        await client.put(`k${n}`, `${index}`, { w: 1, timeoutMs: 1_000 }).catch(() => {});
      }
    }
    world.heal();
    await until(() => isEqual(stage));
  }));

Deno.test("61: a node that was away while a key was deleted does not bring it back", () =>
  onStage({ nodes: 3 }, async ({ cluster, sleep, until }) => {
    const client = await cluster.connect({ to: [0, 1] });
    await client.put("gone", "v", { w: 3 });
    await client.put("kept", "v", { w: 3 });
    await cluster.stop(2);
    const { context } = await client.get("gone");
    await client.del("gone", { context });
    await sleep(300_000); // a tombstone lives for ever as yet
    await cluster.start(2);
    await sleep(30_000);
    const returned = await cluster.connect({ to: [2] });
    await until(() => returned.get("gone", { r: 3 }).then(() => true, () => false));
    for (const r of [1, 2, 3]) {
      assertEquals((await returned.get("gone", { r })).texts(), []);
      assertEquals((await returned.get("kept", { r })).texts(), ["v"]);
    }
  }));

Deno.test("62: hash trees read during writes: extra sync only", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, sleep, until } = stage;
    const clients = await Promise.all(NODES.map((index) => cluster.connect({ to: [index] })));
    const counts = new Map<string, number>();
    await Promise.all(clients.map(async (client, index) => {
      for (let n = 0; n < 400; n++) {
        const key = `${index} ${n % 40}`;
        const { context } = await client.get(key);
        await client.put(key, `${n}`, { ...(context && { context }) });
        counts.set(key, n);
        await sleep(25);
      }
    }));
    await until(() => isEqual(stage));
    for (const [key, n] of counts) {
      const { values } = await clients[1]!.get(key, { r: 3 });
      assertEquals(values.map((value) => new TextDecoder().decode(value)), [`${n}`]);
    }
    const states = await Promise.all(NODES.map((index) => statusOf(stage, index)));
    for (const { store, repair, coordinator } of states) {
      assertEquals([store.trees.wrong, repair.failures, coordinator.readRepairs], [0, 0, 0]);
    }
  }));

/** How old the news is that a node has of its partitions, once it has had two rounds that failed. */
async function ageWhileApart(cores: NodeCores): Promise<number | null> {
  let oldest: number | null = null;
  await onStage({ nodes: 3, cores }, async (stage) => {
    const { cluster, sleep, until } = stage;
    await until(async () => (await statusOf(stage, 0)).repair.unknown === 0);
    cluster.kill(2);
    await sleep(20_000);
    const { repair } = await statusOf(stage, 0);
    assert(repair.failures > 0);
    oldest = repair.oldestWholeMs;
    await cluster.start(2);
    await until(async () => (await statusOf(stage, 0)).repair.oldestWholeMs! < 10_000);
  });
  return oldest;
}

Deno.test("anti-entropy: a comparison that failed does not count, and one that ends well does again", async () => {
  const age = await ageWhileApart({});
  assert(age !== null && age >= 20_000, `${age}`);
});

Deno.test("anti-entropy, planted: a failed exchange counts as whole, and the age shows it", async () => {
  const { hasEndedWell } = ANTI_ENTROPY_CORE;
  assert(!hasEndedWell({ ok: false }));
  const age = await ageWhileApart({ antiEntropy: { hasEndedWell: () => true } });
  assert(age !== null && age < 20_000, `${age}`);
});
