/**
 * A store and the machine it is on, through good and bad times, beside a twin that cannot be wrong.
 *
 * A story is a list of operations and nothing else, so that a story that ends badly can be cut down to the few steps
 * that matter. Whatever happens in it, four things hold: what a store shows is what its twin shows; what was
 * acknowledged is there after every restart and what was removed is not; an error is told only on a machine that has
 * given reason to; and when all is well again, so is the store.
 *
 * @module
 */

import { LIMITS } from "../../actors/runtime/limits.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { type Change, type Engine, EngineError, type ScanPage } from "../engine.ts";
import { assertLike } from "./likeness.ts";
import { keyOf, type MachineOperation, type Operation, recordOf, type SmallChange } from "./operation.ts";
import { ScanCursor } from "./scan_cursor.ts";
import type { FaultyWorld, Subject, World } from "./subject.ts";
import { Twin } from "./twin.ts";

/** Bytes of a page, at most. */
const PAGE_BYTES = 500;

const FAULTLESS = { readErrorRate: 0, writeErrorRate: 0, shortWriteRate: 0, syncErrorRate: 0 };

/** See the module. */
export class Story {
  readonly #subject: Subject;
  readonly #world: World;
  readonly #twin = new Twin();
  readonly #cursors = new Map<number, ScanCursor>();
  /** Null: no process runs, or it could not open the store. */
  #engine: Engine | null = null;
  #storeId: string | null = null;
  #serial = 0;
  #copies = 0;
  #begun: Promise<void>[] = [];
  /** The last process did not end in order. */
  #isUnclean = false;
  /** The disk is not as it should be, or was not since the store was opened: it may refuse and fail. */
  #isExcused = false;

  constructor(subject: Subject, world: World) {
    this.#subject = subject;
    this.#world = world;
  }

  /** Do one thing. */
  async play(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case "kill":
      case "power":
      case "afflict":
      case "fill":
      case "heal":
        return await this.#befall(operation);
      default:
        if (await this.#isOpen()) await this.#alive((engine) => this.#do(engine, operation));
    }
  }

  /** The machine is well, and the process ends once more without a word: then all must be as it should. */
  async end(): Promise<void> {
    if (isFaulty(this.#world)) {
      await this.#befall({ kind: "heal" });
      await this.#befall({ kind: "kill" });
    }
    assert(await this.#isOpen(), "it does not open");
    await this.#alive(async (engine) => {
      assertEquals(await engine.verify(), []);
      await this.#write(engine, [{ p: 0, k: 0, size: 10 }]);
      assertEquals(engine.stats().refusing, null);
    });
    await this.#alive((engine) => this.#do(engine, { kind: "reopen" }));
    await this.#alive((engine) => engine.close());
  }

  // --- the machine --------------------------------------------------------------------------------------------

