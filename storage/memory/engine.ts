/**
 * The memory engine: everything in memory, and a journal that remembers it.
 *
 * A write goes to the journal and into the {@link KeySpace}; a read never waits. Opening replays the journal.
 * With `persist: false` there is no journal and nothing is remembered.
 *
 * The journal would grow for ever, so it is cleaned (`storage/cleaner.ts`).
 *
 * @module
 */

import { toHex } from "../../actors/runtime/bytes.ts";
import { checkChanges } from "../changes.ts";
import { type Cleanable, Cleaner, type CleanerOptions } from "../cleaner.ts";
import {
  type Change,
  type Damage,
  type Engine,
  EngineError,
  type EngineStats,
  type ScanOptions,
  type ScanPage,
} from "../engine.ts";
import {
  type Journal,
  type JournalOptions,
  type JournalRecord,
  openJournal,
  recordBytes,
  type Replay,
} from "../journal.ts";
import { appendStoreId, decodeStoreId, drawStoreId, STORE_ID_RECORD, type StoreId } from "../store_id.ts";
import {
  CHANGE_HEADER_BYTES,
  CHANGES_RECORD,
  decodeChanges,
  decodeDrop,
  DROP_RECORD,
  encodeChanges,
  encodeDrop,
} from "./codec.ts";
import { LARGE_BYTES } from "../keys/arena.ts";
import { KeySpace } from "./key_space.ts";

/** What {@link openMemoryEngine} wants to know; spread an `Environment` into it. */
export interface MemoryEngineOptions extends JournalOptions, CleanerOptions {
  /** False: keep nothing on disk; `directory` is not touched. Default true. */
  readonly persist?: boolean;
}

/** Cleaning appends so many bytes before it waits for them to be durable. */
const SLICE_BYTES = 256 * 1024;
/** Cleaning looks at so many entries before it lets others work. */
const SLICE_ENTRIES = 4096;

const DONE = Promise.resolve();

/**
 * Open a memory engine.
 *
 * @throws {EngineError} as `openJournal`
 * @example
 * ```ts
 * import { openMemoryEngine } from "./engine.ts";
 * import { realEnvironment } from "../../actors/runtime/real/mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const options = { ...realEnvironment({ node: "n1" }), sync: "always" as const };
 * const engine = await openMemoryEngine({ ...options, directory: "unused", persist: false });
 * const key = Uint8Array.of(1);
 * await engine.write([{ partition: 7, key, record: Uint8Array.of(2, 3) }]);
 * assertEquals(engine.get(7, key), Uint8Array.of(2, 3));
 * await engine.close();
 * ```
 */
export async function openMemoryEngine(options: MemoryEngineOptions): Promise<Engine> {
  const space = new KeySpace();
  if (options.persist === false) return new MemoryEngine(options, space, null, null);
  let id: StoreId | null = null;
  const replayAll: Replay = (record) => {
    if (record.type !== STORE_ID_RECORD) return replay(space, record);
    const bytes = decodeStoreId(record.payload);
    if (bytes !== null) id = { bytes, segment: record.segment };
    return bytes !== null;
  };
  // A store that has lost something is another one than it was.
  const scar = () => ({ type: STORE_ID_RECORD, payload: drawStoreId(options.random) });
  const journal = await openJournal({ ...options, scar }, replayAll);
  try {
    if (id === null) {
      id = appendStoreId(journal, drawStoreId(options.random));
      await journal.sync();
    }
    return new MemoryEngine(options, space, journal, id);
  } catch (error) {
    await journal.close().catch(() => {});
    throw error;
  }
}

function replay(space: KeySpace, { type, payload, segment }: JournalRecord): boolean {
  if (type === CHANGES_RECORD) {
    const changes = decodeChanges(payload);
    for (const change of changes ?? []) space.apply(keepable(change), segment);
    return changes !== null;
  }
  const partition = type === DROP_RECORD ? decodeDrop(payload) : null;
  if (partition !== null) space.drop(partition);
  return partition !== null;
}

/** A large record is kept by reference, but a replayed payload is gone after the call. */
function keepable(change: Change): Change {
  const { record } = change;
  return record && record.length >= LARGE_BYTES ? { ...change, record: record.slice() } : change;
}

class MemoryEngine implements Engine, Cleanable {
  readonly storeId: string | null;
  readonly damageAtOpen: readonly Damage[];
  readonly #space: KeySpace;
  readonly #journal: Journal | null;
  readonly #cleaner: Cleaner | null;
  #id: StoreId | null;
  #closing: Promise<void> | null = null;

