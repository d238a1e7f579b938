/**
 * The command line of the simulator.
 *
 * @module
 */

import { World } from "../../cli/testing/world.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { type Fault, FAULT_KINDS } from "../../actors/simulated/faults.ts";
import { shrinkFailure } from "./campaign.ts";
import { main } from "./main.ts";
import { callsOf, type Plan, planOf } from "./plan.ts";
import { readPlan, writePlan } from "./plan_file.ts";
import { Pool } from "./pool.ts";
import { judge } from "./verdict.ts";

async function run(line: string[], files: Record<string, string> = {}) {
  const world = new World({ files });
  const code = await main(line, world);
  return { code, out: world.stdout, err: world.stderr };
}

/** Everyone loses everything, which nothing can survive: a plan that must fail. */
function doomed(): Plan {
  const plan = planOf(1, { nodes: 3, ops: 8, faults: ["crash"] });
  const wipe = (node: number): Fault => ({
    kind: "wipe",
    atMs: 20_000,
    lastsMs: 100,
    nodes: [node],
    amount: 0,
    draw: node,
  });
  const quorum = { n: 3, r: 2, w: 2 };
  return {
    ...plan,
    quorum,
    faults: [...plan.faults, ...[0, 1, 2].map(wipe)].sort((a, b) => a.atMs - b.atMs),
  };
}

Deno.test("what makes no sense is said, with exit code 2", async () => {
  for (
    const [line, why] of [
      ["--sed 1", /unknown flag --sed; did you mean --seed\?/],
      ["--seeds 0", /--seeds: expected an integer from 1 to/],
      ["--nodes 2", /--nodes: expected an integer from 3 to 16/],
      [
        "--faults loss,flood",
        /--faults: expected a list of one of "loss", "delay", .*"succeed", not "loss,flood"/,
      ],
      ["--seed 1 --seeds 5", /--seed and --seeds exclude each other/],
      ["--plan x.json --nodes 3", /--plan and --nodes exclude each other/],
      ["--seeds 5 --time 3", /--seeds and --time exclude each other/],
      ["--log debug", /--log goes with --seed or --plan/],
      ["--trace", /--trace goes with --seed or --plan/],
      ["--seed 1 --key key0", /--key goes with --trace/],
      ["17", /unexpected argument "17"/],
      ["--seed 1 --trace --key nokey", /no key nokey: there are key0, .*, last/],
      ["--seed 1 --trace a/b --html a/./b", /--trace and --html both into a\/\.\/b/],
      ["--faults loss,dealy", /not "loss,dealy"; did you mean delay\?/],
      ["--seed 2000000001", /--seed: expected an integer from 0 to 2000000000/],
      ["--from 2000000000 --seeds 3", /the last seed would be 2000000002, and 2000000000 is the largest/],
      ["--from 2000000000", /the last seed would be 2000000999/],
      ["--seed 1 --html /dev/null/page.html", /\/dev\/null\/page\.html: /],
    ] as const
  ) {
    const { code, err } = await run(line.split(" "));
    assertEquals(code, 2, line);
    assertMatch(err, why);
  }
});

Deno.test("--help lists the flags, --list-faults the kinds of fault", async () => {
  const help = await run(["--help"]);
  assertEquals(help.code, 0);
  for (const flag of ["seeds", "seed", "nodes", "ops", "faults", "workers", "time", "from", "plan"]) {
    assertMatch(help.out, new RegExp(`--${flag}\\b`));
  }
  const { code, out } = await run(["--list-faults"]);
  assertEquals(code, 0);
  for (const kind of FAULT_KINDS) assertMatch(out, new RegExp(`^${kind} `, "m"));
  assertMatch(out, /^wipe .* a node +yes +- +- +- +10 to 2000 ms$/m);
  assertMatch(out, /^clock-drift .* a node +no +0\.8 to 1\.25 +0\.1 to 10 +times as fast +500 to 20000 ms$/m);
});

Deno.test("a plan that is none is refused with exit code 2", async () => {
  const { code, err } = await run(["--plan", "bad.json"], { "bad.json": '{"seed":"x"}' });
  assertEquals(code, 2);
  assertMatch(err, /bad\.json: it is no plan: seed: expected a whole number/);
  assertEquals((await run(["--plan", "missing.json"])).code, 2);
  const refused = async (change: object, why: RegExp) => {
    const { code, err } = await run(["--plan", "p.json"], {
      "p.json": JSON.stringify({ ...doomed(), ...change }),
    });
    assertEquals(code, 2);
    assertMatch(err, why);
  };
  const drift = { kind: "clock-drift", atMs: 1, lastsMs: 1, nodes: [0], amount: -1, draw: 1 };
  await refused({ faults: [drift] }, /^sim: p\.json: it is no plan: faults\[0\]\.amount: .* got -1$/m);
  await refused({ seed: -4 }, /^sim: p\.json: it is no plan: seed: .* got -4$/m);
  await refused({ sede: 4 }, /^sim: p\.json: it is no plan: sede: expected no field but /m);
});

Deno.test("a few seeds: green, counted, and which seeds they were", async () => {
  const { code, out, err } = await run(
    [
      "--seeds",
      "4",
      "--from",
      "100",
      "--nodes",
      "3",
      "--ops",
      "12",
      "--faults",
      "kill,delay",
      "--workers",
      "2",
    ],
  );
  assertEquals(code, 0, out);
  assertMatch(err, /^seeds from 100 on --nodes 3 --ops 12 --faults kill,delay, 2 at once$/m);
  assertMatch(out, /^seeds 100 to 103$/m);
  assertMatch(out, /^4 histories in .* 4 green, 0 failed$/m);
});

