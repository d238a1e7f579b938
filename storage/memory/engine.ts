/**
 * The memory engine: everything in memory, and a journal that remembers it.
 *
 * A write goes to the journal and into the {@link KeySpace}; a read never waits. Opening replays the journal.
 * With `persist: false` there is no journal and nothing is remembered.
 *
 * The journal would grow for ever, so it is cleaned. Naive: write a snapshot of all that is live, then begin a new
 * journal. Everything stops meanwhile, and a crash between the two needs a manifest to say which of them counts.
 * Here the oldest segment is cleaned, again and again while more than half of the journal is dead: the records it
 * holds that are still live are appended anew, at most {@link SLICE_BYTES} per group commit, and once that is
 * durable the segment is removed. The order of records stays the truth at every step. A removal of a key may go
 * with the oldest segment, because no older one holds what it removed (bitcask's merge went wrong there: FAULTS,
 * last paragraph). Cleaning when half is dead writes each byte twice, at most, in the long run (Rosenblum and
 * Ousterhout, "The Design and Implementation of a Log-Structured File System", 1992, section 3.4).
 *
 * @module
 */

import { toHex } from "../../actors/runtime/bytes.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
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
import {
  CHANGE_HEADER_BYTES,
  CHANGES_RECORD,
  decodeChanges,
  decodeDrop,
  DROP_RECORD,
  encodeChanges,
  encodeDrop,
  STORE_ID_BYTES,
  STORE_ID_RECORD,
} from "./codec.ts";
import { LARGE_BYTES } from "./arena.ts";
import { KeySpace } from "./key_space.ts";

/** What {@link openMemoryEngine} wants to know; spread an `Environment` into it. */
export interface MemoryEngineOptions extends JournalOptions {
  /** False: keep nothing on disk; `directory` is not touched. Default true. */
  readonly persist?: boolean;
  /** Dead bytes that the journal may always hold. Default `LIMITS.deadBytes`. */
  readonly deadBytes?: number;
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
    if (record.payload.length !== STORE_ID_BYTES) return false;
    id = { bytes: record.payload.slice(), segment: record.segment };
    return true;
  };
  // A store that has lost something is another one than it was.
  const scar = () => ({ type: STORE_ID_RECORD, payload: options.random.bytes(STORE_ID_BYTES) });
  const journal = await openJournal({ ...options, scar }, replayAll);
  try {
    if (id === null) {
      id = appendId(journal, options.random.bytes(STORE_ID_BYTES));
      await journal.sync();
    }
    return new MemoryEngine(options, space, journal, id);
  } catch (error) {
    await journal.close().catch(() => {});
    throw error;
  }
}

/** See {@link Engine.storeId}. */
interface StoreId {
  readonly bytes: Uint8Array;
  /** The newest segment that holds it. */
  readonly segment: number;
}

