import { assert, assertEquals, assertMatch, assertRejects } from "../actors/runtime/testing/assert.ts";
import { COMMANDS, run } from "./run.ts";
import { Exited, Refused, World, type WorldOptions } from "./testing/world.ts";

/** Run a line of words and give the world afterwards with the exit code. */
async function denamo(line: string, options: WorldOptions | World = {}): Promise<World & { code: number }> {
  const world = options instanceof World ? options : new World(options);
  const code = await run(line === "" ? [] : line.split(" "), world);
  assertEquals(world.open, 0, "every connection is closed");
  return Object.assign(world, { code });
}

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("RLDB's transcript: put, get, siblings, resolution", async () => {
  const world = new World();
  await denamo("put -p 3001 -k foo -v bar", world);
  assertEquals(world.stdout, `{"message":"Ok"}\n`);
  world.stdout = "";
  assertEquals((await denamo("get -p 3001 -k foo", world)).code, 0);
  assertEquals(world.stdout, `{"values":[{"value":"bar","crc32c":179770161}],"context":"0709"}\n`);

  for (const [port, value] of [[3001, "bar1"], [3002, "bar2"], [3003, "bar3"]]) {
    await denamo(`put -p ${port} -k foo2 -v ${value}`, world);
  }
  world.stdout = "";
  assertEquals((await denamo("get -p 3002 -k foo2", world)).code, 0);
  assertEquals(JSON.parse(world.stdout).values, [
    { value: "bar1", crc32c: 1383588930 },
    { value: "bar2", crc32c: 1093081014 },
    { value: "bar3", crc32c: 3008140469 },
  ]);
  await denamo("put -p 3002 -k foo2 -v conflicts_resolved -c 0709", world);
  assertEquals(world.asked.at(-1), ["put", "foo2", { context: Uint8Array.of(7, 9) }]);
  world.stdout = "";
  await denamo("get -p 3003 -k foo2", world);
  assertEquals(JSON.parse(world.stdout).values, [{ value: "conflicts_resolved", crc32c: 3289643150 }]);
  assertEquals(world.addresses.slice(0, 3), ["127.0.0.1:3001", "127.0.0.1:3001", "127.0.0.1:3001"]);
});

Deno.test("get: a missing key prints its context and exits 3", async () => {
  const world = await denamo("get -k nothing");
  assertEquals([world.code, world.stdout], [3, `{"values":[],"context":"0709"}\n`]);
  assertEquals((await denamo("get -k nothing --raw")).code, 3);
});

Deno.test("get --raw: the bytes of one value, nothing of siblings", async () => {
  const world = new World();
  const bytes = Uint8Array.of(0, 255, 10, 13);
  world.store.set("k", [bytes]);
  assertEquals((await denamo("get -k k --raw", world)).code, 0);
  assertEquals([world.bytes, world.stdout], [bytes, ""]);
  world.store.set("k", [bytes, bytes]);
  assertEquals((await denamo("get -k k --raw", world)).code, 4);
  assertEquals(world.stdout, "");
  assertMatch(world.stderr, /2 siblings/);
});

Deno.test("get: a value that is not UTF-8 is shown in base64, a byte order mark is kept", async () => {
  const world = new World();
  world.store.set("k", [Uint8Array.of(255, 0), encode("\ufeffx")]);
  await denamo("get -k k", world);
  const [first, second] = JSON.parse(world.stdout).values;
  assertEquals([first.value_base64, second.value], ["/wA=", "\ufeffx"]);
});

Deno.test("put -v - reads standard input byte for byte", async () => {
  const input = Uint8Array.of(0, 200, 13, 10);
  const world = await denamo("put -k k -v -", { input });
  assertEquals(world.store.get("k")?.[0], input);
});

Deno.test("requests pass quorum, timeout and host on", async () => {
  const world = new World();
  await run(["put", "-k", "k", "-v", "x", "-w", "3", "--timeout", "250", "--host", "::1"], world);
  assertEquals(world.asked, [["put", "k", { w: 3, timeoutMs: 250 }]]);
  assertEquals(world.addresses, ["[::1]:3001"]);
  await denamo("get -k k -r 1", world);
  await denamo("del -k k -c AB01 -w 1", world);
  assertEquals(world.asked.slice(1), [
    ["get", "k", { r: 1 }],
    ["del", "k", { context: Uint8Array.of(0xab, 1), w: 1 }],
  ]);
});