Deno.test("--time makes as many histories as fit, from a seed that is drawn", async () => {
  const line = ["--time", "0.2", "--nodes", "3", "--ops", "12", "--faults", "kill", "--workers", "1"];
  const first = await run(line);
  assertEquals(first.code, 0, first.out);
  const [, from] = /^seeds (\d+) to \d+$/m.exec(first.out)!;
  assertMatch(first.err, new RegExp(`^seeds from ${from} on`));
  const [, other] = /^seeds from (\d+) on/.exec((await run(line)).err)!;
  assert(from !== other);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal}, to all processes as a terminal sends it: what was begun ends, and is summed up`, async () => {
    const main = new URL("main.ts", import.meta.url).pathname;
    const task = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", main, "--seeds", "100000", "--workers", "1"],
      detached: true, // leads a group of its own
      env: { DENO_NO_UPDATE_CHECK: "1" },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const [errors, heard] = task.stderr.tee();
    for await (const text of errors.pipeThrough(new TextDecoderStream())) {
      if (text.includes("seeds from")) break;
    }
    Deno.kill(-task.pid, signal);
    const [{ code }, out] = await Promise.all([task.status, new Response(task.stdout).text()]);
    assertEquals(code, 1);
    const said = await new Response(heard).text();
    assertMatch(said, /no more histories are begun/);
    assert(!said.includes("took its process along"), said);
    assertMatch(out, /^\d+ histor(y|ies) in .* 0 failed$/m);
  });
}

Deno.test("a plan that asks for more than is promised says so before its verdict", async () => {
  const unfair = /^ {2}it asks for more than is promised: [^]*^seed 1: \d+ violations$/m;
  assertMatch((await run(["--plan", "p.json"], { "p.json": writePlan(doomed()) })).out, unfair);
  const fair = writePlan({ ...doomed(), faults: [] });
  assert(!(await run(["--plan", "p.json"], { "p.json": fair })).out.includes("promised"));
});

Deno.test("without faults, that there are none is said, and how to have it again is a line that works", async () => {
  const { out, err } = await run([
    "--seeds",
    "1",
    "--nodes",
    "3",
    "--ops",
    "6",
    "--workers",
    "1",
    "--faults",
    "",
  ]);
  assertMatch(out, /^no faults are played/m);
  assertMatch(err, / --faults "", 1 at once$/m);
});

Deno.test("a plan that fails: exit code 1, what is wrong, what led to it, and the same trace each time", async () => {
  const files = { "doomed.json": writePlan(doomed()) };
  const { code, out } = await run(["--plan", "doomed.json"], files);
  assertEquals(code, 1);
  assertMatch(out, /^seed 1: 3 nodes, 3 of them members at first/);
  assertMatch(out, /^ {2}\d+ faults: .*wipe 3/m);
  assertMatch(out, /^seed 1: \d+ violations$/m);
  assertMatch(out, /^ {2}fault \S+ wipe node3 /m);
  assertMatch(out, /^ {2}the last events: /m);
  const last = out.trimEnd().split("\n").at(-1)!;
  assertMatch(last, /^trace \d+$/);
  assert((await run(["--plan", "doomed.json"], files)).out.endsWith(`${last}\n`));
});

Deno.test("--trace prints a timeline, --html draws one, and nothing changes by it", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    const line = ["--seed", "7", "--nodes", "3", "--ops", "12", "--faults", "kill,delay"];
    const { out } = await run(line);
    const [trace] = /trace \d+\n$/.exec(out)!;
    const printed = await run([...line, "--trace"]);
    assertMatch(printed.out, /^ +\d+\.\d+ +(XX )?c0 +.*put key\d/m);
    assertMatch(printed.out, /^ +\d+\.\d+ !! +node\d +kill node\d/m);
    assert(printed.out.endsWith(trace));
    const files = await run([
      ...line,
      "--trace",
      `${directory}/a.txt`,
      "--key",
      "key0",
      `--html=${directory}/b.html`,
    ]);
    assert(files.out.endsWith(trace));
    const text = Deno.readTextFileSync(`${directory}/a.txt`);
    assert(text.includes("key0") && !text.includes("key1"));
    assertMatch(Deno.readTextFileSync(`${directory}/b.html`), /^<!DOCTYPE html>/);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a failure is made small and written to a file, which fails the same way", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    const plan = doomed();
    const verdict = await judge(plan);
    await using pool = new Pool({ workers: 2 });
    const file = `${directory}/sim/seed-1.json`;
    const said = await shrinkFailure(plan, verdict, { pool, file, limitMs: 300_000 });
    assertMatch(
      said,
      /^shrunk from 8 calls, \d+ faults, 3 nodes to \d+ calls?, \d faults?, \d nodes? in \d+ runs/,
    );
    const small = readPlan(Deno.readTextFileSync(file));
    assertEquals((await judge(small)).violations[0]!.checker, verdict.violations[0]!.checker);
    assert(callsOf(small) <= 2 && small.faults.length <= 4, said);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a failure that does not come again is not made small: something escapes the simulation", async () => {
  const plan = doomed();
  const verdict = await judge(plan);
  await using pool = new Pool({ workers: 1 });
  const said = await shrinkFailure(plan, { ...verdict, traceHash: 1 }, { pool, file: "never", limitMs: 1 });
  assertMatch(said, /^the same plan made another history, trace \d+ instead of 1: /);
});
