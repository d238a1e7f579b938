import fc from "fast-check";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { DEFAULTS } from "./options.ts";
import { debtBytes, type Job, jobTables, levelLimit, pickFully, pickJob } from "./pick.ts";
import { type Edit, firstEdit, LEVELS, type TableMeta, Version } from "./version.ts";

const SETTINGS = { ...DEFAULTS, levelBytes: 1000, level0Tables: 3 };

/** A table of the keys `from` to `to`, one byte each. */
function tableOf(number: number, age: number, from: number, to: number, removed = 0): TableMeta {
  const contents = [{ partition: 0, entries: to - from + 1, removed, sizeBytes: 100 }];
  const key = (n: number) => Uint8Array.of(0, 0, n);
  return { number, sizeBytes: 100, seed: 0, age, first: key(from), last: key(to), contents };
}

class Store {
  version = new Version(firstEdit({ serial: 1, bytes: new Uint8Array(16) }), null);
  #number = 0;

  edit(changes: Partial<Edit>): void {
    const nothing = { added: [], removed: [], drops: [], suspects: [] };
    const number = this.version.edit.number + 1;
    this.version = new Version(
      { ...this.version.edit, ...nothing, ...changes, number, isWhole: false },
      this.version,
    );
  }

  flush(from: number, to: number, removed: number): void {
    const table = tableOf(++this.#number, this.#number, from, to, removed);
    this.edit({ added: [{ level: 0, table }] });
  }

  /** What compaction would make of it: pieces of up to ten keys. */
  do(job: Job): void {
    const inputs = jobTables(job);
    const removed = inputs.map(({ number }) => number);
    if (job.isMove) return this.edit({ removed, added: inputs.map((table) => ({ level: job.into, table })) });
    const keys = [
      ...new Set(
        inputs.flatMap(({ first, last }) =>
          Array.from({ length: last[2]! - first[2]! + 1 }, (_, i) => first[2]! + i)
        ),
      ),
    ].sort((a, b) => a - b);
    const age = Math.max(...inputs.map((table) => table.age));
    const added = [];
    const keysOfTable = job.into === 0 ? Infinity : 10;
    for (let i = 0; i < keys.length; i += keysOfTable) {
      const piece = keys.slice(i, i + keysOfTable);
      added.push({ level: job.into, table: tableOf(++this.#number, age, piece[0]!, piece.at(-1)!) });
    }
    this.edit({ removed, added });
  }
}

/** What a job must be, so that no older entry ever comes to stand above a younger one. */
function check(version: Version, { level, tables, below, into, isMove }: Job): void {
  const numbers = (tables: readonly TableMeta[]) => tables.map(({ number }) => number);
  for (const table of tables) assert(version.levels[level]!.includes(table));
  for (const table of [...tables, ...below]) assert(!version.suspects.has(table.number), "a suspect table");
  if (into === 0) return assertEquals(numbers(tables), numbers(version.levels[0]!.slice(0, tables.length)));
  if (level === 0) {
    const oldest = version.levels[0]!.slice(-tables.length);
    assertEquals(numbers(tables), numbers(oldest), "of level 0 the oldest go first");
  }
  if (into === level) return assertEquals(into, deepestOf(version));
  assertEquals(into, level + 1);
  const first = Math.min(...tables.map((table) => table.first[2]!));
  const last = Math.max(...tables.map((table) => table.last[2]!));
  const overlapping = version.levels[into]!.filter((table) =>
    table.first[2]! <= last && table.last[2]! >= first
  );
  assertEquals(numbers(below), numbers(overlapping));
  assert(!isMove || tables.length === 1 && below.length === 0);
}

function deepestOf(version: Version): number {
  return Math.max(1, version.levels.findLastIndex((tables) => tables.length > 0));
}

function assertSorted(version: Version): void {
  for (let level = 1; level < LEVELS; level++) {
    const tables = version.levels[level]!;
    tables.forEach((table, i) =>
      assert(i === 0 || tables[i - 1]!.last[2]! < table.first[2]!, `level ${level} overlaps`)
    );
  }
}

const flushes = fc.array(
  fc.record({
    from: fc.nat(200),
    length: fc.nat(50),
    removed: fc.nat(3),
    suspect: fc.option(fc.nat(30), { freq: 8 }),
  }),
  { maxLength: 40, size: "max" },
);

Deno.test("pick: every job keeps the order of ages, and they end when nothing is due", () => {
  fc.assert(fc.property(flushes, (flushes) => {
    const store = new Store();
    const lastKeys: Uint8Array[] = Array.from({ length: LEVELS }, () => new Uint8Array(0));
    for (const { from, length, removed, suspect } of flushes) {
      store.flush(from, Math.min(255, from + length), removed);
      if (suspect !== null && store.version.has(suspect)) store.edit({ suspects: [suspect] });
      for (let jobs = 0;; jobs++) {
        const job = pickJob(store.version, SETTINGS, lastKeys);
        if (job === null) break;
        assert(jobs < 200, "it does not end");
        check(store.version, job);
        store.do(job);
        if (job.level > 0) lastKeys[job.level] = job.tables.at(-1)!.last;
        assertSorted(store.version);
      }
      const { suspects } = store.version;
      const behind = store.version.levels[0]!.findIndex(({ number }) => suspects.has(number));
      const young = behind < 0 ? store.version.levels[0]!.length : behind;
      // All tables of the test have one size: what was gathered is gathered again with the next.
      assert(young < SETTINGS.level0Tables, `${young} tables of level 0 could be one`);
      if (suspects.size > 0) continue;
      assertEquals(debtBytes(store.version, SETTINGS), 0);
      assert(store.version.levels[0]!.length < SETTINGS.level0Tables);
      assert(store.version.levelBytes(1) <= levelLimit(1, SETTINGS));
    }
  }));
});

Deno.test("pick: compacting fully leaves one level without removals", () => {
  fc.assert(fc.property(flushes, (flushes) => {
    const store = new Store();
    for (const { from, length, removed, suspect } of flushes) {
      store.flush(from, Math.min(255, from + length), removed);
      if (suspect !== null && store.version.has(suspect)) store.edit({ suspects: [suspect] });
    }
    for (let jobs = 0;; jobs++) {
      const job = pickFully(store.version, SETTINGS, 1000);
      if (job === null) break;
      assert(jobs < 400, "it does not end");
      check(store.version, job);
      store.do(job);
      assertSorted(store.version);
    }
    if (store.version.suspects.size > 0) return;
    assertEquals(
      store.version.levels.filter((tables) => tables.length > 0).length,
      flushes.length > 0 ? 1 : 0,
    );
    for (const { contents } of store.version.tables()) assertEquals(contents[0]!.removed, 0);
  }));
});

Deno.test("pick: no part of a level is forgotten", () => {
  const store = new Store();
  for (let n = 0; n < 20; n++) {
    store.edit({ added: [{ level: 1, table: tableOf(n + 1, 1, 10 * n, 10 * n + 9) }] });
  }
  const lastKeys: Uint8Array[] = Array.from({ length: LEVELS }, () => new Uint8Array(0));
  const went: number[] = [];
  for (
    let job = pickJob(store.version, SETTINGS, lastKeys);
    job;
    job = pickJob(store.version, SETTINGS, lastKeys)
  ) {
    lastKeys[1] = job.tables[0]!.last;
    went.push(job.tables[0]!.number);
    store.do(job);
    store.edit({
      added: [{ level: 1, table: tableOf(1000 + went.length, 2, 201 + went.length, 201 + went.length) }],
    });
    if (went.length === 30) break;
  }
  assertEquals(went.slice(0, 20), Array.from({ length: 20 }, (_, n) => n + 1));
});
