/**
 * Stores that forget, fill up or fail to sync, in a cluster that must not notice.
 *
 * @module
 */

import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import type { NodeCores } from "../../net/node_options.ts";
import { failureOf, machine, onStage, type Stage } from "./stage.ts";

async function stateOf({ cluster }: Stage, index: number): Promise<string> {
  await using client = await cluster.connect({ to: [index] });
  return (await client.admin("status", {})).state;
}

async function answerOf({ cluster }: Stage, client: Client, index: number, key: string): Promise<string> {
  const { replicas } = await client.admin("explain", { key: encodeUtf8(key), timeoutMs: 1_000 });
  return replicas.find(({ address }) => address === cluster.node(index).address)!.answer;
}

/** Two of three have the writes; one of them comes back empty, and cannot reach the other. */
function emptyWithoutSource(cores: NodeCores = {}): Promise<void> {
  return onStage({ nodes: 3, node: { partitions: 1, storage: { persist: false } }, cores }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    const client = await cluster.connect({ to: [0, 1] });
    for (let n = 0; n < 20; n++) await client.put(`k${n}`, `v${n}`);
    cluster.kill(2);
    cluster.kill(1);
    await cluster.start(1);
    world.network.partition([machine(1)], [machine(0)]);
    await cluster.start(2);
    await sleep(60_000); // it has tried again and again
    assertEquals(await stateOf(stage, 1), "not-whole");
    const empty = await cluster.connect({ to: [1] });
    assertEquals((await failureOf(empty.get("k1", { timeoutMs: 500 }))).definite, true);
    assertEquals(await answerOf(stage, empty, 1, "k1"), "not-whole");
    world.heal();
    await until(async () => await stateOf(stage, 1) === "serving" && await stateOf(stage, 2) === "serving");
    for (let n = 0; n < 20; n++) assertEquals((await empty.get(`k${n}`, { r: 3 })).texts(), [`v${n}`]);
  });
}

Deno.test("persist: false: a restarted node does not count as whole until it has fetched everything back", () =>
  emptyWithoutSource());

Deno.test("planted: a refill that counts a failed copy as made lets an empty node pass for whole", async () => {
  const refiller = { hasHeard: () => true, hasCome: () => true, isVerified: () => true };
  const error = await emptyWithoutSource({ refiller }).then(() => null, (error: unknown) => error);
  assertMatch(String(error), /serving|not-whole/);
});

Deno.test("persist: false: reads at R = 2 never miss an acknowledged write because a node came back empty", () =>
  onStage({ nodes: 3, node: { storage: { persist: false } } }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    const client = await cluster.connect({ to: [0] });
    for (let round = 0; round < 6; round++) {
      const empty = 1 + round % 2;
      const behind = 3 - empty;
      world.network.partition([machine(behind)], [machine(0), machine(empty)]);
      await client.put("k", `v${round}`, { context: (await client.get("k", { timeoutMs: 8_000 })).context });
      cluster.kill(empty);
      world.heal();
      await cluster.start(empty);
      const through = await cluster.connect({ to: [behind] });
      // What waited in the partition is still on its way: read at once, and later.
      for (let read = 0; read < 5; read++) {
        const answer = await through.get("k", { timeoutMs: 300 }).then((got) => got.texts(), () => null);
        if (answer !== null) assertEquals(answer, [`v${round}`]);
        await sleep(20);
      }
      await until(async () => await stateOf(stage, empty) === "serving");
    }
  }));

/** End `index` in good order, do something to its store, and start it. */
async function restart({ cluster }: Stage, index: number, between: () => void): Promise<void> {
  await cluster.stop(index);
  between();
  await cluster.start(index);
}

/** Remove the files of a store, and leave its directory. */
function wipeStore({ world }: Stage, index: number): void {
  const { disk } = world.environment(machine(index));
  for (const name of disk.list("data/memory")) disk.remove(`data/memory/${name}`);
}

/**
 * An acknowledged write that only `lost` and an unreachable third node hold is missed by no read at R = 2 while `lost`
 * says that it is not whole; and `lost` has it again in the end.
 */
async function assertNoticed(stage: Stage, lost: number, lose: () => Promise<void>): Promise<void> {
  const { cluster, world, sleep, until } = stage;
  const behind = 3 - lost;
  const client = await cluster.connect({ to: [0] });
  await client.put("k", "old", { w: 3 });
  // `behind` has the old value only.
  world.network.partition([machine(behind)], [machine(0), machine(lost)]);
  await client.put("k", "new", { context: (await client.get("k", { timeoutMs: 8_000 })).context });
  await lose();
  world.heal();
  world.network.partition([machine(0)], [machine(behind), machine(lost)]);
  assertEquals(await stateOf(stage, lost), "not-whole");
  const through = await cluster.connect({ to: [behind] });
  for (let read = 0; read < 20; read++) {
    const answer = await through.get("k", { timeoutMs: 300 }).then((got) => got.texts(), () => null);
    if (answer !== null) assertEquals(answer, ["new"]);
    await sleep(20);
  }
  assertEquals(await answerOf(stage, through, lost, "k"), "not-whole");
  world.heal();
  await until(async () => await stateOf(stage, lost) === "serving");
  assertEquals(await answerOf(stage, client, lost, "k"), "found");
  assertEquals((await client.get("k", { r: 3 })).texts(), ["new"]);
}

