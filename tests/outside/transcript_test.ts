/**
 * What RLDB's README shows, typed at denamo: the same commands, flags, files and answers; and what denamo's own README
 * shows of growing, shrinking and replacing.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { Client } from "../../mod.ts";
import { denamo, freePorts, Scratch, Server, until } from "./harness.ts";

/** Run `denamo`; it must exit 0 and print one line of JSON, which this gives. */
async function answer<T = unknown>(...args: string[]): Promise<T> {
  const { code, out, err } = await denamo(args);
  assertEquals([code, err], [0, ""], `denamo ${args.join(" ")}`);
  assertMatch(out, /^[^\n]+\n$/);
  return JSON.parse(out) as T;
}

interface Found {
  readonly values: readonly { readonly value: string; readonly crc32c: number }[];
  readonly context: string;
}

const OK = { message: "Ok" };

/** A failed request's line on standard error. */
function errorOf(err: string): { code: string; message: string; definite: boolean } {
  assertMatch(err, /^\{"error":[^\n]*\}\n$/);
  return (JSON.parse(err) as { error: { code: string; message: string; definite: boolean } }).error;
}

Deno.test("RLDB's transcript: its files, commands, flags, answers and checksums; every exit code", async (t) => {
  using scratch = new Scratch();
  const ports = freePorts(3).map(String);
  const [one, two, three] = ports as [string, string, string];
  await using stack = new AsyncDisposableStack();
  const servers = ports.map((port, index) => {
    const sample = new URL(`../../cli/conf/node_${index + 1}.json`, import.meta.url);
    const file = Deno.readTextFileSync(sample).replace(`300${index + 1}`, port);
    assert(file.includes(port));
    const path = `${scratch.path}/node_${index + 1}.json`;
    Deno.writeTextFileSync(path, file);
    return stack.use(new Server(["--config-path", path], { cwd: scratch.path }));
  });
  for (const [index, server] of servers.entries()) {
    assertEquals(String(await server.serving()), ports[index]);
  }

  await t.step("join-cluster", async () => {
    const known = ["--known-cluster-node", `127.0.0.1:${one}`];
    assertEquals(await answer("join-cluster", "-p", two, ...known), OK);
    assertEquals(await answer("join-cluster", "-p", three, ...known), OK);
    assertEquals(await answer("join-cluster", "-p", three, ...known), OK, "again: it is a member already");
    await until("three members", async () => {
      const { members } = await answer<{ members: { liveness: string }[] }>("cluster-state", "-p", one);
      return members.filter(({ liveness }) => liveness === "alive").length === 3;
    });
  });

  await t.step("put at one node, get at every node", async () => {
    assertEquals(await answer("put", "-p", one, "-k", "foo", "-v", "bar"), OK);
    for (const port of ports) {
      const { values, context } = await answer<Found>("get", "-p", port, "-k", "foo");
      assertEquals(values, [{ value: "bar", crc32c: 179770161 }]);
      assertMatch(context, /^([0-9a-f]{2})+$/);
    }
  });

  await t.step("three concurrent puts are three siblings; their context resolves them", async () => {
    await Promise.all(
      ports.map(async (port, index) =>
        assertEquals(await answer("put", "-p", port, "-k", "foo2", "-v", `bar${index + 1}`), OK)
      ),
    );
    const { values, context } = await answer<Found>("get", "-p", one, "-k", "foo2");
    assertEquals(values.toSorted((a, b) => a.value < b.value ? -1 : 1), [
      { value: "bar1", crc32c: 1383588930 },
      { value: "bar2", crc32c: 1093081014 },
      { value: "bar3", crc32c: 3008140469 },
    ]);
    const raw = await denamo(["get", "-p", one, "-k", "foo2", "--raw"]);
    assertEquals([raw.code, raw.out], [4, ""], "exit code 4: siblings where one value was asked for");
    assertMatch(raw.err, /3 siblings/);

    assertEquals(await answer("put", "-p", two, "-k", "foo2", "-v", "conflicts_resolved", "-c", context), OK);
    const resolved = await answer<Found>("get", "-p", three, "-k", "foo2");
    assertEquals(resolved.values, [{ value: "conflicts_resolved", crc32c: 3289643150 }]);

    const elsewhere = await denamo(["put", "-p", one, "-k", "foo", "-v", "x", "-c", context]);
    assertEquals(elsewhere.code, 1, "exit code 1: the context of another key is refused");
    assertEquals([errorOf(elsewhere.err).code, errorOf(elsewhere.err).definite], ["bad-context", true]);
  });

  await t.step("--raw prints the bytes, -v - reads standard input", async () => {
    const text = "two lines\nand no newline at the end: \u{1f600}";
    const put = await denamo(["put", "-p", one, "-k", "raw", "-v", "-"], text);
    assertEquals([put.code, put.out], [0, '{"message":"Ok"}\n']);
    const got = await denamo(["get", "-p", two, "-k", "raw", "--raw"]);
    assertEquals([got.code, got.out, got.err], [0, text, ""]);
  });

  await t.step("del with the context; exit code 3: not found", async () => {
    const { context } = await answer<Found>("get", "-p", one, "-k", "foo");
    assertEquals(await answer("del", "-p", two, "-k", "foo", "-c", context), OK);
    const gone = await denamo(["get", "-p", three, "-k", "foo"]);
    assertEquals([gone.code, (JSON.parse(gone.out) as Found).values], [3, []]);
    assertEquals((await denamo(["get", "-p", three, "-k", "never"])).code, 3);
  });

  await t.step("ping, status, ring, explain", async () => {
    assertEquals(await answer("ping", "-p", one), { message: "PONG" });
    assertEquals((await answer<{ state: string }>("status", "-p", two)).state, "serving");
    const { owners } = await answer<{ owners: number[][] }>("ring", "-p", three, "--json");
    assertEquals([owners.length, new Set(owners.flat()).size], [256, 3]);
    const { replicas } = await answer<{ replicas: { answer: string }[] }>(
      ...["explain", "-p", one, "-k", "foo2"],
    );
    assertEquals(replicas.map(({ answer }) => answer), ["found", "found", "found"]);
  });

  await t.step("exit code 2: usage", async () => {
    const typo = await denamo(["putt", "-k", "foo"]);
    assertEquals([typo.code, typo.out], [2, ""]);
    assertMatch(typo.err, /unknown command putt; did you mean put\?/);
    assertEquals((await denamo(["put", "-p", one, "-k", "foo"])).code, 2, "no value");
    assertEquals((await denamo(["get", "-p", one, "--kee", "foo"])).code, 2, "unknown flag");
  });

  await t.step("exit code 5: no quorum; exit code 6: nobody there", async () => {
    await Promise.all([servers[1]!.kill(), servers[2]!.kill()]);
    const put = await denamo(["put", "-p", one, "-k", "foo3", "-v", "x", "--timeout", "2000"]);
    assertEquals([put.code, put.out], [5, ""]);
    assertMatch(errorOf(put.err).code, /quorum-unmet|timeout|unavailable/);
    const got = await denamo(["get", "-p", one, "-k", "foo2", "--timeout", "2000"]);
    assertEquals([got.code, got.out], [5, ""]);
    const nobody = await denamo(["get", "-p", two, "-k", "foo2"]);
    assertEquals([nobody.code, errorOf(nobody.err).code], [6, "connect"]);
  });
});

