/**
 * A client with a good memory, for stores that crash: whatever a key shows after a restart must be the last write
 * that was acknowledged, or one that was begun later.
 *
 * @module
 */

import { toHex } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { type Engine, EngineError } from "../engine.ts";
import { type FaultyWorld, keyOf, type Operation, recordOf, type Subject } from "./subject.ts";

/** A write that a key may show: its number, and the serial it left in the record (0: removed). */
interface Possible {
  readonly token: number;
  readonly shows: number;
}

/** What a client knows of a store that crashes: what each key may hold. */
class Ledger {
  /** By key, in the order of writing; the first is the last that is known to have happened. */
  readonly #possible = new Map<string, Possible[]>();
  #token = 0;

  next(): number {
    return ++this.#token;
  }

  begin(name: string, token: number, shows: number): void {
    this.#possible.set(name, [...this.#possible.get(name) ?? [{ token: 0, shows: 0 }], { token, shows }]);
  }

  acknowledged(name: string, token: number): void {
    const possible = this.#possible.get(name)!;
    const at = possible.findLastIndex((write) => write.token === token);
    if (at >= 0) this.#possible.set(name, possible.slice(at));
  }

  /** After a restart, what it shows must be possible; and is known from now on. */
  observe(name: string, shows: number): void {
    const possible = this.#possible.get(name)!;
    const seen = possible.find((write) => write.shows === shows);
    assert(seen, `${name} shows ${shows}, which is none of ${possible.map((write) => write.shows)}`);
    this.#possible.set(name, [seen]);
  }

  names(): string[] {
    return [...this.#possible.keys()];
  }
}

/** One life of a process after another, on one disk, with one ledger. */
export class Survivor {
  readonly #subject: Subject;
  readonly #world: FaultyWorld;
  readonly #ledger = new Ledger();
  #storeId: string | null = null;
  /** Whether an engine may refuse and fail: on a disk that does. */
  toleratesFailure = false;

  constructor(subject: Subject, world: FaultyWorld) {
    this.#subject = subject;
    this.#world = world;
  }

  /** Open, check everything, do `operations` and close; or end with the process. True: it was not ended. */
  async live(operations: readonly Operation[]): Promise<boolean> {
    return await this.#world.survives(this.#live(operations));
  }

  async #live(operations: readonly Operation[]): Promise<void> {
    const engine = await this.#subject.open(this.#world.place());
    await this.#check(engine);
    const begun: Promise<void>[] = [];
    for (const operation of operations) {
      if (operation.kind === "write") begun.push(this.#write(engine, operation.changes));
      else if (operation.kind === "drop") begun.push(this.#drop(engine, operation.p));
      else await Promise.all(begun);
      begun.at(-1)?.catch(() => {}); // heard of at the next pause
    }
    await Promise.all(begun);
    await this.#tolerate(engine.close());
  }

  #write(engine: Engine, changes: readonly { p: number; k: number; size: number | null }[]): Promise<void> {
    const token = this.#ledger.next();
    const records = changes.map(({ p, k, size }) => ({
      partition: p,
      key: keyOf(k),
      record: size === null ? null : recordOf(token, size),
    }));
    const names = changes.map(({ p, k }) => `${p}/${toHex(keyOf(k))}`);
    return this.#attempt(
      token,
      names,
      records.map(({ record }) => record ? token : 0),
      () => engine.write(records),
    );
  }

  #drop(engine: Engine, partition: number): Promise<void> {
    const names = this.#ledger.names().filter((name) => name.startsWith(`${partition}/`));
    return this.#attempt(
      this.#ledger.next(),
      names,
      names.map(() => 0),
      () => engine.dropPartition(partition),
    );
  }

  async #attempt(token: number, names: string[], shows: number[], task: () => Promise<void>): Promise<void> {
    names.forEach((name, i) => this.#ledger.begin(name, token, shows[i]!));
    const done = await this.#tolerate(task);
    if (done) { for (const name of names) this.#ledger.acknowledged(name, token); }
  }

  /** Whether a task did what it should; false when it may fail and did. */
  async #tolerate(task: Promise<void> | (() => Promise<void>)): Promise<boolean> {
    try {
      await (typeof task === "function" ? task() : task);
      return true;
    } catch (error) {
      if (this.toleratesFailure && error instanceof EngineError) return false;
      throw error;
    }
  }

  /** Everything shows what it may show, and a crash alone has damaged nothing. */
  async #check(engine: Engine): Promise<void> {
    assertEquals(engine.storeId, this.#storeId ??= engine.storeId);
    for (const name of this.#ledger.names()) {
      const [partition, hex] = name.split("/");
      const record = await engine.get(Number(partition), Uint8Array.fromHex(hex!));
      const shows = record ? new DataView(record.buffer, record.byteOffset).getUint32(0) : 0;
      if (record) assertEquals(record, recordOf(shows, record.length - 4));
      this.#ledger.observe(name, shows);
    }
    for (const damage of engine.damageAtOpen) assertEquals(damage.kind, "torn-tail", damage.detail);
  }
}
