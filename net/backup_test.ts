/**
 * Backups and what is restored from them, without a cluster: what is refused, other file systems, crashes at every
 * step.
 *
 * @module
 */

import { type Disk, DiskError, type Environment } from "../actors/runtime/environment.ts";
import { encodeUtf8 } from "../actors/runtime/bytes.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../actors/runtime/testing/assert.ts";
import { Simulation } from "../actors/simulated/simulation.ts";
import type { Engine } from "../storage/engine.ts";
import { type EngineName, ENGINES, storeDirectory } from "../storage/engines.ts";
import { openEngine } from "../storage/open.ts";
import type { NodeJournal } from "../storage/node_journal.ts";
import { backUp, clearSnapshot } from "./backup.ts";
import { missingFrom, readManifest } from "./backup_manifest.ts";
import { filesBelow, removeTree } from "./files.ts";
import { isWhole, letVote, mayVote, openJournal, ringOf } from "./node_memory.ts";
import { type Settings, settingsOf } from "./node_options.ts";
import { Refused } from "./offline/directory.ts";
import { restore } from "./offline/restore.ts";
import { verifyDirectory } from "./offline/verify.ts";

const NODE = "n1";
const LIMIT_MS = 100_000;
const KEYS = 300;
const ignore = () => {};

/** A machine with a node's data on its disk, and as much of a node as a backup needs. */
class Machine {
  readonly simulation: Simulation;
  readonly settings: Settings;

  constructor(engine: EngineName, seed = 1) {
    this.simulation = new Simulation({ seed });
    this.settings = settingsOf({ storage: { path: "data", engine }, partitions: 8 });
    this.environment = this.simulation.environment(NODE);
  }

  /** That of its process; who has ended goes on with it in vain. */
  environment: Environment;

  /** A new process, where the last one has ended. */
  restart(): void {
    this.environment = this.simulation.environment(NODE);
  }

  get disk() {
    return this.simulation.disk(NODE);
  }

  settle<T>(task: Promise<T>): Promise<T> {
    return this.simulation.complete(task, LIMIT_MS);
  }

  /** Open journal and store, as a node does. */
  async open(path = "data"): Promise<{ journal: NodeJournal; store: Engine }> {
    const { settings, environment } = this;
    const journal = await openJournal({ path }, environment);
    await ringOf(settings, environment, journal, "127.0.0.1:3001");
    const directory = storeDirectory(path, settings.engine);
    return {
      journal,
      store: await openEngine(settings.engine, { ...environment, directory, sync: "always" }),
    };
  }

  /** Make a backup of an open node. */
  async backUp({ journal, store }: { journal: NodeJournal; store: Engine }, directory: string, disk?: Disk) {
    const copyStore = async (to: string) => {
      const stats = store.stats();
      await store.copyTo(to);
      return stats;
    };
    const describe = () => ({ denamo: "0", node: journal.identity, address: "a:1", cluster: "c" });
    const environment = { ...this.environment, ...(disk && { disk }) };
    return await backUp(
      { settings: this.settings, environment, journal, copyStore, describe },
      directory,
      ignore,
    );
  }

  /** A node with keys, its backup in `/backup`, and keys that came later. */
  async withBackup(): Promise<string> {
    const open = await this.open();
    await write(open.store, 0, KEYS);
    assertEquals((await this.backUp(open, "/backup")).ok, true);
    await write(open.store, KEYS, 2 * KEYS);
    await open.store.close();
    await open.journal.close();
    return open.journal.identity;
  }
}

async function write(store: Engine, from: number, to: number): Promise<void> {
  const changes = Array.from({ length: to - from }, (_, n) => {
    return { partition: n % 8, key: encodeUtf8(`k${from + n}`), record: encodeUtf8(`v${from + n}`) };
  });
  await store.write(changes);
}

function perEngine(name: string, test: (engine: EngineName) => Promise<void>): void {
  for (const engine of ENGINES) Deno.test(`${name} (${engine})`, () => test(engine));
}

