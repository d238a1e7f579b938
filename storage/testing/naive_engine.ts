/**
 * An engine that is easy to see through: a Map and a journal. It shows that the journal is all an engine needs, and
 * it can be wrong in ways that the conformance suite must notice.
 *
 * @module
 */

import { compareBytes, equalBytes, fromHex, toHex } from "../../actors/runtime/bytes.ts";
import type { Disk } from "../../actors/runtime/environment.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import {
  type Change,
  type Engine,
  EngineError,
  type Entry,
  type ScanOptions,
  type ScanPage,
} from "../engine.ts";
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
  | "goes on after a failed sync"
  | "acknowledges what found no room"
  | "takes nothing once the disk was full"
  | "takes a failed read for nothing"
  | "compaction brings back what is removed meanwhile"
  | "compaction leaves what is dead"
  | "resumes a scan at a key that is there"
  | "makes a page of two moments"
  | "counts what is removed"
  | "shares its files with a copy"
  | "copies without syncing";

/** The engine, as a subject. */
export function naiveEngine(bug: Bug): Subject {
  return {
    name: `naive (${bug})`,
    files: { segment: /\.log(\.tmp)?$/ },
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
        await journal.sync().catch(async (error) => {
          await journal.close().catch(() => {});
          throw error;
        });
      }
      return new NaiveEngine(id, journal, keys, bug, place);
    },
  };
}

const STORE_ID_RECORD = 2;

type Named = readonly [name: string, hex: string | null];

function apply(keys: Map<string, Uint8Array>, name: string, hex: string | null): void {
  if (hex === null) keys.delete(name);
  else keys.set(name, fromHex(hex)!);
}

function readWhole(disk: Disk, path: string): Uint8Array {
  const file = disk.open(path);
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0);
  return bytes;
}

class NaiveEngine implements Engine {
  readonly damageAtOpen;
  #cleaning: Promise<void> | null = null;
  #closed = false;
  #wasFull = false;
  #removed = 0;

  constructor(
    readonly storeId: string,
    readonly journal: Journal,
    readonly keys: Map<string, Uint8Array>,
    readonly bug: Bug,
    readonly place: Place,
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
    this.#removed += named.filter(([, hex]) => hex === null).length;
    const isLong = this.journal.sizeBytes > 8192 && bug !== "compaction leaves what is dead";
    if (isLong) this.#cleaning ??= this.#clean().finally(() => this.#cleaning = null);
    if (bug === "takes nothing once the disk was full") durable.catch(() => this.#wasFull = true);
    if (bug !== "acknowledges what found no room") return durable;
    return durable.catch((error) => {
      if (error.code !== "full") throw error;
    });
  }

  #append(named: readonly Named[]): Promise<void> {
    if (this.bug === "goes on after a failed sync" && this.journal.refusing) return Promise.resolve();
    if (this.bug === "takes nothing once the disk was full" && this.#wasFull) {
      throw new EngineError("full", "full: once and for all");
    }
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
      const names = [...this.keys.keys()];
      const records = new Map(this.keys);
      const isStale = this.bug === "compaction brings back what is removed meanwhile";
      if (isStale) await this.journal.sync();
      for (const name of names) {
        if (this.bug === "cleaning forgets a record" && ++count % 5 === 0) continue;
        const current = (isStale ? records : this.keys).get(name);
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
    if (this.bug === "takes a failed read for nothing" && !this.#reads()) return null;
    return this.keys.get(`${partition}/${toHex(key)}`) ?? null;
  }

  /** Whether a byte of the disk can be read. */
  #reads(): boolean {
    const { disk, directory } = this.place;
    try {
      disk.open(`${directory}/lock`).read(new Uint8Array(1), 0);
      return true;
    } catch {
      return false;
    }
  }

  scan(options: ScanOptions): ScanPage | Promise<ScanPage> {
    const entries = this.#entries(options.partition);
    if (this.bug !== "makes a page of two moments") return this.#page(entries, options);
    return Promise.resolve().then(() => {
      const later = this.#entries(options.partition);
      return this.#page([...entries.slice(0, 2), ...later.slice(2)], options);
    });
  }

  #page(all: readonly Entry[], { after, limit, limitBytes }: ScanOptions): ScanPage {
    const isThere = this.bug === "resumes a scan at a key that is there";
    const at = isThere && after
      ? 1 + all.findIndex(({ key }) => equalBytes(key, after))
      : all.filter(({ key }) => after && compareBytes(key, after) <= 0).length;
    const entries: Entry[] = [];
    let sizeBytes = 0;
    for (const entry of all.slice(at, at + limit)) {
      sizeBytes += entry.key.length + entry.record.length;
      if (entries.length > 0 && sizeBytes > limitBytes) break;
      entries.push(entry);
    }
    return { entries, done: at + entries.length === all.length };
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
    const removed = this.bug === "counts what is removed" ? this.#removed : 0;
    return this.#entries(partition).length + removed;
  }

  async dropPartition(partition: number): Promise<void> {
    await this.write(this.#entries(partition).map(({ key }) => ({ partition, key, record: null })));
  }

  sync(): Promise<void> {
    return this.journal.sync();
  }

  async compact(onProgress: (fraction: number) => void = () => {}): Promise<void> {
    this.#check();
    await this.#cleaning;
    if (this.bug !== "compaction leaves what is dead") {
      await (this.#cleaning = this.#clean().finally(() => this.#cleaning = null));
    }
    onProgress(1);
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

  async copyTo(directory: string, onProgress?: (fraction: number) => void): Promise<void> {
    const { disk } = this.place;
    const shared = this.bug === "shares its files with a copy";
    if (!shared && this.bug !== "copies without syncing") {
      return await this.journal.copyTo(directory, onProgress);
    }
    if (disk.exists(directory)) throw new EngineError("io", "exists");
    disk.makeDirectory(directory);
    for (const name of disk.list(this.place.directory)) {
      const [from, to] = [`${this.place.directory}/${name}`, `${directory}/${name}`];
      if (shared) disk.link(from, to);
      else disk.open(to, { write: true, create: true }).write(readWhole(disk, from), 0);
    }
    onProgress?.(1);
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
