/**
 * Bugs that the simulator found by what it does to disks, each as the shortest play that shows it.
 *
 * @module
 */

import { onPrepare } from "../../actors/ring_manager/commit.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../../actors/runtime/testing/assert.ts";
import type { DiskSnapshot } from "../../actors/simulated/disk.ts";
import type { Client } from "../../net/client.ts";
import { machine, onStage, type Stage } from "./stage.ts";

const STORE = "data/memory/0000000001.log";

async function statusOf({ cluster }: Stage, index: number) {
  await using client = await cluster.connect({ to: [index] });
  return await client.admin("status", {});
}

async function answerOf({ cluster }: Stage, client: Client, index: number, key: string): Promise<string> {
  const { replicas } = await client.admin("explain", { key: encodeUtf8(key), timeoutMs: 1_000 });
  return replicas.find(({ address }) => address === cluster.node(index).address)!.answer;
}

function bytesOf({ world }: Stage, index: number, path: string): Uint8Array {
  return world.disk(machine(index)).snapshot().get(path)!;
}

/** The newest segment of a node's own journal. */
function journalOf({ world }: Stage, index: number): string {
  const paths = [...world.disk(machine(index)).snapshot().keys()];
  return paths.filter((path) => path.startsWith("data/node/") && path.endsWith(".log")).sort().at(-1)!;
}

/** Start a node that reaches nobody. */
async function startAlone({ cluster, world }: Stage, index: number): Promise<void> {
  const others = [0, 1, 2].filter((other) => other !== index).map(machine);
  world.network.partition([machine(index)], others);
  await cluster.start(index);
}

/** Three nodes, of which the third is down and has what was acknowledged: `k0` to `k4`. */
function thirdDown(play: (stage: Stage) => Promise<void>): Promise<void> {
  return onStage({ nodes: 3 }, async (stage) => {
    await using client = await stage.cluster.connect({ to: [0] });
    for (let n = 0; n < 5; n++) await client.put(`k${n}`, `v${n}`, { w: 3 });
    stage.cluster.kill(2);
    await play(stage);
  });
}

for (const fault of ["misdirectedReadRate", "bitFlipRate"] as const) {
  Deno.test(`a misread at start (${fault}) cost a node its identity, and it founded a cluster of its own`, () =>
    thirdDown(async (stage) => {
      const { cluster, world } = stage;
      const before = await statusOf(stage, 1);
      let node = "";
      for (let misread = 1; misread <= 8; misread++) {
        const disk = world.disk(machine(2));
        let reads = 0;
        disk.beforeEach = (operation) => {
          if (operation === "read") disk.faults[fault] = ++reads === misread ? 1 : 0;
        };
        await startAlone(stage, 2);
        const { state, members, store, ...status } = await statusOf(stage, 2);
        node ||= status.node;
        assertEquals([state, members, store.damage], ["serving", before.members, 0], `read ${misread}`);
        assertEquals([status.node, store.engine.keys], [node, 5]);
        disk.beforeEach = null;
        world.heal();
        cluster.kill(2);
      }
    }));
}

Deno.test("damage to a node's journal brought back the ring from before it joined: alone, it took writes", () =>
  thirdDown(async (stage) => {
    const { cluster, world } = stage;
    const disk = world.disk(machine(2));
    const whole = disk.snapshot();
    const journal = journalOf(stage, 2);
    for (let at = 64; at < whole.get(journal)!.length - 16; at += 29) {
      disk.restore(whole);
      disk.flipBit(journal, at);
      await startAlone(stage, 2);
      const { members, store } = await statusOf(stage, 2);
      assertEquals(members, 3, `byte ${at}`);
      // Any fact may be older than it should be, that the store is not whole among them.
      const isDamaged = disk.snapshot().has(`${journal}.damaged`);
      assertEquals(store.notWhole > 0, isDamaged, `byte ${at}`);
      world.heal();
      cluster.kill(2);
    }
  }));

