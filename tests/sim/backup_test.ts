/**
 * Backups of nodes in a cluster, put back: into a cluster that lived on, and into one that was lost altogether.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import type { DiskSnapshot } from "../../actors/simulated/disk.ts";
import { restore } from "../../net/offline/restore.ts";
import { type EngineName, ENGINES } from "../../storage/engines.ts";
import { failureOf, machine, onStage, type Stage } from "./stage.ts";

const BACKUP = "/backup";

async function statusOf({ cluster }: Stage, index: number) {
  await using client = await cluster.connect({ to: [index] });
  return await client.admin("status", {});
}

/** Have a node make a backup, while it serves. */
async function backUp({ cluster, until }: Stage, index: number): Promise<void> {
  await using client = await cluster.connect({ to: [index] });
  const begun = await client.admin("backup", { directory: BACKUP });
  assert(begun.ok, JSON.stringify(begun));
  await until(async () => {
    const progress = await client.admin("backupProgress", { number: begun.number });
    assert(progress.ok);
    if (progress.outcome === null) return false;
    assert(progress.outcome.ok, JSON.stringify(progress.outcome));
    return true;
  });
}

/** What is below a directory, and what is not. */
function parts(snapshot: DiskSnapshot, directory: string): [within: DiskSnapshot, without: DiskSnapshot] {
  const isWithin = ([path]: [string, unknown]) => `${path}/`.startsWith(`${directory}/`);
  return [
    new Map([...snapshot].filter(isWithin)),
    new Map([...snapshot].filter((entry) => !isWithin(entry))),
  ];
}

/** The node's data is lost with its process. */
function lose({ cluster, world }: Stage, index: number): void {
  cluster.kill(index);
  const disk = world.disk(machine(index));
  disk.restore(parts(disk.snapshot(), "data")[1]);
}

/** What an operator does then. */
async function putBack({ world }: Stage, index: number, wholeCluster = false): Promise<void> {
  const { damage } = await restore(
    world.environment(machine(index)),
    { backup: BACKUP, path: "data", wholeCluster },
    () => {},
  );
  assertEquals(damage, []);
}

/** How a copy of a running node is made and put back. */
interface Way {
  copy(stage: Stage, index: number): Promise<void>;
  putBack(stage: Stage, index: number): Promise<void>;
}

const BY_BACKUP: Way = { copy: backUp, putBack };

/** By hand, file by file: what a backup must not be. */
function byHand(): Way {
  let copied: DiskSnapshot = new Map();
  return {
    copy: ({ world }, index) => {
      copied = parts(world.disk(machine(index)).snapshot(), "data")[0];
      return Promise.resolve();
    },
    putBack: ({ world }, index) => {
      const disk = world.disk(machine(index));
      disk.restore(new Map([...disk.snapshot(), ...copied]));
      return Promise.resolve();
    },
  };
}

/**
 * Node 2 acknowledges a write after the copy was made, in the same life, which node 1 has not; its disk is lost and the
 * copy put back while all are up. What do reads of nodes 1 and 2 give then, and once they are alone?
 */
async function readsAfter(way: Way, engine: EngineName): Promise<Set<string>> {
  const seen = new Set<string>();
  await onStage({ nodes: 3, node: { storage: { engine } } }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    const client = await cluster.connect({ to: [0] });
    await client.put("k", "old", { w: 3 });
    await way.copy(stage, 2);
    const { context } = await client.get("k");
    cluster.kill(1);
    await until(() => client.put("k", "new", { context, timeoutMs: 500 }).then(() => true, () => false));
    lose(stage, 2);
    cluster.kill(0); // with it goes what it still had to say to node 1
    await Promise.all([cluster.start(0), cluster.start(1)]);
    await way.putBack(stage, 2);
    await cluster.start(2);
    await until(async () => (await statusOf(stage, 2)).state === "serving");
    world.network.partition([machine(0)], [machine(1), machine(2)]);
    const last = await cluster.connect({ to: [1] });
    for (let read = 0; read < 20; read++) {
      const texts = await last.get("k", { timeoutMs: 300 }).then((got) => got.texts(), () => []);
      for (const text of texts) seen.add(text);
      await sleep(20);
    }
  });
  return seen;
}