Deno.test("51: a store whose files are gone is noticed though its directory is there", () =>
  onStage(
    { nodes: 3 },
    (stage) => assertNoticed(stage, 2, () => restart(stage, 2, () => wipeStore(stage, 2))),
  ));

Deno.test("51: a wiped store is noticed by every later start until it is whole, wherever a crash interrupts it", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world } = stage;
    const client = await cluster.connect({ to: [0] });
    await client.put("k", "v", { w: 3 });
    world.network.partition([machine(2)], [machine(0), machine(1)]); // nobody to fetch from
    await restart(stage, 2, () => wipeStore(stage, 2));
    for (let life = 0; life < 3; life++) {
      assertEquals(await stateOf(stage, 2), "not-whole");
      cluster.kill(2, { power: true });
      await cluster.start(2);
    }
    world.heal();
    await stage.until(async () => await stateOf(stage, 2) === "serving");
    assertEquals(await answerOf(stage, client, 2, "k"), "found");
    await restart(stage, 2, () => {});
    assertEquals(await stateOf(stage, 2), "serving");
  }));

Deno.test("persist true, false, true: what the store missed while nothing was kept is noticed", () => {
  const storage = { persist: true, engine: "memory" as const };
  return onStage({ nodes: 3, node: { storage } }, async (stage) => {
    const { cluster, until } = stage;
    const client = await cluster.connect({ to: [0, 1] });
    await client.put("k", "older", { w: 3 });
    await restart(stage, 2, () => storage.persist = false);
    assertEquals(await stateOf(stage, 2), "not-whole");
    await until(async () => await stateOf(stage, 2) === "serving");
    assertEquals(await answerOf(stage, client, 2, "k"), "found");
    await assertNoticed(stage, 2, () => restart(stage, 2, () => storage.persist = true));
  });
});

Deno.test("persist: true: a node is whole again as soon as it runs", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster } = stage;
    const client = await cluster.connect({ to: [0] });
    await client.put("k", "v", { w: 3 });
    cluster.kill(2); // with the power its last record may go, torn: then it asks the others first
    await cluster.start(2);
    assertEquals(await stateOf(stage, 2), "serving");
    assertEquals(await answerOf(stage, client, 2, "k"), "found");
  }));

Deno.test("FAULTS 36: a full disk acknowledges nothing, the others serve, and it recovers when there is space", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    const client = await cluster.connect({ to: [0] });
    await client.put("k", "v");
    world.disk(machine(2)).faults.capacityBytes = 0;
    const full = await cluster.connect({ to: [2] });
    for (let n = 0; n < 10; n++) await full.put(`k${n}`, "w", { timeoutMs: 2_000 });
    const error = await failureOf(full.put("j", "w", { w: 3, timeoutMs: 1_000 }));
    assertEquals(error.definite, false);
    assertMatch(await stateOf(stage, 2), /^full: /);
    world.disk(machine(2)).faults.capacityBytes = Infinity;
    await until(async () => await stateOf(stage, 2) === "serving");
    await full.put("j", "x", { w: 3, context: (await full.get("j")).context });
    await sleep(500);
    cluster.kill(2, { power: true });
    await cluster.start(2);
    await until(() => client.get("j", { r: 3 }).then(() => true, () => false));
    assertEquals((await client.get("j", { r: 3 })).texts(), ["x"]);
  }));

Deno.test("FAULTS 38: a failed sync acknowledges nothing, its store's reads do not count, a new process heals it", () =>
  onStage({ nodes: 3, seed: 5 }, async (stage) => {
    const { cluster, world, until } = stage;
    const client = await cluster.connect({ to: [0] });
    await client.put("k", "v");
    world.disk(machine(2)).faults.syncErrorRate = 1;
    const error = await failureOf(
      client.put("k", "w", { w: 3, timeoutMs: 1_000, context: (await client.get("k")).context }),
    );
    assertEquals(error.definite, false);
    assertMatch(await stateOf(stage, 2), /^poisoned: /);
    assertEquals(await answerOf(stage, client, 2, "k"), "not-whole");
    assertEquals((await failureOf(client.get("k", { r: 3, timeoutMs: 1_000 }))).code, "quorum-unmet");
    assertEquals((await client.get("k")).texts(), ["w"]);
    const through = await cluster.connect({ to: [2] });
    await through.put("k2", "v");
    world.disk(machine(2)).faults.syncErrorRate = 0;
    const { actors } = await through.admin("status", {});
    assertEquals(actors.find(({ name }) => name === "replica_store")!.restarts, 0);
    cluster.kill(2, { power: true });
    await cluster.start(2);
    await until(async () => await stateOf(stage, 2) === "serving");
    assertEquals((await client.get("k", { r: 3 })).texts(), ["w"]);
    await client.put("k", "x", { w: 3, context: (await client.get("k")).context });
    assert(cluster.nodes.length === 3);
  }));

Deno.test("FAULTS 49: one slow disk holds nobody up", () =>
  onStage({ nodes: 3, seed: 7 }, async ({ cluster, world }) => {
    Object.assign(world.disk(machine(2)).faults, { syncMinMs: 900, syncMaxMs: 1_000 });
    const client = await cluster.connect({ to: [0, 1] });
    const began = world.now();
    for (let n = 0; n < 20; n++) await client.put(`k${n}`, "v");
    assert(world.now() - began < 200);
  }));