perEngine("a backup is what there was, and a node restored from it is in doubt", async (engine) => {
  const machine = new Machine(engine);
  await machine.settle((async () => {
    const identity = await machine.withBackup();
    const { environment } = machine;
    assertEquals(await verifyDirectory(environment, "/backup", ignore).then(({ damage }) => damage), []);
    const options = { backup: "/backup", path: "again", wholeCluster: false };
    const { manifest, damage } = await restore(environment, options, ignore);
    assertEquals([manifest.node, manifest.keys, damage], [identity, KEYS, []]);
    const { journal, store } = await machine.open("again");
    assertEquals(journal.identity, identity);
    assertEquals([journal.isCopy, isWhole(journal), mayVote(journal)], [true, false, false]);
    assertEquals(store.stats().keys, KEYS);
    await store.close();
    await journal.close();
    await restore(environment, { ...options, path: "third", wholeCluster: true }, ignore);
    const third = await machine.open("third");
    assertEquals([third.journal.isCopy, isWhole(third.journal), mayVote(third.journal)], [true, false, true]);
  })());
});

perEngine("what a backup or a restore is refused", async (engine) => {
  const machine = new Machine(engine);
  await machine.settle((async () => {
    const open = await machine.open();
    const { disk } = machine.environment;
    disk.makeDirectory("/full/of/something");
    disk.open("/file", { write: true, create: true }).close();
    const cases = [
      ["backup", "bad-path", /give the whole path/],
      [`${Deno.cwd()}/data`, "bad-path", /own data directory/],
      [`${Deno.cwd()}/data/node/../x`, "bad-path", /own data directory/],
      ["/full/of", "not-empty", /is not empty/],
      ["/file", "bad-path", /is a file/],
      ["/file/x", "disk", /\/file/],
    ] as const;
    for (const [directory, code, says] of cases) {
      const outcome = await machine.backUp(open, directory);
      assert(!outcome.ok, directory);
      assertEquals(outcome.code, code, directory);
      assertMatch(outcome.message, says);
    }
    assertEquals((await machine.backUp(open, `${Deno.cwd()}/data-backup`)).ok, true);
    const volatile = { ...machine.settings, persist: false };
    const source = { settings: volatile, environment: machine.environment, journal: open.journal };
    const outcome = await backUp(
      { ...source, copyStore: () => assertRejects, describe: () => assertRejects } as never,
      "/b",
      ignore,
    );
    assert(!outcome.ok && outcome.code === "volatile");

    const again = (backup: string, path: string) =>
      assertRejects(
        () => restore(machine.environment, { backup, path, wholeCluster: false }, ignore),
        Refused,
      );
    assertEquals((await machine.backUp(open, "/backup")).ok, true);
    assertMatch((await again("/backup", "/full")).message, /not empty/);
    assertMatch((await again("/backup", "/file")).message, /is a file/);
    assertMatch((await again("/none", "/new")).message, /is no backup/);
    assertMatch((await again("data", "/new")).message, /is no backup/);
    disk.open("/backup/backup.json", { write: true }).truncate(20);
    assertMatch((await again("/backup", "/new")).message, /damaged/);
    disk.open("/backup/backup.json", { write: true }).write(encodeUtf8(`{"format":2}        `), 0);
    assertMatch((await again("/backup", "/new")).message, /format 2.*newer/);
    assertEquals(disk.exists("/new"), false);
  })());
});

