/**
 * The stores that `deno task bench storage` compares, behind one narrow interface: denamo's engines, and two that
 * people use today.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { realEnvironment } from "../../../actors/runtime/real/mod.ts";
import type { Engine, Entry } from "../../../storage/engine.ts";
import { LsmEngine } from "../../../storage/lsm/engine.ts";
import { openEngine } from "../../../storage/open.ts";

/** A key and what is put under it. */
export type Pair = readonly [key: Uint8Array, value: Uint8Array];

/** A store to measure. */
export interface Subject {
  /** Write all or nothing; durable when `open` was told so. */
  write(pairs: readonly Pair[]): Promise<unknown> | void;
  /** Write one, among others that are written at the same time. */
  put(pair: Pair): Promise<unknown>;
  /** The value's length, null when there is none. */
  get(key: Uint8Array): number | null;
  /** Read everything; returns how many keys there were. */
  scan(): Promise<number>;
  /** Let go of it. */
  close(): Promise<void>;
  /** What else there is to say, for people. */
  notes(): Record<string, number>;
}

/** Names of {@link openSubject}. */
export const SUBJECTS = ["memory", "bitcask", "lsm", "classic-level", "sqlite"] as const;

/** One of {@link SUBJECTS}. */
export type SubjectName = typeof SUBJECTS[number];

/** Open one in a directory. @param synced whether a write is on the disk when it is over */
export async function openSubject(name: SubjectName, directory: string, synced: boolean): Promise<Subject> {
  if (name === "classic-level") return await openLevel(directory, synced);
  if (name === "sqlite") return openSqlite(directory, synced);
  const environment = realEnvironment({ node: "bench", logLevel: "error" });
  const sync = synced ? "always" as const : "never" as const;
  return new EngineSubject(await openEngine(name, { ...environment, directory, sync }));
}

const PAGE = { limit: 1000, limitBytes: 4 * 1024 * 1024 };
const PARTITIONS = 256;

/** A key's partition: some byte of a random key. */
function partitionOf(key: Uint8Array): number {
  return key[key.length - 1]! % PARTITIONS;
}

class EngineSubject implements Subject {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  write(pairs: readonly Pair[]): Promise<void> {
    return this.#engine.write(pairs.map(([key, record]) => ({ partition: partitionOf(key), key, record })));
  }

  put(pair: Pair): Promise<void> {
    return this.write([pair]);
  }

  get(key: Uint8Array): number | null {
    const record = this.#engine.get(partitionOf(key), key);
    if (record instanceof Promise) throw new Error("a read that waits");
    return record?.length ?? null;
  }

  async scan(): Promise<number> {
    let keys = 0;
    for (const partition of this.#engine.partitions()) {
      let last: Entry | undefined;
      for (;;) {
        const page = await this.#engine.scan({ partition, ...PAGE, ...(last && { after: last.key }) });
        keys += page.entries.length;
        last = page.entries.at(-1);
        if (page.done) break;
      }
    }
    return keys;
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }

  notes(): Record<string, number> {
    const { diskBytes, liveBytes } = this.#engine.stats();
    const { write = 0, read = 0 } = this.#engine instanceof LsmEngine ? this.#engine.amplification() : {};
    return { diskBytes, space: diskBytes / liveBytes, ...(write && { write }), ...(read && { read }) };
  }
}

async function openLevel(directory: string, sync: boolean): Promise<Subject> {
  // Native code: only the process that measures it loads it.
  const { ClassicLevel } = await import("classic-level");
  const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
    keyEncoding: "view",
    valueEncoding: "view",
  });
  await level.open();
  return {
    write: (pairs) => level.batch(pairs.map(([key, value]) => ({ type: "put", key, value })), { sync }),
    put: ([key, value]) => level.put(key, value, { sync }),
    get: (key) => level.getSync(key)?.length ?? null,
    async scan() {
      const iterator = level.iterator();
      let keys = 0;
      for (;;) {
        const page = await iterator.nextv(PAGE.limit);
        if (page.length === 0) break;
        keys += page.length;
      }
      await iterator.close();
      return keys;
    },
    close: () => level.close(),
    notes: () => ({}),
  };
}

function openSqlite(directory: string, synced: boolean): Subject {
  Deno.mkdirSync(directory, { recursive: true });
  const base = new DatabaseSync(`${directory}/base.sqlite`);
  base.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synced ? "FULL" : "OFF"}`);
  base.exec("CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID");
  const insert = base.prepare("INSERT OR REPLACE INTO pairs VALUES (?, ?)");
  const select = base.prepare("SELECT value FROM pairs WHERE key = ?");
  const all = base.prepare("SELECT key, value FROM pairs ORDER BY key");
  const write = (pairs: readonly Pair[]) => {
    base.exec("BEGIN");
    for (const [key, value] of pairs) insert.run(key, value);
    base.exec("COMMIT");
  };
  return {
    write,
    put: (pair) => Promise.resolve(write([pair])),
    get: (key) => (select.get(key) as { value: Uint8Array } | undefined)?.value.length ?? null,
    scan: () => {
      let keys = 0;
      for (const _ of all.iterate()) keys++;
      return Promise.resolve(keys);
    },
    close: () => Promise.resolve(base.close()),
    notes: () => ({}),
  };
}
