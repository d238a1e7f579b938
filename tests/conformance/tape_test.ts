import { assertEquals } from "../../actors/runtime/testing/assert.ts";
import { type Body, Runner } from "./tape.ts";

async function failuresOf(body: Body): Promise<number> {
  const runner = new Runner();
  runner.test("one", body);
  await runner.run();
  return runner.failures.length;
}

Deno.test("tape: what holds is counted", async () => {
  const runner = new Runner();
  runner.test("in its promise", async (t) => {
    await t.same([{ a: 1 }], [{ a: 1 }]);
    t.is(NaN, NaN);
  });
  runner.test("by its plan", (t) => {
    t.plan(2);
    t.ok(1);
    queueMicrotask(() => t.throws(() => JSON.parse(""), (error) => error instanceof SyntaxError));
  });
  runner.test("when it says so", (t) => {
    t.pass();
    queueMicrotask(() => t.end());
  });
  await runner.run();
  assertEquals([runner.tests, runner.assertions], [3, 5]);
});

Deno.test("planted: what does not hold is noticed", async () => {
  const bad: Body[] = [
    async (t) => await t.is(0, -0),
    async (t) => await t.isNot(1, 1),
    async (t) => await t.ok(""),
    async (t) => await t.same([1, { a: 2 }], [1, { a: 3 }]),
    async (t) => await t.fail("so"),
    async (t) => await t.throws(() => {}, () => true),
    async (t) => await t.doesNotThrow(() => JSON.parse("")),
    async (t) => await t.plan(1),
    async (t) => {
      t.plan(1);
      t.pass();
      await t.pass();
    },
    () => Promise.reject(new Error("broken off")),
    () => {
      throw new Error("at once");
    },
  ];
  for (const body of bad) assertEquals(await failuresOf(body), 1, String(body));
});
