/**
 * The whole cluster in the simulator: that a seed is all there is to a history, and fresh seeds for as long as there
 * is time. More of those: `deno task sim`.
 *
 * @module
 */

import { DEFAULT_ENGINE, ENGINES } from "../../storage/engines.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertMatch, assertNotEquals } from "../../actors/runtime/testing/assert.ts";
import { RealTerminal } from "../../cli/terminal.ts";
import { Cluster } from "../../net/cluster.ts";
import { main } from "./main.ts";
import { planOf } from "./plan.ts";
import { explainRun, simulate } from "./scenario.ts";

Deno.test("a run without faults: every call succeeds, and the same seed gives the same history", async () => {
  const plan = planOf(1, { nodes: 5, faults: [] });
  const once = await simulate(plan);
  const again = await simulate(plan);
  assertEquals(once.violations, []);
  assertEquals(once.operations.filter(({ outcome }) => outcome !== "ok"), []);
  assertEquals(again.traceHash, once.traceHash);
  assertEquals(again.operations, once.operations);
  assertNotEquals((await simulate({ ...plan, seed: 2 })).traceHash, once.traceHash);
});

// Plans with all kinds of fault between them, joins too.
for (const seed of [11, 16, 21]) {
  Deno.test(`seed ${seed}: the same history whoever looks on, and in another process`, async () => {
    const plan = planOf(seed);
    const { traceHash, operations } = await simulate(plan);
    let lines = 0;
    const heard = await simulate(plan, { onLog: () => lines++, node: { logLevel: "debug" } });
    assert(lines > 0);
    assertEquals([heard.traceHash, heard.operations], [traceHash, operations]);
    const task = (...more: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args: ["task", "sim", "--seed", String(seed), "--no-shrink", ...more],
        env: { DENO_NO_UPDATE_CHECK: "1" },
      }).output();
    for (const { stdout } of await Promise.all([task(), task("--log", "debug")])) {
      assertMatch(new TextDecoder().decode(stdout), new RegExp(`^trace ${traceHash}\n$`, "m"));
    }
  });
}

Deno.test("a node that remembers nothing: all comes back from the others before it counts", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const drawn = planOf(seed, { nodes: 4, faults: ["kill", "crash", "two-way", "pause"] });
    // Of a write that two acknowledge one may be lost: one node, always the same, restarts.
    const faults = drawn.faults.map((one) => /kill|crash/.test(one.kind) ? { ...one, nodes: [0] } : one);
    const plan = { ...drawn, faults, quorum: { n: 3, r: 2, w: 2 } };
    const report = await simulate(plan, { node: { storage: { persist: false } } });
    assert(report.injected["kill"]! > 0);
    assertEquals(report.violations.length, 0, explainRun(report));
  }
});

Deno.test("a machine lost between a write and its read: the value is there", async () => {
  const trace = async () => {
    await using cluster = await Cluster.inProcess({ nodes: 3, seed: 7 });
    await cluster.run(async () => {
      const client = await cluster.connect();
      await client.put("foo", "bar", { w: 3 });
      cluster.kill(2, { power: true });
      assertEquals((await client.get("foo")).texts(), ["bar"]);
      await cluster.start(2);
      const explain = async () => {
        const { replicas } = await client.admin("explain", { key: encodeUtf8("foo"), timeoutMs: 1_000 });
        return replicas.map(({ answer }) => answer);
      };
      let answers = await explain();
      // Not yet in touch again, or what the power cut may have torn is still being fetched.
      while (/silent|not-whole/.test(`${answers}`)) answers = await explain();
      assertEquals(answers, ["found", "found", "found"]);
    });
    return cluster.simulation!.traceHash;
  };
  assertEquals(await trace(), await trace());
});

/** Seeds from 1 on that every test run goes through, with every kind of fault. */
const KNOWN = 40;

/** Make histories; what went wrong, seeds and all, is in the error, which is what is left of a run elsewhere. */
async function allIsWell(...args: string[]): Promise<void> {
  const said: string[] = [];
  const tee = {
    writeSync(bytes: Uint8Array): number {
      said.push(new TextDecoder().decode(bytes));
      return Deno.stdout.writeSync(bytes);
    },
  };
  const code = await main(args, new RealTerminal(tee, tee));
  const wrong = said.join("").split("\n").filter((line) => /^seed \d+|^FAILED|^again/.test(line));
  assertEquals([code, wrong], [0, []]);
}

Deno.test(`${KNOWN} known seeds: whatever goes wrong, what was promised holds`, () =>
  allIsWell("--from", "1", "--seeds", String(KNOWN), "--no-shrink"));

for (const engine of ENGINES.filter((name) => name !== DEFAULT_ENGINE)) {
  Deno.test(`12 known seeds with the engine ${engine}`, () =>
    allIsWell("--from", "1", "--seeds", "12", "--engine", engine, "--no-shrink"));
}

/** Real seconds of fresh seeds, 0 for none; `.ci/run` asks for some. */
const SECONDS = Number(Deno.env.get("SIM_SECONDS") ?? 0);

Deno.test({
  name: `fresh seeds for ${SECONDS} s (SIM_SECONDS says how many)`,
  ignore: SECONDS === 0,
  fn: () => allIsWell("--time", String(SECONDS)),
});
