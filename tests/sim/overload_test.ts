/**
 * More work than can be done: FAULTS 63.
 *
 * @module
 */

import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { Simulation } from "../../actors/simulated/simulation.ts";
import { CLIENT_CORE, type ClientCore } from "../../net/client_calls.ts";
import type { Client } from "../../net/client.ts";
import type { ClusterOptions } from "../../net/cluster.ts";
import { Window } from "../../net/window.ts";
import { machine, onStage, type Stage } from "./stage.ts";

type StageNode = NonNullable<ClusterOptions["node"]>;

/** What became of many writes at once. */
interface Burst {
  /** Keys that were acknowledged. */
  readonly acknowledged: string[];
  /** Keys that certainly were not written. */
  readonly refused: string[];
  /** How many ended in each way: `ok`, or the code and `definite`. */
  readonly ends: Map<string, number>;
  /** How long the slowest of those that were refused as overloaded took to hear of it. */
  slowestRefusalMs: number;
}

/** `each` writes of every client, all at once. */
async function burst(
  world: Simulation,
  clients: readonly Client[],
  each: number,
  { timeoutMs, value = encodeUtf8("v") }: { readonly timeoutMs: number; readonly value?: Uint8Array },
): Promise<Burst> {
  const result: Burst = { acknowledged: [], refused: [], ends: new Map(), slowestRefusalMs: 0 };
  const began = world.now();
  const write = (client: Client, key: string) =>
    new Promise<void>((resolve) => {
      client.submitPut(encodeUtf8(key), value, { timeoutMs }, (outcome) => {
        const end = outcome.ok ? "ok" : `${outcome.code} ${outcome.definite}`;
        result.ends.set(end, (result.ends.get(end) ?? 0) + 1);
        if (outcome.ok) result.acknowledged.push(key);
        else if (outcome.definite) result.refused.push(key);
        if (end === "overloaded true") result.slowestRefusalMs = world.now() - began;
        resolve();
      });
    });
  await Promise.all(
    clients.flatMap((client, index) =>
      Array.from({ length: each }, (_, n) => write(client, `${Math.round(began)}/${index}/${n}`))
    ),
  );
  return result;
}

function slowDisks(world: Simulation, syncMs: number): void {
  for (const index of [0, 1, 2]) {
    Object.assign(world.disk(machine(index)).faults, { syncMinMs: syncMs, syncMaxMs: syncMs });
  }
}

/** How many of a thousand of these keys are missing, or are there and should not be. */
async function wrong(client: Client, keys: readonly string[], shouldBe: "there" | "absent"): Promise<number> {
  const every = Math.ceil(keys.length / 1_000);
  const some = keys.filter((_, index) => index % every === 0);
  const found = await Promise.all(some.map((key) => client.get(key, { timeoutMs: 60_000 })));
  return found.filter(({ values }) => (values.length > 0) !== (shouldBe === "there")).length;
}

const CLIENTS = 17;

/** Clients of one node that have earned as many requests under way as a connection may have. */
async function wellKnown({ cluster, world }: Stage): Promise<Client[]> {
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => cluster.connect({ to: [0, 1, 2] })),
  );
  await burst(world, clients, LIMITS.requestsPerConnection / 2, { timeoutMs: 5_000 });
  return clients;
}

/** Disks become slow, and there is far too much to do. Then the power goes; what was kept, what was dropped? */
async function overload(node: StageNode): Promise<Burst & { dropped: number; done: number }> {
  const { promise, resolve } = Promise.withResolvers<Burst & { dropped: number; done: number }>();
  await onStage({ nodes: 3, node }, async (stage) => {
    const { cluster, world, until } = stage;
    const clients = await wellKnown(stage);
    slowDisks(world, 2_000);
    const load = await burst(world, clients, LIMITS.requestsPerConnection, { timeoutMs: 10_000 });
    for (const index of [0, 1, 2]) cluster.kill(index, { power: true });
    slowDisks(world, 0.2);
    for (const index of [0, 1, 2]) await cluster.start(index);
    const client = await cluster.connect();
    await until(() => client.get("k", { timeoutMs: 1_000 }).then(() => true, () => false));
    const dropped = await wrong(client, load.acknowledged, "there");
    resolve({ ...load, dropped, done: await wrong(client, load.refused, "absent") });
  });
  return await promise;
}

Deno.test("FAULTS 63: too much is refused at once and may be tried again; what is acknowledged stays", async () => {
  const { ends, acknowledged, refused, slowestRefusalMs, dropped, done } = await overload({});
  assertEquals([...ends.keys()].sort(), ["ok", "overloaded true"]);
  assert(refused.length >= CLIENTS * LIMITS.requestsPerConnection - LIMITS.requestsInFlight);
  assert(slowestRefusalMs < 100, `told after ${slowestRefusalMs} ms`);
  assert(acknowledged.length > 0);
  assertEquals([dropped, done], [0, 0]);
});