Deno.test("a node whose journal has lost who it is does not start, changes nothing, and goes on from a backup", () =>
  thirdDown(async (stage) => {
    const { cluster, world, until } = stage;
    const disk = world.disk(machine(2));
    const backup = disk.snapshot();
    await cluster.start(2);
    const { node } = await statusOf(stage, 2);
    cluster.kill(2);
    const journal = journalOf(stage, 2);
    for (const at of [9, 41]) disk.flipBit(journal, at);
    const before = bytesOf(stage, 2, journal);
    await assertRejects(() => cluster.start(2), Error, "from a backup");
    world.killNode(machine(2));
    assertEquals(bytesOf(stage, 2, journal), before);
    disk.restore(new Map([...disk.snapshot(), [journal, backup.get(journal)!]]));
    await cluster.start(2);
    await until(async () => (await statusOf(stage, 2)).state === "serving");
    assertEquals((await statusOf(stage, 2)).node, node);
  }));

Deno.test("damage to the last write of a process that was killed passed for a write that was never acknowledged", () =>
  thirdDown(async (stage) => {
    const { cluster, world, until } = stage;
    world.disk(machine(2)).flipBit(STORE, bytesOf(stage, 2, STORE).length - 30);
    await startAlone(stage, 2);
    assertEquals((await statusOf(stage, 2)).state, "not-whole");
    world.heal();
    await until(async () => (await statusOf(stage, 2)).state === "serving");
    await using client = await cluster.connect({ to: [0] });
    for (let n = 0; n < 5; n++) assertEquals(await answerOf(stage, client, 2, `k${n}`), "found");
  }));

Deno.test("a torn tail, which may hide the last write that was acknowledged, was read over (471612020)", () =>
  thirdDown(async (stage) => {
    const { cluster, world, until } = stage;
    const file = world.environment(machine(2)).disk.open(STORE, { write: true });
    file.truncate(file.size() - 30); // as a disk leaves it that wrote this, and what vouched for it, elsewhere
    await file.sync();
    world.killNode(machine(2));
    await startAlone(stage, 2);
    assertEquals((await statusOf(stage, 2)).state, "not-whole");
    world.heal();
    await until(async () => (await statusOf(stage, 2)).state === "serving");
    await using client = await cluster.connect({ to: [0] });
    for (let n = 0; n < 5; n++) assertEquals(await answerOf(stage, client, 2, `k${n}`), "found");
  }));

Deno.test("a crash right after damage was cut out of a store left no trace of the loss", () =>
  thirdDown(async (stage) => {
    const { cluster, world, sleep } = stage;
    const disk = world.disk(machine(2));
    disk.flipBit(STORE, 150);
    const damaged = disk.snapshot();
    for (let crashAt = 1;; crashAt++) {
      disk.restore(damaged);
      let changes = 0;
      disk.beforeEach = (operation) => {
        if (["read", "list", "exists", "open"].includes(operation)) return;
        if (++changes === crashAt) world.crashNode(machine(2));
      };
      world.network.partition([machine(2)], [machine(0), machine(1)]);
      const started = cluster.start(2).then(() => true, () => false);
      const isUp = await Promise.race([started, sleep(500)]); // who is killed starts nothing
      disk.beforeEach = null;
      if (isUp) return assert(crashAt > 20);
      await cluster.start(2);
      assert((await statusOf(stage, 2)).store.notWhole > 0, `crash at ${crashAt}`);
      world.heal();
      cluster.kill(2);
    }
  }));

/** Node 2 as it was at its first stop; now it runs, and knows more. */
async function withBackup({ cluster, world }: Stage): Promise<DiskSnapshot> {
  const client = await cluster.connect({ to: [0] });
  await client.put("k", "old", { w: 3 });
  await client.close();
  cluster.kill(2);
  const backup = world.disk(machine(2)).snapshot();
  await cluster.start(2);
  return backup;
}

/** What node 2 acknowledges with node 0, while node 1 is away. */
async function writeNew({ cluster, world, until }: Stage): Promise<void> {
  const client = await cluster.connect({ to: [0] });
  await until(() => client.get("k", { r: 3 }).then(() => true, () => false));
  world.network.partition([machine(1)], [machine(0), machine(2)]);
  await client.put("k", "new", { context: (await client.get("k")).context });
  await client.close();
}

