/**
 * Clocks that are wrong, and processes that were away: FAULTS 33 to 35.
 *
 * @module
 */

import { decodeContext } from "../../actors/replica_store/context.ts";
import { mint } from "../../actors/replica_store/object.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import type { Environment } from "../../actors/runtime/environment.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { Simulation } from "../../actors/simulated/simulation.ts";
import { Arrivals } from "../../net/arrivals.ts";
import { Client } from "../../net/client.ts";
import { Node, type NodeCores, type NodeOptions } from "../../net/node.ts";
import { failureOf, machine, onStage, type Stage } from "./stage.ts";

const DECADE_MS = 10 * 365 * 24 * 3_600_000;
const NODE: NodeOptions = { logLevel: "silent", partitions: 16, storage: { path: "data" } };

/** A node of its own, and a client of it. */
async function loner(
  { world }: Pick<Stage, "world">,
  options: NodeOptions = {},
  environment: Environment = world.environment("loner"),
  cores: NodeCores = {},
) {
  const node = await Node.start({ ...NODE, ...options, port: 4001 }, environment, cores);
  return { node, client: await Client.connect(node.address, { environment: world.environment("guest") }) };
}

// --- 33: versions ------------------------------------------------------------------------------------------

/** Write, delete and write again while one clock after the other jumps; how many reads were not the last write. */
async function wrongUnderJumps(cores: NodeCores): Promise<number> {
  let wrong = 0;
  await onStage({ nodes: 3, cores }, async ({ cluster, world }) => {
    const clients = await Promise.all([0, 1, 2].map((index) => cluster.connect({ to: [index] })));
    for (let turn = 0; turn < 24; turn++) {
      world.clock(machine(turn % 3)).skewMs = [DECADE_MS, -DECADE_MS, 0, 1_000][turn % 4]!;
      const client = clients[(turn >> 1) % 3]!;
      const { context } = await client.get("k");
      const isGone = turn % 5 === 4;
      const written = isGone ? client.del("k", { context }) : client.put("k", `v${turn}`, { context });
      await written.catch(() => wrong++);
      const values = (await clients[(turn + 1) % 3]!.get("k", { r: 3 })).texts();
      if (JSON.stringify(values) !== JSON.stringify(isGone ? [] : [`v${turn}`])) wrong++;
    }
    const { clusterId } = await clients[0]!.admin("clusterState", {});
    const { context } = await clients[0]!.get("k", { r: 3 });
    const clock = decodeContext(context, encodeUtf8("k"), clusterId)!;
    if (clock.some(({ counter }) => counter > 24)) wrong++;
  });
  return wrong;
}

Deno.test("FAULTS 33: clocks jump ten years ahead and back: versions are unaffected", async () => {
  assertEquals(await wrongUnderJumps({}), 0);
});

Deno.test("FAULTS 33: planted bug, versions counted by the wall's clock: writes are lost", async () => {
  const byTheWall: typeof mint = (local, write) =>
    mint(local, { ...write, dot: { ...write.dot, counter: write.wallMs } });
  assert(await wrongUnderJumps({ replicaStore: { mint: byTheWall } }) > 0);
});

// --- 34: what expires ---------------------------------------------------------------------------------------

