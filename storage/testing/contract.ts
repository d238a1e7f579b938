/**
 * What every engine does on a disk that works: the promises of the {@link Engine} contract.
 *
 * @module
 */

import fc from "fast-check";
import { equalBytes } from "../../actors/runtime/bytes.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "../../actors/runtime/testing/assert.ts";
import { type Engine, EngineError, type Entry, type ScanPage } from "../engine.ts";
import { removeAll } from "./directory.ts";
import { calmOperation, keyOf, recordOf } from "./operation.ts";
import { stories } from "./stories.ts";
import type { Check, Subject, World } from "./subject.ts";
import { compactsAway, compactsToNothing, copiesItself, copiesStay } from "./upkeep.ts";

const SCAN_ALL = { limit: 1_000_000, limitBytes: Infinity };

/** All of a partition, page by page, with small pages. */
export async function scanAll(engine: Engine, partition: number, limit = 3): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (;;) {
    const after = entries.at(-1)?.key;
    const page: ScanPage = await engine.scan({
      partition,
      limit,
      limitBytes: 500,
      ...(after ? { after } : {}),
    });
    assert(page.entries.length <= limit, "a page is longer than its limit");
    assert(page.done || page.entries.length > 0, "a page that is not the last is empty");
    entries.push(...page.entries);
    if (page.done) return entries;
  }
}

async function likeItsTwin(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  await fc.assert(stories(subject, newWorld, calmOperation), { numRuns: 25 });
}

async function pagesOfAScan(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  const engine = await world.settle(subject.open(world.place()));
  const keys = Array.from({ length: 200 }, (_, i) => Uint8Array.of(i));
  await world.settle(engine.write(keys.toReversed().map((key) => ({ partition: 9, key, record: key }))));
  const page = await engine.scan({
    partition: 9,
    after: Uint8Array.of(4, 0),
    limit: 10,
    limitBytes: Infinity,
  });
  assertEquals(page.entries.map(({ key }) => key[0]), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  assertEquals(page.done, false);
  // A limit of bytes: the first entry is always given.
  const narrow = await engine.scan({ partition: 9, limit: 10, limitBytes: 1 });
  assertEquals(narrow.entries.length, 1);
  const few = await engine.scan({ partition: 9, limit: 10, limitBytes: 6 });
  assertEquals(few.entries.length, 3);
  const rest = await engine.scan({ partition: 9, after: Uint8Array.of(198), ...SCAN_ALL });
  assertEquals([rest.entries.length, rest.done], [1, true]);
  assertEquals(await engine.scan({ partition: 9, after: Uint8Array.of(199), ...SCAN_ALL }), {
    entries: [],
    done: true,
  });
  assertEquals(await engine.scan({ partition: 8, ...SCAN_ALL }), { entries: [], done: true });
  await world.settle(engine.close());
}

async function whatItRefuses(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  const engine = await world.settle(subject.open(world.place()));
  const write = (key: Uint8Array, partition = 0) => engine.write([{ partition, key, record: key }]);
  assertThrows(() => write(new Uint8Array(0)), RangeError);
  assertThrows(() => write(new Uint8Array(LIMITS.keyBytes + 1)), RangeError);
  assertThrows(() => write(Uint8Array.of(1), 65536), RangeError);
  assertThrows(() => write(Uint8Array.of(1), -1), RangeError);
  assertEquals(engine.partitions(), []);
  await world.settle(write(new Uint8Array(LIMITS.keyBytes)));
  await world.settle(engine.write([]));
  await world.settle(engine.dropPartition(77));
  assertEquals(engine.stats().refusing, null);
  await world.settle(engine.close());
  await world.settle(engine.close());
  for (const task of [() => write(Uint8Array.of(1)), () => engine.get(0, Uint8Array.of(1))]) {
    const error = assertThrows(task, EngineError);
    assertEquals(error.code, "closed");
  }
}

async function largeRecords(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  let engine = await world.settle(subject.open(world.place()));
  const key = Uint8Array.of(1);
  const sizes = [0, 1, 32_767, 32_768, 262_144, 1_000_000, 8 * 1024 * 1024];
  for (const [i, size] of sizes.entries()) {
    const record = new Uint8Array(size).fill(i + 1);
    await world.settle(engine.write([{ partition: i, key, record }]));
  }
  const isWhole = async () => {
    for (const [i, size] of sizes.entries()) {
      const record = await engine.get(i, key);
      assert(record && record.length === size && record.every((byte) => byte === i + 1), `${size} bytes`);
    }
  };
  await world.settle(isWhole());
  await world.settle(engine.close());
  engine = await world.settle(subject.open(world.place()));
  await world.settle(isWhole());
  await world.settle(engine.close());
}

/** A view given out stays what it was, whatever is written afterwards. */
async function viewsStay(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  const engine = await world.settle(subject.open(world.place()));
  const key = Uint8Array.of(1);
  const given: { view: Uint8Array; copy: Uint8Array }[] = [];
  for (let serial = 0; serial < 3000; serial++) {
    const durable = engine.write([{ partition: 0, key, record: recordOf(serial, serial % 400) }]);
    if (serial % 100 === 0) await world.settle(durable);
    const view = await engine.get(0, key);
    assert(view);
    given.push({ view, copy: view.slice() });
  }
  for (const { view, copy } of given) assert(equalBytes(view, copy), "a view has changed");
  await world.settle(engine.close());
}

/** The id is the store's, whatever is overwritten and cleaned away: as long as the files, and no longer. */
async function itsId(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  let id: string | null = null;
  for (let life = 0; life < 4; life++) {
    const engine = await world.settle(subject.open(world.place()));
    assertMatch(engine.storeId ?? "", /^[0-9a-f]{32}$/);
    assertEquals(engine.storeId, id ??= engine.storeId);
    for (let serial = 0; serial < 300; serial++) {
      await world.settle(
        engine.write([{ partition: 0, key: keyOf(serial % 3), record: recordOf(serial, 200) }]),
      );
    }
    await world.settle(engine.close());
  }
  const { disk, directory } = world.place();
  removeAll(disk, directory);
  const other = await world.settle(subject.open(world.place()));
  assertMatch(other.storeId ?? "", /^[0-9a-f]{32}$/);
  assertNotEquals(other.storeId, id);
  await world.settle(other.close());
}

async function twoProcesses(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  const engine = await world.settle(subject.open(world.place()));
  await world.settle(engine.write([{ partition: 0, key: Uint8Array.of(1), record: Uint8Array.of(2) }]));
  const error = await assertRejects(() => world.settle(subject.open(world.place())), EngineError);
  assertEquals(error.code, "locked");
  assertEquals(await engine.get(0, Uint8Array.of(1)), Uint8Array.of(2));
  await world.settle(engine.close());
  await world.settle((await world.settle(subject.open(world.place()))).close());
}

/** What any engine does on any disk, by name. */
export const CONTRACT: Readonly<Record<string, Check<World>>> = {
  "does what a Map does, compacted and reopened at any time": likeItsTwin,
  "scans in pages, in byte order": pagesOfAScan,
  "refuses what is out of bounds, and everything once closed": whatItRefuses,
  "keeps records of any size": largeRecords,
  "never changes bytes that it has given out": viewsStay,
  "has an id that lives as long as its files": itsId,
  "compacts until nothing dead is left, while service goes on": compactsAway,
  "compacts a store from which everything was removed to nothing": compactsToNothing,
  "copies itself as it is when asked, and goes on": copiesItself,
  "a copy stays what it is": copiesStay,
  "46: a second process is told that the directory is taken": twoProcesses,
};
