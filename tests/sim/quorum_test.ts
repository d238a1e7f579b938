/**
 * Quorums in a whole cluster: RLDB's two flaws, read repair, small clusters.
 *
 * @module
 */

import { ReadQuorum } from "../../actors/coordinator/read_quorum.ts";
import type { NodeId, ReadAnswer } from "../../actors/replica_store/protocol.ts";
import { encodeUtf8, equalBytes } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import { Cluster } from "../../net/cluster.ts";
import type { NodeCores } from "../../net/node.ts";
import { preferenceList } from "../../actors/ring_manager/ring.ts";
import { failureOf, machine, onStage, others, replicasOf, type Stage } from "./stage.ts";

/** RLDB's read quorum: as many replies as needed, all the same. */
class IdenticalReplies extends ReadQuorum {
  readonly #needed: number;
  readonly #replies = new Map<NodeId, Uint8Array | null>();

  constructor(options: ConstructorParameters<typeof ReadQuorum>[0]) {
    super(options);
    this.#needed = options.needed;
  }

  override add(replica: NodeId, answer: ReadAnswer): void {
    super.add(replica, answer);
    if (answer.ok) this.#replies.set(replica, answer.object);
  }

  override enough(): boolean {
    const replies = [...this.#replies.values()];
    const same = (a: Uint8Array | null, b: Uint8Array | null) => a === b || !!a && !!b && equalBytes(a, b);
    return replies.some((one) => replies.filter((other) => same(one, other)).length >= this.#needed);
  }

  override impossible(): boolean {
    return this.settled() && !this.enough();
  }
}

/** Nothing gets from any of `some` to any of the others, nor back; it is lost, not held. */
function lose({ world }: Stage, some: readonly number[], rest: readonly number[], rate = 1): void {
  for (const a of some) {
    for (const b of rest) {
      world.network.link(machine(a), machine(b)).lossRate = rate;
      world.network.link(machine(b), machine(a)).lossRate = rate;
    }
  }
}

async function answers(client: Client, key: string): Promise<string[]> {
  const { replicas } = await client.admin("explain", { key: encodeUtf8(key), timeoutMs: 1_000 });
  return replicas.map(({ answer, siblings }) =>
    `${answer} ${siblings.map((one) => one.sizeBytes).join()}`.trim()
  );
}

/** v2 at one replica, v1 at the next, nothing at the third; values of 2, 1 and no bytes. Gives all three. */
async function disagreement(stage: Stage): Promise<{ replicas: number[]; client: Client }> {
  const { cluster } = stage;
  const guide = await cluster.connect();
  const replicas = await replicasOf(guide, "k");
  const [a, b, c] = replicas;
  const client = await cluster.connect({ to: [a!] });
  lose(stage, [c!], [a!, b!]);
  await client.put("k", "1");
  const { context } = await client.get("k");
  lose(stage, [a!], [b!, c!]);
  await client.put("k", "22", { context, w: 1 });
  for (const from of replicas) lose(stage, [from], others(3, from), 0);
  await stage.sleep(12_000); // connections that lost bytes break, and are made anew
  assertEquals(await answers(client, "k"), ["found 2", "found 1", "missing"]);
  return { replicas, client };
}

/** Nobody but a read mends anything. */
const UNMENDED: NodeCores = { antiEntropy: { partnersOf: () => [] } };

Deno.test("RLDB flaw 1: replicas that say v2, v1 and nothing are merged, not counted: R = 2 answers v2", () =>
  onStage({ nodes: 3, cores: UNMENDED }, async (stage) => {
    const { client } = await disagreement(stage);
    assertEquals((await client.get("k", { r: 2 })).texts(), ["22"]);
  }));

Deno.test("RLDB flaw 1, planted: a quorum of identical replies never comes about", () =>
  onStage({
    nodes: 3,
    cores: { ...UNMENDED, coordinator: { readQuorum: (options) => new IdenticalReplies(options) } },
  }, async (stage) => {
    const { client } = await disagreement(stage);
    assertEquals((await failureOf(client.get("k", { r: 2 }))).code, "quorum-unmet");
  }));

Deno.test("a read repairs what it found stale, and explain shows it", () =>
  onStage({ nodes: 3, seed: 2, cores: UNMENDED }, async (stage) => {
    const { client } = await disagreement(stage);
    await client.get("k", { r: 2 });
    await stage.sleep(500);
    assertEquals(await answers(client, "k"), ["found 2", "found 2", "found 2"]);
    const { coordinator } = await client.admin("status", {});
    assertEquals(coordinator.readRepairs, 2);
  }));

/** A put through a node that is no primary, while the first primary is dead. */
function putPastDeadPrimary(cores: NodeCores, judge: (put: Promise<void>, client: Client) => Promise<void>) {
  const node = { quorum: { sloppy: false } }; // else a node that is no replica would take it
  return onStage({ nodes: 5, cores, node }, async ({ cluster }) => {
    const primaries = await replicasOf(await cluster.connect(), "k");
    const [stranger] = others(5, ...primaries);
    const client = await cluster.connect({ to: [stranger!] });
    cluster.kill(primaries[0]!);
    await judge(client.put("k", "v", { timeoutMs: 1_000, w: 1 }), client);
  });
}

Deno.test("RLDB flaw 2: the first node of the list is dead, and another primary takes the put", () =>
  putPastDeadPrimary({}, async (put, client) => {
    await put;
    assertEquals((await client.get("k", { r: 1 })).texts(), ["v"]);
  }));

Deno.test("RLDB flaw 2, planted: a put that tries the first node of the list alone fails", () => {
  const firstOnly: typeof preferenceList = (ring, partition) => preferenceList(ring, partition).slice(0, 1);
  return putPastDeadPrimary({ coordinator: { preferenceList: firstOnly } }, async (put) => {
    await failureOf(put);
  });
});

Deno.test("two members with N = 3: N, R and W shrink, status says so, and W = 3 is refused", () =>
  onStage({ nodes: 2 }, async ({ cluster }) => {
    const client = await cluster.connect();
    await client.put("k", "v");
    assertEquals((await client.get("k", { r: 2 })).texts(), ["v"]);
    const { state, underReplicated } = await client.admin("status", {});
    assertEquals({ state, underReplicated }, { state: "under-replicated", underReplicated: true });
    const { quorum } = await client.admin("clusterState", {});
    assertEquals(quorum, { n: 2, r: 2, w: 2, sloppy: true });
    const refused = await failureOf(client.put("k", "w", { w: 3 }));
    assertEquals([refused.code, refused.definite], ["bad-request", true]);
    assertMatch(
      refused.message,
      /W = 3 is more than the 2 replicas a key has here \(the cluster has 2 members\)/,
    );
    assertMatch((await failureOf(client.get("k", { r: 3 }))).message, /R = 3 is more than the 2 replicas/);
  }));

Deno.test("one member with N = 3 serves alone", () =>
  onStage({ nodes: 1 }, async ({ cluster }) => {
    const client = await cluster.connect();
    await client.put("k", "v");
    assertEquals((await client.get("k")).texts(), ["v"]);
    const { state } = await client.admin("status", {});
    assertEquals(state, "under-replicated");
    assertMatch(
      (await failureOf(client.put("k", "w", { w: 2 }))).message,
      /W = 2 is more than the 1 replica/,
    );
  }));

Deno.test("two members, one of them dead: no quorum, in time and in words; its return mends it", () =>
  onStage({ nodes: 2 }, async ({ cluster, world, until }) => {
    const client = await cluster.connect({ to: [0] });
    cluster.kill(1);
    const began = world.now();
    const error = await failureOf(client.put("k", "v", { timeoutMs: 2_000 }));
    assertEquals(error.definite, false);
    assert(world.now() - began <= 2_300);
    await cluster.start(1);
    await until(() => client.put("k", "w").then(() => true, () => false));
  }));

Deno.test("a cluster is the same from every node", async () => {
  await using cluster = await Cluster.inProcess({ nodes: 4, seed: 3, node: { partitions: 16 } });
  await cluster.run(async () => {
    const clients = await Promise.all([0, 1, 2, 3].map((index) => cluster.connect({ to: [index] })));
    const rings = await Promise.all(clients.map((client) => client.admin("ring", {})));
    assertEquals(new Set(rings.map((ring) => JSON.stringify(ring))).size, 1);
    for (const [index, client] of clients.entries()) await client.put(`k${index}`, `v${index}`);
    for (const client of clients) {
      const values = await Promise.all([0, 1, 2, 3].map((index) => client.get(`k${index}`)));
      assertEquals(values.flatMap((value) => value.texts()), ["v0", "v1", "v2", "v3"]);
    }
  });
});
