/**
 * What becomes of concurrent writes: all kept, or all but the last lost, which is counted.
 *
 * @module
 */

import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { Cluster } from "../../net/cluster.ts";

async function clusterWith(
  conflicts: "siblings" | "last-write-wins",
  task: (cluster: Cluster) => Promise<void>,
) {
  await using cluster = await Cluster.inProcess({ seed: 3, nodes: 3, node: { conflicts } });
  await cluster.run(() => task(cluster));
}

/** Values that writes have replaced without having seen them, at all nodes. */
async function overwritten(cluster: Cluster): Promise<number> {
  let sum = 0;
  for (const to of [0, 1, 2]) {
    const client = await cluster.connect({ to: [to] });
    sum += (await client.admin("status", {})).store.overwritten;
  }
  return sum;
}

Deno.test("conflicts: writes without a context are all kept, and nothing is counted as lost", () =>
  clusterWith("siblings", async (cluster) => {
    const client = await cluster.connect();
    for (const value of ["a", "b", "c"]) await client.put("k", value);
    assertEquals((await client.get("k")).texts().sort(), ["a", "b", "c"]);
    assertEquals(await overwritten(cluster), 0);
  }));

Deno.test("conflicts: the last write wins, however many there were, and users are told how many were lost", () =>
  clusterWith("last-write-wins", async (cluster) => {
    const client = await cluster.connect();
    for (const value of ["a", "b", "c"]) await client.put("k", value);
    assertEquals((await client.get("k")).texts(), ["c"]);
    assertEquals(await overwritten(cluster), 2);
    const { context } = await client.get("k");
    await client.put("k", "d", { context });
    assertEquals(await overwritten(cluster), 2, "what its writer had seen is not lost");
    await client.del("k");
    assertEquals((await client.get("k")).texts(), []);
  }));

Deno.test("conflicts: writes that meet at no coordinator: one of them is shown, the same everywhere", () =>
  clusterWith("last-write-wins", async (cluster) => {
    const clients = await Promise.all([0, 1, 2].map((to) => cluster.connect({ to: [to] })));
    for (let n = 0; n < 20; n++) {
      await Promise.all(clients.map((client, i) => client.put(`k${n}`, `${i}`)));
      const seen = await Promise.all(
        clients.map(async (client) => (await client.get(`k${n}`, { r: 3 })).texts()),
      );
      assert(seen[0]!.length === 1, `${seen[0]}`);
      assertEquals(new Set(seen.map(String)).size, 1, `${seen}`);
    }
  }));

Deno.test("conflicts: a node of another mind is not let in", async () => {
  await using cluster = await Cluster.inProcess({
    seed: 4,
    nodes: 1,
    node: { conflicts: "last-write-wins" },
  });
  await cluster.run(async () => {
    const client = await cluster.connect();
    const member = { id: "a".repeat(32), address: "127.0.0.1:4001", zone: "default", weight: 1 };
    const { cluster: name } = await client.admin("clusterState", {});
    const terms = { cluster: name, partitions: 16, n: 3, hash: "murmur3-32", holdsData: false };
    const { partitions, n } = await client.admin("ring", {}).then(({ owners }) => ({
      partitions: owners.length,
      n: 3,
    }));
    const outcome = await client.admin("admit", { member, ...terms, partitions, n, conflicts: "siblings" });
    assert(!outcome.ok && outcome.message.includes("conflicts: last-write-wins in the cluster, siblings at"));
  });
});
