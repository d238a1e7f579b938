/**
 * The pool, with processes that make histories and with processes that do not.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { STOPS } from "../../cli/terminal.ts";
import { callsOf, planOf } from "./plan.ts";
import { Pool } from "./pool.ts";
import { kindOf, verdictOf } from "./verdict.ts";
import { simulate } from "./scenario.ts";

const SMALL = { nodes: 3, ops: 12, faults: ["kill", "delay"] } as const;

Deno.test("a process makes the same histories as this one, one after the other", async () => {
  await using pool = new Pool({ workers: 2 });
  const plans = [1, 2, 3, 1].map((seed) => planOf(seed, SMALL));
  const there = await Promise.all(plans.map((plan) => pool.run(plan)));
  const here = [];
  for (const plan of plans) here.push(verdictOf(await simulate(plan)));
  assertEquals(there, here);
  assert(there[0]!.counts["operations"]! > callsOf(plans[0]!));
});

Deno.test("a history that throws is a failure, and the process makes the next one", async () => {
  await using pool = new Pool({ workers: 1 });
  const good = planOf(1, SMALL);
  const verdict = await pool.run({ ...good, members: 0 });
  assertMatch(kindOf(verdict), /^the history broke off: \w+: /);
  assertEquals(verdict.seed, 1);
  assertEquals((await pool.run(good)).violations, []);
});

Deno.test("a process that ends is a failure with its last words, and another one goes on", async () => {
  const program = ["eval", "--quiet", "throw new Error('out of memory, say')"];
  await using pool = new Pool({ workers: 1, program });
  for (const seed of [5, 6]) {
    const verdict = await pool.run(planOf(seed, SMALL));
    assertEquals([verdict.seed, kindOf(verdict)], [seed, "the history took its process along"]);
    assertMatch(verdict.violations[0]!.detail, /out of memory, say[^]*exit code 1$/);
  }
});

for (const signal of STOPS) {
  Deno.test(`${signal} does not end a process that makes histories`, async () => {
    const worker = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", new URL("./worker.ts", import.meta.url).href],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const plans = worker.stdin.getWriter();
    const verdicts = worker.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const line = new TextEncoder().encode(`${JSON.stringify(planOf(1, SMALL))}\n`);
    await plans.write(line);
    assertMatch((await verdicts.read()).value!, /^verdict /);
    worker.kill(signal);
    await plans.write(line);
    assertMatch((await verdicts.read()).value ?? "it is gone", /^verdict /);
    await plans.close();
    await verdicts.cancel();
    assertEquals((await worker.status).signal, null);
  });
}

Deno.test("a process that somebody asked to stop is no failure: another one makes its history", async () => {
  const mark = Deno.makeTempFileSync();
  try {
    const worker = new URL("./worker.ts", import.meta.url).href;
    const code = `if (Deno.statSync("${mark}").size > 0) await import("${worker}");
      else Deno.writeTextFileSync("${mark}", "stopped"), Deno.kill(Deno.pid, "SIGTERM");`;
    await using pool = new Pool({ workers: 1, program: ["eval", "--quiet", code] });
    assertEquals((await pool.run(planOf(1, SMALL))).violations, []);
    assertEquals(Deno.readTextFileSync(mark), "stopped");
  } finally {
    Deno.removeSync(mark);
  }
});

Deno.test("a history that does not end is a failure when its time is up, and does not keep the others", async () => {
  const program = ["eval", "--quiet", "for (;;);"];
  await using pool = new Pool({ workers: 2, program, limitMs: 300 });
  const verdicts = await Promise.all([1, 2, 3].map((seed) => pool.run(planOf(seed, SMALL))));
  assertEquals(verdicts.map(kindOf), Array.from({ length: 3 }, () => "the history does not end"));
});
