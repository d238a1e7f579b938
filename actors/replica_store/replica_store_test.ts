import { type Engine, EngineError } from "../../storage/engine.ts";
import { encodeUtf8, equalBytes } from "../runtime/bytes.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { KEY, objectOf, REQUEST, settled, type StoreStage, storeStage } from "./testing/store_stage.ts";

const OTHERS = ["b0".repeat(16), "c0".repeat(16)];
const ASK = { timeoutMs: 1_000 };
const GARBAGE = encodeUtf8("not an object");

/** How a record comes to be damaged: its bytes are no object, or fail the engine's own checksum. */
const DAMAGES: Readonly<Record<string, (stage: StoreStage) => Promise<void>>> = {
  "that is no object": async ({ engine }) => {
    await engine().write([{ partition: 0, key: KEY, record: GARBAGE }]);
  },
  "that the engine cannot verify": async ({ engine }) => {
    await engine().write([{ partition: 0, key: KEY, record: GARBAGE }]);
    const { get } = engine();
    Object.assign(engine(), {
      get(this: Engine, partition: number, key: Uint8Array) {
        const record = get.call(this, partition, key);
        if (record instanceof Uint8Array && equalBytes(record, GARBAGE)) {
          throw new EngineError("corrupt", "the record fails its checksum");
        }
        return record;
      },
    });
  },
};

for (
  const [trouble, error] of [
    ["a full disk", new EngineError("full", "full: no space")],
    ["a failed sync", new EngineError("poisoned", "poisoned: sync")],
  ] as const
) {
  Deno.test(`replica store: what ${trouble} left in doubt is not acknowledged when it comes a second time`, async () => {
    const store = await storeStage();
    store.fail(null, () => Promise.reject(error));
    await store.write(objectOf("v"), 1);
    store.fail(error, () => Promise.reject(error));
    await store.write(objectOf("v"), 2);
    store.fail(null, () => Promise.resolve());
    await store.write(objectOf("v"), 3);
    await store.write(objectOf("v"), 4);
    assertEquals(store.heard, [
      "1 wrote unavailable, in doubt",
      "2 wrote unavailable, in doubt",
      "3 wrote ok",
      "4 wrote ok",
    ]);
    await store.stop();
  });
}

Deno.test("replica store: a write that comes a second time is acknowledged with the group that stores it", async () => {
  const store = await storeStage();
  const { promise, resolve } = Promise.withResolvers<void>();
  store.fail(null, () => promise);
  await store.write(objectOf("v"), 1);
  await store.write(objectOf("v"), 2);
  assertEquals(store.heard, []);
  resolve();
  await settled();
  assertEquals(store.heard, ["1 wrote ok", "2 wrote ok"]);
  await store.stop();
});

Deno.test("replica store: past its deadline a read is not answered and a write not minted", async () => {
  const store = await storeStage();
  await store.read(store.now(), 1);
  await store.mint(store.now(), 2);
  await store.read(store.now() + 1, 3);
  await store.mint(store.now() + 1, 4);
  assertEquals(store.heard, ["2 minted unavailable", "3 read ok", "4 minted ok", "4 wrote ok"]);
  await store.stop();
});

Deno.test("replica store: a known request that the engine refuses is in doubt, a new one is not", async () => {
  const stage = await storeStage();
  const full = new EngineError("full", "full: no space");
  await stage.write(objectOf("v", REQUEST), 1);
  stage.fail(full, () => Promise.reject(full));
  await stage.mint(stage.now() + 1, 2);
  assertEquals(stage.heard, ["1 wrote ok", "2 minted unavailable, in doubt"]);
  await stage.stop();
  const other = await storeStage();
  other.fail(full, () => Promise.reject(full));
  await other.mint(other.now() + 1, 3);
  assertEquals(other.heard, ["3 minted unavailable"]);
  await other.stop();
});

