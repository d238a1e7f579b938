/**
 * Joining, and what a member does with a ring that is not its own: FAULTS 52 to 57 as far as joins go.
 *
 * @module
 */

import { acceptorOf, onPrepare, unchanged } from "../../actors/ring_manager/commit.ts";
import { decodeAcceptor, encodeAcceptor } from "../../actors/ring_manager/commit_codec.ts";
import { plan } from "../../actors/ring_manager/plan.ts";
import { partitionOf, type Ring } from "../../actors/ring_manager/ring.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { Client } from "../../net/client.ts";
import { Node, type NodeOptions } from "../../net/node.ts";
import { openNodeJournal } from "../../storage/node_journal.ts";
import { failureOf, machine, onStage, type Stage } from "./stage.ts";

const BASE: NodeOptions = { logLevel: "silent", partitions: 16, storage: { path: "data" } };

/** A node of its own on a machine of its own, and a client of it. */
async function loner({ world }: Stage, port: number, options: NodeOptions = {}) {
  const node = await Node.start({ ...BASE, ...options, port }, world.environment(`loner${port}`));
  const environment = world.environment(`guest${port}`);
  return { node, client: await Client.connect(node.address, { environment }) };
}

async function join(client: Client, known: string) {
  return await client.admin("join", { known }, { timeoutMs: 40_000 });
}

async function members(client: Client): Promise<number> {
  return (await client.admin("status", {})).members;
}

for (
  const [what, options, words] of [
    ["cluster name", { cluster: "other" }, /cluster name: denamo in the cluster, other at 127\.0\.0\.1:4001/],
    ["partition count", { partitions: 32 }, /partition count: 16 in the cluster, 32 at/],
    ["N", { quorum: { n: 2, r: 1, w: 1 } }, /N: 3 in the cluster, 2 at/],
  ] as const
) {
  Deno.test(`FAULTS 53: a node with another ${what} is not let in, and told why`, () =>
    onStage({ nodes: 2 }, async (stage) => {
      const { client } = await loner(stage, 4001, options);
      const outcome = await join(client, stage.cluster.node(0).address);
      assert(!outcome.ok);
      assertEquals(outcome.code, "mismatch");
      assertMatch(outcome.message, words);
      assertEquals(await members(client), 1);
      await client.put("still", "serving");
    }));
}

Deno.test("a node that holds data is not let in, and told so", () =>
  onStage({ nodes: 2 }, async (stage) => {
    const { client } = await loner(stage, 4001);
    await client.put("k", "v");
    const mine = await join(client, stage.cluster.node(0).address);
    assert(!mine.ok && mine.code === "has-data");
    assertMatch(mine.message, /^127\.0\.0\.1:4001 holds 1 key/);
    await client.put("k", "w", { context: (await client.get("k")).context }); // no fence is left behind
  }));

Deno.test("a lone node whose directory was moved lets others in", () =>
  onStage({ nodes: 1 }, async (stage) => {
    const { cluster, world } = stage;
    cluster.kill(0);
    world.disk(machine(0)).restore(world.disk(machine(0)).snapshot());
    await cluster.start(0);
    const { client } = await loner(stage, 4001);
    const outcome = await join(client, cluster.node(0).address);
    assert(outcome.ok, JSON.stringify(outcome));
  }));

Deno.test("FAULTS 55: two joins at once through two members: both are let in, one ring", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, until } = stage;
    const { client: one } = await loner(stage, 4001);
    const { client: two } = await loner(stage, 4002);
    const outcomes = await Promise.all([
      join(one, cluster.node(0).address),
      join(two, cluster.node(1).address),
    ]);
    for (const outcome of outcomes) assert(outcome.ok, JSON.stringify(outcome));
    const clients = [
      one,
      two,
      ...await Promise.all([0, 1, 2].map((index) => cluster.connect({ to: [index] }))),
    ];
    await until(async () => {
      const rings = await Promise.all(clients.map((client) => client.admin("ring", {})));
      return new Set(rings.map(({ checksum }) => checksum)).size === 1 && rings[0]!.members.length === 5;
    });
    await until(() => two.put("k", "v").then(() => true, () => false));
    assertEquals((await one.get("k", { r: 3 })).texts(), ["v"]);
  }));