perEngine("a damaged backup is not restored: flipped bits, files cut or missing", async (engine) => {
  const machine = new Machine(engine);
  await machine.settle((async () => {
    await machine.withBackup();
    const whole = machine.disk.snapshot();
    const files = [...whole].filter(([path, bytes]) =>
      path.startsWith("backup/") && bytes && bytes.length > 200
    );
    assert(files.length >= 3);
    const harms = ["flip", "cut", "remove"] as const;
    for (const [path, bytes] of files) {
      if (path.endsWith("backup.json")) continue;
      for (const harm of harms) {
        const { disk } = machine.environment;
        if (harm === "flip") machine.disk.flipBit(path, Math.floor(bytes!.length / 2));
        else if (harm === "remove") disk.remove(path);
        else {
          const file = disk.open(path, { write: true });
          file.truncate(bytes!.length - 1);
          file.close();
        }
        const options = { backup: "/backup", path: "again", wholeCluster: false };
        const { damage } = await restore(machine.environment, options, ignore);
        assert(damage.length > 0, `${harm} ${path}`);
        assertEquals(disk.exists("again"), false);
        assertEquals((await verifyDirectory(machine.environment, "/backup", ignore)).whole, false);
        machine.simulation.killNode(NODE);
        machine.disk.restore(whole);
        machine.restart();
      }
    }
  })());
});

/** A disk on which nothing below `/far` is on the same file system as anything else. */
function twoFileSystems(disk: Disk): Disk {
  return new Proxy(disk, {
    get(target, name) {
      if (name !== "link") return Reflect.get(target, name).bind(target);
      return (from: string, to: string) => {
        if (from.startsWith("/far") !== to.startsWith("/far")) {
          throw new DiskError("io", to, "cross-device link");
        }
        target.link(from, to);
      };
    },
  });
}

perEngine("to another file system a backup is copied, and leaves nothing behind", async (engine) => {
  const machine = new Machine(engine);
  await machine.settle((async () => {
    const open = await machine.open();
    await write(open.store, 0, KEYS);
    const { disk } = machine.environment;
    const outcome = await machine.backUp(open, "/far/backup", twoFileSystems(disk));
    assert(outcome.ok);
    assertEquals(filesBelow(disk, "data/snapshot"), []);
    assertEquals(disk.exists("data/snapshot"), false);
    const { whole, stores } = await verifyDirectory(machine.environment, "/far/backup", ignore);
    assertEquals([whole, stores[0]!.keys], [true, KEYS]);
  })());
});

/** Let the power go at each change of the disk in turn that `task` makes; `judge` what is left. */
async function atEveryStep(
  engine: EngineName,
  prepare: (machine: Machine) => Promise<void>,
  task: (machine: Machine) => Promise<unknown>,
  judge: (machine: Machine, isDone: boolean) => Promise<void>,
): Promise<number> {
  for (let crashAt = 1;; crashAt++) {
    const machine = new Machine(engine, crashAt);
    await machine.settle(prepare(machine));
    let changes = 0;
    machine.disk.beforeEach = (operation) => {
      if (["read", "list", "exists"].includes(operation)) return;
      if (++changes === crashAt) machine.simulation.crashNode(NODE);
    };
    let isDone = false;
    // Some of what goes wrong is an outcome; none of it counts in a process that has ended.
    void task(machine).then(() => isDone = machine.simulation.isAlive(NODE), ignore);
    await machine.simulation.runUntil(() => isDone || !machine.simulation.isAlive(NODE), LIMIT_MS);
    machine.disk.beforeEach = null;
    if (isDone) machine.simulation.killNode(NODE);
    machine.restart();
    await machine.settle(judge(machine, isDone));
    if (isDone) return crashAt;
  }
}

perEngine(
  "a crash at any step of a backup leaves a whole one, or none, and a node that starts",
  async (engine) => {
    for (const far of [false, true]) {
      const directory = far ? "/far/backup" : "/backup";
      const steps = await atEveryStep(
        engine,
        async (machine) => {
          const open = await machine.open();
          await write(open.store, 0, 20);
          await open.store.close();
          await open.journal.close();
        },
        async (machine) => {
          const disk = far ? twoFileSystems(machine.environment.disk) : machine.environment.disk;
          return await machine.backUp(await machine.open(), directory, disk);
        },
        async (machine, isDone) => {
          const { environment, settings } = machine;
          const { disk } = environment;
          const isThere = disk.exists(`${directory}/backup.json`);
          if (isDone) assert(isThere);
          if (isThere) {
            const { whole, stores } = await verifyDirectory(environment, directory, ignore);
            assertEquals([whole, stores[0]!.keys], [true, 20]);
          }
          clearSnapshot({ settings, environment });
          assertEquals(disk.exists("data/snapshot"), false);
          const open = await machine.open();
          assertEquals(open.store.stats().keys, 20);
          await open.store.close();
          await open.journal.close();
        },
      );
      assert(steps > 40, `${steps}`);
    }
  },
);