/** What the members that meet the copy, and the copy itself, go through before they meet. */
const MEETINGS = {
  "members know better": () => Promise.resolve(),
  "members that were restarted know better": async ({ cluster }: Stage) => {
    cluster.kill(1, { power: true });
    await cluster.start(1);
  },
  "however often it starts first": async (stage: Stage) => {
    for (let life = 0; life < 3; life++) {
      await startAlone(stage, 2);
      stage.cluster.kill(2);
    }
  },
};

for (const [name, before] of Object.entries(MEETINGS)) {
  Deno.test(`FAULTS 50: an older copy of a disk was read from as if it were the newest; ${name}`, () =>
    onStage({ nodes: 3 }, async (stage) => {
      const { cluster, world, sleep, until } = stage;
      const backup = await withBackup(stage);
      await writeNew(stage);
      cluster.kill(2);
      world.disk(machine(2)).restore(backup);
      await before(stage);
      // Only node 1, which has the old value, meets the copy.
      world.heal();
      world.network.partition([machine(0)], [machine(1), machine(2)]);
      await cluster.start(2);
      const through = await Promise.all([1, 2].map((index) => cluster.connect({ to: [index] })));
      for (let read = 0; read < 30; read++) {
        for (const client of through) {
          const answer = await client.get("k", { timeoutMs: 300 }).then((got) => got.texts(), () => null);
          if (answer !== null) assertEquals(answer, ["new"]);
        }
        await sleep(20);
      }
      assertEquals(await answerOf(stage, through[0]!, 2, "k"), "not-whole");
      world.heal();
      // Node 1 refills, too, where it lost its power.
      for (const index of [1, 2]) {
        await until(async () => (await statusOf(stage, index)).state === "serving");
      }
      assertEquals(await answerOf(stage, through[0]!, 2, "k"), "found");
      await until(() => through[1]!.get("k", { r: 3 }).then(() => true, () => false)); // others restarted, too
      assertEquals((await through[1]!.get("k", { r: 3 })).texts(), ["new"]);
    }));
}

Deno.test("FAULTS 50: an older copy of a disk that reaches nobody answered reads of one replica", () =>
  onStage({ nodes: 3, node: { quorum: { n: 3, r: 1, w: 3 } } }, async (stage) => {
    const { cluster, world, until } = stage;
    const backup = await withBackup(stage);
    const client = await cluster.connect({ to: [0] });
    await until(() => client.put("k", "new", { timeoutMs: 500 }).then(() => true, () => false));
    cluster.kill(2);
    world.disk(machine(2)).restore(backup);
    await startAlone(stage, 2);
    const alone = await cluster.connect({ to: [2] });
    for (let read = 0; read < 5; read++) await assertRejects(() => alone.get("k", { timeoutMs: 300 }));
    world.heal();
    await until(() => alone.get("k").then((got) => got.texts().includes("new"), () => false));
  }));

Deno.test("FAULTS 50: let in by one who had not heard of its last life, an older copy counted (773565690)", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    const first = await cluster.connect({ to: [0] });
    await first.put("k", "old", { w: 3 });
    cluster.kill(2);
    const disk = world.disk(machine(2));
    const backup = disk.snapshot();
    world.network.partition([machine(1)], [machine(0), machine(2)]);
    await cluster.start(2);
    await until(() => first.put("k", "new", { timeoutMs: 300 }).then(() => true, () => false));
    cluster.kill(2);
    disk.restore(backup);
    // Only node 1, which has heard of nothing, meets the copy.
    world.heal();
    world.network.partition([machine(0)], [machine(1), machine(2)]);
    await cluster.start(2);
    const last = await cluster.connect({ to: [1] });
    for (let read = 0; read < 30; read++) {
      await assertRejects(() => last.get("k", { timeoutMs: 300 }));
      await sleep(20);
    }
    assertMatch((await statusOf(stage, 2)).state, /^moved: /);
    world.heal();
    await until(() => last.get("k").then((got) => got.texts().includes("new"), () => false));
  }));

