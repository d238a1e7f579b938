/**
 * Actors that crash in a process: it goes on, says so, and gives up in the end.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { INTENSITY } from "../../actors/node.ts";
import { Client } from "../../mod.ts";
import { Scratch, Server, Trio, until } from "./harness.ts";
import { Workload } from "./workload.ts";

const PROGRAM = "tests/outside/crash_on_request.ts";
const CLIENTS = 12;
/** A crash may be felt for so long. */
const WINDOW_MS = 1_000;

/** Restarts of a node's actors, as its status counts them. */
async function restarts(address: string): Promise<Map<string, number>> {
  await using client = await Client.connect(address);
  const { actors } = await client.admin("status", {});
  return new Map(actors.map(({ name, restarts }) => [name, restarts]));
}

Deno.test("every actor of the tree crashes in turn under load: service goes on, status counts the restart", async (t) => {
  await using trio = await Trio.start({ program: PROGRAM });
  const names = [...(await restarts(trio.address(0))).keys()];
  for (const name of ["ring_manager", "replica_store", "peers", "gossiper", "coordinator", "listener"]) {
    assert(names.includes(name), name);
  }
  const workloads: Workload[] = [];
  for (const [turn, name] of names.entries()) {
    await t.step(name, async () => {
      const victim = turn % 3;
      await using workload = Workload.at(trio.addresses(), CLIENTS);
      workloads.push(workload);
      await workload.progress(100);
      assertEquals(workload.failures, [], "all is well before");
      await trio.servers[victim]!.type(name);
      const crashedAt = performance.now();
      await until(`a restart of ${name} in the status`, async () => {
        return (await restarts(trio.address(victim))).get(name) === 1;
      });
      await workload.progress(100);
      await trio.whole();
      await until("the window to be over", () => performance.now() > crashedAt + WINDOW_MS);
      await workload.progress(100);
      await workload.stop();
      assert(workload.windowAfter(crashedAt) <= WINDOW_MS, workload.failures.at(-1)?.message);
    });
  }
  for (const workload of workloads) assertEquals(await workload.wrong(trio.address(0), 3), []);
});

Deno.test("past the restart intensity the process ends with exit code 1 and a clear last line", async () => {
  using scratch = new Scratch();
  const flags = ["--port", "0", "--storage-path", `${scratch.path}/data`];
  await using server = new Server(flags, { program: PROGRAM });
  const address = `127.0.0.1:${await server.serving()}`;
  for (let crash = 1; crash <= INTENSITY.restarts; crash++) {
    await server.type("operator");
    await until(`restart ${crash}`, async () => (await restarts(address)).get("operator") === crash);
  }
  await server.type("coordinator");
  assertEquals(await server.ended, 1);
  assertMatch(
    server.err.at(-1)!,
    /^denamo server: gives up: supervisor node gave up: coordinator failed, and 10 restarts within 30000 ms/,
  );
});
