import { EngineError } from "../../storage/engine.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { KEY, objectOf, settled, storeStage } from "./testing/store_stage.ts";

const LOSSY = { others: ["b0".repeat(16), "c0".repeat(16)], lossy: true };
const ASK = { timeoutMs: 1_000 };
const PAGE = [{ key: KEY, object: objectOf("v") }];

Deno.test("refill: a page that the engine refuses is not taken, and comes to nothing", async () => {
  const stage = await storeStage(LOSSY);
  const { store } = stage;
  const { losses: [loss] } = await store.ask("listNotWhole", {}, ASK);
  stage.fail(new EngineError("overloaded", "busy"), () => Promise.resolve());
  assertEquals(await store.ask("absorb", { ...loss!, entries: PAGE }, ASK), "refused");
  stage.fail(null, () => Promise.resolve());
  assertEquals(await store.ask("absorb", { ...loss!, entries: PAGE }, ASK), "taken");
  const found = await store.ask("inspect", { partition: 0, key: KEY }, ASK);
  assert("object" in found);
  assertEquals(found.object, PAGE[0]!.object);
  await stage.stop();
});

Deno.test("refill: a page waits until the one before it is durable, clients do not", async () => {
  const stage = await storeStage(LOSSY);
  const { store } = stage;
  const { losses: [loss] } = await store.ask("listNotWhole", {}, ASK);
  const slow = Promise.withResolvers<void>();
  stage.fail(null, () => slow.promise);
  assertEquals(await store.ask("absorb", { ...loss!, entries: PAGE }, ASK), "taken");
  assertEquals(await store.ask("absorb", { ...loss!, entries: PAGE }, ASK), "busy");
  await stage.read(stage.now() + 1, 1);
  assertEquals(stage.heard, ["1 read not-whole"]);
  slow.resolve();
  await settled();
  assertEquals(await store.ask("absorb", { ...loss!, entries: PAGE }, ASK), "taken");
  await stage.stop();
});

Deno.test("refill: one begun for another life, ring or loss vouches for nothing", async () => {
  const events = {
    life: (stage: Stage) => stage.crash(),
    ring: (stage: Stage) => stage.ring(3), // nobody knows here what was in between
    damage: async (stage: Stage) => {
      await stage.engine().write([{ partition: 0, key: KEY, record: Uint8Array.of(1) }]);
      await stage.write(objectOf("v"), 0);
    },
  };
  for (const [what, happen] of Object.entries(events)) {
    const stage = await storeStage(LOSSY);
    const { store } = stage;
    const { losses: before } = await store.ask("listNotWhole", {}, ASK);
    assertEquals(before.map(({ partition }) => partition), [0, 1, 2, 3]);
    assertEquals(await store.ask("absorb", { ...before[0]!, entries: PAGE }, ASK), "taken");
    await happen(stage);
    assertEquals(await store.ask("absorb", { ...before[0]!, entries: PAGE }, ASK), "refused", what);
    store.tell("refilled", before[0]!);
    await settled();
    const { losses: after } = await store.ask("listNotWhole", {}, ASK);
    assertEquals(after.length, 4, what);
    for (const loss of after) store.tell("refilled", loss);
    await settled();
    assertEquals((await store.ask("listNotWhole", {}, ASK)).losses, [], what);
    assertEquals(stage.wholes(), 1);
    await stage.stop();
  }
});

Deno.test("refill: whoever goes by an older ring is given nothing (843094288)", async () => {
  const stage = await storeStage({ others: LOSSY.others });
  await stage.write(objectOf("v"), 0);
  await stage.ring(3);
  const given = async (epoch: number, since: number) => {
    const scan = { partition: 0, after: null, epoch, since };
    const { ok, entries } = await stage.store.ask("scan", scan, ASK);
    return ok && entries.length === 1;
  };
  assertEquals([await given(2, 1), await given(3, 1), await given(4, 1)], [false, true, true]);
  // Whoever has not heard of the change still takes writes that go to others.
  assertEquals([await given(4, 3), await given(4, 4)], [true, false]);
  await stage.stop();
});

Deno.test("refill: the same ring heard again changes nothing", async () => {
  const stage = await storeStage(LOSSY);
  const before = await stage.store.ask("listNotWhole", {}, ASK);
  await stage.ring(1);
  assertEquals((await stage.store.ask("listNotWhole", {}, ASK)).losses, before.losses);
  await stage.stop();
});

type Stage = Awaited<ReturnType<typeof storeStage>>;