Deno.test("failed requests: one JSON line on standard error, an exit code by cause", async () => {
  const codes = { "connect": 6, "quorum-unmet": 5, "timeout": 5, "unavailable": 5, "bad-context": 1 };
  for (const [code, exit] of Object.entries(codes)) {
    const world = await denamo("get -k k", { unreachable: new Refused(code, true, 1, 2) });
    assertEquals([world.code, world.stdout], [exit, ""]);
    const message = `refused (no node answers at 127.0.0.1:3001)`;
    const error = { code, message, definite: true, answered: 1, needed: 2 };
    assertEquals(JSON.parse(world.stderr), { error });
  }
});

Deno.test("a bug is not dressed up as a failed request", async () => {
  await assertRejects(() => denamo("ping", { unreachable: new TypeError("slip") }), TypeError, "slip");
});

Deno.test("usage errors: exit 2, what was expected, and what was meant", async () => {
  const cases: [line: string, says: RegExp][] = [
    ["", /Usage:/],
    ["pit -k a", /unknown command pit; did you mean (put|ping)\?/],
    ["cluster-stat", /did you mean cluster-state\?/],
    ["xyzzyxyzzy", /unknown command xyzzyxyzzy\n/],
    ["get", /-k, --key is missing: The key/],
    ["get -k", /-k needs a value/],
    ["get -k a -p seven", /-p, --port: expected an integer from 1 to 65535, not "seven"/],
    ["get -k a --tiemout 5", /unknown flag --tiemout; did you mean --timeout\?/],
    ["get -k a extra", /unexpected argument "extra"/],
    ["put -k a -v b -c xyz", /-c, --context: expected bytes in hexadecimal/],
    ["put -k a -k b -v c", /-k, --key is given twice/],
    ["status --json=yes", /--json takes no value/],
    [
      "join-cluster -p 3002 --known-cluster-node 3001",
      /--known-cluster-node: expected host:port, not "3001"/,
    ],
    ["help pit", /unknown command pit/],
    ["storage", /storage verify .*\n.*storage stats /],
    ["storage vrify p", /unknown command storage vrify; did you mean storage verify\?/],
    ["storage verify", /PATH is missing/],
    ["storage verify a b", /unexpected argument "b"/],
  ];
  for (const [line, says] of cases) {
    const world = await denamo(line);
    assertEquals([world.code, world.stdout], [2, ""], line);
    assertMatch(world.stderr, says);
  }
});

Deno.test("usage errors: arguments that were not UTF-8 are refused, wherever they stand", async () => {
  const lossy = new TextDecoder().decode(Uint8Array.of(0x61, 0xff)); // as the runtime decodes arguments
  const lines = [
    ["put", "-k", "a", "-v", lossy],
    ["put", "-k", lossy, "-v", "x"],
    ["put", `-k=${lossy}`, "-v", "x"],
    ["del", "-k", "a", "-c", lossy],
    ["get", "-k", "\ud800"],
  ];
  for (const line of lines) {
    const world = new World();
    assertEquals([await run(line, world), world.asked], [2, []]);
    assertMatch(world.stderr, /not valid UTF-8 on the command line/);
    assertEquals(world.stderr.includes("; -v - reads"), line[0] === "put");
  }
  const world = await denamo("put -k é -v 𐀀");
  assertEquals([world.code, world.asked], [0, [["put", "é", {}]]]);
});

Deno.test("help is there for everything and names every flag", async () => {
  assertMatch((await denamo("storage --help")).stdout, /storage dump/);
  const overview = await denamo("--help");
  assertEquals(overview.code, 0);
  for (const command of COMMANDS) {
    assert(overview.stdout.includes(`  ${command.name} `), command.name);
    for (const line of [`${command.name} --help`, `${command.name} -h`, `help ${command.name}`]) {
      const world = await denamo(line);
      assertEquals(world.code, 0);
      for (const flag of Object.keys(command.flags)) {
        assert(world.stdout.includes(`--${flag}`), `${line} ${flag}`);
      }
    }
    for (const example of command.examples) assert(example.startsWith(command.name), example);
  }
});

Deno.test("join-cluster: Ok, or the refusal", async () => {
  const line = "join-cluster -p 3002 --known-cluster-node 127.0.0.1:3001";
  const joined = await denamo(line, { admin: { join: { ok: true, epoch: 2, members: [] } } });
  assertEquals([joined.code, joined.stdout], [0, `{"message":"Ok"}\n`]);
  assertEquals(joined.asked, [["join", { known: "127.0.0.1:3001" }]]);
  const refusal = { ok: false, code: "has-data", message: "the node holds 3 keys" };
  const refused = await denamo(line, { admin: { join: refusal } });
  assertEquals([refused.code, refused.stdout], [1, ""]);
  assertEquals(JSON.parse(refused.stderr).error, {
    code: "has-data",
    message: "the node holds 3 keys: stop the node, remove its data directory (what it holds is lost), " +
      "start it and join before writing",
    definite: true,
  });
});

