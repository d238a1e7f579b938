/**
 * Nodes that look for each other: joins that cross, and seeds that are away when they are asked.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { Client } from "../../net/client.ts";
import { Node } from "../../net/node.ts";
import { failureOf, onStage, type Stage } from "./stage.ts";

const PORTS = [4001, 4002, 4003];
const SEEDS = PORTS.map((port) => `127.0.0.1:${port}`);

/** A node on the machine of its port. */
async function start({ world }: Stage, port: number, seeds: readonly string[]): Promise<Client> {
  const storage = { path: "data" };
  const options = { logLevel: "silent", partitions: 16, storage, port, seeds } as const;
  await Node.start(options, world.environment(`m${port}`));
  return await reach({ world }, port);
}

let guests = 0;
function reach({ world }: Pick<Stage, "world">, port: number): Promise<Client> {
  return Client.connect(`127.0.0.1:${port}`, { environment: world.environment(`guest${++guests}`) });
}

async function clustersOf(clients: readonly Client[]): Promise<string[]> {
  const states = await Promise.all(clients.map((client) => client.admin("clusterState", {})));
  return states.map(({ clusterId, members }) => `${clusterId} ${members.length}`);
}

for (let seed = 1; seed <= 12; seed++) {
  Deno.test(`three nodes that join each other in a ring at once do not split (seed ${seed})`, () =>
    onStage({ nodes: 1, seed }, async (stage) => {
      const clients = await Promise.all(PORTS.map((port) => start(stage, port, [])));
      const joinAll = () =>
        Promise.all(
          clients.map((client, index) =>
            client.admin("join", { known: SEEDS[(index + 1) % 3]! }, { timeoutMs: 60_000 })
          ),
        );
      for (const outcome of await joinAll()) {
        assert(outcome.ok || outcome.code === "busy", JSON.stringify(outcome));
      }
      // Whoever is left alone asks those who are not.
      const together = (await clustersOf(clients)).findIndex((cluster) => !cluster.endsWith(" 1"));
      const known = SEEDS[Math.max(0, together)]!;
      for (const [index, client] of clients.entries()) {
        if (SEEDS[index] === known || !(await clustersOf([client]))[0]!.endsWith(" 1")) continue;
        const outcome = await client.admin("join", { known }, { timeoutMs: 60_000 });
        assert(outcome.ok, JSON.stringify(outcome));
      }
      await stage.until(async () => new Set(await clustersOf(clients)).size === 1);
      assertMatch((await clustersOf(clients))[0]!, / 3$/);
    }));

  Deno.test(`three nodes with one list of seeds, started at once, become one cluster (seed ${seed})`, () =>
    onStage({ nodes: 1, seed }, async (stage) => {
      const clients = await Promise.all(PORTS.map((port) => start(stage, port, SEEDS)));
      await stage.until(async () => (await clustersOf(clients)).every((cluster) => cluster.endsWith(" 3")));
      assertEquals(new Set(await clustersOf(clients)).size, 1);
      await stage.until(() => clients[2]!.put("k", "v").then(() => true, () => false));
    }));
}

Deno.test("while its seeds are away a node takes no writes and lets nobody in, and says that it is joining", () =>
  onStage({ nodes: 1 }, async (stage) => {
    const second = await start(stage, 4002, SEEDS);
    const third = await start(stage, 4003, SEEDS);
    await stage.sleep(20_000);
    for (const client of [second, third]) {
      assertEquals((await client.admin("status", {})).state, "joining");
      const error = await failureOf(client.put("lost", "?", { timeoutMs: 1_000 }));
      assertEquals([error.code, error.definite], ["ring-changing", true]);
    }
    await start(stage, 4001, SEEDS);
    await stage.until(async () =>
      (await clustersOf([second, third])).every((cluster) => cluster.endsWith(" 3"))
    );
    await stage.until(() => third.put("k", "v").then(() => true, () => false));
  }));

Deno.test("a founder that lost its disk does not found a second cluster", () =>
  onStage({ nodes: 1 }, async (stage) => {
    const [, second] = await Promise.all(PORTS.map((port) => start(stage, port, SEEDS)));
    await stage.until(async () => (await clustersOf([second!]))[0]!.endsWith(" 3"));
    await stage.until(() => second!.put("k", "v").then(() => true, () => false));
    stage.world.killNode("m4001");
    stage.world.disk("m4001").wipe();
    const founder = await start(stage, 4001, SEEDS);
    await stage.sleep(20_000);
    assertEquals((await founder.admin("status", {})).state, "joining");
    assertEquals((await failureOf(founder.put("k", "w", { timeoutMs: 1_000 }))).code, "ring-changing");
    assertEquals((await second!.get("k")).texts(), ["v"]);
  }));

Deno.test("a store without its node's journal is not opened under a new name", () =>
  onStage({ nodes: 1 }, async (stage) => {
    const client = await start(stage, 4001, []);
    await client.put("k", "v");
    stage.world.killNode("m4001");
    const { disk } = stage.world.environment("m4001");
    for (const name of disk.list("data/node")) disk.remove(`data/node/${name}`);
    await assertRejects(() => start(stage, 4001, []), Error, "has lost whose");
  }));
