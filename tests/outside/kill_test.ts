/**
 * `kill -9` under load, of one node and of all: what users see meanwhile, and that nothing acknowledged is lost.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { Client, ENGINES } from "../../mod.ts";
import { sleep, Trio } from "./harness.ts";
import { Workload } from "./workload.ts";

const CLIENTS = 6;
/** A dead node may be felt for so long. */
const WINDOW_MS = 1_000;
/** So often all nodes are killed at once. */
const KILL_ALL_ROUNDS = 2;

/** What a person running the tests should see. */
function tell(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`\n  ${line}`));
}

/** Nothing is missing at any node, with the usual R and with all replicas. */
async function nothingLost(workload: Workload, trio: Trio): Promise<void> {
  for (const [index, address] of trio.addresses().entries()) {
    assertEquals(await workload.wrong(address, index === 0 ? 3 : 2), []);
  }
}

Deno.test("kill -9 of any one of three nodes under load: a second at most, and nothing acknowledged is lost", async (t) => {
  await using trio = await Trio.start();
  for (const victim of [0, 1, 2]) {
    await t.step(`node ${victim + 1}`, async () => {
      await using workload = Workload.at(trio.addresses(victim), CLIENTS);
      await workload.progress(300);
      assertEquals(workload.failures, [], "all is well before");

      await trio.servers[victim]!.kill();
      const killedAt = performance.now();
      await sleep(1.5 * WINDOW_MS); // the window, and some time without the node
      await workload.progress(300);
      await trio.restart(victim);
      await trio.whole();
      await workload.progress(300);
      await workload.stop();

      const windowMs = workload.windowAfter(killedAt);
      tell(
        `node ${victim + 1}: ${workload.failures.length} of ${workload.done} requests failed, the last ` +
          `${windowMs.toFixed(0)} ms after the kill; slowest ${workload.slowestMs.toFixed(0)} ms; ` +
          `${workload.acknowledged} writes acknowledged`,
      );
      assert(windowMs <= WINDOW_MS, workload.failures.at(-1)?.message);
      await nothingLost(workload, trio);
    });
  }
  await t.step("planted: a lost value and a lost item are found out", async () => {
    await using workload = Workload.at(trio.addresses(), 1);
    await workload.progress(50);
    await workload.stop();
    await using client = await Client.connect(trio.addresses());
    await client.update(workload.keys.own[3]!, () => null);
    await client.update(
      workload.keys.carts[0]!,
      ([cart]) => new TextDecoder().decode(cart).replace(/ .*/, ""),
    );
    const [value, items, ...others] = await workload.wrong(trio.address(0), 2);
    assertMatch(value!, /^own-\d+-0-3, read .* acknowledged "value 3 of client 0", found \[\]$/);
    assertMatch(items!, /^cart-\d+-0, read .* acknowledged and missing: item-0-2 item-0-4/);
    assertEquals(others, []);
  });
});

for (const engine of ENGINES) {
  Deno.test(`kill -9 of all three at once under load, sync always: everything acknowledged is there (${engine})`, async () => {
    await using trio = await Trio.start({ flags: ["--storage-sync", "always", "--storage-engine", engine] });
    for (let round = 0; round < KILL_ALL_ROUNDS; round++) {
      await using workload = Workload.at(trio.addresses(), CLIENTS);
      await workload.progress(500);
      await Promise.all(trio.servers.map((server) => server.kill()));
      await Promise.all([0, 1, 2].map((index) => trio.restart(index)));
      await trio.whole();
      await workload.progress(100);
      await workload.stop();
      tell(`${engine}, round ${round + 1}: ${workload.acknowledged} writes acknowledged`);
      await nothingLost(workload, trio);
    }
  });
}
