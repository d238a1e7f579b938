/**
 * The commands on a data directory, on directories that a real node left.
 *
 * @module
 */

import { crc32c } from "../../actors/runtime/crc32c.ts";
import { removeDirectory, temporaryDirectory } from "../../actors/runtime/real/mod.ts";
import { assert, assertEquals, assertMatch, assertNotEquals } from "../../actors/runtime/testing/assert.ts";
import { realEnvironment } from "../../actors/runtime/real/mod.ts";
import { Client } from "../../net/client.ts";
import { Node } from "../../net/node.ts";
import { ENGINES, storeDirectory } from "../../storage/engines.ts";
import { openEngine } from "../../storage/open.ts";
import { run } from "../run.ts";
import { World, type WorldOptions } from "../testing/world.ts";

type Engine = (typeof ENGINES)[number];

/** Run a command line that ends with a path. */
async function denamo(
  line: string,
  path: string,
  options: WorldOptions = {},
): Promise<World & { code: number }> {
  const world = new World(options);
  const code = await run([...line.split(" "), path], world);
  return Object.assign(world, { code });
}

/** Do something with a node on a directory, and stop it. */
async function withNode(
  path: string,
  engine: Engine,
  task: (client: Client) => Promise<void>,
): Promise<void> {
  await using node = await Node.start({
    port: 0,
    storage: { path, engine },
    logLevel: "silent",
    partitions: 8,
  });
  await using client = await Client.connect(node.address);
  await task(client);
}

/** Keys of all kinds. */
async function fill(client: Client): Promise<void> {
  await client.put("plain", "bar");
  await client.put("siblings", "one");
  await client.put("siblings", "two");
  await client.put(Uint8Array.of(255, 1), Uint8Array.of(0, 254));
  await client.put("deleted", "gone");
  await client.del("deleted", { context: (await client.get("deleted")).context });
  await Promise.all(Array.from({ length: 600 }, (_, n) => client.put(`k${n}`, `v${n}`)));
}

/** Every file below a directory, with its bytes, and when it was last written. */
function contents(path: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    const inner = `${path}/${name}`;
    if (isDirectory) { for (const entry of contents(inner)) files.set(...entry); }
    else files.set(inner, `${Deno.statSync(inner).mtime?.getTime()} ${crc32c(Deno.readFileSync(inner))}`);
  }
  return files;
}

