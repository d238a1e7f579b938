/**
 * Hinted handoff in whole clusters (Dynamo, section 4.6; FAULTS 58 and 59): what is promised, and that each way of
 * breaking it is noticed.
 *
 * @module
 */

import { HANDOFF_CORE } from "../../actors/handoff/handoff.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  fail,
} from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import { HINT_MEMORY_CORE } from "../../net/hint_memory.ts";
import type { NodeCores } from "../../net/node.ts";
import type { Change } from "../../storage/engine.ts";
import { failureOf, machine, onStage, others, replicasOf, type Stage } from "./stage.ts";

/** The engine of hints and store. */
const ON_LSM = { storage: { engine: "lsm" } } as const;

const NODES = 5;

/** Of five nodes, the three primaries of `k` and the two that stand in for them. */
async function cast({ cluster }: Stage): Promise<{ primaries: number[]; strangers: number[] }> {
  await using guide = await cluster.connect();
  const primaries = await replicasOf(guide, "k");
  return { primaries, strangers: others(NODES, ...primaries) };
}

/** Kill nodes, and wait until those that are left hold them to be down. */
async function take(
  { cluster, until }: Stage,
  gone: readonly number[],
  left: readonly number[],
): Promise<void> {
  for (const index of gone) cluster.kill(index);
  for (const index of left) {
    await using client = await cluster.connect({ to: [index] });
    await until(async () => {
      const { members } = await client.admin("clusterState", {});
      return members.filter(({ liveness }) => liveness === "down").length === gone.length;
    });
  }
}

/** Hints held by nodes. */
async function held({ cluster }: Stage, nodes: readonly number[]): Promise<number> {
  let count = 0;
  for (const index of nodes) {
    await using client = await cluster.connect({ to: [index] });
    count += (await client.admin("status", {})).hints.count;
  }
  return count;
}

/** How many replicas of a key hold what. */
async function found(client: Client, key: string): Promise<number> {
  const { replicas } = await client.admin("explain", { key: encodeUtf8(key), timeoutMs: 2_000 });
  return replicas.filter(({ siblings }) => siblings.length > 0).length;
}

/** A story that is well as long as nothing is planted ends with an assertion that does not hold. */
async function assertCaught(story: Promise<void>): Promise<void> {
  const error = await story.then(() => fail("it was not noticed"), (error: unknown) => error);
  assertInstanceOf(error, Error);
  assertMatch(error.name + String(error.cause), /AssertionError/);
}

/** All primaries are away; a write is acknowledged by those that stand in, and given back. */
function giveBack(cores: NodeCores = {}): Promise<void> {
  return onStage({ nodes: NODES, node: ON_LSM, cores }, async (stage) => {
    const { cluster, until } = stage;
    const { primaries, strangers } = await cast(stage);
    await take(stage, primaries, strangers);
    const client = await cluster.connect({ to: strangers });
    await client.put("k", "v");
    assertEquals((await client.get("k")).texts(), ["v"], "a read finds it while all primaries are away");
    assertEquals(await held(stage, strangers), 2);
    for (const index of primaries) await cluster.start(index);
    await until(async () => await held(stage, strangers) === 0);
    await until(async () => await found(client, "k") >= 2); // each of the two for whom it was kept
    for (const index of strangers) cluster.kill(index);
    const reader = await cluster.connect({ to: primaries });
    assertEquals((await reader.get("k", { sloppy: false })).texts(), ["v"]);
  });
}

/** A target is held to be alive, and its disk takes nothing. */
function refuseOnce(cores: NodeCores, seed: number): Promise<void> {
  return onStage({ nodes: NODES, node: ON_LSM, cores, seed }, async (stage) => {
    const { cluster, world, until, sleep } = stage;
    const { primaries, strangers } = await cast(stage);
    await take(stage, primaries, strangers);
    const client = await cluster.connect({ to: strangers });
    await client.put("k", "v");
    for (const index of primaries) {
      await cluster.start(index);
      world.disk(machine(index)).faults.capacityBytes = 0;
    }
    await sleep(10_000);
    world.heal();
    await until(async () => await held(stage, strangers) === 0);
    assertEquals(await everywhere(stage, client), ["v"]);
  });
}

/** Whether a hint comes before the disk is full is chance. */
async function refuse(cores: NodeCores = {}): Promise<void> {
  for (let seed = 1; seed <= 8; seed++) await refuseOnce(cores, seed);
}

