/**
 * Values that expire: when, by whose clock, and that nothing brings them back.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "../../actors/runtime/testing/assert.ts";
import type { NodeCores } from "../../mod.ts";
import { Cluster } from "../../net/cluster.ts";

const YEARS = 10 * 365 * 86_400_000;
const TTL = { ttlMs: 20_000 };

function onCluster(task: (cluster: Cluster) => Promise<void>, cores: NodeCores = {}): Promise<void> {
  return (async () => {
    await using cluster = await Cluster.inProcess({ seed: 5, nodes: 3, cores });
    await cluster.run(async () => {
      await cluster.sleep(3_000); // the members have told each other what time it is
      await task(cluster);
    });
  })();
}

/** What each replica holds of a key: values and tombstones. */
async function held(cluster: Cluster, key: string): Promise<string[]> {
  const client = await cluster.connect();
  const { replicas } = await client.admin("explain", {
    key: new TextEncoder().encode(key),
    timeoutMs: 2_000,
  });
  return replicas.map(({ siblings }) =>
    siblings.map(({ tombstone }) => tombstone ? "tombstone" : "value").join()
  );
}

async function textsOf(cluster: Cluster, key: string): Promise<string[]> {
  const client = await cluster.connect();
  return (await client.get(key)).texts();
}

Deno.test("expiry: shown until its time has come, not shown from then on, then deleted at all replicas", () =>
  onCluster(async (cluster) => {
    const client = await cluster.connect();
    await client.put("k", "v", TTL);
    await client.put("other", "stays");
    await cluster.sleep(19_000);
    assertEquals(await textsOf(cluster, "k"), ["v"]);
    await cluster.sleep(1_500);
    assertEquals(await textsOf(cluster, "k"), []);
    await cluster.sleep(10_000);
    assertEquals(await held(cluster, "k"), ["tombstone", "tombstone", "tombstone"]);
    assertEquals(await textsOf(cluster, "other"), ["stays"]);
  }));

Deno.test("expiry: what is written meanwhile stays; a value beside one that expires is shown alone", () =>
  onCluster(async (cluster) => {
    const client = await cluster.connect();
    await client.put("k", "old", TTL);
    const { context } = await client.get("k");
    await client.put("k", "new", { context });
    await client.put("both", "short", TTL);
    await client.put("both", "long");
    await cluster.sleep(60_000);
    assertEquals(await textsOf(cluster, "k"), ["new"]);
    assertEquals(await textsOf(cluster, "both"), ["long"]);
  }));

Deno.test("FAULTS 34: one clock ten years ahead, or behind, neither fires early nor keeps anything", async () => {
  for (const wrong of [YEARS, -YEARS]) {
    await onCluster(async (cluster) => {
      for (const to of [0, 1, 2]) {
        const client = await cluster.connect({ to: [to] });
        await client.put(`before ${to}`, "v", TTL);
      }
      cluster.simulation!.clock("node1").skewMs = wrong;
      await cluster.sleep(5_000);
      for (const to of [0, 1, 2]) {
        const client = await cluster.connect({ to: [to] });
        await client.put(`after ${to}`, "v", TTL);
        for (const n of [0, 1, 2]) {
          assertEquals((await client.get(`before ${n}`)).texts(), ["v"], `node ${to}`);
        }
      }
      await cluster.sleep(40_000);
      for (const to of [0, 1, 2]) {
        assertEquals(await textsOf(cluster, `before ${to}`), []);
        assertEquals(await textsOf(cluster, `after ${to}`), []);
        assertEquals(new Set(await held(cluster, `after ${to}`)), new Set(["tombstone"]));
      }
    });
  }
});

Deno.test("expiry: a replica that was away while a value expired does not bring it back", () =>
  onCluster(async (cluster) => {
    const client = await cluster.connect({ to: [0, 1] });
    await client.put("k", "v", { ...TTL, w: 3 });
    await cluster.stop(2);
    await cluster.sleep(60_000);
    await cluster.start(2);
    await cluster.sleep(5_000);
    assertEquals(await textsOf(cluster, "k"), []);
    await cluster.sleep(60_000);
    for (const siblings of await held(cluster, "k")) assertMatch(siblings, /^tombstone(,tombstone)*$/);
  }));

Deno.test("planted: a delete that replaces whatever is there takes what was written meanwhile", async () => {
  const all = (_: unknown, __: unknown) => new Uint8Array(0);
  await assertRejects(() =>
    onCluster(async (cluster) => {
      const client = await cluster.connect();
      await client.put("k", "v", TTL);
      await cluster.sleep(40_000);
      assertEquals(await held(cluster, "k"), ["tombstone", "tombstone", "tombstone"]);
    }, { expirer: { contextOf: all } })
  );
});

Deno.test("expiry: before the members have told what time it is, nothing is given a time", async () => {
  await using cluster = await Cluster.inProcess({ seed: 6, nodes: 3 });
  await cluster.run(async () => {
    cluster.kill(1);
    cluster.kill(2);
    cluster.kill(0);
    await cluster.start(0);
    await cluster.start(1);
    const client = await cluster.connect({ to: [0] });
    const outcome = await client.put("k", "v", { ...TTL, timeoutMs: 300 }).then(
      () => "done",
      (error) => error.code,
    );
    assert(["done", "unavailable", "timeout", "quorum-unmet"].includes(outcome), outcome);
    await cluster.sleep(10_000);
    await client.put("k", "v", TTL);
  });
});