function copyDirectory(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyDirectory(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

function flipBit(path: string, position: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[position]! ^= 4;
  Deno.writeFileSync(path, bytes);
}

/** The largest file of a store. */
function largest(directory: string): string {
  const files = [...contents(directory).keys()];
  return files.sort((a, b) => Deno.statSync(b).size - Deno.statSync(a).size)[0]!;
}

/** A test of a directory that a node of some engine has filled. */
function withDirectory(
  name: string,
  test: (path: string, engine: Engine, scratch: string) => Promise<void>,
): void {
  for (const engine of ENGINES) {
    Deno.test(`storage: ${name} (${engine})`, async () => {
      const scratch = await temporaryDirectory("denamo-storage-");
      try {
        await withNode(`${scratch}/data`, engine, fill);
        await test(`${scratch}/data`, engine, scratch);
      } finally {
        await removeDirectory(scratch);
      }
    });
  }
}

withDirectory("verify says that a store is whole, and changes nothing", async (path) => {
  const before = contents(path);
  const json = await denamo("storage verify", path);
  assertEquals([json.code, json.stderr], [0, ""]);
  const said = JSON.parse(json.stdout);
  assertEquals([said.whole, said.damage, said.stores[0].keys], [true, [], 604]);
  const text = await denamo("storage verify", path, { interactive: true });
  assertEquals(text.code, 0);
  assertMatch(text.stdout, /604 keys.*\n● whole\n$/);
  assertEquals(contents(path), before);
});

withDirectory(
  "verify of what kill -9 leaves changes nothing, though a start would",
  async (path, engine, scratch) => {
    const left = `${scratch}/left`;
    await withNode(path, engine, async (client) => {
      await client.put("last", "words");
      copyDirectory(path, left);
    });
    const before = contents(left);
    assertEquals((await denamo("storage verify", left)).code, 0);
    assertEquals((await denamo("storage dump", left)).code, 0);
    assertEquals((await denamo("storage stats", left)).code, 0);
    assertEquals(contents(left), before);
    const directory = storeDirectory(left, engine);
    const store = await openEngine(engine, { ...realEnvironment({ node: "n" }), directory, sync: "always" });
    await store.close();
    assertNotEquals(contents(left), before);
  },
);

withDirectory("verify finds a flipped bit, exits 1, and mends nothing", async (path, engine) => {
  const file = largest(storeDirectory(path, engine));
  flipBit(file, Math.floor(Deno.statSync(file).size / 2));
  const before = contents(path);
  const json = await denamo("storage verify", path);
  assertEquals(json.code, 1);
  const said = JSON.parse(json.stdout);
  assertEquals(said.whole, false);
  assertEquals([said.damage[0].kind, said.damage[0].path], ["corrupt", file]);
  const text = await denamo("storage verify", path, { interactive: true });
  assertEquals(text.code, 1);
  assertMatch(text.stdout, /✗ corrupt .* at \d+: .*\n(.*\n)*\d+ damaged places?\n$/);
  assertEquals(contents(path), before);
});

withDirectory("verify finds damage to the node's own journal", async (path) => {
  flipBit(`${path}/node/0000000001.log`, 90);
  const { code, stdout } = await denamo("storage verify", path);
  assertEquals(code, 1);
  const { path: damaged, detail } = JSON.parse(stdout).damage[0];
  assert(damaged.startsWith(`${path}/node`));
  assertMatch(detail, /lost the node's identity/);
  Deno.removeSync(`${path}/node`, { recursive: true });
  const missing = await denamo("storage verify", path);
  assertEquals(missing.code, 1);
  assertMatch(missing.stdout, /own journal is missing/);
  assertEquals(JSON.parse((await denamo("storage stats", path)).stdout).node, null);
});

withDirectory("a directory in use is refused, and so is one that is none", async (path, engine, scratch) => {
  const commands = ["verify", "stats", "compact", "dump"];
  await withNode(path, engine, async () => {
    for (const command of commands) {
      const { code, stdout, stderr } = await denamo(`storage ${command}`, path);
      assertEquals([code, stdout], [2, ""]);
      assertEquals(
        stderr,
        `denamo storage ${command}: ${path} is in use: stop the node that runs on it first\n`,
      );
    }
  });
  for (const command of commands) {
    for (const none of [`${scratch}/none`, scratch]) {
      const { code, stderr } = await denamo(`storage ${command}`, none);
      assertEquals([code, stderr], [2, `denamo storage ${command}: ${none} is no node's data directory\n`]);
    }
  }
});

withDirectory("stats tell whose data it is and what it takes", async (path, engine) => {
  const { node, stores } = JSON.parse((await denamo("storage stats", path)).stdout);
  assertEquals([node.starts, node.members, node.whole, node.votes, node.moved], [1, 1, true, true, false]);
  assertEquals([stores.length, stores[0].engine, stores[0].keys], [1, engine, 604]);
  const text = await denamo("storage stats", path, { interactive: true });
  assertMatch(
    text.stdout,
    new RegExp(`^node +${node.node}, 1 start\ncluster +denamo, .*\nstore +${engine}, 604 keys`),
  );
});

withDirectory("dump prints every key with all its versions", async (path) => {
  const { code, stdout } = await denamo("storage dump", path);
  assertEquals(code, 0);
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.length, 604);
  const of = (key: string) => lines.find((line) => line.key === key);
  assertEquals(of("siblings").siblings.map(({ value }: { value: string }) => value), ["one", "two"]);
  assertEquals(of("plain").siblings[0].crc32c, 179770161);
  assertEquals(of("plain").siblings[0].dot, of("plain").clock[0]);
  assertEquals([of("deleted").siblings.length, of("deleted").siblings[0].tombstone], [1, true]);
  const bytes = lines.find((line) => line.key_base64 === "/wE=");
  assertEquals(bytes.siblings[0].value_base64, "AP4=");
  assertEquals(new Set(lines.map(({ partition }) => partition)).size, 8);
  const text = await denamo("storage dump", path, { interactive: true });
  assertMatch(
    text.stdout,
    /^"siblings" {2}partition \d\n {2}\w{8}:\d+ {2}"one" {2}3 B\n {2}\w{8}:\d+ {2}"two"/m,
  );
  assertMatch(text.stdout, /^"deleted".*\n {2}\w{8}:\d+ {2}deleted$/m);
  const { partition } = of("plain");
  const some = await denamo(`storage dump --partition ${partition}`, path);
  assertEquals(
    some.stdout,
    lines.filter((line) => line.partition === partition)
      .map((line) => `${JSON.stringify(line)}\n`).join(""),
  );
});

withDirectory("dump stops when nobody reads any more", async (path) => {
  const world = new World();
  Object.defineProperty(world, "abandoned", { get: () => world.stdout !== "" });
  assertEquals(await run(["storage", "dump", path], world), 0);
  const printed = world.stdout.split("\n").length - 1;
  assert(printed > 0 && printed < 604, `${printed}`);
});

withDirectory("compact gives dead bytes back and keeps everything", async (path, engine) => {
  for (let life = 0; life < 3; life++) {
    await withNode(path, engine, async (client) => {
      await Promise.all(Array.from({ length: 200 }, async (_, n) => {
        await client.put(`fat${n}`, new Uint8Array(1000), { context: (await client.get(`fat${n}`)).context });
      }));
    });
  }
  const dump = (await denamo("storage dump", path)).stdout;
  const { code, stdout } = await denamo("storage compact", path);
  assertEquals(code, 0);
  const { stores: [{ before, after }], damage } = JSON.parse(stdout);
  assert(after.diskBytes < 350_000 && before.diskBytes > 1.5 * after.diskBytes, stdout);
  assert(after.deadBytes < 50_000, stdout);
  assertEquals(damage, []);
  assertEquals((await denamo("storage dump", path)).stdout, dump);
  assertEquals((await denamo("storage verify", path)).code, 0);
  const text = await denamo("storage compact", path, { interactive: true });
  assertMatch(text.stdout, new RegExp(`^${engine}: .* before, .* now, .* of it dead\n$`));
});

withDirectory("compact leaves a damaged store as it is, and says so", async (path, engine) => {
  const file = largest(storeDirectory(path, engine));
  flipBit(file, Math.floor(Deno.statSync(file).size / 2));
  const before = contents(`${path}/node`);
  const { code, stdout, stderr } = await denamo("storage compact", path);
  assertEquals(code, 1);
  // Found when it was opened; or only by rewriting it.
  if (stderr === "") assert(JSON.parse(stdout).damage.length > 0);
  else assertMatch(stderr, new RegExp(`^denamo storage compact: ${file} `));
  assertEquals((await denamo("storage verify", path)).code, 1);
  assertEquals(contents(`${path}/node`), before);
});
