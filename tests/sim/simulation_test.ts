/**
 * The whole cluster in the simulator: many seeds, and that a seed is all there is to a run.
 *
 * @module
 */

import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertNotEquals } from "../../actors/runtime/testing/assert.ts";
import { Cluster } from "../../net/cluster.ts";
import { NO_FAULTS } from "./faults.ts";
import { explainRun, simulate } from "./scenario.ts";

/** Seeds in CI; thousands are for `tests/sim/replay.ts` and idle machines. */
const SEEDS = 36;

Deno.test("a run without faults: every call succeeds, and the same seed gives the same history", async () => {
  const once = await simulate(1, { faults: NO_FAULTS });
  const again = await simulate(1, { faults: NO_FAULTS });
  assertEquals(once.violations, []);
  assertEquals(once.operations.filter(({ outcome }) => outcome !== "ok"), []);
  assertEquals(again.traceHash, once.traceHash);
  assertEquals(again.operations, once.operations);
  assertNotEquals((await simulate(2, { faults: NO_FAULTS })).traceHash, once.traceHash);
});

Deno.test("kills, power cuts and restarts in mid-workload: the same seed gives the same history", async () => {
  const faults = { kinds: ["kill", "power", "all-power"] as const };
  const once = await simulate(3, { faults });
  assert(once.faults.length > 2);
  assertEquals((await simulate(3, { faults })).traceHash, once.traceHash);
});

Deno.test("who listens to the logs, and how much is logged, changes nothing", async () => {
  const { traceHash } = await simulate(4);
  let lines = 0;
  const heard = await simulate(4, { onLog: () => lines++, node: { logLevel: "debug" } });
  assert(lines > 0);
  assertEquals(heard.traceHash, traceHash);
});

Deno.test("another process runs a seed the same way", async () => {
  const { traceHash } = await simulate(5);
  const replay = new URL("./replay.ts", import.meta.url).pathname;
  const run = async () => {
    const args = ["run", "--quiet", "--allow-all", replay, "5"];
    const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
    return new TextDecoder().decode(stdout).trim().split("\n").at(-1);
  };
  assertEquals(await Promise.all([run(), run()]), [`trace ${traceHash}`, `trace ${traceHash}`]);
});

Deno.test(`${SEEDS} seeds with every fault: nothing is lost, comes back, or outlives its deadline`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const report = await simulate(seed, { nodes: 3 + seed % 3 });
    assertEquals(report.violations.length, 0, explainRun(report));
  }
});

Deno.test("12 seeds of nodes that remember nothing: all comes back from the others before it counts", async () => {
  const node = { storage: { persist: false } };
  const faults = { kinds: ["kill", "crash", "split", "pause"] as const, lastsMs: 1_500 };
  for (let seed = 1; seed <= 12; seed++) {
    const report = await simulate(seed, { nodes: 4, node, faults });
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
      while (answers.includes("silent")) answers = await explain(); // not yet in touch again
      assertEquals(answers, ["found", "found", "found"]);
    });
    return cluster.simulation!.traceHash;
  };
  assertEquals(await trace(), await trace());
});
