/**
 * The source checks itself: layering, purity, banned calls, dead files, width, marks. Every check is also shown
 * a planted violation.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../actors/runtime/testing/assert.ts";
import * as tidy from "./tidy.ts";

const ROOT = new URL("../", import.meta.url);

/** Scripts that people or tasks start. */
const ENTRIES = new Set([
  "mod.ts",
  "cli/main.ts",
  "cli/compile.ts",
  "tests/run.ts",
  "tests/check.ts",
  "tests/bench/main.ts",
  "tests/bench/storage/worker.ts", // measures one store, started as a process
  "tests/sim/main.ts",
  "tests/sim/worker.ts", // makes histories, started as a process
  "tests/sim/scale.ts",
  "tests/sim/scale_worker.ts", // takes measurements, started as a worker
  "tests/campaign/main.ts",
  "tests/campaign/kill_victim.ts", // writes until it is killed, started as a process
  "tests/campaign/flip_worker.ts", // flips bits, started as a worker
  "tests/outside/crash_on_request.ts", // a server that crashes on request, started as a process
]);

/**
 * Pure: no I/O, no clock, no chance. In the folder of an actor everything is, but the shell, which has the
 * folder's name; elsewhere these files.
 */
const PURE = new Set([
  ...[
    "bytes",
    "crc32c",
    "limits",
    "msgpack",
    "murmur3",
    "protocol",
    "restart_policy",
    "serial",
    "shape",
    "slab",
  ]
    .map((name) => `actors/runtime/${name}.ts`),
  ...["command", "config", "flags", "kinds", "paint", "suggest"].map((name) => `cli/${name}.ts`),
  ...["arena", "key_index", "key_order", "key_table", "sort_entries"].map((name) =>
    `storage/keys/${name}.ts`
  ),
  ...["block", "block_builder", "block_cache", "bloom", "cursor", "edit_codec", "index", "memtable", "merge"]
    .map((name) => `storage/lsm/${name}.ts`),
  ...["options", "pick", "stored_key", "varint", "version", "write_control"].map((name) =>
    `storage/lsm/${name}.ts`
  ),
  "net/address.ts",
  "net/frame.ts",
  "storage/engine.ts",
  "storage/engines.ts",
]);

function isPure(path: string): boolean {
  if (tidy.isTest(path)) return false;
  const inActor = /^actors\/(coordinator|gossiper|replica_store|ring_manager|repair)\/(\w+)\.ts$/.exec(path);
  return inActor ? inActor[2] !== inActor[1] : PURE.has(path);
}

/** Every file that git knows or would take in. */
function repositoryFiles(): string[] {
  const listing = run("git", ["ls-files", "--cached", "--others", "--exclude-standard"]);
  return listing.split("\n").filter((path) => path !== "" && exists(path));
}

const FILES = repositoryFiles();
const SOURCES = FILES.filter((path) => path.endsWith(".ts"));

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** One run of `deno info` over a file that imports all sources. */
function importGraph(): tidy.ImportGraph {
  const root = Deno.makeTempFileSync({ suffix: ".ts" });
  try {
    Deno.writeTextFileSync(root, SOURCES.map((path) => `import "${new URL(path, ROOT)}";`).join("\n"));
    const config = new URL("deno.json", ROOT).pathname;
    const info: unknown = JSON.parse(
      run(Deno.execPath(), ["info", "--json", "--no-lock", "--config", config, root]),
    );
    return readGraph(info as DenoInfo);
  } finally {
    Deno.removeSync(root);
  }
}