perEngine(
  "a crash at any step of a restore leaves nothing that a node would start on, or all",
  async (engine) => {
    const steps = await atEveryStep(
      engine,
      async (machine) => void await machine.withBackup(),
      (machine) =>
        restore(machine.environment, { backup: "/backup", path: "again", wholeCluster: false }, ignore),
      async (machine, isDone) => {
        const { environment } = machine;
        const names = filesBelow(environment.disk, "again").map(({ path }) => path);
        const hasJournal = names.some((path) => path.startsWith("node/") && path.endsWith(".log"));
        if (isDone) assert(hasJournal);
        if (!hasJournal) return; // a store without a journal is refused
        const { journal, store } = await machine.open("again");
        assertEquals([isWhole(journal), mayVote(journal), store.stats().keys], [false, false, KEYS]);
        await store.close();
        await journal.close();
      },
    );
    assert(steps > 10, `${steps}`);
  },
);

perEngine("a backup for which there is no space leaves nothing behind", async (engine) => {
  const machine = new Machine(engine);
  await machine.settle((async () => {
    const open = await machine.open();
    await write(open.store, 0, KEYS);
    machine.disk.faults.capacityBytes = machine.disk.usedBytes + 3_000;
    for (const disk of [machine.environment.disk, twoFileSystems(machine.environment.disk)]) {
      const outcome = await machine.backUp(open, "/far/backup", disk);
      assert(!outcome.ok && outcome.code === "disk");
      assertMatch(outcome.message, /no space/);
      assertEquals(machine.environment.disk.exists("/far/backup"), false);
      assertEquals(machine.environment.disk.exists("data/snapshot"), false);
    }
    machine.disk.faults.capacityBytes = Infinity;
    assertEquals((await machine.backUp(open, "/far/backup")).ok, true);
  })());
});

Deno.test("the worked example of FORMAT.md: a backup's list of files", () => {
  const page = Deno.readTextFileSync(new URL("../storage/FORMAT.md", import.meta.url));
  const { disk } = new Machine("memory").environment;
  disk.makeDirectory("backup");
  const example = encodeUtf8(/```backup\n([^`]+)```/.exec(page)![1]!);
  disk.open("backup/backup.json", { write: true, create: true }).write(example, 0);
  const { engine, keys, files } = readManifest(disk, "backup");
  assertEquals([engine, keys, files.map(({ sizeBytes }) => sizeBytes)], ["memory", 3, [424, 1976]]);
  const missing = missingFrom(disk, "backup");
  assertEquals(missing.map(({ path }) => path), [
    "backup/memory/0000000001.log",
    "backup/node/0000000001.log",
  ]);
});

Deno.test("a vote that was lent is taken back by the next doubt", async () => {
  const machine = new Machine("memory");
  await machine.settle((async () => {
    await machine.withBackup();
    const { environment } = machine;
    await restore(environment, { backup: "/backup", path: "again", wholeCluster: true }, ignore);
    const { journal, store } = await machine.open("again");
    await journal.outlive({ life: 9, bootId: "0".repeat(16) });
    assertEquals(mayVote(journal), false);
    await store.close();
    await journal.close();
    await letVote("again", environment);
    removeTree(environment.disk, "again");
    assertEquals(environment.disk.exists("again"), false);
  })());
});
