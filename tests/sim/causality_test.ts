/**
 * FAULTS 23 to 32 and 35, seen by clients of a whole cluster.
 *
 * @module
 */

import { decodeContext, encodeContext } from "../../actors/replica_store/context.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import { failureOf, machine, onStage, type Stage } from "./stage.ts";

const play = (name: string, test: (stage: Stage, client: Client) => Promise<void>) =>
  Deno.test(
    name,
    () => onStage({ nodes: 3 }, async (stage) => await test(stage, await stage.cluster.connect())),
  );

async function clusterIdOf(client: Client): Promise<string> {
  return (await client.admin("clusterState", {})).clusterId;
}

async function refusedAs(code: string, call: Promise<unknown>): Promise<void> {
  const error = await failureOf(call);
  assertEquals({ code: error.code, definite: error.definite }, { code, definite: true });
}

play("FAULTS 23: a context from another key is refused, and nothing is written", async (_, client) => {
  await client.put("a", "1");
  await client.put("b", "1");
  const { context } = await client.get("a");
  await refusedAs("bad-context", client.put("b", "2", { context }));
  await refusedAs("bad-context", client.del("b", { context }));
  assertEquals((await client.get("b", { r: 3 })).texts(), ["1"]);
});

play("FAULTS 24: a flipped bit anywhere in a context, or a byte less, is refused", async (_, client) => {
  await client.put("a", "1");
  const { context } = await client.get("a");
  for (let at = 0; at < context.length; at++) {
    const flipped = context.slice();
    flipped[at]! ^= 1 << at % 8;
    await refusedAs("bad-context", client.put("a", "2", { context: flipped }));
    if (at > 0) await refusedAs("bad-context", client.put("a", "2", { context: context.slice(0, at) }));
  }
  assertEquals((await client.get("a", { r: 3 })).texts(), ["1"]);
});

play(
  "FAULTS 25: a context may name actors that the store has never met, as many as a write may add",
  async (_, client) => {
    const key = encodeUtf8("a");
    const clusterId = await clusterIdOf(client);
    const clock = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ actor: `${n}`.padStart(32, "0"), counter: 7 }));
    await client.put("a", "1", { context: encodeContext(clock(100), key, clusterId) });
    assertEquals((await client.get("a", { r: 3 })).texts(), ["1"]);
    const most = encodeContext(clock(LIMITS.mintClockEntries), key, clusterId);
    await refusedAs("too-large", client.put("a", "2", { context: most }));
  },
);

play(
  "FAULTS 26: a counter above what a node issued is refused with an alarm; the next write goes through",
  async ({ cluster }, client) => {
    await client.put("a", "1");
    const clusterId = await clusterIdOf(client);
    const { context } = await client.get("a");
    const clock = decodeContext(context, encodeUtf8("a"), clusterId)!;
    const ahead = clock.map(({ actor, counter }) => ({ actor, counter: counter + 1_000_000 }));
    await refusedAs(
      "bad-context",
      client.put("a", "2", { context: encodeContext(ahead, encodeUtf8("a"), clusterId) }),
    );
    const alarms = await Promise.all(cluster.nodes.map(async (_, index) => {
      await using asked = await cluster.connect({ to: [index] });
      return (await asked.admin("status", {})).store.alarms;
    }));
    assertEquals(alarms.reduce((sum, count) => sum + count), 1);
    await client.put("a", "3", { context });
    assertEquals((await client.get("a", { r: 3 })).texts(), ["3"]);
  },
);

play("FAULTS 27: a vector of 100,000 entries is refused", async (_, client) => {
  const entries = Array.from(
    { length: 100_000 },
    (_, n) => ({ actor: n.toString(16).padStart(32, "0"), counter: 1 }),
  );
  const context = encodeContext(entries, encodeUtf8("a"), await clusterIdOf(client));
  const { definite } = await failureOf(client.put("a", "1", { context }));
  assert(definite);
  await client.put("a", "1");
});

play(
  "FAULTS 28: blind writes stop at the sibling cap with an error; none is dropped, one resolves them",
  async (_, client) => {
    for (let n = 0; n < LIMITS.siblings; n++) await client.put("a", `${n}`);
    await refusedAs("too-many-siblings", client.put("a", "one more"));
    const { values, context } = await client.get("a", { r: 3 });
    assertEquals(values.length, LIMITS.siblings);
    await client.put("a", "resolved", { context });
    assertEquals((await client.get("a", { r: 3 })).texts(), ["resolved"]);
  },
);

play(
  "FAULTS 29: a stale context after a delete makes a sibling, and nothing is resurrected",
  async (_, client) => {
    await client.put("a", "1");
    const stale = (await client.get("a")).context;
    await client.del("a", { context: stale });
    assertEquals((await client.get("a")).texts(), []);
    await client.put("a", "2", { context: stale });
    assertEquals((await client.get("a", { r: 3 })).texts(), ["2"]);
  },
);

play(
  "FAULTS 30: a write that times out is told as unknown, never as failed",
  async ({ world, cluster, sleep }) => {
    const client = await cluster.connect({ to: [0] });
    await client.put("a", "1");
    world.network.partition([machine(0)], [machine(1), machine(2)]);
    const began = world.now();
    const error = await failureOf(client.put("a", "2", { timeoutMs: 1_000 }));
    assertEquals({ code: error.code, definite: error.definite }, { code: "timeout", definite: false });
    assertMatch(error.message, /1 of the 2 replicas needed acknowledged the write in time/);
    assert(world.now() - began <= 1_100, "the node answers at the deadline");
    assertEquals((await failureOf(client.get("a", { timeoutMs: 500 }))).code, "timeout");
    world.heal();
    await sleep(1_000);
    assertEquals((await client.get("a", { r: 3 })).texts().sort(), ["1", "2"]);
  },
);

play("FAULTS 32: one context used twice through one node makes two siblings", async (_, client) => {
  await client.put("a", "1");
  const { context } = await client.get("a");
  await client.put("a", "2", { context });
  await client.put("a", "3", { context });
  assertEquals((await client.get("a", { r: 3 })).texts().sort(), ["2", "3"]);
});

play(
  "RLDB's transcript: siblings and their resolution, with RLDB's checksums",
  async ({ cluster }, client) => {
    for (const [node, value] of ["bar1", "bar2", "bar3"].entries()) {
      await using at = await cluster.connect({ to: [node] });
      await at.put("foo2", value);
    }
    const { checksums, context } = await client.get("foo2", { r: 3 });
    assertEquals([...checksums].sort(), [1093081014, 1383588930, 3008140469]);
    await client.put("foo2", "conflicts_resolved", { context });
    assertEquals((await client.get("foo2")).checksums, [3289643150]);
  },
);

play(
  "FAULTS 35: a node stopped for 60 s is missed, comes back, and serves nothing stale as fresh",
  async ({ world, cluster, sleep, until }) => {
    const at = (index: number) => cluster.connect({ to: [index] });
    const [first, stopped] = [await at(0), await at(2)];
    await first.put("a", "old");
    world.pauseNode(machine(2));
    const { context } = await first.get("a");
    await first.put("a", "new", { context });
    await until(async () => (await first.admin("status", {})).alive === 2);
    await sleep(50_000);
    world.resumeNode(machine(2));
    assertEquals((await stopped.get("a", { timeoutMs: 10_000 })).texts(), ["new"]);
    await until(async () => {
      const states = await Promise.all([first, stopped].map((client) => client.admin("status", {})));
      return states.every(({ alive, state }) => alive === 3 && state === "serving");
    });
    assertEquals((await first.get("a", { r: 3 })).texts(), ["new"]);
  },
);
