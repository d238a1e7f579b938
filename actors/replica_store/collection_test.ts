import { encodeUtf8 } from "../runtime/bytes.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { Collection, type Epochs, NO_EPOCHS, type Said, type Trust } from "./collection.ts";
import { merge, mint } from "./object.ts";
import { encodeObject } from "./object_codec.ts";
import { encodeHash, objectHash } from "./object_hash.ts";
import { isBuried, Tombstones } from "./tombstones.ts";
import { KEY, objectOf, settled, storeStage } from "./testing/store_stage.ts";

const IDS = ["a0", "b0", "c0"].map((digits) => digits.repeat(16));
const OTHERS = ["b0".repeat(16), "c0".repeat(16)];
const ASK = { timeoutMs: 1_000 };

function collectionOf(trust: Trust, known: Epochs = NO_EPOCHS, saved: Said[] = []): Collection {
  return new Collection({
    node: IDS[0]!,
    known,
    trust,
    members: () => IDS,
    save: (said) => {
      saved.push(said);
      return Promise.resolve();
    },
  });
}

/** A tombstone that covers what `objectOf` makes. */
function tombstoneOf(text: string) {
  const before = { actor: "cd".repeat(16), counter: 1 };
  const made = mint(null, write(text, "01", before));
  assert(made.ok);
  const dot = { actor: "cd".repeat(16), counter: 2 };
  const outcome = mint(made.object, { ...write(null, "03", dot), context: made.object.clock });
  assert(outcome.ok);
  return outcome.object;
}

function write(text: string | null, id: string, dot: { actor: string; counter: number }) {
  const value = text === null ? null : encodeUtf8(text);
  const sum = value === null ? 0 : crc32c(value);
  return { context: [], value, crc32c: sum, requestId: id.repeat(16), wallMs: 1, dot };
}

Deno.test("epochs are durable before they are in force, and none is announced twice", async () => {
  const saved: Said[] = [];
  const one = collectionOf("sure", NO_EPOCHS, saved);
  const announcing = one.announce(4);
  assertEquals([one.announced, saved[0]?.announced], [0, 4]);
  assert(await announcing);
  assertEquals([await one.announce(4), await one.announce(3), await one.seal(4)], [false, false, false]);
  assert(await one.announce(5));
  assert(!await one.close(4), "a later round has begun");
  assert(await one.close(5) && await one.seal(5));
});

Deno.test("an epoch that cannot be remembered is not in force", async () => {
  const save = () => Promise.reject(new Error("the disk is full"));
  const options = { node: IDS[0]!, known: NO_EPOCHS, trust: "sure", members: () => IDS, save } as const;
  const one = new Collection(options);
  assertEquals([await one.announce(1), one.announced], [false, 0]);
});

Deno.test("whoever doubts its epochs takes nothing until one who is sure, or everybody, has said", () => {
  const said = { announced: 9, closed: 7, sealed: 6 };
  const one = collectionOf("doubted", { announced: 3, closed: 3, sealed: 3 });
  assertEquals([one.isSure, one.mayTake], [false, false]);
  one.hear(IDS[1]!, { ...said, isSure: true });
  assertEquals(one.said(), { announced: 9, closed: 6, sealed: 6, isSure: true });
  const two = collectionOf("doubted");
  two.hear(IDS[1]!, { ...said, isSure: false });
  assert(!two.mayTake);
  two.hear(IDS[2]!, { ...NO_EPOCHS, isSure: false });
  assert(two.mayTake && two.sealed === 6);
});

Deno.test("who is sure raises what all have closed or sealed, and announces nothing that is only announced", () => {
  const one = collectionOf("sure", { announced: 3, closed: 3, sealed: 3 });
  one.hear(IDS[1]!, { announced: 5, closed: 3, sealed: 3, isSure: true });
  assertEquals(one.announced, 3, "the round asks for it itself");
  one.hear(IDS[1]!, { announced: 5, closed: 5, sealed: 3, isSure: true });
  assertEquals(
    [one.announced, one.closed, one.sealed],
    [5, 3, 3],
    "what is kept here has not been looked at",
  );
  one.hear(IDS[1]!, { announced: 5, closed: 5, sealed: 5, isSure: true });
  assertEquals(one.said(), { announced: 5, closed: 5, sealed: 5, isSure: true });
});

Deno.test("doomstone: a tombstone that comes late eats no new value, though its key was forgotten", () => {
  const tombstone = tombstoneOf("old");
  assert(isBuried(tombstone));
  // The key is gone; the same actor writes it again. It counts over all keys, so its dot is none the tombstone knows.
  const reborn = mint(null, write("new", "04", { actor: "cd".repeat(16), counter: 3 }));
  assert(reborn.ok);
  for (const [a, b] of [[reborn.object, tombstone], [tombstone, reborn.object]] as const) {
    const values = merge(a, b).siblings.filter((sibling) => !sibling.tombstone);
    assertEquals(values.map(({ value }) => new TextDecoder().decode(value)), ["new"]);
  }
  // Where a counter began anew with the key, as Riak's did, it is eaten.
  const reissued = mint(null, write("new", "04", { actor: "cd".repeat(16), counter: 1 }));
  assert(reissued.ok);
  assertEquals(isBuried(merge(reissued.object, tombstone)), true);
});

