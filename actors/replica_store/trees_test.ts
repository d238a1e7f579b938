import { encodeUtf8 } from "../runtime/bytes.ts";
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