const MEMBERS = ["1", "2"].map((digit) => ({ id: digit.repeat(32), address: `127.0.0.1:300${digit}` }));
const CHANGED = { ok: true, epoch: 7, partitions: 12 };
const OK = `{"message":"Ok","epoch":7,"partitions":12}\n`;

Deno.test("leave, force-remove, cancel: asked of the right node, and waited for when that is wanted", async () => {
  const left = await denamo("leave -p 3002", { admin: { leave: CHANGED } });
  assertEquals([left.code, left.stdout, left.asked], [0, OK, [["leave", {}]]]);
  const waited = await denamo("cancel --wait", { admin: { cancel: CHANGED, status: { moves: null } } });
  assertEquals([waited.code, waited.asked.map(([kind]) => kind)], [0, ["cancel", "status"]]);
  const admin = { clusterState: { members: MEMBERS }, forceRemove: CHANGED };
  const removed = await denamo("force-remove 127.0.0.1:3002", { admin });
  assertEquals([removed.code, removed.asked.at(-1)], [0, ["forceRemove", {
    id: "2".repeat(32),
    alive: false,
  }]]);
  const unknown = await denamo("force-remove 33", { admin });
  assertEquals(unknown.code, 1);
  assertMatch(JSON.parse(unknown.stderr).error.message, /^33 is no member; there are 11111111 127/);
  const nobody = await denamo("force-remove ", { admin });
  assertMatch(JSON.parse(nobody.stderr).error.message, /^"" is no member/);
});

Deno.test("background: a pause keeps the bound, the end of it too; flags that exclude each other are refused", async () => {
  const before = { mostBytesPerS: 8 * 1024 * 1024, isPaused: true };
  const sets = async (line: string) => (await denamo(line, { admin: { background: before } })).asked;
  const MIB = 1024 * 1024;
  const asked = (set: unknown) => [["background", { set: null }], ["background", { set }]];
  assertEquals(await sets("background --json"), [["background", { set: null }]]);
  assertEquals(await sets("background --pause --json"), asked({ mostBytesPerS: 8 * MIB, isPaused: true }));
  assertEquals(await sets("background --resume --json"), asked({ mostBytesPerS: 8 * MIB, isPaused: false }));
  assertEquals(await sets("background --most 2 --json"), asked({ mostBytesPerS: 2 * MIB, isPaused: true }));
  assertEquals(
    await sets("background --most 0 --resume --json"),
    asked({ mostBytesPerS: null, isPaused: false }),
  );
  for (const line of ["background --pause --resume", "put -k a -v b --strict --sloppy"]) {
    const { code, asked, stderr } = await denamo(line);
    assertEquals([code, asked], [2, []]);
    assertMatch(stderr, /exclude each other/);
  }
});

Deno.test("replace: the member is looked up at the known one, the new node is asked", async () => {
  const admin = { clusterState: { members: MEMBERS }, replace: { ok: true, epoch: 7, members: [] } };
  const world = await denamo("replace 2222 -p 3004 --known-cluster-node 127.0.0.1:3001", { admin });
  assertEquals([world.code, world.stdout], [0, `{"message":"Ok","epoch":7}\n`]);
  assertEquals(world.addresses, ["127.0.0.1:3001", "127.0.0.1:3004"]);
  assertEquals(world.asked.at(-1), ["replace", { known: "127.0.0.1:3001", old: "2".repeat(32) }]);
  const taken = { ok: false, code: "address-taken", message: "a:1 is the address of 22" };
  const early = await denamo("replace 2222 -p 3004 --known-cluster-node 127.0.0.1:3001", {
    admin: { ...admin, replace: taken },
  });
  assertEquals(early.code, 1);
  assertMatch(JSON.parse(early.stderr).error.message, /of 22, which passes for alive; try again once/);
});