Deno.test("FAULTS 34: skew, backward steps, drift, one clock far ahead: nothing expires early", async () => {
  const news: string[] = [];
  const onLog = ({ message }: { readonly message: string }) => void news.push(message);
  await onStage({ nodes: 3, node: { logLevel: "info" }, onLog }, async ({ cluster, world, sleep }) => {
    const clients = await Promise.all([0, 1, 2].map((index) => cluster.connect({ to: [index] })));
    await clients[0]!.put("k", "0");
    await sleep(5_000);
    news.length = 0;
    const [ahead, back, drifting] = [0, 1, 2].map((index) => world.clock(machine(index))) as [
      ReturnType<typeof world.clock>,
      ReturnType<typeof world.clock>,
      ReturnType<typeof world.clock>,
    ];
    ahead.skewMs = DECADE_MS;
    // A read's context is good for as long as one likes.
    const { context } = await clients[1]!.get("k");
    for (let second = 0; second < 60; second++) {
      back.skewMs -= 3_600_000;
      drifting.rate = [0.8, 1.25, 1][second % 3]!;
      for (const client of clients) {
        await client.get("k", { timeoutMs: 200 });
        await client.put(`other${second}`, "v", { timeoutMs: 200 });
      }
      await sleep(1_000);
    }
    await clients[1]!.put("k", "1", { context });
    assertEquals((await clients[0]!.get("k", { r: 3 })).texts(), ["1"]);
    const { members, ring } = await clients[0]!.admin("clusterState", {});
    for (const { liveness, incarnation } of members) assertEquals([liveness, incarnation], ["alive", 0]);
    assertEquals(ring.epoch, 3);
    assertEquals(news, []);
  });
});

/** What becomes of a write that waits for a slow disk while the wall's clock jumps ahead and back. */
async function writeAcrossAJump(clockOf: (clock: Environment["clock"]) => Environment["clock"]) {
  const world = new Simulation({ seed: 1 });
  return await world.complete((async () => {
    const environment = world.environment("loner");
    const { client } = await loner({ world }, {}, { ...environment, clock: clockOf(environment.clock) });
    Object.assign(world.disk("loner").faults, { syncMinMs: 400, syncMaxMs: 500 });
    const put = client.put("k", "v", { timeoutMs: 5_000 }).then(() => "ok", ({ code }) => code as string);
    world.environment("harness").clock.after(100, () => world.clock("loner").skewMs = DECADE_MS);
    world.environment("harness").clock.after(200, () => world.clock("loner").skewMs = -DECADE_MS);
    return await put;
  })());
}

Deno.test("FAULTS 34: a write that waits while the clock jumps is not given up", async () => {
  assertEquals(await writeAcrossAJump((clock) => clock), "ok");
});

Deno.test("FAULTS 34: planted bug, deadlines by the wall's clock: it expires early", async () => {
  assertEquals(await writeAcrossAJump((clock) => ({ ...clock, now: () => clock.wall() })), "timeout");
});

// --- 35: stopped for a minute -------------------------------------------------------------------------------

const STOP_MS = 60_000;
/** Takes whatever it reads for new. */
const NAIVE: NodeCores = {
  listener: {
    arrivals: () =>
      new class extends Arrivals {
        override earliest(nowMs: number): number {
          return nowMs;
        }
      }(),
  },
};

/** What is there of a write that its client gave up a minute before the stopped node could read it. */
async function writtenLate(cores: NodeCores): Promise<string[]> {
  let values: string[] = [];
  await onStage({ nodes: 3, cores }, async ({ cluster, world, sleep }) => {
    const [awake, stopped] = [await cluster.connect({ to: [0] }), await cluster.connect({ to: [2] })];
    await sleep(2_000);
    world.pauseNode(machine(2));
    const { code, definite } = await failureOf(stopped.put("k", "too late", { timeoutMs: 1_000 }));
    assertEquals([code, definite], ["timeout", false]);
    await sleep(STOP_MS);
    world.resumeNode(machine(2));
    await sleep(5_000);
    values = (await awake.get("k", { r: 3 })).texts();
  });
  return values;
}

/** How many members a node's cluster has that was stopped when it was asked to join one, and not for long. */
async function joinedLate(cores: NodeCores): Promise<number> {
  let members = 0;
  await onStage({ nodes: 2, cores }, async (stage) => {
    const { cluster, world, sleep } = stage;
    const { client } = await loner(stage, {}, world.environment("loner"), cores);
    await sleep(2_000);
    world.pauseNode("loner");
    await failureOf(client.admin("join", { known: cluster.node(0).address }, { timeoutMs: 1_000 }));
    await sleep(STOP_MS);
    world.resumeNode("loner");
    await sleep(5_000);
    members = (await client.admin("status", {})).members;
  });
  return members;
}

