/**
 * Signals: SIGTERM drains, a second one forces, SIGSTOP is a long pause that the others live through.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { Client } from "../../mod.ts";
import { freePorts, Scratch, Server, sleep, Trio, until } from "./harness.ts";
import { Workload } from "./workload.ts";

const CLIENTS = 4;
/** A pause of a node may be felt for so long. */
const WINDOW_MS = 1_000;
/** How long a node is stopped. */
const PAUSE_MS = 3_000;
/** What it takes for `denamo` to know two signals from one key press. */
const TWO_PRESSES_MS = 500;

Deno.test("FAULTS 65: SIGTERM and SIGINT of a lone node under load drain; what it acknowledged is on its disk", async () => {
  using scratch = new Scratch();
  const [port] = freePorts(1);
  const flags = ["--port", String(port), "--storage-path", `${scratch.path}/data`];
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using server = new Server(flags);
    await server.serving();
    await using workload = Workload.at([`127.0.0.1:${port}`], CLIENTS);
    await workload.progress(300);
    server.signal(signal);
    assertEquals(await server.ended, 0, server.err.join("\n"));
    await using again = new Server(flags);
    await again.serving();
    await workload.progress(50);
    await workload.stop();
    assertEquals(await workload.wrong(`127.0.0.1:${port}`, 1), []);
    again.signal("SIGTERM");
    assertEquals(await again.ended, 0);
  }
});

Deno.test("FAULTS 65: SIGTERM of one of three under load: exits 0, clients that know the others see no failure", async () => {
  await using trio = await Trio.start();
  const [first, second, third] = trio.addresses() as [string, string, string];
  await using workload = new Workload([[first, second], [first, third], [first, second, third], [second]]);
  await workload.progress(300);
  trio.servers[0]!.signal("SIGTERM");
  assertEquals(await trio.servers[0]!.ended, 0, trio.servers[0]!.err.join("\n"));
  await workload.progress(300);
  await trio.restart(0);
  await trio.whole();
  await workload.progress(300);
  await workload.stop();
  assertEquals(workload.failures, []);
  for (const address of trio.addresses()) assertEquals(await workload.wrong(address, 3), []);
});

Deno.test("a second signal forces a node that still waits for others", async () => {
  await using trio = await Trio.start();
  const [server, ...others] = trio.servers as [Server, Server, Server];
  await using client = await Client.connect(trio.address(0));
  others.forEach((other) => other.signal("SIGSTOP"));
  const put = client.put("key", "value", { timeoutMs: 30_000 }).catch(String); // waits for the stopped
  await until("the put under way", async () => {
    await using door = await Client.connect(trio.address(0));
    return (await door.admin("status", {})).coordinator.inFlight > 0;
  });
  server.signal("SIGTERM");
  await sleep(TWO_PRESSES_MS);
  assert(server.alive, "it drains");
  server.signal("SIGTERM");
  assertEquals([await server.ended, server.err.at(-1)], [1, "denamo server: forced"]);
  await client.close();
  assertMatch(String(await put), /closed/);
});

Deno.test("FAULTS 35: SIGSTOP of one node for some seconds: service goes on, it rejoins, nothing stale is served", async () => {
  await using trio = await Trio.start();
  const paused = trio.servers[2]!;
  await using workload = Workload.at(trio.addresses(2), CLIENTS);
  await workload.progress(300);
  paused.signal("SIGSTOP");
  const pausedAt = performance.now();
  await workload.progress(300);
  await sleep(Math.max(0, PAUSE_MS - (performance.now() - pausedAt)));
  paused.signal("SIGCONT");
  await trio.whole();
  await workload.progress(300);
  await workload.stop();
  const windowMs = workload.windowAfter(pausedAt);
  assert(windowMs <= WINDOW_MS, workload.failures.at(-1)?.message);
  for (const r of [2, 3]) assertEquals(await workload.wrong(trio.address(2), r), []);
});

Deno.test("FAULTS 35: what a stopped process finds in its sockets past its deadline is not done", async () => {
  await using trio = await Trio.start();
  const stopped = trio.servers[2]!;
  await using client = await Client.connect(trio.address(2));
  await using other = await Client.connect(trio.address(0));
  const keys = Array.from({ length: 20 }, (_, n) => `late ${n}`);
  stopped.signal("SIGSTOP");
  const ends = await Promise.all(
    keys.map((key) =>
      client.put(key, "v", { timeoutMs: 500 }).then(() => "ok", (error) => `${error.code} ${error.definite}`)
    ),
  );
  assertEquals(new Set(ends), new Set(["timeout false"]));
  await sleep(PAUSE_MS / 3);
  stopped.signal("SIGCONT");
  await client.put("in time", "v"); // behind them on the same connection
  for (const key of keys) assertEquals((await other.get(key, { r: 3 })).values.length, 0);
});
