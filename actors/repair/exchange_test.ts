import fc from "fast-check";
import { encodeUtf8 } from "../runtime/bytes.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { exchange, type ExchangeOptions, type Outcome, type Side } from "./exchange.ts";
import { objectOf, TestSide } from "./testing/side.ts";

const P = 0;
const keyOf = (n: number) => encodeUtf8(`key ${n}`);

/** What is held, by key, as text. */
async function contents(side: TestSide): Promise<Record<string, string>> {
  const page = await side.engine.scan({ partition: P, limit: 100_000, limitBytes: 1 << 30 });
  return Object.fromEntries(page.entries.map(({ key, record }) => [key.toHex(), record.toHex()]));
}

function meet(mine: Side, theirs: Side, more: Partial<ExchangeOptions> = {}): Promise<Outcome> {
  const pause = () => Promise.resolve();
  return exchange({ placement: { partition: P, epoch: 1 }, mine, theirs, pause, spend: pause, ...more });
}

/** Who holds which version of a key: the first's, the second's, and one that both may have. */
const holdings = fc.array(
  fc.record({ key: fc.nat({ max: 2_000 }), at: fc.constantFrom("mine", "theirs", "both"), n: fc.nat(3) }),
  { maxLength: 400, size: "max" },
);

async function sidesOf(
  held: readonly { key: number; at: string; n: number }[],
): Promise<[TestSide, TestSide]> {
  const [mine, theirs] = [await TestSide.open(), await TestSide.open()];
  held.forEach(({ key, at, n }) => {
    const object = objectOf(n + (at === "mine" ? 10 : at === "theirs" ? 20 : 30), key + 1);
    if (at !== "theirs") mine.write(P, keyOf(key), object);
    if (at !== "mine") theirs.write(P, keyOf(key), object);
  });
  await mine.settle();
  await theirs.settle();
  return [mine, theirs];
}

Deno.test("exchange: whatever two sides hold, each ends with the merge of both", async () => {
  await fc.assert(
    fc.asyncProperty(holdings, async (held) => {
      const [mine, theirs] = await sidesOf(held);
      const both = await TestSide.open();
      for (const side of [mine, theirs]) {
        const page = await side.engine.scan({ partition: P, limit: 100_000, limitBytes: 1 << 30 });
        for (const { key, record } of page.entries) both.write(P, key, record);
      }
      const { ok, why } = await meet(mine, theirs);
      assert(ok, `${why}`);
      const expected = await contents(both);
      assertEquals(await contents(mine), expected);
      assertEquals(await contents(theirs), expected);
      await Promise.all([mine, theirs, both].map((side) => side.settle()));
      assertEquals(mine.trees.root(P), both.trees.root(P));
      assertEquals(theirs.trees.root(P), both.trees.root(P));
      assertEquals(mine.trees.describe().wrong + theirs.trees.describe().wrong, 0);
    }),
    { numRuns: 40 },
  );
});

Deno.test("exchange: one that breaks off anywhere has not ended well, and the next one makes it good", async () => {
  const held = Array.from(
    { length: 300 },
    (_, key) => ({ key, at: ["mine", "theirs", "both"][key % 3]!, n: 0 }),
  );
  for (let broken = 0;; broken++) {
    const [mine, theirs] = await sidesOf(held);
    let asks = 0;
    theirs.onAsk = () => {
      if (asks++ === broken) throw new Error("it does not answer");
    };
    const { ok } = await meet(mine, theirs);
    const isEqual = JSON.stringify(await contents(mine)) === JSON.stringify(await contents(theirs));
    if (ok) {
      assert(broken > 4 && isEqual, `${broken}`);
      break;
    }
    assert(!ok);
    theirs.onAsk = () => {};
    assert((await meet(mine, theirs)).ok);
    assertEquals(await contents(mine), await contents(theirs));
  }
});

Deno.test("exchange: writes that come meanwhile are in the trees, and nothing is lost", async () => {
  const held = Array.from({ length: 500 }, (_, key) => ({ key, at: key % 50 === 0 ? "mine" : "both", n: 0 }));
  const [mine, theirs] = await sidesOf(held);
  let n = 0;
  const written = new Map<string, string>();
  for (const [i, side] of [mine, theirs].entries()) {
    side.onAsk = async () => {
      const key = keyOf(1_000 + ++n);
      const object = objectOf(40 + i, n);
      side.write(P, key, object);
      written.set(key.toHex(), object.toHex());
      await side.trees.survey();
    };
  }
  assert((await meet(mine, theirs)).ok);
  for (const side of [mine, theirs]) side.onAsk = () => {};
  assert((await meet(mine, theirs)).ok);
  const [here, there] = [await contents(mine), await contents(theirs)];
  assertEquals(here, there);
  for (const [key, object] of written) assertEquals(here[key], object);
  assertEquals(mine.trees.describe().wrong + theirs.trees.describe().wrong, 0);
});

Deno.test("exchange: one key of 20,000 that differs takes few questions, and reads a few leaves", async () => {
  const held = Array.from({ length: 20_000 }, (_, key) => ({ key, at: "both", n: 0 }));
  const [mine, theirs] = await sidesOf(held);
  mine.write(P, keyOf(7), objectOf(10, 8));
  theirs.asked.length = 0;
  let read = 0;
  const { scan } = theirs.engine;
  theirs.engine.scan = (options) => {
    const page = scan.call(theirs.engine, options);
    if (!(page instanceof Promise)) read += page.entries.length;
    return page;
  };
  const { ok, repaired, bytes } = await meet(mine, theirs);
  assertEquals({ ok, repaired }, { ok: true, repaired: 1 });
  assert(theirs.asked.length <= 8, theirs.asked.join());
  assert(read < 400 && bytes < 10_000, `${read} records, ${bytes} bytes`);
});

Deno.test("exchange: what is damaged on one side is wanted from the other, and what was not taken does not count", async () => {
  const held = Array.from({ length: 100 }, (_, key) => ({ key, at: "both", n: 0 }));
  const [mine, theirs] = await sidesOf(held);
  await theirs.engine.write([{ partition: P, key: keyOf(5), record: encodeUtf8("rotten") }]);
  theirs.trees.doubt(P, keyOf(5));
  await theirs.settle();
  const damaged = await meet(mine, theirs, {
    theirs: {
      ask: (kind, body) =>
        kind === "treeMerge" ? Promise.reject(new Error("not now")) : theirs.ask(kind, body),
    },
  });
  assert(!damaged.ok);
  assertEquals(theirs.trees.describe().wrong, 0);
});
