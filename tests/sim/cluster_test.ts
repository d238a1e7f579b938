/**
 * What a simulated cluster refuses, and what its errors say.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
} from "../../actors/runtime/testing/assert.ts";
import type { Fault } from "../../actors/simulated/faults.ts";
import { DenamoError } from "../../net/client_errors.ts";
import { Cluster, type ClusterOptions } from "../../net/cluster.ts";

const SMALL = { nodes: 1, node: { partitions: 8 } } as const;

function fault(change: Partial<Fault>): Fault {
  return { kind: "pause", atMs: 0, lastsMs: 100, nodes: [0], amount: 0, draw: 1, ...change };
}

/** What `run` rejects with. */
async function thrown(options: ClusterOptions, task: (cluster: Cluster) => Promise<unknown>): Promise<Error> {
  await using cluster = await Cluster.inProcess({ ...SMALL, ...options });
  const error = await cluster.run(() => task(cluster)).then(() => null, (error: unknown) => error);
  assertInstanceOf(error, Error);
  return error;
}

Deno.test("a timetable that cannot be played is refused before anything starts", async () => {
  const refused = async (change: object, why: string) => {
    const faults = [fault({}), fault(change)];
    const lines: string[] = [];
    const onLog = ({ message }: { readonly message: string }) => void lines.push(message);
    await assertRejects(() => Cluster.inProcess({ ...SMALL, seed: 1, faults, onLog }), Error, why);
    assertEquals(lines, []);
  };
  await refused({ kind: "clock-drift", amount: -1 }, "faults[1].amount: expected for clock-drift a number");
  await refused(
    { kind: "bit-rot", amount: 1e12 },
    "faults[1].amount: expected for bit-rot a number from 0 to",
  );
  await refused({ amount: NaN }, "faults[1].amount: expected a number");
  await refused({ atMs: -5 }, "faults[1].atMs: expected a number from 0");
  await refused({ lastsMs: Infinity }, "faults[1].lastsMs: expected a number from 0");
  await refused({ nodes: [1] }, "faults[1].nodes[0]: expected a whole number from 0 to 0, got 1");
  await refused({ nodes: [] }, "faults[1].nodes: expected whom pause befalls");
  await refused({ kind: "flood" }, "faults[1].kind: expected one of loss, delay");
  await refused({ lastMs: 3 }, "faults[1].lastMs: expected no field but kind, atMs");
  await assertRejects(() => Cluster.inProcess({ ...SMALL, seed: -4 }), RangeError, "seed: -4 is no count");
});

Deno.test("a timetable in any order is played by time", async () => {
  const faults = [fault({ atMs: 900 }), fault({ kind: "slow-disk", atMs: 100, amount: 20 })];
  await using cluster = await Cluster.inProcess({ ...SMALL, seed: 3, faults });
  await cluster.run(() => cluster.sleep(2_000));
  const [first, second] = cluster.troubles;
  assertEquals([first?.fault?.kind, second?.fault?.kind], ["slow-disk", "pause"]);
  assertEquals(second!.atMs - first!.atMs, 800);
});

Deno.test("an error in a simulated cluster says its seed, with faults, before the first of them and without any", async () => {
  const fail = () => Promise.reject(new Error("the carts differ"));
  assertEquals((await thrown({ seed: 3 }, fail)).message, "seed 3: the carts differ");
  const faults = [fault({ atMs: 500 })];
  assertEquals((await thrown({ seed: 3, faults }, fail)).message, "seed 3: the carts differ");
  const late = await thrown({ seed: 3, faults }, (cluster) => cluster.sleep(1_000).then(fail));
  assertMatch(
    late.message,
    /^seed 3: the carts differ\nWhat had gone wrong by then:\n {2}\d+ ms: pause node1 .*$/,
  );
  assertEquals((await thrown({}, fail)).message, "the carts differ"); // a real cluster has no seed
});

Deno.test("an error in a simulated cluster stays of its class, with all that it carries", async () => {
  const timeout = await thrown({ seed: 3 }, async (cluster) => {
    const client = await cluster.connect();
    await client.put("k", "v", { w: 16 });
  });
  assertInstanceOf(timeout, DenamoError);
  const cause = timeout.cause as DenamoError;
  assertEquals([timeout.name, timeout.code, timeout.definite], [cause.name, cause.code, cause.definite]);
  assertEquals(timeout.message, `seed 3: ${cause.message}`);
  const failed = await thrown({ seed: 3 }, () => Promise.reject(new AssertionError("lost")));
  assert(failed instanceof AssertionError && String(failed) === "AssertionError: seed 3: lost");
  const aborted = await thrown({ seed: 3 }, () => Promise.reject(new DOMException("enough", "AbortError")));
  assert(aborted instanceof DOMException && String(aborted) === "AbortError: seed 3: enough");
  const odd = await thrown({ seed: 3 }, () => Promise.reject("only a word"));
  assertEquals([odd.message, odd.cause], ["seed 3: only a word", "only a word"]);
});

Deno.test("a task that hangs is said to, with its seed once", async () => {
  const { message } = await thrown({ seed: 7, faults: [fault({})] }, () => new Promise(() => {}));
  assertMatch(message, /^seed 7: not settled within 600000 ms; /);
});

Deno.test("a run within a run says what is wrong, whether it comes first or later", async () => {
  const nested = (sleepMs: number) => async () => {
    await using cluster = await Cluster.inProcess({ ...SMALL, seed: 1 });
    await cluster.run(async () => {
      if (sleepMs > 0) await cluster.sleep(sleepMs);
      await cluster.run(() => cluster.sleep(1));
    });
  };
  for (const sleepMs of [0, 10]) {
    const { name, message } = await assertRejects(nested(sleepMs), Error);
    assertEquals(name, "Error");
    assertMatch(message, /^seed 1: run: it is not over yet: /);
  }
});