/** What all three replicas hold of the key, once all of them answer. */
async function everywhere({ until }: Stage, client: Client): Promise<string[]> {
  let texts: string[] = [];
  await until(() =>
    client.get("k", { r: 3, sloppy: false }).then((read) => {
      texts = read.texts();
      return true;
    }, () => false)
  );
  return texts;
}

Deno.test("a write while all primaries are away is read, given back, and then read without those that stood in", () =>
  giveBack());

Deno.test("a strict write fails where too few primaries are left", () =>
  onStage({ nodes: NODES }, async (stage) => {
    const { cluster } = stage;
    const { primaries, strangers } = await cast(stage);
    await take(stage, primaries.slice(1), [primaries[0]!, ...strangers]);
    const client = await cluster.connect({ to: strangers });
    await failureOf(client.put("k", "v", { sloppy: false, timeoutMs: 1_000 }));
    await failureOf(client.get("k", { sloppy: false, timeoutMs: 1_000 }));
    await client.put("k", "w");
  }));

Deno.test("a key of which no hint is held is not said to be missing while its primaries are away", () =>
  onStage({ nodes: NODES }, async (stage) => {
    const { cluster } = stage;
    const { primaries, strangers } = await cast(stage);
    await (await cluster.connect()).put("k", "v");
    await take(stage, primaries, strangers);
    const client = await cluster.connect({ to: strangers });
    await failureOf(client.get("k", { timeoutMs: 1_000 }));
  }));

Deno.test("with one primary away a sloppy write is on the two others: a strict read of those finds it", () =>
  onStage({ nodes: NODES }, async (stage) => {
    const { cluster } = stage;
    const { primaries, strangers } = await cast(stage);
    const [away, ...left] = primaries;
    await take(stage, [away!], [...left, ...strangers]);
    const client = await cluster.connect({ to: strangers });
    for (let turn = 0; turn < 10; turn++) await client.put("k", `v${turn}`, await client.get("k"));
    for (const index of strangers) cluster.kill(index);
    await cluster.start(away!);
    const reader = await cluster.connect({ to: left });
    assertEquals((await reader.get("k", { sloppy: false })).texts(), ["v9"]);
  }));

/** Versions of one key are minted by one that stands in, before and after it has given back what it kept. */
function mintAgain(cores: NodeCores = {}): Promise<void> {
  return onStage({ nodes: NODES, node: ON_LSM, cores }, async (stage) => {
    const { cluster, until } = stage;
    const { primaries, strangers } = await cast(stage);
    const client = await cluster.connect({ to: strangers });
    for (const value of ["v1", "v2"]) {
      await take(stage, primaries, strangers);
      await client.put("k", value);
      for (const index of primaries) await cluster.start(index);
      await until(async () => await held(stage, strangers) === 0);
    }
    assertEquals((await everywhere(stage, client)).sort(), ["v1", "v2"]);
  });
}

Deno.test("what was minted after hints were given back replaces nothing that it has not seen", () =>
  mintAgain());

Deno.test("planted: a hint store that keeps its actor id makes an acknowledged write vanish", () =>
  assertCaught(mintAgain({ hintStore: { mustRenew: () => false } })));

Deno.test("planted: a hint that goes to another primary than the one it is for is not where it belongs", () => {
  const recipientsOf: typeof HANDOFF_CORE.recipientsOf = (ring, partition, target) => {
    const [first] = HANDOFF_CORE.recipientsOf({ ...ring }, partition, "");
    return first === undefined ? [target] : [first];
  };
  // Without anti-entropy, which would bring it there.
  return assertCaught(giveBack({ handoff: { recipientsOf }, antiEntropy: { partnersOf: () => [] } }));
});

Deno.test("a target that refuses a hint is sent it again", () => refuse());

Deno.test("planted: hints that are forgotten before they are durable at their target are lost", () =>
  assertCaught(refuse({ handoff: { isDelivered: () => true } })));

/** The lights go out where hints were acknowledged; the last that was written is asked for. */
function powerCut(cores: NodeCores = {}, seed = 1): Promise<void> {
  return onStage({ nodes: NODES, node: ON_LSM, cores, seed }, async (stage) => {
    const { cluster, until } = stage;
    const { primaries, strangers } = await cast(stage);
    await take(stage, primaries, strangers);
    const client = await cluster.connect({ to: strangers });
    await client.put("k", "v");
    for (const index of strangers) cluster.kill(index, { power: true });
    for (const index of [...strangers, ...primaries]) await cluster.start(index);
    await until(async () => await held(stage, strangers) === 0);
    const reader = await cluster.connect();
    assertEquals(await everywhere(stage, reader), ["v"]);
  });
}

