/**
 * What is left after an end: of a process that stopped in order, of a proposer in mid-vote, of a disk that is full.
 *
 * @module
 */

import { onPrepare } from "../../actors/ring_manager/commit.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { Candidate } from "../../actors/operator/protocol.ts";
import type { Client } from "../../net/client.ts";
import { machine, onStage } from "./stage.ts";

/** Somebody who asks to be let in. */
async function stranger(client: Client): Promise<Candidate> {
  const { cluster } = await client.admin("clusterState", {});
  const member = { id: "a".repeat(32), address: "127.0.0.1:4001", zone: "default", weight: 1 };
  return {
    member,
    cluster,
    partitions: 16,
    n: 3,
    hash: "murmur3-32",
    holdsData: false,
    conflicts: "siblings",
  };
}

for (const loss of ["kept in memory only", "wiped while it was stopped"]) {
  Deno.test(`a store ${loss}: after an orderly stop no dot is issued twice, and nothing acknowledged vanishes`, () =>
    onStage(
      { nodes: 3, node: { storage: { engine: "memory", persist: loss !== "kept in memory only" } } },
      async (stage) => {
        const { cluster, world, sleep } = stage;
        const before = await cluster.connect({ to: [0] });
        await before.put("k", "first", { w: 3 });
        const { store } = await before.admin("status", {});
        await cluster.stop(0);
        if (loss !== "kept in memory only") {
          const { disk } = world.environment(machine(0));
          for (const name of disk.list("data/memory")) disk.remove(`data/memory/${name}`);
        }
        await cluster.start(0);
        const after = await cluster.connect({ to: [0] });
        assert((await after.admin("status", {})).store.actorId !== store.actorId);
        await after.put("k", "second"); // without a context: concurrent with the first
        await sleep(5_000);
        assertEquals((await after.get("k", { r: 3 })).texts().sort(), ["first", "second"]);
      },
    ));
}

Deno.test("FAULTS 55: a proposer that dies in a later round leaves no fence for ever", () => {
  let isVoting = false;
  let promises = 0;
  let onAllFenced = () => {};
  const outbid = { kind: "outbid", promised: { round: 5, proposal: "f".repeat(32) } } as const;
  const cores = {
    ringManager: {
      onPrepare: (...[acceptor, self, request, holdsData]: Parameters<typeof onPrepare>) => {
        if (isVoting && request.fence && request.ballot.round === 1) return { acceptor, reply: outbid };
        if (isVoting && request.fence && ++promises === 3) onAllFenced();
        return onPrepare(acceptor, self, request, holdsData);
      },
    },
  };
  return onStage({ nodes: 3, cores }, async ({ cluster, sleep, until }) => {
    const client = await cluster.connect({ to: [0] });
    const candidate = await stranger(client);
    const died = Promise.withResolvers<void>();
    onAllFenced = () =>
      queueMicrotask(() => {
        cluster.kill(0);
        died.resolve();
      });
    isVoting = true;
    client.admin("admit", candidate, { timeoutMs: 3_000 }).catch(() => {});
    await died.promise;
    isVoting = false;
    await sleep(1_000);
    await cluster.start(0);
    const other = await cluster.connect({ to: [1] });
    await until(() => other.put("k", "v", { timeoutMs: 1_000 }).then(() => true, () => false));
  });
});

Deno.test("FAULTS 36: a full disk takes no votes, and no number of them ends the process", () =>
  onStage({ nodes: 3 }, async ({ cluster, world, sleep }) => {
    const client = await cluster.connect({ to: [0] });
    const candidate = await stranger(client);
    const full = await cluster.connect({ to: [2] });
    world.disk(machine(2)).faults.capacityBytes = 0;
    for (let n = 0; n < 12; n++) {
      const outcome = await client.admin("admit", candidate, { timeoutMs: 8_000 }).catch(() => null);
      assert(outcome === null || !outcome.ok);
      await sleep(500);
    }
    const { actors } = await full.admin("status", {});
    assertEquals(actors.filter(({ restarts }) => restarts > 0), []);
    const ended = cluster.node(2).terminated;
    await cluster.stop(2);
    assertEquals(await ended, { reason: "stopped" });
  }));
