/**
 * A member that leaves keeps hints for others: what was promised is handed over before it goes, and only then does it
 * go.
 *
 * @module
 */

import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { BudgetSettings } from "../../actors/repair/budget.ts";
import type { Client } from "../../net/client.ts";
import type { NodeCores } from "../../net/node.ts";
import { onStage, others, replicasOf, type Stage } from "./stage.ts";

const NODES = 4;
/** A key has one replica; while that is away what is written is where the first one that stands in for it is. */
const ONE = { n: 1, r: 1, w: 1 } as const;
/** So few partitions that who leaves has one, which goes to a member that is there. */
const SMALL = { partitions: NODES, quorum: ONE } as const;

async function hintsAt({ cluster }: Stage, index: number): Promise<number> {
  await using client = await cluster.connect({ to: [index] });
  return (await client.admin("status", {})).hints.count;
}

/** The only replica of `k` goes away, and somebody keeps `v` for it. */
async function withHint(stage: Stage) {
  const { cluster, until } = stage;
  const [owner] = await replicasOf(await cluster.connect(), "k");
  const left = others(NODES, owner!);
  cluster.kill(owner!);
  const client = await cluster.connect({ to: left });
  await until(async () => {
    const { members } = await client.admin("clusterState", {});
    return members.some(({ liveness }) => liveness === "down");
  });
  await until(() => client.put("k", "v").then(() => true, () => false));
  const counts = await Promise.all(left.map((index) => hintsAt(stage, index)));
  const keeper = left[counts.findIndex((count) => count > 0)]!;
  const rest = left.filter((index) => index !== keeper);
  return { owner: owner!, keeper, rest, guide: await cluster.connect({ to: rest }) };
}

async function isAtRest(client: Client, members: number): Promise<boolean> {
  const status = await client.admin("status", {});
  return status.moves === null && status.members === members;
}

/** Whoever keeps the only copy of a write leaves, and then the one comes back that it was kept for. */
async function leave(cores: NodeCores = {}): Promise<readonly string[]> {
  let texts: readonly string[] = [];
  await onStage({ nodes: NODES, node: SMALL, cores }, async (stage) => {
    const { cluster, until } = stage;
    const { owner, keeper, rest, guide } = await withHint(stage);
    const leaver = await cluster.connect({ to: [keeper] });
    assert((await leaver.admin("leave", {})).ok);
    await cluster.node(keeper).terminated;
    await until(() => isAtRest(guide, NODES - 1));
    await cluster.start(owner);
    await until(async () =>
      (await Promise.all(rest.map((index) => hintsAt(stage, index)))).every((n) => n === 0)
    );
    await until(() =>
      guide.get("k", { sloppy: false }).then((read) => (texts = read.texts(), true), () => false)
    );
  });
  return texts;
}

Deno.test("a member that leaves hands over a hint that is all there is of a write, though its target is away", async () => {
  assertEquals(await leave(), ["v"]);
});

Deno.test("planted: a member that leaves with the hints it keeps takes an acknowledged write with it", async () => {
  const goes: NodeCores = { mover: { isEmptied: () => true }, handoff: { keepersOf: () => [] } };
  assertEquals(await leave(goes), []);
});

const PAUSED: BudgetSettings = { mostBytesPerS: null, isPaused: true };

/** Whoever keeps the hint leaves, and cannot give it away; `end` ends that. */
async function stuck(
  cores: NodeCores,
  end: (stage: Stage, at: Awaited<ReturnType<typeof withHint>>) => Promise<void>,
  settings: BudgetSettings | null = null,
): Promise<void> {
  await onStage({ nodes: NODES, node: SMALL, cores }, async (stage) => {
    const { cluster, sleep } = stage;
    const at = await withHint(stage);
    const leaver = await cluster.connect({ to: [at.keeper] });
    if (settings !== null) await leaver.admin("background", { set: settings });
    assert((await leaver.admin("leave", {})).ok);
    await sleep(15_000);
    const { moves, members } = await at.guide.admin("status", {});
    assertEquals([members, moves?.copying, moves?.settling, moves?.hintsLeft], [NODES, 0, 0, 1]);
    await end(stage, at);
  });
}

Deno.test("a leave waits while its hints can nowhere be kept, and says so; it ends when their target is back", () => {
  let isFull = false;
  const cores: NodeCores = { hintStore: { hasRoom: () => !isFull && (isFull = true) } };
  return stuck(cores, async ({ cluster, until }, { owner, guide }) => {
    await cluster.start(owner);
    await until(() => isAtRest(guide, NODES - 1));
    await until(() =>
      guide.get("k", { sloppy: false }).then((read) => read.texts().join() === "v", () => false)
    );
  });
});

Deno.test("a leave waits while work in the background is paused where it leaves", () =>
  stuck({}, async ({ cluster, until }, { keeper, guide }) => {
    const leaver = await cluster.connect({ to: [keeper] });
    await leaver.admin("background", { set: { ...PAUSED, isPaused: false } });
    await until(() => isAtRest(guide, NODES - 1));
  }, PAUSED));

Deno.test("a leave that waits for its hints can be given up, or ended by force", async () => {
  await stuck({}, async ({ until, cluster }, { keeper, guide }) => {
    const cancelled = await guide.admin("cancel", {});
    assert(cancelled.ok, JSON.stringify(cancelled));
    await until(() => isAtRest(guide, NODES));
    assertEquals((await (await cluster.connect({ to: [keeper] })).admin("status", {})).hints.count, 1);
  }, PAUSED);
  await stuck({}, async ({ until, cluster }, { keeper, guide }) => {
    const removed = await guide.admin("forceRemove", { id: cluster.node(keeper).id, alive: true });
    assert(removed.ok, JSON.stringify(removed));
    await until(() => isAtRest(guide, NODES - 1));
  }, PAUSED);
});

Deno.test("who leaves is given no more to keep, nor who joins and may be sent away again", () =>
  onStage({ nodes: NODES, node: SMALL }, async (stage) => {
    const { cluster, until } = stage;
    const { keeper, rest } = await withHint(stage);
    const leaver = await cluster.connect({ to: [keeper] });
    await leaver.admin("background", { set: PAUSED });
    assert((await leaver.admin("leave", {})).ok);
    for (let turn = 0; turn < 5; turn++) {
      await until(() => leaver.put("k", `v${turn}`).then(() => true, () => false));
    }
    assertEquals(await hintsAt(stage, keeper), 1);
    const kept = await Promise.all(rest.map((index) => hintsAt(stage, index)));
    assertEquals(kept.reduce((sum, count) => sum + count), 1);
  }));