Deno.test("replica store: what is older than the sealed epoch is refused, whichever way it comes", async () => {
  const stage = await storeStage({ others: OTHERS, lossy: true });
  const { store, collection } = stage;
  const { losses: [loss] } = await store.ask("listNotWhole", {}, ASK);
  for (const step of ["announce", "close", "seal"] as const) assert(await collection[step](2));
  const entries = [{ key: KEY, object: objectOf("v") }];
  await stage.write(objectOf("v"), 1, 1);
  await stage.write(objectOf("v"), 2, 2);
  assertEquals(stage.heard, ["1 wrote collected", "2 wrote ok"]);
  assertEquals(await store.ask("absorb", { ...loss!, entries, stamp: 1 }, ASK), "refused");
  assertEquals(await store.ask("absorb", { ...loss!, entries, stamp: 2 }, ASK), "taken");
  const merged = { partition: 0, epoch: 1, entries };
  assertEquals(await store.ask("treeMerge", { ...merged, stamp: 1 }, ASK), "refused");
  const { stamp } = await store.ask("treeObjects", { partition: 0, epoch: 1, keys: [KEY] }, ASK);
  assertEquals(stamp, 2);
  await stage.stop();
});

Deno.test("replica store: a suspect copy gives nothing and takes nothing until it is dropped or cleared", async () => {
  const open = async (isRebuilt: boolean) => {
    const stage = await storeStage({ others: OTHERS });
    await stage.write(objectOf("v"), 1);
    stage.store.tell("loseAll", {});
    await settled();
    await stage.write(objectOf("w", "05".repeat(16)), 2);
    await stage.mint(stage.now() + 1, 3);
    const held = async () => {
      const answer = await stage.store.ask("inspect", { key: KEY, partition: 0 }, ASK);
      return "object" in answer && answer.object !== null;
    };
    const page = await stage.store.ask("scan", { partition: 0, after: null, epoch: 1, since: 1 }, ASK);
    assertEquals([page.ok, await held()], [false, false]);
    stage.store.tell("resolve", { partition: 0, isRebuilt });
    await settled();
    const later = mint(null, write("x", "06", { actor: "ef".repeat(16), counter: 1 }));
    assert(later.ok);
    await stage.write(encodeObject(later.object), 4);
    assertEquals(stage.heard, ["1 wrote ok", "2 wrote unavailable", "3 minted unavailable", "4 wrote ok"]);
    const { partitions } = await stage.store.ask("suspects", {}, ASK);
    assertEquals([partitions, await held()], [[], true]);
    const keys = await stage.engine().get(0, KEY);
    await stage.stop();
    return keys!.length;
  };
  assert(await open(true) < await open(false), "what was dropped is not merged with what comes then");
});

Deno.test("replica store: a key is removed only while it is what was agreed on, and the tree hears of it", async () => {
  const stage = await storeStage();
  const { store } = stage;
  const tombstone = encodeObject(tombstoneOf("v"));
  await stage.write(tombstone, 1);
  const graves = await store.ask("graves", { most: 10 }, ASK);
  assertEquals(graves, [{ partition: 0, keys: [KEY] }]);
  const { ok, hashes } = await store.ask("hashes", { partition: 0, epoch: 1, keys: [KEY] }, ASK);
  const hash = encodeHash(objectHash(KEY, tombstone));
  assertEquals([ok, hashes], [true, [hash]]);
  const asked = { partition: 0, epoch: 1, graves: [{ key: KEY, hash }] };
  assertEquals(await store.ask("reap", { ...asked, epoch: 2 }, ASK), { removed: 0 }, "another ring");
  await stage.mint(stage.now() + 1, 2);
  assertEquals(await store.ask("reap", asked, ASK), { removed: 0 }, "it was written since");
  assertEquals((await store.ask("describe", {}, ASK)).tombstones, { known: 0, collected: 0 });
  await stage.stop();

  const other = await storeStage();
  await other.write(tombstone, 1);
  assertEquals(await other.store.ask("reap", asked, ASK), { removed: 1 });
  assertEquals(await other.engine().get(0, KEY), null);
  const roots = await other.store.ask("treeRoots", { epoch: 1, partitions: [0, 1] }, ASK);
  assertEquals(roots.digests[0], roots.digests[1], "of nothing");
  assertEquals((await other.store.ask("describe", {}, ASK)).tombstones, { known: 0, collected: 1 });
  await other.stop();
});

Deno.test("tombstones: as many as are kept of one partition; when those are gone it is to be read once more", () => {
  const tombstones = new Tombstones();
  const object = tombstoneOf("v");
  const key = (n: number) => Uint8Array.of(n >> 8, n & 255);
  for (let n = 0; n < 1_100; n++) tombstones.note(3, key(n), object);
  assertEquals([tombstones.size, tombstones.takeExhausted()], [1_000, null]);
  for (const gone of tombstones.of(3, 2_000)) tombstones.note(3, gone, null);
  assertEquals([tombstones.size, tombstones.takeExhausted(), tombstones.takeExhausted()], [0, 3, null]);
});