/** Fewer partitions than a real cluster would have. */
const SMALL = ["--partitions", "32"];
const KEYS = Array.from({ length: 500 }, (_, i) => `key ${i}`);

interface Change {
  readonly message: string;
  readonly epoch: number;
}

Deno.test("README, growing, shrinking, replacing: as typed", async (t) => {
  using scratch = new Scratch();
  const ports = freePorts(4).map(String);
  const [one, two, three, four] = ports as [string, string, string, string];
  await using stack = new AsyncDisposableStack();
  const directory = (port: string) => `${scratch.path}/${port}`;
  const serve = async (port: string, ...flags: string[]) => {
    const server = stack.use(new Server(["-p", port, "--storage-path", directory(port), ...SMALL, ...flags]));
    await server.serving();
    return server;
  };
  const known = ["--known-cluster-node", `127.0.0.1:${one}`];
  const join = async (port: string) =>
    await until(
      `${port} to join`,
      async () => (await denamo(["join-cluster", "-p", port, ...known])).code === 0,
    );
  const [, , third] = await Promise.all([serve(one), serve(two), serve(three)]);
  for (const port of [two, three]) await join(port);
  // Something in every partition: what is empty moves even while nothing is copied.
  await using client = await Client.connect(`127.0.0.1:${two}`);
  await Promise.all(KEYS.map((key) => client.put(key, key, { timeoutMs: 20_000 })));
  const ended = async (server: Server) => {
    await until("the process to end by itself", () => !server.alive);
    return await server.ended;
  };
  let fourth = await serve(four);
  const members = async () =>
    (await answer<{ members: unknown[] }>("cluster-state", "-p", one)).members.length;

  await t.step(
    "--plan shows what would move; a change goes on by itself, and is given up by cancel",
    async () => {
      const plan = await answer<{ moves: unknown[]; members: number; violations: string[] }>(
        ...["join-cluster", "-p", four, ...known, "--plan"],
      );
      assertEquals([plan.moves.length, plan.members, plan.violations], [24, 4, []]);
      assertEquals(await members(), 3);
      await answer("background", "-p", four, "--pause");
      await join(four);
      const status = await answer<{ state: string; moves: { copying: number } }>("status", "-p", four);
      assertEquals([status.state, status.moves.copying], ["moving", 24]);
      assertEquals((await answer<Change>("cancel", "-p", one, "--wait")).message, "Ok");
      assertEquals(await ended(fourth), 1);
      assertMatch(
        fourth.err.at(-1)!,
        /gives up: it was removed from the cluster; start it with an empty directory/,
      );
      assertEquals(await members(), 3);
    },
  );

  await t.step("join-cluster --wait: a member that has its share", async () => {
    Deno.removeSync(directory(four), { recursive: true });
    fourth = await serve(four);
    await answer("join-cluster", "-p", four, ...known, "--wait");
    const { owners } = await answer<{ owners: number[][] }>("ring", "-p", one, "--json");
    assertEquals([0, 1, 2, 3].map((index) => owners.filter((list) => list.includes(index)).length), [
      24,
      24,
      24,
      24,
    ]);
  });

  await t.step("a disk is lost: join-cluster says what to do, replace does it", async () => {
    await fourth.kill();
    Deno.removeSync(directory(four), { recursive: true });
    fourth = await serve(four, "--seeds", `127.0.0.1:${one}`);
    assertEquals((await denamo(["put", "-p", four, "-k", "x", "-v", "x"])).code, 1, "it takes no writes");
    const refused = await denamo(["join-cluster", "-p", four, ...known]);
    assertEquals(refused.code, 1);
    assertMatch(errorOf(refused.err).code, /address-taken|busy/);
    if (errorOf(refused.err).code === "address-taken") {
      assertMatch(errorOf(refused.err).message, /a member whose disk was lost is replaced: denamo replace$/);
    }
    await until("the others to see that it is down", async () => {
      const words = ["replace", `127.0.0.1:${four}`, "-p", four, ...known, "--wait"];
      return (await denamo(words)).code === 0;
    });
    assertEquals(await members(), 4);
    assertEquals((await answer<{ state: string }>("status", "-p", four)).state, "serving");
  });

  await t.step("leave: it hands over what it has, and its process ends by itself, exit code 0", async () => {
    assertEquals((await answer<Change>("leave", "-p", four, "--wait")).message, "Ok");
    assertEquals(await ended(fourth), 0);
    assertEquals(fourth.err.at(-1), "denamo server: it has left the cluster, and holds nothing any more");
    const { stores } = await answer<{ stores: { keys: number }[] }>("storage", "stats", directory(four));
    assertEquals(stores.map(({ keys }) => keys), stores.map(() => 0), "nothing is left in its directory");
    assertEquals(await members(), 3);
  });

  await t.step("force-remove: the others go on without one that will not come back", async () => {
    await third.kill();
    const words = ["force-remove", `127.0.0.1:${three}`, "-p", one, "--wait"];
    await until("it to be seen that it is gone", async () => (await denamo(words)).code === 0);
    assertEquals(await members(), 2);
    const read = await Promise.all(KEYS.map(async (key) => (await client.get(key)).texts().join()));
    assertEquals(read, KEYS);
  });
});