Deno.test("a directory that was moved is the node's once every member has met it, and fetches nothing", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world, sleep } = stage;
    const client = await cluster.connect({ to: [0] });
    await client.put("k", "v", { w: 3 });
    cluster.kill(2);
    const disk = world.disk(machine(2));
    disk.restore(disk.snapshot());
    world.network.partition([machine(0)], [machine(1), machine(2)]);
    await cluster.start(2);
    await sleep(3_000);
    assertMatch((await statusOf(stage, 2)).state, /^moved: /);
    world.heal();
    await stage.until(async () => (await statusOf(stage, 2)).state === "serving");
    assertEquals((await statusOf(stage, 2)).store.notWhole, 0);
    cluster.kill(2); // it has been remembered
    await startAlone(stage, 2);
    assertEquals((await statusOf(stage, 2)).state, "serving");
  }));

Deno.test("FAULTS 50: a node with an older copy of its disk was fenced for good as its own twin", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world, sleep, until } = stage;
    const backup = await withBackup(stage);
    for (let life = 0; life < 3; life++) {
      cluster.kill(2);
      await cluster.start(2);
      await sleep(2_000); // everyone hears of it
    }
    const { actorId } = (await statusOf(stage, 2)).store;
    for (const power of [false, true]) {
      cluster.kill(2, { power });
      world.disk(machine(2)).restore(backup);
      await cluster.start(2);
      await sleep(10_000);
      await until(async () => (await statusOf(stage, 2)).state === "serving");
      assert((await statusOf(stage, 2)).store.actorId !== actorId);
    }
  }));

for (let seed = 1; seed <= 2; seed++) {
  Deno.test(`FAULTS 50: a copy that had outlived a life was suspect to everyone for good (255713644; ${seed})`, () =>
    onStage({ nodes: 3, seed }, async (stage) => {
      const { cluster, world, sleep, until } = stage;
      const startWith = async (met: number, other: number) => {
        world.heal();
        world.network.partition([machine(met), machine(2)], [machine(other)]);
        await cluster.start(2);
        await sleep(3_000);
      };
      cluster.kill(2);
      const backup = world.disk(machine(2)).snapshot();
      const putBack = () => {
        cluster.kill(2);
        world.disk(machine(2)).restore(backup);
      };
      await startWith(0, 1); // a life that only node 0 hears of
      putBack();
      await startWith(1, 0); // a copy, of the same number, that only node 1 hears of
      world.heal();
      world.network.partition([machine(0), machine(2)], [machine(1)]);
      await sleep(3_000); // and that node 0 makes go on in a later one
      putBack();
      await startWith(1, 0); // another copy, that node 1 makes go on in one of that number, too
      world.heal();
      await sleep(2_000);
      world.network.partition([machine(2)], [machine(0), machine(1)]);
      const client = await cluster.connect({ to: [0] });
      const isAlive = async () => {
        const { members } = await client.admin("clusterState", {});
        return members.every(({ liveness }) => liveness === "alive");
      };
      await until(async () => !await isAlive());
      world.heal();
      await until(isAlive); // for it takes back what is said of it
    }));
}

