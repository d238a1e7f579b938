/**
 * Links that come and go must not become a story that everybody tells everybody: FAULTS 60.
 *
 * A whole cluster, under load, for a minute; the rumours alone are in `actors/gossiper/membership_test.ts`.
 *
 * @module
 */

import { type Heard, Membership } from "../../actors/gossiper/membership.ts";
import type { Gossip } from "../../actors/gossiper/rumour.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { SimulatedNetwork } from "../../actors/simulated/network.ts";
import type { Client } from "../../net/client.ts";
import type { NodeCores } from "../../net/node.ts";
import { machine, onStage, others } from "./stage.ts";

const NODES = 5;
const FOR_MS = 60_000;
const ROUND_MS = 500;

/** One flap after the other: what is cut in the n-th, how long it lasts, and the time until the next. */
interface Flapping {
  readonly cuts: (flap: number) => readonly (readonly [from: number, to: number])[];
  readonly cutMs: number;
  readonly wellMs: number;
  /** Whose clients may see failures. */
  readonly cutOff: readonly number[];
}

const out = others(NODES, 0).map((other) => [0, other] as const);
const both = out.flatMap(([a, b]) => [[a, b], [b, a]] as const);

const FLAPPING = {
  "nobody hears one node, again and again": { cuts: () => out, cutMs: 6_000, wellMs: 3_000, cutOff: [0] },
  "one node is cut off, again and again": { cuts: () => both, cutMs: 4_000, wellMs: 2_000, cutOff: [0] },
  "one node is cut off for longer than a connection lives": {
    cuts: () => both,
    cutMs: 13_000,
    wellMs: 4_000,
    cutOff: [0],
  },
  "one direction of one link": { cuts: () => [[0, 1]], cutMs: 3_000, wellMs: 1_000, cutOff: [] },
  "a direction somewhere, for moments": {
    cuts: (flap) => [[flap % NODES, (flap + 1 + (flap >> 2) % (NODES - 1)) % NODES]],
    cutMs: 300,
    wellMs: 100,
    cutOff: [],
  },
} satisfies Readonly<Record<string, Flapping>>;

/** What the cluster did in that minute. */
interface Minute {
  /** Messages that each node's gossiper handled, its own timer's included, per round. */
  readonly perRound: readonly number[];
  readonly incarnations: readonly number[];
  readonly liveness: readonly string[];
  readonly epochs: readonly number[];
  /** Failed updates and the slowest one's milliseconds, of clients that were not cut off. */
  readonly failures: readonly string[];
  readonly slowestMs: number;
}

async function gossipOf(client: Client): Promise<number> {
  const { actors } = await client.admin("status", {});
  return actors.find(({ name }) => name === "gossiper")!.handled;
}

async function flap(network: SimulatedNetwork, { cuts, cutMs, wellMs }: Flapping, stage: {
  readonly sleep: (ms: number) => Promise<void>;
  readonly until: () => boolean;
}): Promise<void> {
  for (let n = 0; !stage.until(); n++) {
    const pairs = cuts(n);
    for (const [from, to] of pairs) network.cut(machine(from), machine(to));
    await stage.sleep(cutMs);
    for (const [from, to] of pairs) network.mend(machine(from), machine(to));
    await stage.sleep(wellMs);
  }
}

async function minute(flapping: Flapping, cores: NodeCores = {}): Promise<Minute> {
  const { promise, resolve } = Promise.withResolvers<Minute>();
  await onStage({ nodes: NODES, cores }, async ({ cluster, world, sleep, until }) => {
    const clients = await Promise.all(others(NODES).map((index) => cluster.connect({ to: [index] })));
    await clients[0]!.put("k", "v");
    await sleep(10_000);
    const [before, began] = [await Promise.all(clients.map(gossipOf)), world.now()];
    const failures: string[] = [];
    let slowestMs = 0;
    const isOver = () => world.now() >= began + FOR_MS;
    const working = clients.map(async (client, index) => {
      for (let n = 0; !isOver(); n++) {
        const startMs = world.now();
        const failed = await client.update(`k${index}`, () => `${n}`, { timeoutMs: 3_000 }).catch(String);
        if (!flapping.cutOff.includes(index)) {
          if (failed !== undefined) failures.push(failed);
          slowestMs = Math.max(slowestMs, world.now() - startMs);
        }
        await sleep(250);
      }
    });
    await Promise.all([...working, flap(world.network, flapping, { sleep, until: isOver })]);
    await until(async () => (await clients[1]!.admin("status", {})).alive === NODES);
    const after = await Promise.all(clients.map(gossipOf));
    const rounds = (world.now() - began) / ROUND_MS;
    const states = await Promise.all(clients.map((client) => client.admin("clusterState", {})));
    resolve({
      perRound: after.map((count, index) => (count - before[index]!) / rounds),
      incarnations: states[1]!.members.map(({ incarnation }) => incarnation),
      liveness: states[1]!.members.map(({ liveness }) => liveness),
      epochs: states.map(({ ring }) => ring.epoch),
      failures,
      slowestMs,
    });
  });
  return await promise;
}

/** What is wrong with that. */
function storms({ perRound, incarnations }: Minute): string[] {
  return [
    // Each round a node says something to two others and hears from about two, each with an answer.
    ...perRound.filter((count) => count > 6).map((count) => `${count.toFixed(1)} messages a round`),
    ...incarnations.filter((incarnation) => incarnation > 3).map((incarnation) =>
      `incarnation ${incarnation}`
    ),
  ];
}

for (const [what, flapping] of Object.entries(FLAPPING)) {
  Deno.test(`FAULTS 60: ${what}: no membership storm, and the others serve`, async () => {
    const told = await minute(flapping);
    assertEquals(storms(told), []);
    assertEquals(new Set(told.liveness), new Set(["alive"]));
    assertEquals(new Set(told.epochs), new Set([NODES]));
    assertEquals(told.failures, []);
    assert(told.slowestMs < 1_500, `a request took ${told.slowestMs} ms`);
  });
}

/** What becomes of a message before a node hears it. */
function mishearing(mishear: (gossip: Gossip) => Gossip): NodeCores {
  class Mishearing extends Membership {
    override onGossip(from: string, gossip: Gossip, nowMs: number): Heard {
      return super.onGossip(from, mishear(gossip), nowMs);
    }
  }
  return { gossiper: { membership: (...known) => new Mishearing(...known) } };
}

let heard = 0;

const PLANTED: Readonly<Record<string, (gossip: Gossip) => Gossip>> = {
  "a suspicion outranks what is heard later": (gossip) => ({
    ...gossip,
    rumours: gossip.rumours.map((rumour) =>
      rumour.liveness === "alive" ? rumour : { ...rumour, incarnation: rumour.incarnation + 1 }
    ),
  }),
  "every other answer is answered": (gossip) => ({ ...gossip, isAnswer: gossip.isAnswer && heard++ % 2 > 0 }),
};

for (const [bug, mishear] of Object.entries(PLANTED)) {
  Deno.test(`FAULTS 60: planted bug, ${bug}: a storm`, async () => {
    // Long enough for suspicions to stand: those of shorter cuts are mostly forgotten before they are heard.
    const long = FLAPPING["one node is cut off for longer than a connection lives"];
    const short = FLAPPING["one node is cut off, again and again"];
    const minutes = [await minute(long, mishearing(mishear)), await minute(short, mishearing(mishear))];
    assert(minutes.some((told) => storms(told).length > 0));
  });
}