for (const [what, damage] of Object.entries(DAMAGES)) {
  Deno.test(`replica store: where another's object replaced a record ${what}, reads do not count until the refill`, async () => {
    let remembered = 0;
    const onNotWhole = () => Promise.resolve(void remembered++);
    const stage = await storeStage({ others: OTHERS, onNotWhole });
    const { store } = stage;
    await damage(stage);
    const { actorId } = await store.ask("describe", {}, ASK);
    await stage.write(objectOf("v"), 1);
    await stage.read(stage.now() + 1, 2);
    assertEquals(stage.heard, ["1 wrote ok", "2 read not-whole"]);
    const status = await store.ask("describe", {}, ASK);
    assertEquals([status.notWhole, status.damage, remembered], [1, 1, 1]);
    assert(status.actorId !== actorId);
    const { losses } = await store.ask("listNotWhole", {}, ASK);
    store.tell("refilled", losses[0]!);
    await settled();
    await stage.read(stage.now() + 1, 3);
    assertEquals(stage.heard.at(-1), "3 read ok");
    assertEquals(stage.wholes(), 1);
    await stage.stop();
  });

  Deno.test(`replica store: a record ${what} is kept while its loss cannot be remembered`, async () => {
    const stage = await storeStage({
      others: OTHERS,
      onNotWhole: () => Promise.reject(new Error("no disk")),
    });
    const { get } = stage.engine();
    await damage(stage);
    await stage.write(objectOf("v"), 1);
    assertEquals(stage.heard, ["1 wrote unreadable"]);
    assertEquals(get.call(stage.engine(), 0, KEY), GARBAGE);
    await stage.stop();
  });

  Deno.test(`replica store: a record ${what}, found by minting or explaining, makes its partition not whole`, async () => {
    for (const find of ["mint", "inspect"] as const) {
      const stage = await storeStage({ others: OTHERS });
      await damage(stage);
      if (find === "mint") await stage.mint(stage.now() + 1, 1);
      else {
        const found = await stage.store.ask("inspect", { partition: 0, key: KEY }, ASK);
        assertEquals(found, { ok: false, code: "unreadable" });
      }
      const { losses } = await stage.store.ask("listNotWhole", {}, ASK);
      assertEquals(losses.map(({ partition }) => partition), [0]);
      await stage.stop();
    }
  });

  Deno.test(`replica store: a record ${what} gives way to what is refilled, and is a read that counts for nothing`, async () => {
    const stage = await storeStage({ others: OTHERS, lossy: true });
    const { store } = stage;
    await damage(stage);
    const { losses: [loss] } = await store.ask("listNotWhole", {}, ASK);
    const found = await store.ask("inspect", { partition: 0, key: KEY }, ASK);
    assertEquals(found, { ok: false, code: "unreadable" });
    const { losses: [again] } = await store.ask("listNotWhole", {}, ASK);
    assert(loss!.lossId !== again!.lossId);
    const entries = [{ key: KEY, object: objectOf("v") }];
    // Damage found on the way is another loss; then it is gone.
    assertEquals(await store.ask("absorb", { ...again!, entries, stamp: 0 }, ASK), "refused");
    const { losses: [last] } = await store.ask("listNotWhole", {}, ASK);
    assertEquals(await store.ask("absorb", { ...last!, entries, stamp: 0 }, ASK), "taken");
    assertEquals(stage.engine().get(0, KEY), entries[0]!.object);
    await stage.stop();
  });
}

Deno.test("replica store: neither damage nor a closed or failing engine crashes it", async () => {
  const stage = await storeStage({ others: OTHERS, lossy: true });
  const { store } = stage;
  const engine = stage.engine();
  const { losses: [loss] } = await store.ask("listNotWhole", {}, ASK);
  const everything = async (expected: string) => {
    const object = await store.ask("inspect", { partition: 0, key: KEY }, ASK);
    const page = await store.ask("scan", { partition: 0, after: null, epoch: 1, since: 1 }, ASK);
    const absorbed = await store.ask(
      "absorb",
      { ...loss!, entries: [{ key: KEY, object: objectOf("v") }], stamp: 0 },
      ASK,
    );
    await stage.write(objectOf("v"), 1);
    await stage.read(stage.now() + 1, 2);
    await stage.mint(stage.now() + 1, 3);
    store.tell("refilled", loss!);
    await settled();
    const answer = object.ok ? "ok" : object.code;
    assertEquals(`${answer} ${page.ok} ${page.entries.length} ${absorbed}`, expected);
  };
  const fail = () => {
    throw new EngineError("io", "the disk says no");
  };
  const later = () => Promise.reject(new EngineError("io", "the disk says no, later"));
  const { get, scan, sync } = engine;
  Object.assign(engine, { get: fail, scan: fail, sync: fail });
  await everything("unreadable false 0 refused");
  Object.assign(engine, { get: later, scan: later, sync: later });
  await everything("unreadable false 0 refused");
  Object.assign(engine, { get, scan, sync });
  await engine.close();
  await everything("unreadable false 0 refused");
  assertEquals(stage.heard.filter((line) => / (wrote|minted|read) unreadable/.test(line)).length, 9);
  const { alarms, notWhole } = await store.ask("describe", {}, ASK);
  // The same incarnation still answers; and a disk that does not is no alarm.
  assertEquals([alarms, notWhole], [0, 4]);
  await stage.stop();
});
