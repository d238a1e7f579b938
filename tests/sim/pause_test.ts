/**
 * What must not be taken for a death: FAULTS 64.
 *
 * @module
 */

import { Membership, type Round } from "../../actors/gossiper/membership.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import type { NodeCores } from "../../net/node.ts";
import { machine, onStage, type Stage } from "./stage.ts";

/** What nodes say about each other, and what becomes of those who work meanwhile. */
interface Watched {
  /** Lines such as `a member is suspect`. */
  readonly news: readonly string[];
  /** Calls that failed. */
  readonly failures: readonly string[];
  /** Who had to refute a rumour, and how often. */
  readonly incarnations: readonly number[];
}

async function watch(
  cores: NodeCores,
  play: (stage: Stage, failures: string[]) => Promise<void>,
): Promise<Watched> {
  const news: string[] = [];
  const failures: string[] = [];
  let incarnations: number[] = [];
  const onLog = ({ message }: { readonly message: string }) => {
    if (message.startsWith("a member is")) news.push(message);
  };
  await onStage({ nodes: 3, node: { logLevel: "info" }, cores, onLog }, async (stage) => {
    await stage.sleep(10_000);
    news.length = 0;
    await play(stage, failures);
    await stage.sleep(2_000);
    const client = await stage.cluster.connect();
    const { members } = await client.admin("clusterState", {});
    incarnations = members.map(({ incarnation }) => incarnation);
  });
  return { news, failures, incarnations };
}

// --- pauses --------------------------------------------------------------------------------------------------

/** One node after the other stands still for as long as `lengths` say, while everybody updates one hot key. */
function pauses(lengths: readonly number[], cores: NodeCores = {}): Promise<Watched> {
  return watch(cores, async ({ cluster, world, sleep }, failures) => {
    const clients = await Promise.all([0, 1, 2].map((index) => cluster.connect({ to: [index] })));
    let isOver = false;
    const working = clients.map(async (client, index) => {
      for (let n = 0; !isOver; n++) {
        await client.update("hot", () => `${index}.${n}`, { timeoutMs: 10_000 }).catch((error) =>
          failures.push(String(error))
        );
        await sleep(100);
      }
    });
    for (const [turn, lengthMs] of lengths.entries()) {
      world.pauseNode(machine(turn % 3));
      await sleep(lengthMs);
      world.resumeNode(machine(turn % 3));
      await sleep(1_700);
    }
    isOver = true;
    await Promise.all(working);
  });
}

const SHORT_MS = [200, 700, 1_400, 300, 1_100, 1_400, 900, 1_400, 600, 1_400, 1_400, 1_400];
const LONG_MS = [2_000, 3_000, 5_000, 2_500, 4_000, 5_000];

Deno.test("FAULTS 64: pauses up to a second and a half on a hot key: nobody is suspected, no call fails", async () => {
  const { news, failures, incarnations } = await pauses(SHORT_MS);
  assertEquals([news, failures, incarnations], [[], [], [0, 0, 0]]);
});

Deno.test("FAULTS 64: pauses up to five seconds: some may be suspected, none is called dead, no call fails", async () => {
  const { news, failures } = await pauses(LONG_MS);
  assertEquals(news.filter((line) => /down/.test(line)), []);
  assertEquals(failures, []);
});

Deno.test("FAULTS 64: planted bug, who is suspected is called dead at once: pauses are deaths", async () => {
  class Hasty extends Membership {
    override tick(...now: Parameters<Membership["tick"]>): Round {
      const { sends, changes } = super.tick(...now);
      return { sends, changes: changes.map(({ node }) => ({ node, liveness: "down" })) };
    }
  }
  const { news } = await pauses(LONG_MS, { gossiper: { membership: (...known) => new Hasty(...known) } });
  assert(news.some((line) => /down/.test(line)));
});

// --- large values ----------------------------------------------------------------------------------------------

/** Everybody reads and writes 1 MiB under one key; a link carries 2.5 MiB in a second. */
function largeAndHot(cores: NodeCores = {}): Promise<Watched> {
  return watch(cores, async ({ cluster, world }, failures) => {
    const clients = await Promise.all(
      Array.from({ length: 8 }, (_, index) => cluster.connect({ to: [index % 3] })),
    );
    Object.assign(world.network.faults, { delayMinMs: 90, delayMaxMs: 110 });
    const value = new Uint8Array(2 ** 20);
    const until = world.now() + 15_000;
    await Promise.all(clients.map(async (client) => {
      while (world.now() < until) {
        await client.update("hot", () => value).catch((error) => failures.push(String(error)));
      }
    }));
  });
}

Deno.test("FAULTS 64: values of 1 MiB on a hot key over slow links: nobody is suspected", async () => {
  const { news, incarnations } = await largeAndHot();
  assertEquals([news, incarnations], [[], [0, 0, 0]]);
});

Deno.test("FAULTS 64: planted bug, only gossip is a sign of life: it is stuck behind the values", async () => {
  class Deaf extends Membership {
    override tick(nowMs: number): Round {
      return super.tick(nowMs);
    }
  }
  const { news } = await largeAndHot({ gossiper: { membership: (...known) => new Deaf(...known) } });
  assert(news.some((line) => /suspect/.test(line)));
});

Deno.test("FAULTS 64: a connection that has more to carry than it can in ten seconds is slow, and not silent", async () => {
  const { news, failures } = await watch({}, async ({ cluster, world }, failures) => {
    const clients = await Promise.all(Array.from({ length: 40 }, () => cluster.connect({ to: [0] })));
    Object.assign(world.network.faults, { delayMinMs: 90, delayMaxMs: 110 });
    const value = new Uint8Array(2 ** 20);
    const put = (client: Client, index: number) =>
      client.put(`k${index}`, value, { w: 3, timeoutMs: 60_000 });
    await Promise.all(
      clients.map((client, index) => put(client, index).catch((error) => failures.push(String(error)))),
    );
  });
  assertEquals([news, failures], [[], []]);
});

Deno.test("FAULTS 64: a client that takes eight seconds to send a value does not give its node up", () =>
  onStage({ nodes: 1 }, async ({ cluster, world }) => {
    const client = await cluster.connect();
    Object.assign(world.network.faults, { delayMinMs: 250, delayMaxMs: 250 });
    const began = world.now();
    await client.put("k", new Uint8Array(8 * 2 ** 20), { timeoutMs: 30_000 });
    assert(world.now() - began < 10_000, `${world.now() - began} ms`);
  }));