Deno.test("FAULTS 55: a join while a member cannot be reached is refused by its name, and works once it can", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, until } = stage;
    const { client } = await loner(stage, 4001);
    const away = cluster.node(2).address;
    cluster.kill(2);
    const refused = await join(client, cluster.node(0).address);
    assert(!refused.ok && refused.code === "unreachable", JSON.stringify(refused));
    assert(refused.message.includes(away));
    await cluster.start(2);
    await until(async () => (await join(client, cluster.node(0).address)).ok);
    await until(async () => await members(await cluster.connect({ to: [2] })) === 4);
    await until(() => client.put("k", "v").then(() => true, () => false));
  }));

Deno.test("FAULTS 55: whoever lets a node in dies half-way: writes wait for the lease, then all goes on", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    const { client } = await loner(stage, 4001);
    const proposer = cluster.node(0).address;
    await sleep(2_000); // all are connected
    for (const other of [1, 2]) world.network.cut(machine(other), machine(0));
    const joining = join(client, proposer).catch((error: Error) => error);
    await sleep(500); // the others have promised, and take no writes
    cluster.kill(0);
    const began = world.now();
    const member = await cluster.connect({ to: [1, 2] });
    const waiting = await failureOf(member.put("k", "v", { timeoutMs: 2_000 }));
    assertEquals({ code: waiting.code, definite: waiting.definite }, {
      code: "ring-changing",
      definite: true,
    });
    await until(() => member.put("k", "v", { timeoutMs: 1_000 }).then(() => true, () => false));
    assert(world.now() - began < 15_000);
    world.heal();
    await cluster.start(0);
    await joining;
    assertEquals((await member.get("k")).texts(), ["v"]);
    const late = await join(client, proposer);
    assert(late.ok, `there is data by now, which moves: ${JSON.stringify(late)}`);
  }));

Deno.test("the ring changes again and again under load: no request fails, or waits for its deadline", () =>
  onStage({ nodes: 5 }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    await sleep(2_000);
    const clients = await Promise.all([0, 1, 2, 3, 4].map((index) => cluster.connect({ to: [index] })));
    await clients[0]!.put("k", "0");
    const before = (await clients[0]!.admin("status", {})).epoch;
    let over = false;
    let slowestMs = 0;
    const working = Promise.all(clients.map(async (client) => {
      while (!over) {
        const began = world.now();
        const { context } = await client.get("k");
        await client.put("k", "v", { context });
        slowestMs = Math.max(slowestMs, world.now() - began);
      }
    }));
    // A member begins to leave and thinks better of it, again and again.
    for (let attempt = 0; attempt < 20; attempt++) {
      assert((await clients[attempt % 5]!.admin("leave", {})).ok);
      await sleep(7);
      const given = await clients[(attempt + 1) % 5]!.admin("cancel", {});
      assert(given.ok || given.code === "no-change", JSON.stringify(given));
      await until(async () => (await clients[attempt % 5]!.admin("status", {})).moves === null);
    }
    over = true;
    await working;
    assert((await clients[0]!.admin("status", {})).epoch >= before + 30);
    assert(slowestMs < 400, `a request took ${slowestMs} ms`);
  }));

