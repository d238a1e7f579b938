import { encodeUtf8, equalBytes } from "../runtime/bytes.ts";
import { EngineError } from "../../storage/engine.ts";
import { assertEquals } from "../runtime/testing/assert.ts";
import { encodeDigest } from "../repair/hash_tree.ts";
import { objectOf, TestSide } from "../repair/testing/side.ts";

const EMPTY = encodeDigest({ keys: 0, low: 0, high: 0 });
const [LEFT, KEPT] = [3, 4];

async function twoPartitions(): Promise<TestSide> {
  const side = await TestSide.open();
  for (const partition of [LEFT, KEPT]) side.write(partition, encodeUtf8("key"), objectOf(1, 1));
  return side;
}

Deno.test("trees: a partition that is dropped loses its tree, and begins with nothing when it is owned again", async () => {
  const side = await twoPartitions();
  const { trees } = side;
  const before = trees.root(LEFT);
  void side.engine.dropPartition(LEFT);
  trees.forget(LEFT);
  assertEquals([trees.root(LEFT), trees.root(KEPT)], [EMPTY, before]);
  assertEquals([await trees.survey(), trees.describe().leaves], ["done", 1]);
  side.write(LEFT, encodeUtf8("key"), objectOf(1, 1));
  assertEquals([trees.root(LEFT), trees.describe().wrong], [before, 0]);
});

Deno.test("trees: a partition that could not be dropped is surveyed anew", async () => {
  const { trees } = await twoPartitions();
  const before = trees.root(LEFT);
  trees.forget(LEFT);
  assertEquals(trees.root(LEFT), null);
  while (await trees.survey() === "more");
  assertEquals([trees.root(LEFT), trees.describe().wrong], [before, 0]);
});

Deno.test("trees: what a bad read left out and a better one finds is not taken away twice (989001934)", async () => {
  const { engine } = await twoPartitions();
  const [lost, other] = ["key", "other"].map(encodeUtf8) as [Uint8Array, Uint8Array];
  void engine.write([{ partition: LEFT, key: other, record: objectOf(1, 2) }]);
  const scan = engine.scan.bind(engine);
  engine.scan = async (options) => {
    const page = await scan(options);
    if (options.partition !== LEFT) return page;
    options.onDamaged!(new EngineError("corrupt", "a bad read"));
    return { ...page, entries: page.entries.filter(({ key }) => !equalBytes(key, lost)) };
  };
  const side = await TestSide.open(engine);
  await side.settle();
  engine.scan = scan;
  const sound = await TestSide.open();
  for (const [counter, key] of [[1, lost], [2, other]] as const) sound.write(LEFT, key, objectOf(1, counter));
  for (const one of [side, sound]) one.write(LEFT, lost, objectOf(2, 1));
  await side.settle();
  assertEquals([side.trees.root(LEFT), side.trees.describe().wrong], [sound.trees.root(LEFT), 0]);
});
