/**
 * What a client refuses before it asks anybody, and whom it does not ask.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { Client } from "../../net/client.ts";
import { Node } from "../../net/node.ts";
import { failureOf, onStage } from "./stage.ts";

Deno.test("a client does not fail over to a node of another cluster", () =>
  onStage({ nodes: 1 }, async ({ cluster, world }) => {
    const options = { logLevel: "silent", port: 4001, storage: { path: "data" } } as const;
    const stranger = await Node.start(options, world.environment("stranger"));
    const environment = world.environment("alice");
    const client = await Client.connect([cluster.node(0).address, stranger.address], { environment });
    await client.put("k", "v");
    cluster.kill(0);
    await failureOf(client.get("k", { timeoutMs: 3_000 }));
    await cluster.start(0);
    assertEquals((await client.get("k")).texts(), ["v"]);
  }));

Deno.test("a client refuses what makes no sense before it is sent, once, and goes on", () =>
  onStage({ nodes: 3 }, async ({ cluster }) => {
    const client = await cluster.connect();
    for (const count of [0, -1, 1.5, 257, NaN, Infinity, 2 ** 40]) {
      for (const call of [client.put("k", "v", { w: count }), client.get("k", { r: count })]) {
        const { code, definite, message } = await failureOf(call);
        assertEquals([code, definite], ["bad-request", true]);
        assertMatch(message, /[rw] = /);
      }
    }
    const long = await failureOf(client.put("k".repeat(70_000), "v"));
    assert(long.code === "too-large" && long.message.includes("70000"), long.message);
    assertEquals((await failureOf(client.del("k".repeat(65_539)))).code, "too-large");
    assertEquals((await failureOf(client.put("", "v"))).code, "bad-request");
    await assertRejects(
      () => client.get(undefined as unknown as string),
      TypeError,
      "expected bytes or text",
    );
    await assertRejects(() => client.put("\ud800", "v"), TypeError, "lone surrogate");
    await client.put("k", "v");
    assertEquals((await client.get("k")).texts(), ["v"]);
  }));
