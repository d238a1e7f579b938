/**
 * Tombstones go once nothing older can come back (FAULTS 61), and nothing does (Riak's doomstone).
 *
 * @module
 */

import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import type { NodeCores } from "../../net/node.ts";
import { machine, onStage, others, replicasOf, type Stage } from "./stage.ts";

/** Rounds that come often, and do not wait for requests that these tests do not make. */
const SOON: NodeCores = { collector: { everyMs: () => 500, waitMs: () => 2_000 } };
const NODES = 3;

const client = ({ cluster }: Stage, index = 0): Promise<Client> => cluster.connect({ to: [index] });

/** How many replicas hold anything under a key. */
async function held(one: Client, key: string): Promise<number> {
  const { replicas } = await one.admin("explain", { key: encodeUtf8(key), timeoutMs: 1_000 });
  return replicas.filter(({ answer }) => answer !== "missing").length;
}

/** Write keys and delete them with what was read. */
async function bury(one: Client, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await one.put(key, `old ${key}`, { w: 3 });
    const { context } = await one.get(key, { r: 3 });
    await one.del(key, { context });
  }
}

const KEYS = Array.from({ length: 10 }, (_, n) => `k${n}`);

async function areGone(one: Client, keys: readonly string[]): Promise<boolean> {
  for (const key of keys) if (await held(one, key) > 0) return false;
  return true;
}

Deno.test("a deleted key takes no place once all owners have heard of it, and can be written again", () =>
  onStage({ nodes: NODES, cores: SOON }, async (stage) => {
    await using one = await client(stage);
    await bury(one, KEYS);
    await stage.until(() => areGone(one, KEYS));
    const { store, collection } = await one.admin("status", {});
    assertEquals(store.tombstones.known, 0);
    assert(store.tombstones.collected > 0 && collection.sealed > 0 && collection.isSure);
    await one.put("k0", "new", { w: 3 });
    assertEquals((await one.get("k0", { r: 3 })).texts(), ["new"]);
    assertEquals((await one.get("k1", { r: 3 })).texts(), []);
  }));

Deno.test("61: while a node is away nothing is collected, however long, and nothing comes back with it", () =>
  onStage({ nodes: NODES, cores: SOON }, async (stage) => {
    const { cluster, sleep, until } = stage;
    await using one = await client(stage);
    for (const key of KEYS) await one.put(key, `old ${key}`, { w: 3 });
    cluster.kill(2);
    for (const key of KEYS) await one.del(key, { context: (await one.get(key)).context });
    await sleep(300_000);
    const { store, collection } = await one.admin("status", {});
    assertEquals([store.tombstones, collection.sealed], [{ known: KEYS.length, collected: 0 }, 0]);
    const { members } = await one.admin("clusterState", {});
    const away = members.find(({ address }) => address.endsWith(":3003"))!;
    assertEquals(collection.waitedFor, [away.id], "and it is said who is waited for");
    await cluster.start(2);
    await until(() => areGone(one, KEYS));
    await sleep(60_000);
    for (const key of KEYS) assertEquals((await one.get(key, { r: 3 })).texts(), []);
    assert(await areGone(one, KEYS));
  }));

Deno.test("61: removed by force it is waited for no longer; what it held is collected, and it is refused", () =>
  onStage({ nodes: NODES + 1, cores: SOON }, async (stage) => {
    const { cluster, sleep, until } = stage;
    await using one = await client(stage);
    for (const key of KEYS) await one.put(key, `old ${key}`, { w: 3 });
    const lost = cluster.node(3).id;
    cluster.kill(3);
    for (const key of KEYS) await one.del(key, { context: (await one.get(key)).context });
    await sleep(60_000);
    assertEquals((await one.admin("status", {})).store.tombstones.collected, 0);
    const outcome = await one.admin("forceRemove", { id: lost, alive: true });
    assert(outcome.ok, JSON.stringify(outcome));
    await until(async () => (await one.admin("status", {})).members === NODES);
    await until(() => areGone(one, KEYS));
    const returned = await cluster.start(3).then(() => cluster.node(3).terminated, (error: Error) => error);
    assertMatch("reason" in returned ? returned.reason : returned.message, /removed/);
    for (const key of KEYS) assertEquals((await one.get(key, { r: 3 })).texts(), []);
  }));