function appendId(journal: Journal, bytes: Uint8Array): StoreId {
  journal.append(STORE_ID_RECORD, [bytes]);
  return { bytes, segment: journal.segment };
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

class MemoryEngine implements Engine {
  readonly storeId: string | null;
  readonly damageAtOpen: readonly Damage[];
  readonly #options: MemoryEngineOptions;
  readonly #space: KeySpace;
  readonly #journal: Journal | null;
  #id: StoreId | null;
  #closing: Promise<void> | null = null;
  #cleaning: Promise<void> | null = null;
  /** Not before, on the clock: what made cleaning fail may last. */
  #cleansAgainAt = -Infinity;

  constructor(options: MemoryEngineOptions, space: KeySpace, journal: Journal | null, id: StoreId | null) {
    this.#options = options;
    this.#space = space;
    this.#journal = journal;
    this.#id = id;
    this.storeId = id && toHex(id.bytes);
    this.damageAtOpen = journal?.damageAtOpen ?? [];
    this.#cleanIfWorthwhile();
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
    this.#cleanIfWorthwhile();
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
    return this.#space.partitions();
  }

  count(partition: number): number {
    this.#check();
    return this.#space.count(partition);
  }

  async dropPartition(partition: number): Promise<void> {
    this.#check();
    const durable = this.#journal?.append(DROP_RECORD, [encodeDrop(partition)]);
    this.#space.drop(partition);
    this.#cleanIfWorthwhile();
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
      deadBytes: this.#deadBytes(),
      files: this.#journal?.files ?? 0,
      compactionDebtBytes: this.#isWorthwhile() ? this.#liveOnDiskBytes() : 0,
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

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#cleaning;
    await this.#journal?.close();
  }

  #check(): void {
    if (this.#closing) throw new EngineError("closed", "the engine is closed");
  }

  /** What the live keys take in a journal that holds nothing else. */
  #liveOnDiskBytes(): number {
    return this.#space.liveBytes + this.#space.keys * recordBytes(CHANGE_HEADER_BYTES);
  }

  #deadBytes(): number {
    return this.#journal ? Math.max(0, this.#journal.sizeBytes - this.#liveOnDiskBytes()) : 0;
  }

  #isWorthwhile(): boolean {
    if (!this.#journal) return false;
    const deadBytes = this.#deadBytes();
    const floor = this.#options.deadBytes ?? LIMITS.deadBytes;
    return deadBytes > floor && deadBytes * 2 > this.#journal.sizeBytes;
  }

  #cleanIfWorthwhile(): void {
    if (this.#cleaning || !this.#journal || this.#journal.refusing || !this.#isWorthwhile()) return;
    if (this.#options.clock.now() < this.#cleansAgainAt) return;
    this.#cleaning = this.#clean(this.#journal).finally(() => this.#cleaning = null);
  }

  /** Clean oldest segments while that is worthwhile. Never rejects. */
  async #clean(journal: Journal): Promise<void> {
    const { log, clock, directory } = this.#options;
    try {
      while (this.#isWorthwhile() && !this.#closing) {
        const { oldest } = journal;
        if (oldest === journal.segment) {
          journal.seal();
          journal.append(CHANGES_RECORD, []); // no change, but the first record of a new segment
        }
        for (let entry = 0; entry < this.#space.arena.end;) {
          if (this.#closing) return;
          entry = await this.#cleanSlice(journal, oldest, entry);
        }
        if (this.#id?.segment === oldest) this.#id = appendId(journal, this.#id.bytes);
        // Only what was copied must be durable, but the copies are behind all the rest.
        await journal.sync();
        await journal.removeBefore(oldest + 1);
      }
    } catch (error) {
      this.#cleansAgainAt = clock.now() + LIMITS.cleaningPauseMs;
      log.warn("cleaning the journal was given up for now", { directory, reason: String(error) });
    }
  }

  /** Append anew what of `segment` is live, from entry `from` on, as far as one slice goes; returns how far. */
  async #cleanSlice(journal: Journal, segment: number, from: number): Promise<number> {
    const { arena } = this.#space;
    const end = Math.min(arena.end, from + SLICE_ENTRIES);
    let durable: Promise<void> | null = null;
    let sizeBytes = 0;
    let entry = from;
    for (; entry < end && sizeBytes < SLICE_BYTES; entry++) {
      if (!arena.has(entry) || arena.segment[entry] !== segment) continue;
      const change = {
        partition: arena.partition[entry]!,
        key: arena.key(entry),
        record: arena.record(entry),
      };
      durable = journal.append(CHANGES_RECORD, encodeChanges([change]));
      arena.segment[entry] = journal.segment;
      sizeBytes += arena.sizeBytes(entry);
    }
    if (durable && this.#options.sync === "always") await durable;
    else await new Promise<void>((resolve) => this.#options.clock.after(0, resolve));
    return entry;
  }
}

function checkChanges(changes: readonly Change[]): void {
  let sizeBytes = 0;
  for (const { partition, key, record } of changes) {
    if (key.length === 0 || key.length > LIMITS.keyBytes) {
      throw new RangeError(`a key has 1 to ${LIMITS.keyBytes} bytes, not ${key.length}`);
    }
    if (!Number.isInteger(partition) || partition < 0 || partition >= LIMITS.partitions) {
      throw new RangeError(`no partition ${partition}`);
    }
    sizeBytes += key.length + (record?.length ?? 0);
  }
  if (sizeBytes > LIMITS.batchBytes) throw new RangeError(`a batch has at most ${LIMITS.batchBytes} bytes`);
}