  constructor(options: MemoryEngineOptions, space: KeySpace, journal: Journal | null, id: StoreId | null) {
    this.#space = space;
    this.#journal = journal;
    this.#id = id;
    this.storeId = id && toHex(id.bytes);
    this.damageAtOpen = journal?.damageAtOpen ?? [];
    this.#cleaner = journal && new Cleaner(options, journal, this);
    this.#cleaner?.poke();
  }

  write(changes: readonly Change[]): Promise<void> {
    this.#check();
    checkChanges(changes);
    const journal = this.#journal;
    const durable = journal && changes.length > 0
      ? journal.append(CHANGES_RECORD, encodeChanges(changes))
      : DONE;
    const segment = journal?.segment ?? 0;
    for (const change of changes) this.#space.apply(change, segment);
    this.#cleaner?.poke();
    return durable;
  }

  get(partition: number, key: Uint8Array): Uint8Array | null {
    this.#check();
    return this.#space.get(partition, key);
  }

  scan(options: ScanOptions): ScanPage {
    this.#check();
    return this.#space.scan(options);
  }

  partitions(): number[] {
    this.#check();
    return this.#space.index.partitions();
  }

  count(partition: number): number {
    this.#check();
    return this.#space.index.count(partition);
  }

  async dropPartition(partition: number): Promise<void> {
    this.#check();
    const durable = this.#journal?.append(DROP_RECORD, [encodeDrop(partition)]);
    this.#space.drop(partition);
    this.#cleaner?.poke();
    await durable;
    await this.#journal?.sync();
  }

  async sync(): Promise<void> {
    this.#check();
    await this.#journal?.sync();
  }

  stats(): EngineStats {
    const { keys, liveBytes } = this.#space;
    return {
      engine: "memory",
      keys,
      liveBytes,
      diskBytes: this.#journal?.sizeBytes ?? 0,
      deadBytes: this.deadBytes(),
      files: this.#journal?.files ?? 0,
      compactionDebtBytes: this.#cleaner?.isWorthwhile ? this.#liveOnDiskBytes() : 0,
      writesPerSync: this.#journal?.recordsPerSync ?? 0,
      refusing: this.#closing ? "closed" : this.#journal?.refusing ?? null,
    };
  }

  async verify(onProgress?: (fraction: number) => void): Promise<readonly Damage[]> {
    this.#check();
    if (this.#journal) return await this.#journal.verify(onProgress);
    onProgress?.(1);
    return [];
  }

  async compact(onProgress?: (fraction: number) => void): Promise<void> {
    this.#check();
    if (this.#cleaner) await this.#cleaner.compact(onProgress);
    else onProgress?.(1);
  }

  async copyTo(directory: string, onProgress?: (fraction: number) => void): Promise<void> {
    this.#check();
    if (!this.#journal) throw new EngineError("io", "nothing is kept on disk, there is nothing to copy");
    await this.#journal.copyTo(directory, onProgress);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#cleaner?.stop();
    await this.#journal?.close();
  }

  #check(): void {
    if (this.#closing) throw new EngineError("closed", "the engine is closed");
  }

  /** What the live keys take in a journal that holds nothing else. */
  #liveOnDiskBytes(): number {
    return this.#space.liveBytes + this.#space.keys * recordBytes(CHANGE_HEADER_BYTES);
  }

  deadBytes(): number {
    return this.#journal ? Math.max(0, this.#journal.sizeBytes - this.#liveOnDiskBytes()) : 0;
  }

  newestDirty(): number {
    return this.#journal?.segment ?? 0;
  }

  beginSegment(): void {
    this.#journal?.append(CHANGES_RECORD, []);
  }

  forgetBefore(): void {}

  *rewrite(segment: number): Generator<Promise<void> | null, void, void> {
    const journal = this.#journal!;
    const { arena } = this.#space.index;
    for (let entry = 0; entry < arena.end;) {
      const end = Math.min(arena.end, entry + SLICE_ENTRIES);
      let durable: Promise<void> | null = null;
      for (let sizeBytes = 0; entry < end && sizeBytes < SLICE_BYTES; entry++) {
        if (!arena.has(entry) || arena.segment[entry] !== segment) continue;
        const partition = arena.partition[entry]!;
        const change = { partition, key: arena.key(entry), record: arena.record(entry) };
        durable = journal.append(CHANGES_RECORD, encodeChanges([change]));
        arena.segment[entry] = journal.segment;
        sizeBytes += arena.sizeBytes(entry);
      }
      yield durable;
    }
    if (this.#id?.segment === segment) this.#id = appendStoreId(journal, this.#id.bytes);
  }
}
