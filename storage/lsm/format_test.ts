import { assertEquals } from "../../actors/runtime/testing/assert.ts";
import { formatExample } from "../testing/format_example.ts";
import { simulatedWorld } from "../testing/worlds.ts";
import { BlockCache } from "./block_cache.ts";
import { REMOVED } from "./cursor.ts";
import { decodeEdit, encodeEdit } from "./edit_codec.ts";
import { partitionOf } from "./stored_key.ts";
import { Table, tablePath } from "./table.ts";
import { TableCursor } from "./table_cursor.ts";
import { makeTable } from "./testing/made_table.ts";
import type { Edit, TableMeta } from "./version.ts";

const utf8 = new TextEncoder();

const META: TableMeta = {
  number: 7,
  sizeBytes: 150,
  seed: 0x01020304,
  age: 4,
  first: Uint8Array.of(0, 7, ...utf8.encode("foo")),
  last: Uint8Array.of(1, 2, ...utf8.encode("old")),
  contents: [
    { partition: 7, entries: 2, removed: 1, sizeBytes: 10 },
    { partition: 258, entries: 1, removed: 0, sizeBytes: 6 },
  ],
};

Deno.test("the worked example of FORMAT.md: a table", () => {
  const example = formatExample("table");
  const { disk } = simulatedWorld(1).place();
  disk.makeDirectory("store");
  disk.open(tablePath("store", 7), { write: true, create: true }).write(example, 0);
  const table = new Table(disk, "store", META, new BlockCache(4096, 4096), {
    blocksRead: 0,
    onDamage: () => {},
  });
  const cursor = new TableCursor(table, 4096);
  const found: [number, string, string | null][] = [];
  for (cursor.toFirst(); cursor.valid; cursor.next()) {
    const { key, keyBytes, bytes, recordAt, recordBytes } = cursor;
    const text = (from: Uint8Array, start: number, end: number) =>
      new TextDecoder().decode(from.subarray(start, end));
    const record = recordBytes === REMOVED ? null : text(bytes, recordAt, recordAt + recordBytes);
    found.push([partitionOf(key), text(key, 2, keyBytes), record]);
  }
  assertEquals(found, [[7, "foo", "bar"], [7, "food", null], [258, "old", "new"]]);
  assertEquals(table.isFooterWhole(), true);

  const entries = found.map(([partition, key, record]) => ({
    partition,
    key: utf8.encode(key),
    record: record === null ? null : utf8.encode(record),
  }));
  const made = makeTable(entries, { number: 7, seed: META.seed, age: META.age });
  assertEquals(made.meta, META);
  const written = new Uint8Array(META.sizeBytes);
  made.open().read(written, 0);
  assertEquals(written, example);
});

Deno.test("the worked example of FORMAT.md: an edit", () => {
  const example = formatExample("edit");
  const edit: Edit = {
    number: 12,
    isWhole: false,
    walFrom: 9,
    age: 5,
    nextFile: 8,
    storeId: { serial: 1, bytes: Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i) },
    added: [{ level: 0, table: META }],
    removed: [3],
    drops: [[258, 2]],
    suspects: [],
  };
  assertEquals(decodeEdit(example), edit);
  assertEquals(encodeEdit(edit), example);
});
