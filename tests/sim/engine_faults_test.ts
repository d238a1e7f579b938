/**
 * Damage and errors that a node meets while it serves, on engines that read their disk then.
 *
 * @module
 */

import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import { ENGINES, storeDirectory } from "../../storage/engines.ts";
import { machine, onStage, type Stage } from "./stage.ts";

const VICTIM = 2;

async function statusOf({ cluster }: Stage) {
  await using client = await cluster.connect({ to: [VICTIM] });
  return await client.admin("status", {});
}

async function answerOf({ cluster }: Stage, client: Client, key: string): Promise<string> {
  const { replicas } = await client.admin("explain", { key: encodeUtf8(key), timeoutMs: 1_000 });
  return replicas.find(({ address }) => address === cluster.node(VICTIM).address)!.answer;
}

/** Where a value lies on the victim's disk. */
function placesOf({ world }: Stage, directory: string, value: string): [path: string, position: number][] {
  const places: [string, number][] = [];
  for (const [path, bytes] of world.disk(machine(VICTIM)).snapshot()) {
    if (bytes === null || !path.startsWith(`${directory}/`)) continue;
    const position = new TextDecoder("latin1").decode(bytes).indexOf(value);
    if (position >= 0) places.push([path, position]);
  }
  return places;
}

for (const engine of ENGINES) {
  const directory = storeDirectory("data", engine);

  Deno.test(`FAULTS 40: a bit flipped under a running node is never served, and repaired from the others (${engine})`, () =>
    onStage({ nodes: 3, node: { storage: { engine } } }, async (stage) => {
      const { cluster, world, until } = stage;
      const client = await cluster.connect({ to: [0] });
      for (let n = 0; n < 10; n++) await client.put(`k${n}`, `value of ${n}`, { w: 3 });
      const [[path, position]] = placesOf(stage, directory, "value of 3") as [[string, number]];
      world.disk(machine(VICTIM)).flipBit(path, position + 2);
      await until(async () => {
        const texts = await client.get("k3", { r: 3, timeoutMs: 500 }).then((got) => got.texts(), () => null);
        if (texts !== null) assertEquals(texts, ["value of 3"]);
        return texts !== null && (await statusOf(stage)).state === "serving";
      });
      assertEquals(await answerOf(stage, client, "k3"), "found");
      for (let n = 0; n < 10; n++) {
        assertEquals((await client.get(`k${n}`, { r: 3 })).texts(), [`value of ${n}`]);
      }
      cluster.kill(VICTIM);
      await cluster.start(VICTIM);
      await until(async () => (await statusOf(stage)).state === "serving");
      for (let n = 0; n < 10; n++) {
        assertEquals((await client.get(`k${n}`, { r: 3 })).texts(), [`value of ${n}`]);
      }
    }));

  Deno.test(`FAULTS 37: a read that fails with EIO is answered by the others, and is not "not found" (${engine})`, () =>
    onStage({ nodes: 3, node: { storage: { engine } } }, async (stage) => {
      const { cluster, world, sleep, until } = stage;
      const client = await cluster.connect({ to: [0] });
      for (let n = 0; n < 10; n++) await client.put(`k${n}`, `v${n}`, { w: 3 });
      await sleep(1_000);
      world.disk(machine(VICTIM)).faults.readErrorRate = 1;
      const through = await cluster.connect({ to: [VICTIM] });
      for (let n = 0; n < 10; n++) {
        assertEquals((await through.get(`k${n}`)).texts(), [`v${n}`]);
        const answer = await answerOf(stage, client, `k${n}`);
        assert(["found", "unreadable"].includes(answer), answer);
      }
      world.disk(machine(VICTIM)).faults.readErrorRate = 0;
      await until(() => through.get("k0", { r: 3 }).then(() => true, () => false));
      for (let n = 0; n < 10; n++) assertEquals((await through.get(`k${n}`, { r: 3 })).texts(), [`v${n}`]);
      assertEquals((await statusOf(stage)).store.alarms, 0);
    }));
}
