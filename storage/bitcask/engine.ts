/**
 * The bitcask engine: keys in memory, records on disk (Sheehy and Smith, "Bitcask: A Log-Structured Hash Table for
 * Fast Key/Value Data", 2010).
 *
 * A hash table in memory that knows where on disk each record stands answers any read with one seek. What makes it an
 * engine is how little the disk has to do for it: a write is appended to a log, and a read reads from it. The log is
 * the {@link Journal} of all engines, so that batches, group commit, checksums, repair and the lock are its own; its
 * segments are bitcask's data files. What is added here: the {@link Keydir}, each change on its own verifiable
 * (`codec.ts`), hint files to open quickly (`hints.ts`), records that are not in a file yet ({@link InFlight}), and
 * the {@link Cleaner} in the place of bitcask's merge.
 *
 * A read that does not verify is tried again, for it may have been spoiled on its way; then it is an error, never
 * null: the key is there, and what it held must come from elsewhere. Sizes and places are known to the byte, and a
 * change is told from every other by its sequence number. That is the store's count of changes and not a clock, so it
 * never goes back, and it says nothing of time.
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
  type Entry,
  isDamage,
  type ScanOptions,
  type ScanPage,
} from "../engine.ts";
import { asEngineError, type Journal, type JournalOptions, openJournal, segmentPath } from "../journal.ts";
import { appendStoreId, drawStoreId, STORE_ID_RECORD, type StoreId } from "../store_id.ts";
import { changeBytes, CHANGES_RECORD, dropOf, encodeChanges, NOTHING, REMOVED } from "./codec.ts";
import { BITCASK_CORE, type BitcaskCore } from "./core.ts";
import { HINT_SUFFIX } from "./hint.ts";
import { Hints } from "./hints.ts";
import { InFlight } from "./in_flight.ts";
import type { Keydir } from "./keydir.ts";
import { Loaded } from "./load.ts";
import { RecordReader } from "./record_reader.ts";
import { visitRecord } from "./records.ts";
import { liveSlices } from "./rewrite.ts";
import { verifyStore } from "./verify.ts";

/** What {@link openBitcaskEngine} wants to know; spread an `Environment` into it. */
export interface BitcaskEngineOptions extends JournalOptions, CleanerOptions {}

const DONE = Promise.resolve();
const NOBODY = { change: () => {}, storeId: () => {} };

/**
 * Open a bitcask engine.
 *
 * @throws {EngineError} as `openJournal`
 * @example
 * ```ts
 * import { openBitcaskEngine } from "./engine.ts";
 * import { realEnvironment } from "../../actors/runtime/real/mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = `${Deno.makeTempDirSync()}/store`;
 * const options = { ...realEnvironment({ node: "n1" }), directory, sync: "always" as const };
 * const engine = await openBitcaskEngine(options);
 * const key = Uint8Array.of(1);
 * await engine.write([{ partition: 7, key, record: Uint8Array.of(2, 3) }]);
 * assertEquals(engine.get(7, key), Uint8Array.of(2, 3));
 * await engine.close();
 * ```
 */
export async function openBitcaskEngine(
  options: BitcaskEngineOptions,
  core: BitcaskCore = BITCASK_CORE,
): Promise<Engine> {
  const hints = new Hints(options, core);
  // A store that has lost something is another one than it was.
  const scar = () => ({ type: STORE_ID_RECORD, payload: drawStoreId(options.random) });
  const journal = await openJournal(
    { ...options, companion: HINT_SUFFIX, knows: hints.knows, scar },
    ({ type, payload }) => visitRecord(core, { type, payload, offset: 0 }, NOBODY),
  );
  try {
    const loaded = new Loaded(journal, hints, core, options.directory);
    if (loaded.id === null) {
      loaded.id = appendStoreId(journal, drawStoreId(options.random));
      await journal.sync();
    }
    return new BitcaskEngine(options, core, { journal, hints, loaded, id: loaded.id });
  } catch (error) {
    await journal.close().catch(() => {});
    throw asEngineError(error);
  }
}

/** What {@link openBitcaskEngine} has found and opened. */
interface Parts {
  readonly journal: Journal;
  readonly hints: Hints;
  readonly loaded: Loaded;
  readonly id: StoreId;
}

class BitcaskEngine implements Engine, Cleanable {
  readonly storeId: string;
  readonly damageAtOpen: readonly Damage[];
  readonly #options: BitcaskEngineOptions;
  readonly #core: BitcaskCore;
  readonly #journal: Journal;
  readonly #hints: Hints;
  readonly #keydir: Keydir;
  readonly #inFlight: InFlight;
  readonly #reader: RecordReader;
  readonly #cleaner: Cleaner;
  #id: StoreId;
  /** The number of the last change. */
  #sequence: number;
  #closing: Promise<void> | null = null;

  constructor(options: BitcaskEngineOptions, core: BitcaskCore, { journal, hints, loaded, id }: Parts) {
    this.#options = options;
    this.#core = core;
    this.#journal = journal;
    this.#hints = hints;
    this.#keydir = loaded.keydir;
    this.#sequence = loaded.sequence;
    this.#inFlight = new InFlight(loaded.sequence);
    this.#reader = new RecordReader(options, core, loaded.keydir, hints);
    this.#id = id;
    this.storeId = toHex(id.bytes);
    this.damageAtOpen = [...journal.damageAtOpen, ...hints.damageAtOpen];
    this.#cleaner = new Cleaner(options, journal, this);
    hints.start(journal);
    this.#cleaner.poke();
  }

