/**
 * Every actor of the tree crashes in turn while clients work: service goes on, and `status` counts it.
 *
 * @module
 */

import { INTENSITY } from "../../actors/node.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { check } from "./checkers.ts";
import { History } from "./history.ts";
import { onStage } from "./stage.ts";
import { Caller, work, WORKLOAD } from "./workload.ts";

const ACTORS = [
  "ring_manager",
  "replica_store",
  "peers",
  "gossiper",
  "refiller",
  "coordinator",
  "operator",
  "listener",
] as const;

for (const actor of ACTORS) {
  Deno.test(`${actor} crashes under load: service goes on, the restart is counted`, () =>
    onStage({ nodes: 3, seed: 11 }, async ({ cluster, world, sleep, until }) => {
      const history = new History(() => world.now());
      const options = { ...WORKLOAD, calls: 60, pauseMs: 40, timeoutMs: 2_000 };
      const clients = await Promise.all([0, 1, 2].map((index) => {
        const to = [0, 1, 2].map((i) => (i + index) % 3);
        return cluster.connect({ to });
      }));
      const working = Promise.all(clients.map((client, index) => {
        const name = `c${index}`;
        return work(new Caller(name, client, history), name, options, world.random.fork(name), sleep);
      }));
      for (let crash = 0; crash < 3; crash++) {
        await sleep(200);
        cluster.node(crash).crash(actor);
      }
      await working;
      await sleep(1_000);
      for (const key of ["key0", "key1", "key2"]) {
        await new Caller("final", clients[0]!, history).get(key, 2_000, 3);
      }
      assertEquals(check(history.operations), []);
      const failed = history.operations.filter(({ outcome }) => outcome !== "ok");
      assert(failed.length <= 9, `${failed.length} of ${history.operations.length} calls failed`);
      await until(async () => {
        const states = await Promise.all(clients.map((client) => client.admin("status", {})));
        return states.every(({ actors, state }) =>
          state === "serving" && actors.find(({ name }) => name === actor)?.restarts === 1
        );
      });
    }));
}

Deno.test("all actors of a node crash at once: it comes back", () =>
  onStage({ nodes: 3, seed: 12 }, async ({ cluster, sleep }) => {
    const client = await cluster.connect({ to: [0] });
    await client.put("k", "v");
    for (const actor of ACTORS) cluster.node(0).crash(actor);
    await sleep(1_000);
    assertEquals((await client.get("k", { r: 3 })).texts(), ["v"]);
  }));

Deno.test("past the restart intensity the node ends, and says why", () =>
  onStage({ nodes: 3, seed: 13 }, async ({ cluster, sleep }) => {
    const client = await cluster.connect({ to: [0, 1, 2] });
    await client.put("k", "v");
    const node = cluster.node(0);
    let reason = "";
    void node.terminated.then((end) => reason = end.reason);
    for (let crash = 0; crash <= INTENSITY.restarts; crash++) {
      node.crash("coordinator");
      await sleep(1_500);
    }
    assertMatch(reason, /supervisor node gave up: coordinator failed, and 10 restarts within 30000 ms/);
    assertEquals((await client.get("k")).texts(), ["v"]);
    await client.put("k", "w", { context: (await client.get("k")).context });
  }));
