/**
 * An engine that is easy to see through: a Map and a journal. It shows that the journal is all an engine needs, and
 * it can be wrong in ways that the conformance suite must notice.
 *
 * @module
 */

import { compareBytes, fromHex, toHex } from "../../actors/runtime/bytes.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { type Change, type Engine, EngineError, type Entry, type ScanOptions } from "../engine.ts";
import { type Journal, openJournal } from "../journal.ts";
import type { Place, Subject } from "./subject.ts";

/** What can be wrong with it. */
export type Bug =
  | "none"
  | "acknowledges before the sync"
  | "cleaning forgets a record"
  | "cleaning removes the old before the new is durable"
  | "forgets to write removals"
  | "cleaning forgets the store's id"
  | "draws a store id at every start"
  | "tears batches apart"
  | "goes on after a failed sync";

/** The engine, as a subject. */
export function naiveEngine(bug: Bug): Subject {
  return {
    name: `naive (${bug})`,
    async open(place: Place) {
      const sync = bug === "acknowledges before the sync" ? "never" : "always";
      const keys = new Map<string, Uint8Array>();
      let id = "";
      const journal = await openJournal({ ...place, sync, segmentBytes: 2048 }, ({ type, payload }) => {
        if (type === STORE_ID_RECORD) {
          id = toHex(payload);
          return true;
        }
        const text = new TextDecoder().decode(payload);
        for (const [name, hex] of JSON.parse(text)) apply(keys, name, hex);
        return true;
      });
      if (id === "" || bug === "draws a store id at every start") {
        id = toHex(place.random.bytes(16));
        journal.append(STORE_ID_RECORD, [fromHex(id)!]);
        await journal.sync();
      }
      return new NaiveEngine(id, journal, keys, bug);
    },
  };
}

const STORE_ID_RECORD = 2;

type Named = readonly [name: string, hex: string | null];

function apply(keys: Map<string, Uint8Array>, name: string, hex: string | null): void {
  if (hex === null) keys.delete(name);
  else keys.set(name, fromHex(hex)!);
}

class NaiveEngine implements Engine {
  readonly damageAtOpen;
  #cleaning: Promise<void> | null = null;
  #closed = false;

  constructor(
    readonly storeId: string,
    readonly journal: Journal,
    readonly keys: Map<string, Uint8Array>,
    readonly bug: Bug,
  ) {
    this.damageAtOpen = journal.damageAtOpen;
  }

  write(changes: readonly Change[]): Promise<void> {
    this.#check();
    for (const { partition, key } of changes) {
      const isKey = key.length > 0 && key.length <= LIMITS.keyBytes;
      if (!isKey || partition < 0 || partition > 65535) throw new RangeError("out of bounds");
    }
    return this.#write(changes.map((change) => {
      return [`${change.partition}/${toHex(change.key)}`, change.record && toHex(change.record)] as const;
    }));
  }

  #write(named: readonly Named[]): Promise<void> {
    const { bug } = this;
    const written = bug === "forgets to write removals" ? named.filter(([, hex]) => hex !== null) : named;
    let durable: Promise<void> = Promise.resolve();
    if (bug === "tears batches apart") { for (const one of written) durable = this.#append([one]); }
    else durable = this.#append(written);
    for (const [name, hex] of named) apply(this.keys, name, hex);
    if (this.journal.sizeBytes > 8192) this.#cleaning ??= this.#clean().finally(() => this.#cleaning = null);
    return durable;
  }

  #append(named: readonly Named[]): Promise<void> {
    if (this.bug === "goes on after a failed sync" && this.journal.refusing) return Promise.resolve();
    return this.journal.append(1, [new TextEncoder().encode(JSON.stringify(named))]);
  }

  async #clean(): Promise<void> {
    try {
      this.journal.seal();
      this.#append([]);
      const first = this.journal.segment;
      if (this.bug !== "cleaning forgets the store's id") {
        this.journal.append(STORE_ID_RECORD, [fromHex(this.storeId)!]);
      }
      let count = 0;
      for (const name of [...this.keys.keys()]) {
        if (this.bug === "cleaning forgets a record" && ++count % 5 === 0) continue;
        const current = this.keys.get(name);
        if (current) this.#append([[name, toHex(current)]]);
      }
      if (this.bug !== "cleaning removes the old before the new is durable") await this.journal.sync();
      await this.journal.removeBefore(first);
    } catch {
      // The journal refuses; everything old is still there.
    }
  }

  get(partition: number, key: Uint8Array): Uint8Array | null {
    this.#check();
    return this.keys.get(`${partition}/${toHex(key)}`) ?? null;
  }

  scan({ partition, after, limit, limitBytes }: ScanOptions) {
    const all = this.#entries(partition).filter(({ key }) => !after || compareBytes(key, after) > 0);
    const entries: Entry[] = [];
    let sizeBytes = 0;
    for (const entry of all.slice(0, limit)) {
      sizeBytes += entry.key.length + entry.record.length;
      if (entries.length > 0 && sizeBytes > limitBytes) break;
      entries.push(entry);
    }
    return { entries, done: entries.length === all.length };
  }

  #entries(partition: number): Entry[] {
    const entries: Entry[] = [];
    for (const [name, record] of this.keys) {
      const [p, hex] = name.split("/");
      if (Number(p) === partition) entries.push({ key: fromHex(hex!)!, record });
    }
    return entries.sort((a, b) => compareBytes(a.key, b.key));
  }

  partitions(): number[] {
    return [...new Set([...this.keys.keys()].map((name) => parseInt(name)))].sort((a, b) => a - b);
  }

  count(partition: number): number {
    return this.#entries(partition).length;
  }

  dropPartition(partition: number): Promise<void> {
    return this.write(this.#entries(partition).map(({ key }) => ({ partition, key, record: null })));
  }

  sync(): Promise<void> {
    return this.journal.sync();
  }

  stats() {
    const liveBytes = this.partitions().flatMap((partition) => this.#entries(partition))
      .reduce((sum, { key, record }) => sum + key.length + record.length, 0);
    return {
      engine: "naive",
      keys: this.keys.size,
      liveBytes,
      diskBytes: this.journal.sizeBytes,
      deadBytes: 0,
      files: this.journal.files,
      compactionDebtBytes: 0,
      writesPerSync: this.journal.recordsPerSync,
      refusing: this.journal.refusing,
    };
  }

  verify(onProgress?: (fraction: number) => void) {
    return this.journal.verify(onProgress);
  }

  async compact(): Promise<void> {
    await (this.#cleaning ??= this.#clean().finally(() => this.#cleaning = null));
  }

  copyTo(directory: string, onProgress?: (fraction: number) => void): Promise<void> {
    return this.journal.copyTo(directory, onProgress);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#cleaning;
    await this.journal.close();
  }

  #check(): void {
    if (this.#closed) throw new EngineError("closed", "closed");
  }
}