  async #befall(operation: MachineOperation): Promise<void> {
    const world = this.#world;
    assert(isFaulty(world), "this machine has no faults");
    switch (operation.kind) {
      case "kill":
        world.kill();
        return this.#died();
      case "power":
        if (operation.change > 0) return world.crashAt(operation.change);
        world.crash();
        return this.#died();
      case "afflict":
        this.#isExcused = true;
        world.faults[operation.affliction] = operation.rate;
        return;
      case "fill":
        this.#isExcused = true;
        world.faults.capacityBytes = world.usedBytes() + operation.room;
        return;
      case "heal":
        return await this.#heal(world);
    }
  }

  /** After a while on a disk that is well again only a failed sync or write is still held against it. */
  async #heal(world: FaultyWorld): Promise<void> {
    Object.assign(world.faults, FAULTLESS, { capacityBytes: Infinity });
    await this.#alive(async (engine) => {
      await pass(world, 2 * LIMITS.fullProbeMs);
      const { refusing } = engine.stats();
      assert(refusing === null || refusing.startsWith("poisoned: "), `there is space again: ${refusing}`);
      if (refusing !== null) await this.#close(engine);
      else {
        await engine.sync();
        this.#twin.acknowledgeAll();
        await this.#same(engine);
      }
    });
    this.#isExcused = false;
  }

  #died(): void {
    this.#engine = null;
    this.#begun = [];
    this.#cursors.clear();
    this.#isUnclean = true;
  }

  /** Do something with the engine, unless there is none or the process ends meanwhile. */
  async #alive(task: (engine: Engine) => Promise<void>): Promise<void> {
    if (this.#engine === null) return;
    if (!await this.#world.survives(task(this.#engine))) this.#died();
  }

  // --- opening and closing ------------------------------------------------------------------------------------

  /** Whether there is an engine; opens it where there is none. */
  async #isOpen(): Promise<boolean> {
    if (this.#engine !== null) return true;
    if (!await this.#world.survives(this.#open())) this.#died();
    return this.#engine !== null;
  }

  async #open(): Promise<void> {
    const engine = await this.#excuse(() => this.#subject.open(this.#world.place()));
    if (engine === undefined) return;
    assertEquals(engine.storeId, this.#storeId ??= engine.storeId);
    for (const { kind, detail } of engine.damageAtOpen) {
      assert(this.#isUnclean, `damaged after a clean close: ${detail}`);
      assertEquals(kind, "torn-tail", detail);
    }
    await this.#withGoodEyes(async () => {
      await this.#twin.observe(async (partition, key) => await engine.get(partition, key));
      await this.#same(engine);
    });
    this.#isUnclean = false;
    this.#engine = engine;
  }

  /** Whatever it was, it is seen as it is. */
  async #withGoodEyes(task: () => Promise<void>): Promise<void> {
    if (!isFaulty(this.#world)) return await task();
    const { faults } = this.#world;
    const { readErrorRate } = faults;
    faults.readErrorRate = 0;
    await task();
    faults.readErrorRate = readErrorRate;
  }

  async #close(engine: Engine): Promise<void> {
    this.#engine = null;
    this.#begun = [];
    this.#isUnclean = true;
    const isClean = await this.#excuse(async () => {
      await engine.close();
      return true;
    });
    if (!isClean) return this.#cursors.clear();
    this.#twin.acknowledgeAll();
    this.#isUnclean = false;
  }

  /** What a task gives; undefined where the machine has given reason to fail, and it did. */
  async #excuse<T>(task: () => Promise<T>): Promise<T | undefined> {
    try {
      return await task();
    } catch (error) {
      if (this.#isExcused && error instanceof EngineError) return undefined;
      throw error;
    }
  }

  // --- the store ----------------------------------------------------------------------------------------------

  async #do(engine: Engine, operation: Exclude<Operation, MachineOperation>): Promise<void> {
    switch (operation.kind) {
      case "write":
        return this.#begin(this.#write(engine, operation.changes));
      case "drop":
        return this.#begin(this.#drop(engine, operation.p));
      case "compact":
        return this.#begin(this.#excuse(() => engine.compact()));
      case "copy":
        return this.#begin(this.#excuse(() => this.#copy(engine)));
      case "scan":
        return await this.#scan(engine, operation);
      case "look":
        return await this.#same(engine);
      case "verify":
        return await this.#verify(engine);
      case "pause":
        return void await Promise.all(this.#begun.splice(0));
      case "sync":
        return await this.#sync(engine);
      case "reopen":
        await Promise.all(this.#begun.splice(0));
        await this.#close(engine);
        return await this.#open();
    }
  }

  /** It goes on by itself; the next pause hears how it ended. */
  #begin(task: Promise<unknown>): void {
    const done = task.then(() => {});
    done.catch(() => {});
    this.#begun.push(done);
  }

  async #sync(engine: Engine): Promise<void> {
    await this.#excuse(async () => {
      await engine.sync();
      this.#twin.acknowledgeAll();
    });
  }

  async #write(engine: Engine, small: readonly SmallChange[]): Promise<void> {
    const changes = small.map(({ p, k, size }): Change => {
      return { partition: p, key: keyOf(k), record: size === null ? null : recordOf(++this.#serial, size) };
    });
    let durable: Promise<void>;
    try {
      durable = engine.write(changes);
    } catch (error) {
      return this.#refused(error);
    }
    const token = this.#twin.write(changes);
    for (const { partition, key, record } of changes) if (!record) this.#cursors.get(partition)?.forget(key);
    await this.#excuse(async () => {
      await durable;
      this.#twin.acknowledge(token);
    });
  }

  /** A copy is a store like any other; it has all that was known to have happened when it was asked for. */
  async #copy(engine: Engine): Promise<void> {
    const known = this.#twin.known();
    const place = this.#world.place();
    const directory = `${place.directory}-${++this.#copies}`;
    await engine.copyTo(directory);
    const copy = await this.#subject.open({ ...place, directory });
    assertEquals([copy.storeId, copy.damageAtOpen], [this.#storeId, []]);
    await this.#twin.couldShow(known, async (partition, key) => await copy.get(partition, key));
    await copy.close();
  }

  /** Nothing was applied. A store that has too much to do may say so on any machine. */
  #refused(error: unknown): void {
    const isKnown = error instanceof EngineError && (this.#isExcused || error.code === "overloaded");
    if (!isKnown) throw error;
  }

  async #drop(engine: Engine, partition: number): Promise<void> {
    // Whether it is refused cannot be told at once from the promise; that it refuses everything can.
    if (engine.stats().refusing !== null) {
      await engine.dropPartition(partition).then(
        () => assert(false, "it refuses, and drops"),
        (error) => this.#refused(error),
      );
      return;
    }
    const durable = engine.dropPartition(partition);
    const token = this.#twin.drop(partition);
    this.#cursors.delete(partition);
    await this.#excuse(async () => {
      await durable;
      this.#twin.acknowledge(token);
    });
  }

  /** A page is what was there at one moment between asking for it and having it. */
  async #scan(
    engine: Engine,
    { p, limit, during }: { p: number; limit: number; during: readonly SmallChange[] },
  ): Promise<void> {
    const cursor = this.#cursors.get(p) ?? new ScanCursor(this.#twin.entries(p));
    this.#cursors.set(p, cursor);
    const options = {
      partition: p,
      limit,
      limitBytes: PAGE_BYTES,
      ...(cursor.after && { after: cursor.after }),
    };
    await this.#read(async () => {
      const moments = [this.#twin.entries(p)];
      const pending = engine.scan(options);
      for (const one of pending instanceof Promise ? during : []) {
        this.#begin(this.#write(engine, [one]));
        moments.push(this.#twin.entries(p));
      }
      const page: ScanPage = await pending;
      if (cursor.take(page, moments, options)) this.#cursors.delete(p);
    });
  }

  /** What it shows is what its twin shows. */
  async #same(engine: Engine): Promise<void> {
    const { exactCounts } = this.#subject;
    const mayNameTooMany = this.#mayMisread();
    await this.#read(() => assertLike(engine, this.#twin, { exactCounts, mayNameTooMany }));
  }

  /** Nothing is damaged, unless that cannot be told. */
  async #verify(engine: Engine): Promise<void> {
    const isSure = !this.#mayMisread();
    await this.#read(async () => {
      const damage = await engine.verify();
      if (isSure) assertEquals(damage, []);
    });
  }

  /** Read; only a disk that fails to read is an excuse. */
  async #read(task: () => Promise<void>): Promise<void> {
    const mayFail = this.#mayMisread();
    await task().catch((error) => {
      if (!mayFail || !(error instanceof EngineError)) throw error;
    });
  }

  #mayMisread(): boolean {
    return isFaulty(this.#world) && this.#world.faults.readErrorRate > 0;
  }
}

function isFaulty(world: World): world is FaultyWorld {
  return "faults" in world;
}

/** Let time pass, as a process sees it. */
function pass(world: World, ms: number): Promise<void> {
  return new Promise((resolve) => void world.place().clock.after(ms, resolve));
}