Deno.test("FAULTS 63: planted bug, acknowledged before the sync: it is dropped with the power", async () => {
  assert((await overload({ storage: { sync: "never" } })).dropped > 0);
});

Deno.test("FAULTS 63: bytes that wait for a disk are bounded too: past that a write is refused, and may be tried again", () =>
  onStage({ nodes: 3 }, async ({ cluster, world, sleep }) => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => cluster.connect({ to: [0] })));
    await burst(world, clients, 1, { timeoutMs: 5_000 });
    slowDisks(world, 4_000);
    const value = new Uint8Array(1 << 20);
    const { ends, acknowledged, refused } = await burst(world, clients, 6, { timeoutMs: 20_000, value });
    assert((ends.get("overloaded true") ?? 0) > 0, JSON.stringify([...ends]));
    assert(acknowledged.length > 0);
    slowDisks(world, 0.2);
    await sleep(5_000);
    assertEquals(await wrong(clients[0]!, acknowledged, "there"), 0);
    assertEquals(await wrong(clients[0]!, refused, "absent"), 0);
  }));

Deno.test("FAULTS 63: overload is over with the load: nobody has to ask before the next request goes through", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world, sleep } = stage;
    const clients = await wellKnown(stage);
    slowDisks(world, 4_000);
    const { ends } = await burst(world, clients, LIMITS.requestsPerConnection, { timeoutMs: 1_000 });
    assert((ends.get("overloaded true") ?? 0) > 0);
    slowDisks(world, 0.2);
    await sleep(5_000);
    for (const client of [clients[0]!, await cluster.connect({ to: [0] })]) {
      const began = world.now();
      await client.put("next", "v", { timeoutMs: 100 });
      assert(world.now() - began < 10, `${world.now() - began} ms`);
    }
    assertEquals((await clients[0]!.admin("status", {})).coordinator.inFlight, 0);
  }));

/** Twelve thousand writes through one new connection, far too slow; then a minute for whatever is still done. */
async function flood(core: ClientCore): Promise<{ refused: number; wrongly: number; done: number }> {
  const { promise, resolve } = Promise.withResolvers<{ refused: number; wrongly: number; done: number }>();
  await onStage({ nodes: 3 }, async ({ cluster, world, sleep }) => {
    const client = await cluster.connect({ to: [0], core });
    await sleep(2_000);
    slowDisks(world, 500);
    const { refused } = await burst(world, [client], 12_000, { timeoutMs: 1_000 });
    await sleep(60_000);
    const { coordinator } = await client.admin("status", {});
    slowDisks(world, 0.2);
    const wrongly = await wrong(client, refused, "absent");
    resolve({ refused: refused.length, wrongly, done: coordinator.puts });
  });
  return await promise;
}

Deno.test("FAULTS 63: a client keeps to itself what a node would not read yet: no work is done in vain", async () => {
  const { refused, wrongly, done } = await flood(CLIENT_CORE);
  assert(done < 200, `${done} done`);
  assert(refused > 11_000);
  assertEquals(wrongly, 0);
});

Deno.test("FAULTS 63: planted bug, it sends all it has: writes are done long after they were given up", async () => {
  class Wide extends Window {
    override get size(): number {
      return Infinity;
    }
  }
  const { done } = await flood({ ...CLIENT_CORE, window: () => new Wide() });
  assert(done > 5_000, `${done} done`);
});

Deno.test("FAULTS 63: nodes far too slow for their clients: nothing acknowledged is dropped, nothing refused is done", () =>
  onStage({ nodes: 3 }, async ({ cluster, world, sleep }) => {
    const clients = await Promise.all(
      Array.from({ length: 60 }, (_, index) => cluster.connect({ to: [index % 3] })),
    );
    await sleep(2_000);
    for (const index of [0, 1, 2]) world.slowNode(machine(index), 12);
    const acknowledged: string[] = [];
    const refused: string[] = [];
    const until = world.now() + 5_000;
    await Promise.all(clients.map(async (client, index) => {
      for (let n = 0; world.now() < until; n++) {
        const key = `${index}/${n}`;
        const refuse = ({ definite }: { readonly definite: boolean }) => void (definite && refused.push(key));
        await client.put(key, "v", { timeoutMs: 700 }).then(() => void acknowledged.push(key), refuse);
      }
    }));
    await sleep(5_000);
    const began = world.now();
    await clients[0]!.put("next", "v"); // as slow as ever, with nobody in front of it
    assert(world.now() - began < 300, `${world.now() - began} ms`);
    for (const index of [0, 1, 2]) world.slowNode(machine(index), 0);
    assert(acknowledged.length > 0 && refused.length > 0, `${acknowledged.length}, ${refused.length}`);
    assertEquals(await wrong(clients[0]!, acknowledged, "there"), 0);
    assertEquals(await wrong(clients[0]!, refused, "absent"), 0);
    const { members } = await clients[0]!.admin("clusterState", {});
    for (const { liveness } of members) assertEquals(liveness, "alive");
  }));
