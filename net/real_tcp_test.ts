import { equalBytes } from "../actors/runtime/bytes.ts";
import { crc32c } from "../actors/runtime/crc32c.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { realEnvironment } from "../actors/runtime/real/mod.ts";
import { assert, assertEquals } from "../actors/runtime/testing/assert.ts";
import { Client } from "./client.ts";
import { idOf, ringOf, TestNode } from "./testing/harness.ts";

Deno.test("over real sockets: values up to the limit, both ways, and a thousand calls at once", async () => {
  let port = 0;
  const environment = realEnvironment({ node: "n1", logLevel: "silent" });
  const node = new TestNode(1, environment, {}, ringOf(1), {
    endpoint: { host: "127.0.0.1", port: 0 },
    onListening: (endpoint) => void (port = endpoint.port),
  });
  await node.start();
  let stored = new Uint8Array(0);
  node.answers = {
    put: ({ value }) => (stored = value as Uint8Array<ArrayBuffer>, { ok: true }),
    get: () => ({
      ok: true,
      values: [{ value: stored, crc32c: crc32c(stored) }],
      context: new Uint8Array(0),
    }),
  };
  await using client = await Client.connect(`127.0.0.1:${port}`);
  for (const size of [0, 100, 65_536, 1 << 20, LIMITS.valueBytes]) {
    const value = new Uint8Array(size).fill(size & 255);
    await client.put("k", value);
    assert(equalBytes((await client.get("k")).values[0]!, value));
  }
  stored = new Uint8Array(3000);
  const all = await Promise.all(Array.from({ length: 1000 }, () => client.get("k")));
  assert(all.every(({ values }) => values[0]!.length === 3000));
  await node.system.stop();
});

Deno.test("over real sockets: two nodes send each other large objects", async () => {
  const ports = [0, 0];
  const ring = () => ({
    ...ringOf(2),
    members: ringOf(2).members.map((member, i) => ({ ...member, address: `127.0.0.1:${ports[i]}` })),
  });
  const nodes: TestNode[] = [];
  for (const i of [0, 1]) {
    const environment = realEnvironment({ node: `n${i + 1}`, logLevel: "silent" });
    nodes.push(
      await new TestNode(i + 1, environment, { isMember: () => true }, ringOf(1), {
        endpoint: { host: "127.0.0.1", port: 0 },
        onListening: ({ port }) => void (ports[i] = port),
      }).start(),
    );
  }
  const [a, b] = nodes as [TestNode, TestNode];
  a.peers.tell("ring", { ring: ring() });
  b.peers.tell("ring", { ring: ring() });
  await a.peers.ask("describe", {}, { timeoutMs: 1000 });
  const object = new Uint8Array(3 << 20).fill(6);
  const write = { partition: 0, epoch: 1, key: object.subarray(0, 9), object, ticket: 1, from: "" };
  for (let i = 0; i < 10; i++) assert(a.send(2, "replica_store", "write", write));
  const echo = a.system.ref<{ echo: [{ n: number; bytes: Uint8Array }, { n: number; bytes: Uint8Array }] }>({
    node: idOf(2),
    actor: "echo",
  });
  // The reply comes behind the writes on the same connection: they have all arrived.
  await echo.ask("echo", { n: 1, bytes: new Uint8Array(1) }, { timeoutMs: 5000 });
  const heard = b.heard("replica_store.write") as { object: Uint8Array }[];
  assertEquals(heard.length, 10);
  assert(heard.every((body) => equalBytes(body.object, object)));
  await Promise.all(nodes.map((node) => node.system.stop()));
});
