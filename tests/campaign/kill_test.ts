/**
 * A small kill campaign for every engine, and large enough ones for what is wrong with a victim to be noticed.
 *
 * @module
 */

import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { type EngineName, ENGINES } from "../../storage/testing/engines.ts";
import { killCampaign, killsOf } from "./kill_campaign.ts";
import type { Bug } from "./kill_victim.ts";
import { type Call, whyNotTraced } from "./strace.ts";

const KILLS = 60;
const LANES = 4;

const obstacle = await whyNotTraced();
const isMissing = obstacle?.isMissing ?? false;
if (isMissing) tell(`skipped: ${obstacle!.why}`);

/** What a person running the tests should see. */
function tell(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`\n  kill campaign: ${line}\n`));
}

for (const engine of Object.keys(ENGINES) as EngineName[]) {
  Deno.test({
    name: `${engine}: killed at ${KILLS} system calls, it loses nothing that it acknowledged`,
    ignore: isMissing,
    async fn() {
      assertEquals(obstacle, null);
      const totals = await killCampaign({ engine, kills: KILLS, lanes: LANES, seed: 1 });
      const byCall = [...totals.kills].map(([call, count]) => `${count} ${call}`).join(", ");
      tell(`${engine}: killed instead of ${byCall}; ${totals.done} acknowledgements checked`);
      assertEquals(totals.violations, []);
      assert(killsOf(totals) >= KILLS);
    },
  });
}

/** What is wrong, and the calls at which kills show it. */
const PLANTED: readonly [Bug, readonly Call[]][] = [
  ["acknowledges before the write", ["pwrite", "fdatasync"]],
  ["removes before it renames", ["rename"]],
];

for (const [bug, calls] of PLANTED) {
  Deno.test({
    name: `planted: a victim that ${bug} is noticed`,
    ignore: isMissing,
    async fn() {
      assertEquals(obstacle, null);
      const { violations } = await killCampaign({
        engine: "memory",
        kills: KILLS,
        lanes: LANES,
        seed: 1,
        calls,
        bug,
      });
      assert(violations.length > 0);
    },
  });
}

Deno.test({
  name: "what kills cannot show: a victim that never syncs is not noticed, for the page cache outlives it",
  ignore: isMissing,
  async fn() {
    assertEquals(obstacle, null);
    const options = { engine: "memory", kills: 10, lanes: LANES, seed: 1, bug: "never syncs" } as const;
    assertEquals((await killCampaign(options)).violations, []);
  },
});
