import { assertEquals } from "../../actors/runtime/testing/assert.ts";
import { census, TRAITS } from "./census.ts";
import { type Plan, planOf } from "./plan.ts";

const SEEDS = 400;

function* plans(adjust: (plan: Plan) => Plan = (plan) => plan): Generator<Plan> {
  for (let seed = 0; seed < SEEDS; seed++) yield adjust(planOf(seed));
}

Deno.test(`members change in every way while everything else goes wrong, within ${SEEDS} seeds`, () => {
  const counts = census(plans());
  const said = [...counts].map(([trait, count]) => `  ${String(count).padStart(4)} ${trait}`).join("\n");
  Deno.stdout.writeSync(new TextEncoder().encode(`of ${SEEDS} plans\n${said}\n`));
  assertEquals([...counts.keys()], TRAITS, "nothing is counted that is not named");
  assertEquals([...counts].filter(([, count]) => count === 0), []);
});

Deno.test("planted: a simulator in which nobody dies while partitions move is noticed", () => {
  const tame = census(plans((plan) => ({
    ...plan,
    faults: plan.faults.filter(({ kind }) =>
      !["kill", "power", "stop", "wipe", "restore", "bit-rot"].includes(kind)
    ),
  })));
  assertEquals(tame.get("a newcomer dies while it copies"), 0);
  assertEquals(tame.get("a long absence"), 0);
});
