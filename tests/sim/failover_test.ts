import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import type { Ring } from "../../actors/ring_manager/ring.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import type { Cluster } from "../../net/cluster.ts";
import { failureOf, machine, onStage, others, replicasOf, type Stage } from "./stage.ts";

/** Of five nodes, the three primaries of `k` and the two that are none. */
async function cast(
  { cluster }: Stage,
): Promise<{ guide: Client; primaries: number[]; strangers: number[] }> {
  const guide = await cluster.connect();
  const primaries = await replicasOf(guide, "k");
  return { guide, primaries, strangers: others(5, ...primaries) };
}

/** Which of the nodes coordinates or has coordinated a put. */
async function coordinatorOf(cluster: Cluster, among: readonly number[]): Promise<number> {
  for (const index of among) {
    await using client = await cluster.connect({ to: [index] });
    const { coordinator } = await client.admin("status", {});
    if (coordinator.puts + coordinator.inFlight > 0) return index;
  }
  throw new Error("nobody coordinates the put");
}

async function assertOneSibling(client: Client): Promise<void> {
  assertEquals((await client.get("k", { r: 3 })).texts(), ["v"]);
  const { replicas } = await client.admin("explain", { key: encodeUtf8("k"), timeoutMs: 1_000 });
  for (const { siblings } of replicas) assertEquals(siblings.length, 1);
}

Deno.test("a write in doubt is not called failed by the next node that the client tries", () =>
  onStage({ nodes: 5 }, async (stage) => {
    const { cluster, world, sleep } = stage;
    const { primaries, strangers: [first, second] } = await cast(stage);
    const client = await cluster.connect({ to: [first!, second!], environment: world.environment("alice") });
    world.network.cut(machine(first!), "alice");
    const put = failureOf(client.put("k", "v"));
    await sleep(100); // it is stored, and the answer is stuck
    for (const primary of primaries) cluster.kill(primary);
    await sleep(500);
    cluster.kill(first!);
    assertEquals((await put).definite, false);
    for (const index of [...primaries, first!]) await cluster.start(index);
    await sleep(3_000);
    await assertOneSibling(client);
  }));

for (const trouble of ["killed", "stopped"]) {
  Deno.test(`FAULTS 31: a put whose coordinator is ${trouble} is taken over, and is one sibling`, () =>
    onStage({ nodes: 5, seed: 5 }, async (stage) => {
      const { cluster, world, sleep } = stage;
      const { primaries, strangers } = await cast(stage);
      const client = await cluster.connect({ to: [strangers[0]!] });
      for (const primary of primaries) world.network.cut(machine(primary), machine(strangers[0]!));
      const put = client.put("k", "v");
      await sleep(20); // a primary has minted it, and cannot say so
      const holder = await coordinatorOf(cluster, primaries);
      if (trouble === "killed") cluster.kill(holder);
      else world.pauseNode(machine(holder));
      for (const primary of others(5, holder)) world.network.mend(machine(primary), machine(strangers[0]!));
      await put;
      const { coordinator } = await client.admin("status", {});
      assert(coordinator.failovers > 0, "nobody took over");
      world.heal();
      if (trouble === "killed") await cluster.start(holder);
      await sleep(3_000);
      await assertOneSibling(client);
    }));
}

Deno.test("FAULTS 31: a put that its client sends again through another node is one sibling", () =>
  onStage({ nodes: 5, seed: 6 }, async (stage) => {
    const { cluster, world, sleep } = stage;
    const { primaries: [first, second] } = await cast(stage);
    const client = await cluster.connect({ to: [first!, second!], environment: world.environment("alice") });
    world.network.cut(machine(first!), "alice");
    const put = client.put("k", "v", { timeoutMs: 10_000 });
    await sleep(100);
    cluster.kill(first!); // its answer and the news of its death are stuck: the client gives it up by itself
    await put;
    world.heal();
    await cluster.start(first!);
    await sleep(3_000);
    await assertOneSibling(client);
  }));

Deno.test("a put is taken over though the link to the first primary loses everything", () =>
  onStage({ nodes: 5, seed: 7 }, async (stage) => {
    const { cluster, world, sleep } = stage;
    const { primaries, strangers } = await cast(stage);
    const client = await cluster.connect({ to: [strangers[0]!] });
    for (const primary of primaries.slice(0, 2)) {
      world.network.link(machine(strangers[0]!), machine(primary)).lossRate = 1;
    }
    await client.put("k", "v");
    world.heal();
    await sleep(3_000);
    await assertOneSibling(client);
  }));

Deno.test("a put forwarded under ring disagreement is never forwarded twice", () => {
  // Each time a coordinator asks, others are the primaries: no two of them ever agree.
  let turn = 0;
  const preferenceList = ({ members }: Ring) => {
    turn++;
    return [0, 1, 2].map((i) => members[(turn + i) % 5]!);
  };
  return onStage({ nodes: 5, cores: { coordinator: { preferenceList } } }, async ({ cluster }) => {
    const clients = await Promise.all(others(5).map((index) => cluster.connect({ to: [index] })));
    const forwarded = async () => {
      const all = await Promise.all(clients.map((client) => client.admin("status", {})));
      return all.map(({ coordinator }) => coordinator.forwarded);
    };
    for (let round = 0; round < 10; round++) {
      const before = await forwarded();
      await clients[round % 5]!.put("k", "v", { timeoutMs: 1_000 }).catch((error) => error);
      const after = await forwarded();
      after.forEach((count, index) => {
        if (index !== round % 5) assertEquals(count, before[index], "who was sent the put sent it on");
        else assert(count - before[index]! <= 3);
      });
    }
  });
});