/** What `deno info --json` prints, as far as it is used here. */
interface DenoInfo {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

function readGraph(info: DenoInfo): tidy.ImportGraph {
  const prefix = ROOT.href;
  const graph = new Map<string, tidy.Import[]>();
  for (const module of info.modules) {
    const path = module.specifier.slice(prefix.length);
    if (!module.specifier.startsWith(prefix) || !path.endsWith(".ts")) continue;
    const imports: tidy.Import[] = [];
    for (const { code, type } of module.dependencies ?? []) {
      const to = code?.specifier ?? type?.specifier;
      if (to?.startsWith(prefix)) imports.push({ to: to.slice(prefix.length), typeOnly: !code });
    }
    graph.set(path, imports);
  }
  return graph;
}

function run(program: string, args: readonly string[]): string {
  const { code, stdout, stderr } = new Deno.Command(program, {
    args: [...args],
    cwd: ROOT,
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).outputSync();
  assert(code === 0, `${program} ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isFile;
  } catch {
    return false;
  }
}

function none(problems: readonly tidy.Problem[]): void {
  if (problems.length > 0) throw new Error(`${problems.length} problems\n${problems.join("\n")}`);
}

Deno.test("imports: layers look down, pure files stay pure, nothing is dead", async (test) => {
  const graph = importGraph();
  assert(graph.size >= SOURCES.length, "the graph has every source");
  await test.step("layering", () => none(tidy.layeringProblems(graph)));
  await test.step("purity", () => none(tidy.purityProblems(graph, isPure)));
  const isRoot = (path: string) => ENTRIES.has(path) || path.endsWith("_test.ts");
  await test.step("dead files", () => none(tidy.deadFiles(graph, isRoot)));
});

Deno.test("only the real environment, the CLI and tests touch the world", () => {
  none(SOURCES.flatMap((path) => tidy.bannedCalls(path, read(path))));
});

Deno.test("no line is too wide, unfinished, or names a machine", () => {
  const texts = FILES.filter((path) =>
    /\.(ts|json|md)$/.test(path) || path === ".ci/run" || path === "LICENSE"
  );
  none(texts.flatMap((path) => tidy.textProblems(path, read(path))));
});

Deno.test("long files and functions are few; this lists them", () => {
  const product = SOURCES.filter((path) => !tidy.isTest(path));
  const files = product
    .map((path) => ({ path, lines: read(path).split("\n").length - 1 }))
    .filter(({ lines }) => lines > tidy.LONG_FILE)
    .map(({ path, lines }) => `${path}: a file of ${lines} lines`);
  const functions = product.flatMap((path) => tidy.longFunctions(path, read(path)));
  Deno.stderr.writeSync(
    new TextEncoder().encode([...files, ...functions].map((line) => `\n  ${line}`).join("")),
  );
  assert(files.length <= Math.max(1, product.length / 10), "more than a tenth of the files are long");
});

Deno.test("planted: a storage file that imports net, and one that imports a test", () => {
  const graph: tidy.ImportGraph = new Map([
    ["storage/memory.ts", [{ to: "net/frame.ts", typeOnly: true }]],
    ["net/tcp.ts", [{ to: "tests/help.ts", typeOnly: false }, { to: "actors/node.ts", typeOnly: false }]],
    ["actors/node_test.ts", [{ to: "cli/run.ts", typeOnly: false }, { to: "mod.ts", typeOnly: false }]],
  ]);
  assertEquals(tidy.layeringProblems(graph), [
    "storage/memory.ts imports net/frame.ts: storage may not know net " +
    "(cli -> mod -> net -> actors -> storage -> actors/runtime)",
    "net/tcp.ts imports tests/help.ts: nobody imports tests",
    "actors/node_test.ts imports cli/run.ts: nobody imports cli",
  ]);
});

Deno.test("planted: a pure file that imports a shell", () => {
  const graph: tidy.ImportGraph = new Map([
    ["actors/ring_manager/claim.ts", [
      { to: "actors/ring_manager/ring_manager.ts", typeOnly: false },
      { to: "actors/gossiper/gossiper.ts", typeOnly: true },
      { to: "actors/runtime/bytes.ts", typeOnly: false },
    ]],
  ]);
  const problems = tidy.purityProblems(graph, isPure);
  assertEquals(problems.length, 1);
  assertMatch(problems[0]!, /claim\.ts is pure and imports actors\/ring_manager\/ring_manager\.ts/);
});

Deno.test("planted: a file that only dead files reach", () => {
  const graph: tidy.ImportGraph = new Map([
    ["mod.ts", [{ to: "net/a.ts", typeOnly: false }]],
    ["net/a.ts", []],
    ["net/b.ts", [{ to: "net/c.ts", typeOnly: false }]],
    ["net/c.ts", [{ to: "net/b.ts", typeOnly: false }]],
  ]);
  const dead = tidy.deadFiles(graph, (path) => path === "mod.ts");
  assertEquals(dead, ["net/b.ts: nothing reaches it", "net/c.ts: nothing reaches it"]);
});

Deno.test("planted: every banned call is caught, and its replacement named", () => {
  const planted = [
    "Deno.openSync(path);",
    "const { readFile } = Deno;",
    "setTimeout(() => {}, 5);",
    "queue.push(setImmediate);",
    "const later = { setTimeout };",
    "globalThis.setInterval(tick, 5);",
    "const t = Date.now();",
    "const d = new Date();",
    "performance.now();",
    "globalThis.performance.now();",
    "Math.random();",
    "crypto.randomUUID();",
    "crypto.getRandomValues(bytes);",
    "await crypto.subtle.digest('SHA-256', bytes);",
    "AbortSignal.timeout(5);",
    "process.nextTick(flush);",
    "new Worker(url);",
    "new WeakRef(object);",
    "new FinalizationRegistry(drop);",
    "await fetch(url);",
    'import { setTimeout as later } from "node:timers/promises";',
    'import { randomBytes } from "node:crypto";',
    'import * as fs from "node:fs";',
  ];
  for (const line of planted) {
    const problems = tidy.bannedCalls("actors/planted.ts", `export {};\n${line}\n`);
    assert(problems.length > 0, `not caught: ${line}`);
    assertMatch(problems[0]!, /^actors\/planted\.ts:2: \S+.*: .{20}/);
    assertEquals(tidy.bannedCalls("cli/planted.ts", line), []);
  }
});

Deno.test("planted: a unit test may draw chance and read files, but not wait", () => {
  none(tidy.bannedCalls("net/a_test.ts", "Deno.test('x', () => { Math.random(); Deno.cwd(); });"));
  assertEquals(tidy.bannedCalls("net/a_test.ts", "await new Promise((go) => setTimeout(go, 5));").length, 1);
});

Deno.test("planted: what only looks like a banned call is left alone", () => {
  const innocent = [
    "// Deno.open and Date.now() in a comment",
    'const text = "Math.random()";',
    "clock.setTimeout(5); timers.Deno.now();",
    "const at = new Date(wall);",
    "let connection: Deno.Conn;",
    "class Clock { setTimeout() {} Worker = 1; }",
    "interface Shape { process: string; fetch(): void }",
    "const shape = { fetch: 1, process: 2 };",
    "process.kill(); this.process.exit();",
    'import { createHash } from "node:crypto";',
    "queueMicrotask(flush);",
  ];
  none(innocent.flatMap((line) => tidy.bannedCalls("actors/planted.ts", line)));
});

Deno.test("planted: wide lines, marks and machine paths", () => {
  const text = ["x".repeat(121), "// TO" + "DO: later", 'const p = "/ho' + 'me/me/x";'].join("\n");
  assertEquals(tidy.textProblems("net/a.ts", text).length, 3);
  assertEquals(tidy.longFunctions("a.ts", `function f() {${"\n".repeat(70)}}`).length, 1);
});
