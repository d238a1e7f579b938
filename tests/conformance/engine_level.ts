/**
 * An engine as an `abstract-level` database: the interface of LevelDB and its kin in JavaScript.
 *
 * One partition holds the database. Keys may be empty there and not here, so each has a byte put before it.
 * Iterators, and reads that name a snapshot, read what there was at one moment: from the engine's own snapshot where
 * it has such a thing, and from a copy of everything where it has not.
 *
 * @module
 */

import { AbstractLevel, AbstractSnapshot } from "abstract-level";
import type { Change, Engine } from "../../storage/engine.ts";
import { EngineIterator, type IteratorOptions } from "./engine_iterator.ts";
import { now, PARTITION, rangeEntries, type ReadView, stored, viewOf } from "./read_view.ts";

/** Where a database is. */
export interface Home {
  /** Whether there is one. */
  exists(): boolean;
  /** Open the engine; one is made where there is none. */
  open(): Promise<Engine>;
}

/** What `abstract-level` says of a read. */
interface ReadOptions {
  readonly snapshot?: EngineSnapshot;
}

/** A change, as `abstract-level` gives it. */
interface Operation {
  readonly type: "put" | "del";
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
}

/** What it can do. */
const MANIFEST = {
  encodings: { view: true },
  implicitSnapshots: true,
  explicitSnapshots: true,
  permanence: true,
  seek: true,
  has: true,
  getSync: true,
  createIfMissing: true,
  errorIfExists: true,
};

/** See the module. */
export class EngineLevel extends AbstractLevel<Uint8Array, string, string> {
  readonly #home: Home;
  #engine: Engine | null = null;

  /** @param home where it is @param options `abstract-level`'s */
  constructor(home: Home, options: object = {}) {
    super(MANIFEST, options);
    this.#home = home;
  }

  #reader({ snapshot }: ReadOptions): Pick<Engine, "get" | "scan"> {
    return snapshot?.view ?? this.#engine!;
  }

  /** See `abstract-level`; so are all methods below. */
  async _open(options: { createIfMissing: boolean; errorIfExists: boolean }): Promise<void> {
    const exists = this.#home.exists();
    if (exists && options.errorIfExists) throw new Error("the database exists already");
    if (!exists && !options.createIfMissing) throw new Error("the database does not exist");
    this.#engine = await this.#home.open();
  }

  async _close(): Promise<void> {
    await this.#engine?.close();
  }

  _getSync(key: Uint8Array, options: ReadOptions): Uint8Array | undefined {
    return now(this.#reader(options).get(PARTITION, stored(key)))?.slice();
  }

  async _get(key: Uint8Array, options: ReadOptions): Promise<Uint8Array | undefined> {
    return await this._getSync(key, options);
  }

  async _getMany(keys: readonly Uint8Array[], options: ReadOptions): Promise<(Uint8Array | undefined)[]> {
    return await keys.map((key) => this._getSync(key, options));
  }

  async _has(key: Uint8Array, options: ReadOptions): Promise<boolean> {
    return await this._getSync(key, options) !== undefined;
  }

  async _hasMany(keys: readonly Uint8Array[], options: ReadOptions): Promise<boolean[]> {
    return await keys.map((key) => this._getSync(key, options) !== undefined);
  }

  async _put(key: Uint8Array, value: Uint8Array): Promise<void> {
    await this._batch([{ type: "put", key, value }]);
  }

  async _del(key: Uint8Array): Promise<void> {
    await this._batch([{ type: "del", key }]);
  }

  async _batch(operations: readonly Operation[]): Promise<void> {
    // What is given belongs to whoever gave it, and what is written to the engine.
    await this.#engine!.write(operations.map(({ key, value }): Change => {
      return { partition: PARTITION, key: stored(key), record: value?.slice() ?? null };
    }));
  }

  async _clear(options: IteratorOptions & ReadOptions & { limit: number }): Promise<void> {
    const entries = rangeEntries(this.#reader(options), options);
    if (options.reverse) entries.reverse();
    const cleared = options.limit < 0 ? entries : entries.slice(0, options.limit);
    await this._batch(cleared.map(([key]) => ({ type: "del", key })));
  }

  _iterator(options: IteratorOptions & ReadOptions): EngineIterator {
    const { snapshot } = options;
    return new EngineIterator(this, options, snapshot?.view ?? viewOf(this.#engine!), snapshot === undefined);
  }

  _snapshot(options: object): EngineSnapshot {
    return new EngineSnapshot({ owner: this, ...options }, viewOf(this.#engine!));
  }
}

/** The class as it is; its types leave the constructor out. */
const Snapshot = AbstractSnapshot as unknown as new (options: object) => AbstractSnapshot;

/** A moment, held by name. */
class EngineSnapshot extends Snapshot {
  /** @param options says whose it is @param view what is read through it */
  constructor(options: object, readonly view: ReadView) {
    super(options);
  }

  /** See `abstract-level`. */
  async _close(): Promise<void> {
    await this.view.release();
  }
}