Deno.test("FAULTS 35: what a stopped node finds in its sockets past its deadline is not done", async () => {
  assertEquals([await writtenLate({}), await joinedLate({})], [[], 1]);
});

Deno.test("FAULTS 35: planted bug, all that is read is taken for new: it is done a minute late", async () => {
  assertEquals([await writtenLate(NAIVE), await joinedLate(NAIVE)], [["too late"], 3]);
});

Deno.test("FAULTS 35: what still has time when a stopped node goes on is done, and so is what comes then", () =>
  onStage({ nodes: 3 }, async ({ cluster, world, sleep }) => {
    const client = await cluster.connect({ to: [2] });
    await client.put("k", "1");
    await sleep(2_000);
    world.pauseNode(machine(2));
    const waiting = client.put("l", "1", { timeoutMs: 10_000 });
    await sleep(2_000);
    world.resumeNode(machine(2));
    await waiting;
    for (let n = 0; n < 10; n++) {
      await client.put(`m${n}`, "1", { timeoutMs: 1_000 });
      await sleep(10);
    }
  }));

/**
 * The ring changes while a member sleeps that has promised to take part; then writes are acknowledged under the new
 * ring by all who own their keys. How many of them does the sleeper miss when it is asked, by a client that waits
 * for it, and R = 1 + W = 3 > N?
 */
async function missedByTheSleeper(
  cores: NodeCores,
  fallAsleep: (world: Simulation, name: string) => void,
): Promise<{ acknowledged: number; missed: number }> {
  const found = { acknowledged: 0, missed: 0 };
  const quorum = { n: 3, r: 1, w: 3, sloppy: false };
  for (let delayMs = 0; delayMs < 5; delayMs += 0.5) {
    await onStage({ nodes: 3, cores, node: { quorum } }, async (stage) => {
      const { cluster, world, sleep } = stage;
      const { client: outsider } = await loner(stage, { quorum });
      const [first, sleeper] = [await cluster.connect({ to: [0] }), await cluster.connect({ to: [2] })];
      await sleep(2_000);
      const { address } = cluster.node(0);
      const joining = outsider.admin("join", { known: address }, { timeoutMs: 40_000 });
      await sleep(delayMs);
      fallAsleep(world, machine(2));
      await joining.catch(() => {});
      const acknowledged: string[] = [];
      for (let n = 0; n < 20; n++) {
        await first.put(`k${n}`, "v", { timeoutMs: 300 }).then(() => acknowledged.push(`k${n}`), () => {});
      }
      found.acknowledged += acknowledged.length;
      await sleep(STOP_MS - 10_000);
      const reading = acknowledged.map(async (key) => {
        const got = await sleeper.get(key, { timeoutMs: 60_000 }).catch(() => null);
        if (got !== null && got.texts()[0] !== "v") found.missed++;
      });
      await sleep(100);
      world.resumeNode(machine(2));
      await Promise.all(reading);
      world.heal();
      await sleep(10_000);
      for (const key of acknowledged) assertEquals((await sleeper.get(key)).texts(), ["v"]);
      const rings = await Promise.all([first, sleeper].map((client) => client.admin("ring", {})));
      assertEquals(rings[0]!.checksum, rings[1]!.checksum);
    });
  }
  return found;
}

const ASLEEP: Readonly<Record<string, (world: Simulation, name: string) => void>> = {
  "is stopped": (world, name) => world.pauseNode(name),
  "hears nobody": (world, name) => world.network.partition([name], [machine(0), machine(1), "loner"]),
};

for (const [what, fallAsleep] of Object.entries(ASLEEP)) {
  Deno.test(`FAULTS 35: a member that ${what} while the ring changes serves nothing stale as fresh`, async () => {
    const { acknowledged, missed } = await missedByTheSleeper({}, fallAsleep);
    assert(acknowledged > 0);
    assertEquals(missed, 0);
  });

  Deno.test(`FAULTS 35: planted bug, what a member holds counts though it ${what} in a vote`, async () => {
    const isSure = () => true;
    assert((await missedByTheSleeper({ replicaStore: { isSure } }, fallAsleep)).missed > 0);
  });
}
