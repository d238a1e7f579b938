/**
 * Proof that the checkers can fail: every planted bug (`planted/`) is caught by what clients saw and by what was
 * left, within a few seeds; and what convicts it is the bug, for without it the same history is found well.
 *
 * @module
 */

import { mint } from "../../actors/replica_store/object.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { planOf } from "./plan.ts";
import { type Bug, HonestTwins, hunt, planFor, SEEDS, TORN } from "./planted/bug.ts";
import { PLANTED, row } from "./planted/planted.ts";
import { simulate } from "./scenario.ts";

Deno.test(`${PLANTED.length} planted bugs: each is caught within ${SEEDS} seeds, and its honest twin is not`, async (t) => {
  const twins = new HonestTwins();
  const rows: string[] = [];
  for (const bug of PLANTED) {
    await t.step(bug.name, async () => {
      const conviction = await hunt(bug);
      rows.push(row(bug, conviction));
      assert(conviction !== null, `${SEEDS} seeds did not catch it: ${bug.breaks}`);
      const plan = () => JSON.stringify(planFor(bug, conviction.seed));
      assertEquals(await twins.of(bug, conviction), [], `a real bug, with nothing planted: ${plan()}`);
    });
  }
  Deno.stdout.writeSync(new TextEncoder().encode(`${rows.join("\n")}\n`));
});

Deno.test("a cluster in which nothing is planted is not caught", async () => {
  const nothing: Bug = { name: "nothing", breaks: "nothing", plan: TORN, plant: () => ({}) };
  assertEquals(await hunt(nothing, 5), null);
});

/**
 * Every other value that one node mints is damaged in memory after its writer's CRC was checked. That of one node
 * only: of a key whose every copy is damaged there is nothing left to repair it from.
 */
function damagingMint(): typeof mint {
  let count = 0;
  let culprit: string | null = null;
  return (local, write) => {
    culprit ??= write.dot.actor;
    if (write.dot.actor !== culprit || write.value === null || ++count % 2 > 0) return mint(local, write);
    const value = write.value.slice();
    value[0]! ^= 1;
    return mint(local, { ...write, value });
  };
}

Deno.test("damaged memory is neither served nor in the way", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const cores = { replicaStore: { mint: damagingMint() } };
    const { violations } = await simulate(planOf(seed, { nodes: 3, faults: ["kill"] }), { cores });
    const served = violations.filter(({ checker }) => /nobody wrote|unreadable/.test(checker));
    assertEquals(served, []);
  }
});
