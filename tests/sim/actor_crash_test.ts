/**
 * Every actor of the tree crashes in turn while clients work: service goes on, and `status` counts it.
 *
 * @module
 */

import { INTENSITY } from "../../actors/node.ts";
import type { NodeCores } from "../../net/node_options.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { check } from "./checkers.ts";
import { History } from "./history.ts";
import { planOf } from "./plan.ts";
import { endingOf } from "./scenario.ts";
import { onStage } from "./stage.ts";
import { Caller, work } from "./workload.ts";

const QUORUM = { n: 3, r: 2, w: 2 };

/** Tombstones are collected soon: at the end none may be left. */
const SOON: NodeCores = { collector: { everyMs: () => 500, waitMs: () => 2_000 } };

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
    onStage({ nodes: 3, seed: 11, cores: SOON }, async ({ cluster, world, sleep, until }) => {
      const history = new History(() => world.now());
      const startMs = world.now();
      const plan = { ...planOf(11, { nodes: 3, faults: [] }), quorum: QUORUM };
      const clients = await Promise.all(plan.clients.map((_, index) => {
        const to = [0, 1, 2].map((i) => (i + index) % 3);
        return cluster.connect({ to });
      }));
      // Ten times as fast as planned.
      const sleepUntil = (atMs: number) => sleep(startMs + atMs / 10 - world.now());
      const working = Promise.all(plan.clients.map((calls, index) => {
        const name = `c${index}`;
        return work(new Caller(name, clients[index]!, history, QUORUM), name, calls, 2_000, sleepUntil);
      }));
      for (let crash = 0; crash < 3; crash++) {
        await sleep(200);
        cluster.node(crash).crash(actor);
      }
      await working;
      await sleep(1_000);
      const ending = await endingOf(plan, cluster, history);
      const evidence = { n: 3, losses: false, starts: 6, operations: history.operations, ending };
      assertEquals(check(evidence), []);
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
