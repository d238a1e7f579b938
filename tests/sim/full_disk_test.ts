/**
 * Nodes whose disks are full: what they still do, and what they need space put aside for.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { compactDirectory } from "../../net/offline/compact.ts";
import { type EngineName, ENGINES } from "../../storage/engines.ts";
import { failureOf, machine, onStage, type Stage } from "./stage.ts";

const KIB = 1024;
const RESERVE_BYTES = 64 * KIB;
const VICTIM = 2;

async function statusOf({ cluster }: Stage, index = VICTIM) {
  await using client = await cluster.connect({ to: [index] });
  return await client.admin("status", {});
}

/** From now on the disk of a node has room for no more than so many bytes. */
function fill({ world }: Stage, index: number, leftBytes = 0): void {
  const disk = world.disk(machine(index));
  disk.faults.capacityBytes = disk.usedBytes + leftBytes;
}

function reserveOf({ world }: Stage, index: number): number {
  return world.disk(machine(index)).snapshot().get("data/reserve")?.length ?? 0;
}

function stage(
  engine: EngineName,
  reserveBytes: number,
  play: (stage: Stage) => Promise<void>,
): Promise<void> {
  return onStage({ nodes: 3, node: { storage: { engine, reserveBytes } } }, async (stage) => {
    await stage.sleep(500); // time to put it aside
    for (const index of [0, 1, 2]) assertEquals(reserveOf(stage, index), reserveBytes);
    await play(stage);
  });
}

/** A node that was written to until its disk was full. */
async function untilFull(stage: Stage): Promise<void> {
  const client = await stage.cluster.connect({ to: [0] });
  for (let n = 0; n < 10; n++) await client.put(`k${n}`, `v${n}`, { w: 3 });
  fill(stage, VICTIM, 2 * KIB);
  for (let n = 0; n < 30; n++) await client.put(`more${n}`, "x".repeat(200));
  assertMatch((await statusOf(stage)).state, /^full: /);
  await client.close();
}

for (const engine of ENGINES) {
  for (const power of [false, true]) {
    const end = power ? "its power was cut" : "it was killed";
    Deno.test(`FAULTS 36: a node whose disk is full starts again after ${end}, reads, refuses writes, recovers (${engine})`, () =>
      stage(engine, RESERVE_BYTES, async (stage) => {
        const { cluster, world, until } = stage;
        await untilFull(stage);
        for (let life = 0; life < 5; life++) {
          cluster.kill(VICTIM, { power });
          await cluster.start(VICTIM);
          await until(async () => (await statusOf(stage)).connections.peers === 2);
          const through = await cluster.connect({ to: [VICTIM] });
          for (let n = 0; n < 10; n++) assertEquals((await through.get(`k${n}`)).texts(), [`v${n}`]);
          const error = await failureOf(through.put(`new${life}`, "y".repeat(500), { w: 3, timeoutMs: 500 }));
          assert(["quorum-unmet", "timeout"].includes(error.code), error.code);
          assertMatch((await statusOf(stage)).state, /^full: /);
          await through.put("others", `${life}`);
        }
        assert(reserveOf(stage, VICTIM) > RESERVE_BYTES / 4, `${reserveOf(stage, VICTIM)}`);
        world.disk(machine(VICTIM)).faults.capacityBytes = Infinity;
        await until(async () => (await statusOf(stage)).state === "serving");
        const client = await cluster.connect({ to: [VICTIM] });
        await client.put("again", "z", { w: 3 });
        assertEquals((await client.get("again", { r: 3 })).texts(), ["z"]);
        await until(() => reserveOf(stage, VICTIM) === RESERVE_BYTES);
      }));
  }

  Deno.test(`planted: a node whose disk is full does not start without space put aside (${engine})`, () =>
    stage(engine, 0, async (stage) => {
      const { cluster, world } = stage;
      await untilFull(stage);
      fill(stage, VICTIM);
      cluster.kill(VICTIM);
      await assertRejects(() => cluster.start(VICTIM), Error, "no space left");
      world.killNode(machine(VICTIM));
    }));

  for (const reserveBytes of [RESERVE_BYTES, 0]) {
    const name = reserveBytes > 0
      ? "a full disk is compacted with space that was put aside"
      : "planted: a full disk is not compacted without space put aside";
    Deno.test(`${name} (${engine})`, () =>
      stage(engine, reserveBytes, async (stage) => {
        const { cluster, world } = stage;
        const client = await cluster.connect({ to: [0] });
        for (let n = 0; n < 40; n++) {
          await client.put("fat", new Uint8Array(2_000), {
            w: 3,
            context: (await client.get("fat")).context,
          });
        }
        await cluster.stop(VICTIM);
        fill(stage, VICTIM);
        const disk = world.disk(machine(VICTIM));
        const tools = world.environment(machine(VICTIM));
        const compacted = compactDirectory(tools, "data", () => {});
        if (reserveBytes === 0) return void await assertRejects(() => compacted);
        const { before, after } = (await compacted).stores[0]!;
        assert(after.diskBytes < before.diskBytes / 4);
        world.killNode(machine(VICTIM));
        disk.faults.capacityBytes = Infinity;
        await cluster.start(VICTIM);
        await stage.until(() => client.get("fat", { r: 3 }).then(() => true, () => false));
      }));
  }
}

for (const reserveBytes of [RESERVE_BYTES, 0]) {
  const name = reserveBytes > 0
    ? "a ring is voted on by members whose disks are full"
    : "planted: no ring is voted on by members whose disks are full without space put aside";
  Deno.test(
    name,
    () =>
      onStage({ nodes: 3, machines: 4, node: { storage: { reserveBytes } } }, async (stage) => {
        const { cluster, sleep, until } = stage;
        await sleep(500);
        for (const index of [0, 1, 2]) fill(stage, index);
        await cluster.start(3);
        const candidate = await cluster.connect({ to: [3] });
        const joined = await candidate.admin("join", { known: cluster.node(0).address }, {
          timeoutMs: 30_000,
        })
          .catch((error: Error) => ({ ok: false, message: error.message }));
        assertEquals(joined.ok, reserveBytes > 0, JSON.stringify(joined));
        if (!joined.ok) return;
        for (const index of [0, 1, 2, 3]) {
          await until(async () => (await statusOf(stage, index)).members === 4);
        }
      }),
  );
}
