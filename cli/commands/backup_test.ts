/**
 * `denamo backup` and `denamo restore`, on a node that runs.
 *
 * @module
 */

import { removeDirectory, temporaryDirectory } from "../../actors/runtime/real/mod.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { Client } from "../../net/client.ts";
import { Node } from "../../net/node.ts";
import { type EngineName, ENGINES } from "../../storage/engines.ts";
import type { Door } from "../command.ts";
import { run } from "../run.ts";
import { World } from "../testing/world.ts";

/** A world in which nodes are reached for real. */
class Reaching extends World {
  override connect(addresses: string | string[]): Promise<Door> {
    return Client.connect(addresses);
  }
}

async function denamo(words: string[], interactive = false): Promise<World & { code: number }> {
  const world = new Reaching({ interactive });
  return Object.assign(world, { code: await run(words, world) });
}

async function onNode(path: string, engine: EngineName, task: (node: Node, client: Client) => Promise<void>) {
  await using node = await Node.start({ port: 0, storage: { path, engine }, logLevel: "silent" });
  await using client = await Client.connect(node.address);
  await task(node, client);
}

for (const engine of ENGINES) {
  Deno.test(`backup, restore: there and back again (${engine})`, async () => {
    const scratch = await temporaryDirectory("denamo-backup-");
    try {
      await thereAndBack(scratch, engine);
    } finally {
      await removeDirectory(scratch);
    }
  });
}

async function thereAndBack(scratch: string, engine: EngineName): Promise<void> {
  const backup = `${scratch}/deep/down/backup`;
  await onNode(`${scratch}/data`, engine, async (node, client) => {
    const port = String(node.endpoint.port);
    await Promise.all(Array.from({ length: 100 }, (_, n) => client.put(`k${n}`, `v${n}`)));
    const made = await denamo(["backup", backup, "-p", port]);
    assertEquals([made.code, made.stderr], [0, ""]);
    const { directory, files, sizeBytes, keys } = JSON.parse(made.stdout);
    assertEquals([directory, keys], [backup, 100]);
    assert(files >= 2 && sizeBytes > 5_000);
    await client.put("k0", "later", { context: (await client.get("k0")).context });

    const twice = await denamo(["backup", backup, "-p", port]);
    assertEquals([twice.code, twice.stdout], [1, ""]);
    const { error } = JSON.parse(twice.stderr);
    assertEquals(error, { code: "not-empty", message: `${backup} is not empty`, definite: true });
    const inside = await denamo(["backup", `${scratch}/data/x`, "-p", port]);
    assertMatch(inside.stderr, /own data directory/);
    const text = await denamo(["backup", `${scratch}/second`, "-p", port], true);
    assertMatch(text.stdout, /^● backed up .*second: 100 keys, .* in \d+ files\n$/);
  });

  assertEquals((await denamo(["storage", "verify", backup])).code, 0);
  const restored = await denamo(["restore", backup, `${scratch}/again`]);
  assertEquals([restored.code, restored.stderr], [0, ""]);
  const said = JSON.parse(restored.stdout);
  assertEquals([said.restored, said.engine, said.keys, said.damage], [true, engine, 100, []]);
  const again = await denamo(["restore", backup, `${scratch}/again`]);
  assertEquals([again.code, again.stdout], [2, ""]);
  assertMatch(again.stderr, /^denamo restore: .*again is not empty/);
  const text = await denamo(["restore", backup, `${scratch}/third`], true);
  assertMatch(
    text.stdout,
    new RegExp(`^● restored .*100 keys.*\nstart it at .* --storage-engine ${engine} `),
  );
  assertEquals((await denamo(["restore", scratch, `${scratch}/fourth`])).code, 2);

  await onNode(`${scratch}/again`, engine, async (node, client) => {
    assertEquals(node.id, said.node);
    for (let n = 0; n < 100; n++) assertEquals((await client.get(`k${n}`)).texts(), [`v${n}`]);
  });

  const listed = JSON.parse(Deno.readTextFileSync(`${backup}/backup.json`)).files as {
    path: string;
    sizeBytes: number;
  }[];
  const { path } = listed.filter(({ path }) => path.startsWith(engine)).sort((a, b) =>
    b.sizeBytes - a.sizeBytes
  )[0]!;
  const file = `${backup}/${path}`;
  const bytes = Deno.readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  Deno.removeSync(file); // it may be a link of the node's own
  Deno.writeFileSync(file, bytes);
  const damaged = await denamo(["restore", backup, `${scratch}/fifth`], true);
  assertEquals(damaged.code, 1);
  assertMatch(damaged.stdout, /✗ corrupt(.*\n)+the backup is damaged; nothing was written/);
}