Deno.test("FAULTS 50: a node with an older copy of its disk does not vote on what it may have voted on before", () => {
  const asked: string[] = [];
  const cores = {
    ringManager: {
      onPrepare: (...[acceptor, self, ...rest]: Parameters<typeof onPrepare>) => {
        asked.push(self);
        return onPrepare(acceptor, self, ...rest);
      },
    },
  };
  return onStage({ nodes: 3, cores }, async (stage) => {
    const { cluster, world, sleep } = stage;
    cluster.kill(2);
    const backup = world.disk(machine(2)).snapshot();
    await cluster.start(2);
    await sleep(1_000);
    cluster.kill(2);
    world.disk(machine(2)).restore(backup);
    await cluster.start(2);
    await sleep(5_000);
    const client = await cluster.connect({ to: [0] });
    const { cluster: name } = await client.admin("clusterState", {});
    const member = { id: "a".repeat(32), address: "127.0.0.1:4001", zone: "default", weight: 1 };
    asked.length = 0;
    const outcome = await client.admin("admit", {
      ...{
        member,
        cluster: name,
        partitions: 16,
        n: 3,
        hash: "murmur3-32",
        holdsData: false,
        conflicts: "siblings",
      },
    }, { timeoutMs: 8_000 }).catch((error: Error) => error);
    assertMatch(JSON.stringify(outcome), /these do not: 127.0.0.1:3003/);
    assert(asked.includes(cluster.node(0).id) && !asked.includes(cluster.node(2).id));
  });
});

Deno.test("a node whose own journal takes nothing says so, and whoever heals starts it again (seed 47)", () =>
  onStage({ nodes: 3 }, async (stage) => {
    const { cluster, world } = stage;
    const disk = world.disk(machine(2));
    // A ring vote or a member's new life is the next thing it has to remember.
    disk.beforeEach = (operation, path) => {
      disk.faults.writeErrorRate = operation === "write" && path.startsWith("data/node/") ? 1 : 0;
    };
    cluster.kill(1);
    await cluster.start(1);
    await stage.until(async () => (await statusOf(stage, 2)).state.startsWith("poisoned: "));
    disk.beforeEach = null;
    disk.faults.writeErrorRate = 0;
    await cluster.heal();
    assertEquals((await statusOf(stage, 2)).state, "serving");
  }));

Deno.test("an operator who restarts a poisoned node heeds what it says of its damaged journal, too (930215)", () =>
  onStage({ nodes: 3, faults: [] }, async (stage) => {
    const { cluster, world, until, sleep } = stage;
    const client = await cluster.connect({ to: [0] });
    for (let n = 0; n < 5; n++) await client.put(`k${n}`, `v${n}`, { w: 3 });
    await sleep(100);
    const disk = world.disk(machine(2));
    disk.faults.syncErrorRate = 1;
    await until(async () => {
      await client.put("k0", "again", await client.get("k0"));
      return (await statusOf(stage, 2)).state.startsWith("poisoned");
    });
    disk.faults.syncErrorRate = 0;
    // Unnoticed while it runs.
    for (const [path, bytes] of disk.snapshot()) {
      if (!path.startsWith("data/node/") || bytes === null) continue;
      for (let at = 0; at < bytes.length; at += 16) disk.flipBit(path, at, 3);
    }
    await cluster.heal();
    assert(cluster.troubles.some(({ what }) => what.includes("journal is brought back")));
    assertEquals((await statusOf(stage, 2)).state, "serving");
  }));

Deno.test("FAULTS 50: an older copy counted for partitions that became the node's after it was made (986000427)", () =>
  onStage({ nodes: 4 }, async (stage) => {
    const { cluster, world, until, sleep } = stage;
    const backup = await withBackup(stage);
    const client = await cluster.connect({ to: [0] });
    const leaver = await cluster.connect({ to: [3] });
    const { terminated } = cluster.node(3);
    await until(async () => (await leaver.admin("leave", {})).ok);
    await terminated;
    const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
    for (const key of keys) await client.put(key, "v", { w: 3 });
    cluster.kill(2);
    world.disk(machine(2)).restore(backup);
    await cluster.start(2);
    const through = await cluster.connect({ to: [2] });
    for (let left = keys; left.length > 0; await sleep(100)) {
      const answers = await Promise.all(left.map((key) => answerOf(stage, client, 2, key)));
      assert(!answers.includes("missing"), "nothing of it had been fetched");
      const reads = left.map((key) =>
        through.get(key, { r: 1, timeoutMs: 100 }).then((got) => got.texts(), () => ["v"])
      );
      for (const read of await Promise.all(reads)) assertEquals(read, ["v"]);
      left = left.filter((_, at) => answers[at] !== "found");
    }
  }));