Deno.test("a node that is written to while it joins: it is in or it is out, and both sides know which", async () => {
  for (let delayMs = 0; delayMs < 6; delayMs += 0.4) {
    await onStage({ nodes: 2 }, async (stage) => {
      const { cluster, sleep, until } = stage;
      const { node, client } = await loner(stage, 4001);
      const environment = stage.world.environment("writer");
      const writer = await Client.connect(node.address, { environment });
      await sleep(1_000);
      const joining = join(client, cluster.node(0).address);
      await sleep(delayMs);
      const put = await writer.put("k", "v").then(() => "ok", (error) => error.code as string);
      const outcome = await joining;
      const expected = outcome.ok ? 3 : 2;
      const member = await cluster.connect({ to: [0] });
      assertEquals(
        await members(member),
        expected,
        `a put after ${delayMs} ms: ${put}, ${JSON.stringify(outcome)}`,
      );
      assertEquals(await members(client), outcome.ok ? 3 : 1);
      // Whoever is in or out takes writes again.
      await until(() => writer.put("l", "v", { timeoutMs: 1_000 }).then(() => true, () => false));
      if (put === "ok") assertEquals((await writer.get("k")).texts(), ["v"]);
    });
  }
});

Deno.test("a node that loses its power while it joins is let in when it asks again", async () => {
  for (let delayMs = 0; delayMs < 6; delayMs += 0.4) {
    await onStage({ nodes: 2 }, async (stage) => {
      const { cluster, world, sleep, until } = stage;
      const { client } = await loner(stage, 4001);
      await sleep(1_000);
      const joining = join(client, cluster.node(0).address).catch((error: Error) => error);
      await sleep(delayMs);
      world.crashNode("loner4001");
      await joining;
      const { client: again } = await loner(stage, 4001);
      await until(async () => (await join(again, cluster.node(1).address)).ok);
      assertEquals(
        await members(await cluster.connect({ to: [0] })),
        3,
        `the power went after ${delayMs} ms`,
      );
      await until(() => again.put("k", "v", { timeoutMs: 1_000 }).then(() => true, () => false));
    });
  }
});

Deno.test("whom a node asked to let it in is gone, and it does not know that it was: others tell it (985002168)", async () => {
  let inDoubt = 0;
  for (let delayMs = 0; delayMs < 6; delayMs += 0.4) {
    await onStage({ nodes: 3 }, async (stage) => {
      const { cluster, world, sleep, until } = stage;
      const { client } = await loner(stage, 4001);
      await sleep(1_000);
      const joining = join(client, cluster.node(2).address).catch((error: Error) => error);
      await sleep(delayMs);
      world.killNode("loner4001");
      await joining;
      cluster.kill(2);
      await sleep(1_000);
      if (await members(await cluster.connect({ to: [0] })) === 3) return;
      const { client: again } = await loner(stage, 4001);
      if (await members(again) === 1) inDoubt++;
      await until(async () => await members(again) === 4);
      await until(() => again.put("k", "v", { timeoutMs: 1_000 }).then(() => true, () => false));
    });
  }
  assert(inDoubt > 0, "it always knew");
});

Deno.test("planted and found: a member that says it holds no data lets a join lose it", () =>
  onStage({
    nodes: 2,
    cores: {
      ringManager: { onPrepare: (vote, self, request) => onPrepare(vote, self, request, false) },
    },
  }, async (stage) => {
    const member = await stage.cluster.connect();
    await member.put("k", "v");
    const { client } = await loner(stage, 4001);
    assert((await join(client, member.address)).ok);
  }));

Deno.test("a ring manager that crashes at any moment of a vote leaves no fence behind", async () => {
  for (let delayMs = 0; delayMs < 4.5; delayMs += 0.3) {
    await onStage({ nodes: 3 }, async (stage) => {
      const { cluster, sleep, until } = stage;
      const { client } = await loner(stage, 4001);
      await sleep(2_000);
      const joining = join(client, cluster.node(0).address).catch((error: Error) => error);
      await sleep(delayMs);
      cluster.node(1).crash("ring_manager");
      await joining;
      await sleep(1_000);
      const victim = await cluster.connect({ to: [1] });
      const key = await keyOf(victim, victim.address);
      await until(() => victim.put(key, "v", { timeoutMs: 1_000 }).then(() => true, () => false));
      // A fenced store mints nothing: another node would have had to.
      assertEquals(
        (await victim.admin("status", {})).coordinator.failovers,
        0,
        `crashed after ${delayMs} ms`,
      );
    });
  }
});

