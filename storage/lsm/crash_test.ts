import type { Disk, DiskFile } from "../../actors/runtime/environment.ts";
import { assert, assertRejects } from "../../actors/runtime/testing/assert.ts";
import type { Operation } from "../testing/operation.ts";
import { play } from "../testing/stories.ts";
import type { Place, Subject } from "../testing/subject.ts";
import { simulatedWorld } from "../testing/worlds.ts";
import { openLsmEngine } from "./engine.ts";
import { Manifest } from "./manifest.ts";
import type { Memtable } from "./memtable.ts";
import { planted } from "./testing/planted.ts";
import { TINY } from "./testing/tiny.ts";
import { Tree } from "./tree.ts";
import type { Changes } from "./version.ts";

/** Long enough for compactions of several levels, with removals, drops and a restart in between. */
const WORKLOAD: readonly Operation[] = Array.from({ length: 90 }, (_, i): Operation[] => {
  const size = i % 5 === 4 ? null : 40 + 7 * (i % 13);
  const changes = [{ p: i % 2, k: i % 6, size }, { p: 1, k: (i * 5) % 9, size: 60 }];
  const operations: Operation[] = [{ kind: "write", changes }, { kind: "pause" }];
  if (i % 40 === 30) operations.push({ kind: "drop", p: i % 3 });
  return operations;
}).flat();

/** A crash at every `step`-th change of the disk: nothing acknowledged is lost, nothing comes back. */
async function crashes(subject: Subject, step: number): Promise<void> {
  const calm = simulatedWorld(0);
  await play(subject, calm, WORKLOAD);
  for (let at = 1; at <= calm.changes(); at += step) {
    await play(subject, simulatedWorld(at), [
      { kind: "power", change: at },
      ...WORKLOAD,
      { kind: "power", change: 0 },
      ...WORKLOAD.slice(0, 9),
    ]);
  }
}

/** An engine on a disk that does something else. */
function subject(change: (disk: Disk) => Disk): Subject {
  return {
    name: "lsm",
    exactCounts: false,
    open: (place: Place) => openLsmEngine({ ...place, disk: change(place.disk), ...TINY }),
  };
}

const asIs = subject((disk) => disk);

/** A disk or file with some methods exchanged. */
function exchange<T extends object>(whole: T, parts: Partial<T>): T {
  return new Proxy(whole, {
    get(target, name) {
      const part = Reflect.get(parts, name) ?? Reflect.get(target, name);
      return typeof part === "function" ? part.bind(target) : part;
    },
  });
}

Deno.test("44: crashes in flushes, compactions and rewritings of the manifest", () => crashes(asIs, 13));

async function isNoticed(subject: Subject): Promise<void> {
  await assertRejects(() => crashes(subject, 1));
}

Deno.test("44, planted: an edit that is durable before its table is", () => {
  const tablesUnsynced = subject((disk) =>
    exchange(disk, {
      open: (path, options) => {
        const file = disk.open(path, options);
        return path.endsWith(".sst") ? exchange<DiskFile>(file, { sync: () => Promise.resolve() }) : file;
      },
    })
  );
  return isNoticed(tablesUnsynced);
});

Deno.test("44, planted: the names of tables are not made durable", () =>
  isNoticed(subject((disk) =>
    exchange(disk, {
      syncDirectory: (directory) =>
        directory.endsWith("store") ? Promise.resolve() : disk.syncDirectory(directory),
    })
  )));

const { commit } = Tree.prototype;

Deno.test("44, planted: tables are removed before the edit that replaces them is durable", () =>
  planted(
    Tree.prototype,
    "commit",
    function (changes: Changes, flushed: readonly Memtable[] = []) {
      const added = new Set(changes.added?.map(({ table }) => table.number));
      for (const number of changes.removed ?? []) if (!added.has(number)) this.tables.remove(number);
      return commit.call(this, changes, flushed);
    },
    () => isNoticed(asIs),
  ));

Deno.test("44, planted: the log is shortened before what was in it is durable elsewhere", () =>
  planted(
    Tree.prototype,
    "commit",
    async function (changes: Changes, flushed: readonly Memtable[] = []) {
      await this.wal.removeBefore(changes.walFrom ?? 0);
      await commit.call(this, changes, flushed);
    },
    () => isNoticed(asIs),
  ));

Deno.test("44: the crashes happen in flushes, compactions and rewritings of the manifest", async () => {
  const seen = { flushes: 0, compactions: 0, moves: 0, rewritings: 0 };
  const whole = Manifest.prototype.commit;
  await planted(
    Manifest.prototype,
    "commit",
    async function (changes: Changes, onChanged: () => void = () => {}) {
      await whole.call(this, changes, onChanged);
      const removed = new Set(changes.removed);
      if (changes.walFrom !== undefined) seen.flushes++;
      else if (changes.added?.some(({ table }) => removed.has(table.number))) seen.moves++;
      else if (removed.size > 0) seen.compactions++;
      if (this.version.edit.isWhole) seen.rewritings++;
    },
    () => play(asIs, simulatedWorld(0), WORKLOAD),
  );
  for (const [what, count] of Object.entries(seen)) assert(count > 0, `no ${what}`);
});
