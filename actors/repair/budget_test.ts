import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { LIMITS } from "../runtime/limits.ts";
import { Simulation } from "../simulated/simulation.ts";
import { Budget, BUDGET_CORE, type BudgetCore } from "./budget.ts";
import { LatencyWindow } from "./pace.ts";

const CHUNK = 256 * 1024;

/** Spend for so long, while clients' requests take so long; gives bytes a second. */
async function spending(forMs: number, requestMs: number | null, core: Partial<BudgetCore> = {}) {
  const world = new Simulation({ seed: 1 });
  const { clock } = world.environment("n1");
  const budget = new Budget(clock, { ...BUDGET_CORE, ...core });
  let isOver = false;
  const spender = (async () => {
    while (!isOver) await budget.spend(CHUNK);
  })();
  for (let ms = 0; ms < forMs; ms += 10) {
    if (requestMs !== null) budget.observe(requestMs);
    await world.runFor(10);
  }
  const { spentBytes } = budget.status();
  isOver = true;
  budget.close();
  await spender;
  return spentBytes / forMs * 1000;
}

function assertAbout(actual: number, expected: number): void {
  assert(actual > 0.8 * expected && actual < 1.2 * expected, `${actual}, not about ${expected}`);
}

Deno.test("budget: all there is while no client is slow, little while they are", async () => {
  assertAbout(await spending(60_000, null), LIMITS.backgroundBytesPerS);
  assertAbout(await spending(60_000, 5), LIMITS.backgroundBytesPerS);
  const slow = await spending(60_000, 200);
  assert(slow < LIMITS.backgroundBytesPerS / 8, `${slow}`);
  assert(slow > LIMITS.backgroundLeastBytesPerS / 2, `${slow}`);
});

Deno.test("planted: a budget that does not heed what clients feel is noticed", async () => {
  const heedless: Partial<BudgetCore> = { nextRate: (_rate, _p99, { mostBytesPerS }) => mostBytesPerS };
  assert(await spending(60_000, 200, heedless) > LIMITS.backgroundBytesPerS / 8);
});

Deno.test("budget: bounded, paused and let go on by an operator", async () => {
  const world = new Simulation({ seed: 1 });
  const budget = new Budget(world.environment("n1").clock);
  budget.set({ mostBytesPerS: CHUNK, isPaused: false });
  let done = 0;
  const spend = () => void budget.spend(CHUNK).then(() => done++);
  for (let i = 0; i < 20; i++) spend();
  await world.runFor(5_000);
  assert(done >= 5 && done <= 7, `${done} in five seconds`);
  budget.set({ mostBytesPerS: CHUNK, isPaused: true });
  const before = done;
  await world.runFor(60_000);
  assertEquals([done, budget.status().bytesPerS, budget.status().waiting], [before, 0, 20 - before]);
  budget.set({ mostBytesPerS: null, isPaused: false });
  await world.runFor(10_000);
  assertEquals(done, 20);
});

Deno.test("budget: in the order of asking, whatever the sizes, and larger than a second's worth", async () => {
  const world = new Simulation({ seed: 1 });
  const budget = new Budget(world.environment("n1").clock);
  budget.set({ mostBytesPerS: 1000, isPaused: false });
  const order: number[] = [];
  [5000, 1, 3000, 1].forEach((size, i) => void budget.spend(size).then(() => order.push(i)));
  await world.runFor(20_000);
  assertEquals(order, [0, 1, 2, 3]);
});

Deno.test("latencies: the p99 is in the right bucket, and old seconds count no more", () => {
  const window = new LatencyWindow();
  for (let n = 0; n < 1000; n++) window.observe(n < 985 ? 2 : 300, 5_000);
  const p99 = window.p99(5_500)!;
  assert(p99 >= 300 && p99 < 360, `${p99}`);
  assertEquals(window.p99(20_000), null);
  for (let n = 0; n < 1000; n++) window.observe(2, 20_000);
  assert(window.p99(20_000)! < 2.4);
});
