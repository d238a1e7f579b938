/**
 * Work in the background is paid from one budget (Dynamo, section 6.5): each kind of it stops when an operator says so
 * and goes on afterwards, and none of it is done outside of what it is bounded to.
 *
 * @module
 */

import { Budget } from "../../actors/repair/budget.ts";
import type { BudgetSettings } from "../../actors/repair/budget.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { Simulation } from "../../actors/simulated/simulation.ts";
import { Client } from "../../net/client.ts";
import { Node, type NodeCores } from "../../net/node.ts";
import { openEngine } from "../../storage/open.ts";
import { onStage, others, replicasOf, type Stage } from "./stage.ts";

const PAUSED: BudgetSettings = { mostBytesPerS: null, isPaused: true };
const FREE: BudgetSettings = { mostBytesPerS: null, isPaused: false };

/** Set the budgets of nodes. */
async function set({ cluster }: Stage, nodes: readonly number[], settings: BudgetSettings): Promise<void> {
  for (const index of nodes) {
    await using client = await cluster.connect({ to: [index] });
    await client.admin("background", { set: settings });
  }
}

async function hintsAt({ cluster }: Stage, nodes: readonly number[]): Promise<number> {
  let count = 0;
  for (const index of nodes) {
    await using client = await cluster.connect({ to: [index] });
    count += (await client.admin("status", {})).hints.count;
  }
  return count;
}

/** Of four nodes one is away, and another one keeps hints for it. */
async function withHints(
  stage: Stage,
  { keys, sizeBytes }: { readonly keys: number; readonly sizeBytes: number },
  settings: BudgetSettings,
): Promise<{ readonly away: number; readonly left: number[] }> {
  const { cluster, until } = stage;
  const client = await cluster.connect({ to: [0] });
  const [, away] = await replicasOf(client, "k0");
  const left = others(4, away!);
  cluster.kill(away!);
  const guide = await cluster.connect({ to: left });
  await until(async () => {
    const { members } = await guide.admin("clusterState", {});
    return members.some(({ liveness }) => liveness === "down");
  });
  await set(stage, left, settings);
  const value = new Uint8Array(sizeBytes);
  for (let key = 0; key < keys; key++) await guide.put(`k${key}`, value);
  assert(await hintsAt(stage, left) > 0);
  return { away: away!, left };
}

Deno.test("no hint is given back while work in the background is paused, and all are afterwards", () =>
  onStage({ nodes: 4 }, async (stage) => {
    const { away, left } = await withHints(stage, { keys: 8, sizeBytes: 10 }, PAUSED);
    const before = await hintsAt(stage, left);
    await stage.cluster.start(away);
    await stage.sleep(20_000);
    assertEquals(await hintsAt(stage, left), before);
    await set(stage, left, FREE);
    await stage.until(async () => await hintsAt(stage, left) === 0);
  }));

/** How long it takes, at most, until a node that is bounded has given back its hints: about a hundred times as much. */
async function givingBackMs(cores: NodeCores): Promise<number> {
  let tookMs = 0;
  const bound = { mostBytesPerS: 20_000, isPaused: false };
  await onStage({ nodes: 4, cores }, async (stage) => {
    const { cluster, world, until } = stage;
    const { away, left } = await withHints(stage, { keys: 120, sizeBytes: 4_000 }, bound);
    const startMs = world.now();
    await cluster.start(away);
    await until(async () => await hintsAt(stage, left) === 0);
    tookMs = world.now() - startMs;
  });
  return tookMs;
}

Deno.test("hints are given back no faster than an operator allows; planted: a handoff that does not pay is noticed", async () => {
  const tookMs = await givingBackMs({});
  assert(tookMs > 5_000, `${tookMs}`);
  const unpaidMs = await givingBackMs({ handoff: { costOf: () => 0 } });
  assert(unpaidMs < 5_000, `${unpaidMs}`);
});

Deno.test("replicas that differ stay different while all their nodes are paused, and are the same afterwards", () =>
  onStage({ nodes: 3, node: { quorum: { n: 3, r: 1, w: 1, sloppy: false } } }, async (stage) => {
    const { cluster, world, until, sleep } = stage;
    const client = await cluster.connect({ to: [0] });
    await client.put("k", "first", { w: 3 });
    await set(stage, [0, 1, 2], PAUSED);
    cluster.kill(2);
    await until(() => client.put("k", "second", { w: 2 }).then(() => true, () => false));
    world.heal();
    await cluster.start(2);
    await set(stage, [2], PAUSED);
    const holds = async () => {
      const { replicas } = await client.admin("explain", { key: encodeUtf8("k"), timeoutMs: 2_000 });
      return new Set(replicas.map(({ version }) => version.join())).size;
    };
    const before = await holds();
    await sleep(30_000);
    assertEquals([before, await holds()], [2, 2]);
    await set(stage, [0, 1, 2], FREE);
    await until(async () => await holds() === 1);
  }));

Deno.test("no partition is copied to a node that is paused: its join waits, and comes to its end afterwards", () =>
  onStage({ nodes: 3 }, async ({ cluster, world, until, sleep }) => {
    const client = await cluster.connect({ to: [0] });
    for (let key = 0; key < 40; key++) await client.put(`k${key}`, "v");
    const base = { logLevel: "silent", partitions: 16, storage: { path: "data" }, port: 4001 } as const;
    const node = await Node.start(base, world.environment("newcomer"));
    const joiner = await Client.connect(node.address, { environment: world.environment("guest") });
    await joiner.admin("background", { set: PAUSED });
    const outcome = await joiner.admin("join", { known: cluster.node(0).address }, { timeoutMs: 40_000 });
    assert(outcome.ok, JSON.stringify(outcome));
    await sleep(20_000);
    const { moves, background } = await joiner.admin("status", {});
    assert(moves !== null && moves.copying > 0, JSON.stringify(moves));
    assert(background.isPaused && background.waiting > 0, JSON.stringify(background));
    await joiner.admin("background", { set: FREE });
    await until(async () => (await client.admin("status", {})).moves === null);
  }));

/** Bytes on disk once one key has been written so often, beside others that fill a share of the log. */
async function diskBytes(world: Simulation, settings: BudgetSettings, times: number): Promise<number> {
  const environment = world.environment(`disk${times}${settings.isPaused}`);
  const budget = new Budget(environment.clock);
  budget.set(settings);
  const engine = await openEngine("bitcask", {
    ...environment,
    directory: "store",
    sync: "always",
    pace: budget.asker(),
    ...{ segmentBytes: 16 * 1024, deadBytes: 8 * 1024 },
  });
  const write = (key: string) =>
    engine.write([{ partition: 0, key: encodeUtf8(key), record: new Uint8Array(1_000) }]);
  for (let key = 0; key < 40; key++) await write(`${key}`);
  for (let time = 0; time < times; time++) await write("again");
  await new Promise<void>((resolve) => void environment.clock.after(30_000, resolve));
  const { diskBytes } = engine.stats();
  budget.close();
  await engine.close();
  return diskBytes;
}

Deno.test("a log is not cleaned while work in the background is paused, unless it is nearly all dead", async () => {
  const world = new Simulation({ seed: 1 });
  const [free, paused, pressed] = await world.complete(Promise.all([
    diskBytes(world, FREE, 60),
    diskBytes(world, PAUSED, 60),
    diskBytes(world, PAUSED, 400),
  ]));
  const said = `${free}, ${paused} and ${pressed}`;
  assert(free! < 90_000 && paused! > 100_000 && pressed! < 200_000, said);
});