Deno.test("--plan shows what would move, and changes nothing", async () => {
  const moves = [{ partition: 0, from: "1".repeat(32), to: "4".repeat(32) }];
  const preview = {
    ...{ ok: true, epoch: 3, members: 4, moves, bytes: 2_000_000, estimateMs: 95 },
    violations: ["replicas will share zones: there are 2 for 3 replicas"],
  };
  const line = "join-cluster -p 3004 --known-cluster-node 127.0.0.1:3001 --plan";
  const world = await denamo(line, { admin: { preview }, interactive: true });
  assertEquals(world.asked, [["preview", { kind: "join", id: null, member: null, known: "127.0.0.1:3001" }]]);
  assertMatch(
    world.stdout,
    /4 members, 1 transfer to make, about .*44444444 receives 1 partition.*share zones/s,
  );
});

Deno.test("join-cluster: a refusal says what to do, and nothing of classes", async () => {
  const cases = [
    [
      "address-taken",
      "a:1 is the address of 00ff",
      /00ff: a member whose disk was lost is replaced: denamo replace/,
    ],
    ["unreachable", "a:1: DenamoError: timeout: no answer", /^a:1: timeout: no answer$|^a:1: no answer$/],
    ["unreachable", "a:1: DenamoError: unreachable: nobody", /^a:1: nobody$/],
    ["mismatch", "N: 3 in the cluster, 2 at b:1", /^N: 3 in the cluster, 2 at b:1$/],
  ] as const;
  for (const [code, message, says] of cases) {
    const admin = { join: { ok: false, code, message } };
    const world = await denamo("join-cluster --known-cluster-node a:1", { admin });
    assertEquals(world.code, 1);
    assertMatch(JSON.parse(world.stderr).error.message, says);
  }
});

Deno.test("server: no configuration gives a single usable node; a signal drains and exits 0", async () => {
  const world = new World();
  const ended = run(["server"], world);
  await Promise.resolve();
  assertEquals(world.started, {
    host: "127.0.0.1",
    port: 3001,
    cluster: "denamo",
    seeds: [],
    zone: "default",
    weight: 1,
    partitions: 256,
    quorum: { n: 3, r: 2, w: 2, sloppy: true },
    conflicts: "siblings",
    heartbeat: { fanout: 2, interval: 500 },
    storage: { path: "./denamo-data/3001", sync: "always", persist: true, reserveBytes: 72 * 1024 * 1024 },
    logLevel: "info",
    logFormat: "text",
  });
  world.signal();
  assertEquals([await ended, world.stopped], [0, true]);
  assertEquals(world.stdout, "denamo: serving on 127.0.0.1:3001\n");
  try {
    world.signal();
    assert(false, "the second signal forces");
  } catch (error) {
    assert(error instanceof Exited && error.code === 1);
  }
});

Deno.test("server: the root supervisor giving up ends it with 1 and a last line", async () => {
  const world = new World();
  const ended = run(["server"], world);
  await Promise.resolve();
  world.giveUp("coordinator crashed 6 times within 10 s");
  assertEquals(await ended, 1);
  assertEquals(world.stderr, "denamo server: gives up: coordinator crashed 6 times within 10 s\n");
});

Deno.test("server: every problem of the configuration is named with its place, exit 2", async () => {
  const files = { "n.json": `{"prot":1,"quorum":{"n":"3"}}` };
  const world = await denamo("server --config-path n.json", { files, variables: { DENAMO_WEIGHT: "0" } });
  assertEquals(world.code, 2);
  assertEquals(world.stderr.split("\n"), [
    `denamo server: DENAMO_WEIGHT: expected a number from 0.001 to 1000, not "0"`,
    `denamo server: n.json: prot: unknown field; did you mean port?`,
    `denamo server: n.json: quorum.n: expected an integer from 1 to 16, not "3"`,
    "",
  ]);
  const flag = await denamo("server --advertise 0.0.0.0:3001");
  assertEquals([flag.code, flag.started], [2, undefined]);
  assertMatch(flag.stderr, /--advertise: expected host:port of one host/);
  const misspelled = await denamo("server", { variables: { DENAMO_QUORM_N: "5", DENAMOX: "", HOME: "/" } });
  assertEquals([misspelled.code, misspelled.started], [2, undefined]);
  assertEquals(
    misspelled.stderr,
    "denamo server: DENAMO_QUORM_N: unknown variable; did you mean DENAMO_QUORUM_N?\n",
  );
  const elsewhere = await denamo("get -k nothing", { variables: { DENAMO_QUORM_N: "5" } });
  assertEquals(elsewhere.code, 3);
  assertMatch(
    (await denamo("server --config-path gone.json")).stderr,
    /gone.json: cannot be read: no such file/,
  );
  assertMatch(
    (await denamo("server --host 0.0.0.0")).stderr,
    /host: expected a loopback address, not "0.0.0.0"/,
  );
});