/** Chance decides what a power cut leaves of bytes that were not synced. */
async function powerCuts(cores: NodeCores = {}): Promise<void> {
  for (let seed = 1; seed <= 8; seed++) await powerCut(cores, seed);
}

Deno.test("an acknowledged hint survives a power cut", () => powerCuts());

Deno.test("planted: a hint that is acknowledged before it is durable is lost with the power", () => {
  const openHints: typeof HINT_MEMORY_CORE.openHints = (engine, options) =>
    HINT_MEMORY_CORE.openHints(engine, { ...options, sync: { intervalMs: 60_000 } });
  return assertCaught(powerCuts({ hints: { openHints } }));
});

const ROOM = 400;

/** More is written for those that are away than there is room for. */
function fill(cores: NodeCores = {}): Promise<void> {
  const hasRoom: NonNullable<NodeCores["hintStore"]>["hasRoom"] = ({ totalBytes, addedBytes }) =>
    totalBytes + addedBytes <= ROOM;
  return onStage(
    { nodes: NODES, node: ON_LSM, cores: { hintStore: { hasRoom }, ...cores } },
    async (stage) => {
      const { cluster, until } = stage;
      const { primaries, strangers } = await cast(stage);
      await take(stage, primaries, strangers);
      const client = await cluster.connect({ to: strangers });
      const acknowledged: string[] = [];
      let refused = 0;
      const isOurs = async (key: string) =>
        (await replicasOf(client, key)).every((index) => primaries.includes(index));
      for (let number = 0; number < 60; number++) {
        const key = `k${number}`;
        if (!await isOurs(key)) continue;
        await client.put(key, key, { timeoutMs: 500 }).then(() => acknowledged.push(key), () => refused++);
      }
      assert(acknowledged.length > 0 && refused > 0, `${acknowledged.length} and ${refused} refused`);
      for (const index of strangers) {
        await using one = await cluster.connect({ to: [index] });
        const { hints } = await one.admin("status", {});
        assert(hints.bytes <= ROOM && hints.refused > 0, JSON.stringify(hints));
      }
      for (const index of primaries) await cluster.start(index);
      await until(async () => await held(stage, strangers) === 0);
      for (const key of acknowledged) {
        // Who was killed is not whole for a moment.
        await until(() => client.get(key, { r: 3, sloppy: false }).then(() => true, () => false));
        assertEquals((await client.get(key, { r: 3, sloppy: false })).texts(), [key], "it was acknowledged");
      }
    },
  );
}

Deno.test("58: a full hint store refuses new hints, which do not count, and never drops old ones", () =>
  fill());

Deno.test("planted: a full hint store that drops the oldest hint loses what was acknowledged", () => {
  const openHints: typeof HINT_MEMORY_CORE.openHints = async (name, options) => {
    const engine = await HINT_MEMORY_CORE.openHints(name, options);
    const kept: Change[] = [];
    return new Proxy(engine, {
      get(target, property) {
        if (property === "write") {
          return (changes: readonly Change[]) => {
            kept.push(...changes.filter(({ record }) => record !== null));
            const dropped = kept.length > 2 ? kept.splice(0, kept.length - 2) : [];
            return engine.write([...dropped.map((change) => ({ ...change, record: null })), ...changes]);
          };
        }
        const value: unknown = Reflect.get(target, property);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  return assertCaught(fill({ hints: { openHints } }));
});

Deno.test("59: hints that come late, twice and out of order do no harm, through crashes on either side", () =>
  onStage({ nodes: NODES, node: ON_LSM, seed: 7 }, async (stage) => {
    const { cluster, world, until, sleep } = stage;
    const { primaries, strangers } = await cast(stage);
    const client = await cluster.connect({ to: strangers });
    await take(stage, primaries, strangers);
    await client.put("k", "old");
    for (const index of primaries) await cluster.start(index);
    // Answers are lost and frames come twice, so that what has arrived is sent again; and it is written meanwhile.
    Object.assign(world.network.faults, { lossRate: 0.02, duplicateRate: 0.3, reorderRate: 0.3 });
    await sleep(1_500);
    for (const index of strangers) cluster.node(index).crash("handoff");
    cluster.node(primaries[0]!).crash("replica_store");
    await until(() =>
      client.get("k").then(async (read) => {
        await client.put("k", "new", read);
        return true;
      }).catch(() => false)
    );
    await sleep(3_000);
    world.heal();
    await until(async () => await held(stage, [...primaries, ...strangers]) === 0);
    assertEquals(await everywhere(stage, client), ["new"]);
  }));