  write(changes: readonly Change[]): Promise<void> {
    this.#check();
    checkChanges(changes);
    if (changes.length === 0) return DONE;
    const durable = this.#append(changes);
    this.#cleaner.poke();
    return durable;
  }

  /** Append changes and let them count. */
  #append(changes: readonly Change[]): Promise<void> {
    const journal = this.#journal;
    const durable = journal.append(CHANGES_RECORD, encodeChanges(changes, this.#sequence + 1));
    const { segment } = journal;
    let offset = journal.payloadOffset;
    for (const { partition, key, record } of changes) {
      const sequence = ++this.#sequence;
      const recordBytes = record === null ? REMOVED : record.length;
      this.#keydir.apply(partition, key, { segment, offset, recordBytes, sequence });
      this.#inFlight.add(durable, sequence, record);
      offset += changeBytes(key.length, recordBytes);
    }
    return durable;
  }

  get(partition: number, key: Uint8Array): Uint8Array | null {
    this.#check();
    const entry = this.#keydir.find(partition, key);
    return entry < 0 ? null : this.#recordOf(entry, partition, key);
  }

  #recordOf(entry: number, partition: number, key: Uint8Array): Uint8Array {
    const sequence = this.#keydir.sequence(entry);
    return this.#inFlight.find(sequence) ?? this.#reader.read(entry, sequence, partition, key);
  }

  scan({ partition, after, limit, limitBytes, onDamaged }: ScanOptions): ScanPage {
    this.#check();
    const keydir = this.#keydir;
    const { sorted, from, to } = keydir.ordered(partition, after);
    const entries: Entry[] = [];
    let sizeBytes = 0;
    let at = from;
    for (; at < to && entries.length < limit; at++) {
      const entry = sorted[at]!;
      const key = keydir.key(entry);
      sizeBytes += key.length + keydir.recordBytes(entry);
      if (entries.length > 0 && sizeBytes > limitBytes) break;
      try {
        entries.push({ key, record: this.#recordOf(entry, partition, key) });
      } catch (error) {
        if (!onDamaged || !isDamage(error)) throw error;
        onDamaged(error);
      }
    }
    return { entries, done: at >= to };
  }

  partitions(): number[] {
    this.#check();
    return this.#keydir.partitions();
  }

  count(partition: number): number {
    this.#check();
    return this.#keydir.count(partition);
  }

  async dropPartition(partition: number): Promise<void> {
    this.#check();
    const durable = this.#append([dropOf(partition)]);
    this.#cleaner.poke();
    await durable;
    await this.#journal.sync();
  }

  async sync(): Promise<void> {
    this.#check();
    await this.#journal.sync();
  }

  stats(): EngineStats {
    const { keys, liveBytes, liveOnDiskBytes } = this.#keydir;
    const hints = this.#hints.totals();
    return {
      engine: "bitcask",
      keys,
      liveBytes,
      diskBytes: this.#journal.sizeBytes + hints.sizeBytes,
      deadBytes: this.deadBytes(),
      files: this.#journal.files + hints.files,
      compactionDebtBytes: this.#cleaner.isWorthwhile ? liveOnDiskBytes : 0,
      writesPerSync: this.#journal.recordsPerSync,
      refusing: this.#closing ? "closed" : this.#journal.refusing,
    };
  }

  async verify(onProgress: (fraction: number) => void = () => {}): Promise<readonly Damage[]> {
    this.#check();
    const { directory } = this.#options;
    const store = { journal: this.#journal, keydir: this.#keydir, hints: this.#hints, core: this.#core };
    return await verifyStore({ ...store, directory }, onProgress);
  }

  async compact(onProgress?: (fraction: number) => void): Promise<void> {
    this.#check();
    await this.#cleaner.compact(onProgress);
  }

  async copyTo(directory: string, onProgress?: (fraction: number) => void): Promise<void> {
    this.#check();
    await this.#journal.copyTo(directory, onProgress);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const journal = this.#journal;
    await this.#cleaner.stop();
    const isDurable = await journal.sync().then(() => true, () => false);
    await this.#hints.close(isDurable ? journal.segment : null);
    this.#reader.close();
    await journal.close();
  }

  #check(): void {
    if (this.#closing) throw new EngineError("closed", "the engine is closed");
  }

  deadBytes(): number {
    return Math.max(0, this.#journal.sizeBytes - this.#keydir.liveOnDiskBytes);
  }

  newestDirty(): number {
    return this.#keydir.newestDirty();
  }

  beginSegment(): void {
    this.#append([NOTHING]);
  }

  forgetBefore(segment: number): void {
    this.#reader.closeBefore(segment);
    this.#keydir.forgetBefore(segment);
    this.#hints.forgetBefore(segment);
  }

  *rewrite(segment: number): Generator<Promise<void> | null, void, void> {
    const journal = this.#journal;
    const keydir = this.#keydir;
    for (const batches of liveSlices({ journal, keydir, core: this.#core }, segment)) {
      let durable: Promise<void> | null = null;
      for (const batch of batches) durable = this.#append(batch);
      yield durable;
    }
    const lost = keydir.keysIn(segment);
    if (lost > 0) {
      this.#hints.distrust(segment);
      const path = segmentPath(this.#options.directory, segment);
      throw new EngineError("corrupt", `${path} stays: ${lost} of its keys cannot be read`);
    }
    if (this.#id.segment !== segment) return;
    this.#id = appendStoreId(journal, this.#id.bytes);
    // It may be all that is left, and the last number must not be forgotten.
    this.#append([NOTHING]);
  }
}