Deno.test("a directory that is put back brings back nothing that was deleted and forgotten", () =>
  onStage({ nodes: NODES, cores: SOON }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    await using one = await client(stage);
    for (const key of [...KEYS, "kept"]) await one.put(key, `old ${key}`, { w: 3 });
    cluster.kill(2);
    const old = world.disk(machine(2)).snapshot();
    await cluster.start(2);
    for (const key of KEYS) await one.del(key, { context: (await one.get(key)).context });
    await until(() => areGone(one, KEYS));
    cluster.kill(2);
    world.disk(machine(2)).restore(old);
    await cluster.start(2);
    await using two = await client(stage, 2);
    await until(async () => (await two.admin("status", {})).state === "serving");
    await sleep(10_000);
    assert(await areGone(one, KEYS));
    assertEquals(await held(one, "kept"), NODES);
    const { suspects } = (await two.admin("status", {})).store;
    assertEquals(suspects, 0);
  }));

Deno.test("doomstone: a hint from a directory that was put back is refused and forgotten", () =>
  onStage({ nodes: 4, cores: SOON }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    await using guide = await client(stage);
    const primaries = await replicasOf(guide, "k");
    const [keeper] = others(4, ...primaries);
    const [target, other] = primaries;
    await using one = await client(stage, other);
    cluster.kill(target!);
    await one.put("k", "old", { w: 3 });
    cluster.kill(keeper!);
    const old = world.disk(machine(keeper!)).snapshot();
    await cluster.start(keeper!);
    await cluster.start(target!);
    const { context } = await (async () => {
      await until(async () => await held(one, "k") === 3);
      return await one.get("k", { r: 3 });
    })();
    await one.del("k", { context, w: 3 });
    await until(() => areGone(one, ["k"]));
    cluster.kill(keeper!);
    world.disk(machine(keeper!)).restore(old);
    await cluster.start(keeper!);
    await using two = await client(stage, keeper);
    await until(async () => (await two.admin("status", {})).hints.outdated === 1);
    await sleep(5_000);
    assert(await areGone(one, ["k"]));
    assertEquals((await one.get("k", { r: 3 })).texts(), []);
  }));

/** Hints stay where they are. */
const KEPT: NodeCores = { ...SOON, handoff: { recipientsOf: () => ["ff".repeat(16)] } };

Deno.test("while hints are held nothing is sealed, and none is refused where it belongs", () =>
  onStage({ nodes: 4, cores: KEPT }, async (stage) => {
    const { cluster, sleep, until } = stage;
    await using guide = await client(stage);
    const primaries = await replicasOf(guide, "k");
    const [target, other] = primaries;
    await using one = await client(stage, other);
    cluster.kill(target!);
    await one.put("k", "new", { w: 3 });
    await cluster.start(target!);
    await using two = await client(stage, target);
    await until(async () => (await two.admin("status", {})).state === "serving");
    await until(() => bury(one, KEYS).then(() => true, () => false));
    await sleep(20_000);
    const { collection, store } = await one.admin("status", {});
    assertEquals([collection.sealed, store.tombstones.collected], [0, 0]);
    assert(collection.announced > 0, "rounds have begun");
    const all = await Promise.all([0, 1, 2, 3].map((index) => says(stage, index)));
    assert(all.some((words) => /not all members could close|waiting for requests/.test(words)), `${all}`);
  }));

async function says(stage: Stage, index: number): Promise<string> {
  await using one = await client(stage, index);
  return (await one.admin("status", {})).collection.says;
}

Deno.test("a new member mints at once where nothing was collected, and soon where something was", () =>
  onStage({ nodes: NODES, cores: SOON }, async (stage) => {
    await using one = await client(stage);
    await bury(one, KEYS);
    await stage.until(() => areGone(one, KEYS));
    for (const index of [0, 1, 2]) {
      await using other = await client(stage, index);
      await other.put(`from ${index}`, "v", { w: 3 });
      assertEquals((await other.admin("status", {})).collection.isSure, true);
    }
  }));