for (const engine of ENGINES) {
  Deno.test(`a backup of a running node, put back, is never read from as if it were the newest (${engine})`, async () => {
    assertEquals(await readsAfter(BY_BACKUP, engine), new Set(["new"]));
  });

  Deno.test(`planted: a copy of a running node's files, put back, is read from as if it were the newest (${engine})`, async () => {
    assertEquals(await readsAfter(byHand(), engine), new Set(["old"]));
  });

  Deno.test(`a node restored into a cluster that lived on catches up with what it missed, as a new actor (${engine})`, () =>
    onStage({ nodes: 3, node: { storage: { engine } } }, async (stage) => {
      const { cluster, until } = stage;
      const client = await cluster.connect({ to: [0, 1] });
      for (let n = 0; n < 20; n++) await client.put(`k${n}`, "old", { w: 3 });
      await backUp(stage, 2);
      const { node, store: { actorId } } = await statusOf(stage, 2);
      lose(stage, 2);
      for (let n = 10; n < 30; n++) {
        await client.put(`k${n}`, "new", { context: (await client.get(`k${n}`)).context });
      }
      await client.del("k0", { context: (await client.get("k0")).context });
      await putBack(stage, 2);
      await cluster.start(2);
      const first = await statusOf(stage, 2);
      assertEquals(first.node, node);
      assert(first.store.notWhole > 0 && first.store.actorId !== actorId);
      await until(async () => (await statusOf(stage, 2)).state === "serving");
      // It alone, and one other, have what there is.
      cluster.kill(0);
      const last = await cluster.connect({ to: [2] });
      for (let n = 1; n < 30; n++) assertEquals((await last.get(`k${n}`)).texts(), [n < 10 ? "old" : "new"]);
      assertEquals((await last.get("k0")).values.length, 0);
      await last.put("k1", "newer", { context: (await last.get("k1")).context });
      assertEquals((await last.get("k1")).texts(), ["newer"]);
    }));

  Deno.test(`a node that is backed up again and again while it is written to goes on; each backup restores (${engine})`, () =>
    onStage({ nodes: 3, node: { storage: { engine } } }, async (stage) => {
      const { cluster, world, until } = stage;
      const client = await cluster.connect({ to: [0] });
      for (let round = 0; round < 3; round++) {
        const written = Promise.all(
          Array.from({ length: 50 }, (_, n) => client.put(`r${round}/${n}`, "v", { w: 3 })),
        );
        await backUp(stage, 1);
        await written;
        if (round === 2) break;
        const disk = world.disk(machine(1));
        cluster.kill(1);
        disk.restore(parts(disk.snapshot(), "backup")[1]);
        await cluster.start(1);
        await until(() => client.get("r0/0", { r: 3 }).then(() => true, () => false));
      }
      lose(stage, 1);
      await putBack(stage, 1);
      await cluster.start(1);
      await until(async () => (await statusOf(stage, 1)).state === "serving");
      for (let round = 0; round < 3; round++) {
        for (let n = 0; n < 50; n += 7) {
          assertEquals((await client.get(`r${round}/${n}`, { r: 3 })).texts(), ["v"]);
        }
      }
    }));

  Deno.test(`a whole cluster restored from backups of different moments has what all of them had, and serves (${engine})`, () =>
    onStage({ nodes: 3, node: { storage: { engine } } }, async (stage) => {
      const { cluster, until } = stage;
      const client = await cluster.connect();
      for (let n = 0; n < 20; n++) await client.put(`k${n}`, "old");
      for (const index of [0, 1, 2]) {
        await backUp(stage, index);
        await client.put(`between${index}`, "v", { w: 3 });
        cluster.kill(index, { power: true });
        await cluster.start(index);
        await until(() => client.get("k0", { r: 3 }).then(() => true, () => false));
      }
      for (let n = 0; n < 20; n++) {
        await client.put(`k${n}`, "late", { context: (await client.get(`k${n}`)).context });
      }
      for (const index of [0, 1, 2]) lose(stage, index);
      for (const index of [0, 1, 2]) await putBack(stage, index, true);
      await Promise.all([0, 1, 2].map((index) => cluster.start(index)));
      for (const index of [0, 1, 2]) {
        await until(async () => (await statusOf(stage, index)).state === "serving");
      }
      for (const index of [0, 1, 2]) {
        const through = await cluster.connect({ to: [index] });
        for (let n = 0; n < 20; n++) assertEquals((await through.get(`k${n}`, { r: 3 })).texts(), ["old"]);
        // What was written between is in the backups that came later.
        assertEquals((await through.get("between0", { r: 3 })).texts(), ["v"]);
        assertEquals((await through.get("between1", { r: 3 })).texts(), ["v"]);
        assertEquals((await through.get("between2", { r: 3 })).texts(), []);
        await through.put(`again${index}`, "v", { w: 3 });
        assertEquals((await through.get(`again${index}`, { r: 3 })).texts(), ["v"]);
      }
    }));
}

for (const wholeCluster of [true, false]) {
  const does = wholeCluster ? "can change its ring" : "abstains from votes, for somebody may remember more";
  Deno.test(`a whole cluster that was restored ${wholeCluster ? "as such " : ""}${does}`, () =>
    onStage({ nodes: 3, machines: 4 }, async (stage) => {
      const { cluster, until } = stage;
      for (const index of [0, 1, 2]) await backUp(stage, index);
      for (const index of [0, 1, 2]) lose(stage, index);
      for (const index of [0, 1, 2]) await putBack(stage, index, wholeCluster);
      await Promise.all([0, 1, 2].map((index) => cluster.start(index)));
      for (const index of [0, 1, 2]) {
        await until(async () => (await statusOf(stage, index)).state === "serving");
      }
      await cluster.start(3);
      const candidate = await cluster.connect({ to: [3] });
      const joined = await candidate.admin("join", { known: cluster.node(0).address }, { timeoutMs: 30_000 });
      if (wholeCluster) assert(joined.ok, JSON.stringify(joined));
      else assertMatch(JSON.stringify(joined), /these do not: .* \(away, or without a vote/);
      assertEquals(joined.ok, wholeCluster);
    }));
}

Deno.test("a node backs up once at a time, and its outcome is told to whoever asks", () =>
  onStage({ nodes: 1 }, async ({ cluster, until }) => {
    const client = await cluster.connect();
    const [first, second] = await Promise.all([
      client.admin("backup", { directory: "/a" }),
      client.admin("backup", { directory: "/b" }),
    ]);
    assertEquals([first.ok, second.ok], [true, false]);
    assert(!second.ok && second.code === "busy");
    assert(first.ok);
    await until(async () => {
      const progress = await client.admin("backupProgress", { number: first.number });
      return progress.ok && progress.outcome?.ok === true && progress.outcome.directory === "/a";
    });
    const unknown = await client.admin("backupProgress", { number: 77 });
    assert(!unknown.ok && unknown.code === "unknown");
    const again = await client.admin("backup", { directory: "/a" });
    assert(again.ok);
    await until(async () => {
      const progress = await client.admin("backupProgress", { number: again.number });
      return progress.ok && progress.outcome !== null && !progress.outcome.ok &&
        progress.outcome.code === "not-empty";
    });
    const error = await failureOf(client.admin("backup", { directory: "" }));
    assertEquals(error.code, "bad-request");
  }));