/** A key of which the node at an address is a primary. */
async function keyOf(client: Client, address: string): Promise<string> {
  const { members, owners } = await client.admin("ring", {});
  for (let n = 0;; n++) {
    const key = encodeUtf8(`k${n}`);
    const own = owners[partitionOf(key, owners.length)]!;
    if (own.some((index) => members[index]!.address === address)) return `k${n}`;
  }
}

/** Rewrite the ring in a stopped node's journal: what a vote that it took part in would have left there. */
async function writeRing({ world }: Stage, index: number, next: (ring: Ring) => Ring): Promise<void> {
  const environment = world.environment(machine(index));
  const journal = await openNodeJournal({ ...environment, directory: "data/node" });
  const vote = decodeAcceptor(journal.get("vote")!);
  assert(vote.ok);
  await journal.set("vote", encodeAcceptor(acceptorOf(next(vote.acceptor.ring))));
  await journal.close();
  world.killNode(machine(index));
}

Deno.test("a member that slept through a change of the ring is taught, by gossip or by the first request", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, until } = stage;
    for (const index of [0, 1, 2]) await cluster.stop(index);
    for (const index of [0, 1]) await writeRing(stage, index, unchanged);
    for (const index of [0, 1, 2]) await cluster.start(index);
    const behind = await cluster.connect({ to: [2] });
    const before = (await behind.admin("status", {})).epoch;
    await behind.put("k", "v");
    assertEquals((await behind.get("k")).texts(), ["v"]);
    await until(async () => (await behind.admin("status", {})).epoch === before + 1 || before === 5);
    const epochs = await Promise.all([0, 1, 2].map(async (index) => {
      await using asked = await cluster.connect({ to: [index] });
      return (await asked.admin("status", {})).epoch;
    }));
    assertEquals(new Set(epochs).size, 1);
  }));

Deno.test("FAULTS 57: a node that was removed while it was away is refused, ends, and says why", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, until } = stage;
    const removed = cluster.node(2).id;
    for (const index of [0, 1, 2]) await cluster.stop(index);
    for (const index of [0, 1]) {
      await writeRing(stage, index, (ring) => {
        const planned = plan(ring, { kind: "leave", id: removed });
        assert(planned.ok, JSON.stringify(planned));
        return planned.next;
      });
    }
    for (const index of [0, 1]) await cluster.start(index);
    const back = await cluster.start(2);
    let reason = "";
    void back.terminated.then((end) => reason = end.reason);
    await until(() => reason !== "");
    assertMatch(reason, /removed from the cluster; start it with an empty directory/);
    const client = await cluster.connect({ to: [0, 1] });
    assertEquals(await members(client), 2);
    await client.put("k", "v");
  }));

Deno.test("FAULTS 52: two live nodes with one id: one is fenced and ends, the cluster serves on", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world, until } = stage;
    const client = await cluster.connect({ to: [0, 1] });
    await client.put("k", "v");
    const original = cluster.node(2);
    world.disk("twin").restore(world.disk(machine(2)).snapshot());
    const refused = await Node.start({ ...BASE, port: 4001 }, world.environment("twin")).catch(String);
    assertMatch(String(refused), /belongs to the member at 127\.0\.0\.1:3003, but this process would be at/);
    const twin = await Node.start(
      { ...BASE, port: 4002, advertise: original.address },
      world.environment("twin"),
    );
    assertEquals(twin.id, original.id);
    const ends: string[] = [];
    void twin.terminated.then(({ reason }) => ends.push(reason));
    void original.terminated.then(({ reason }) => ends.push(reason));
    await until(() => ends.length > 0);
    assertMatch(ends[0]!, /another process lives under the id [0-9a-f]{32} of this node/);
    const { context, values } = await client.get("k");
    assertEquals(values.length, 1);
    await client.put("k", "w", { context });
  }));
