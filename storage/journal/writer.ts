/**
 * Writing a journal: group commit.
 *
 * A sync of the disk costs a hundred times what writing a record costs, and it covers everything that was written
 * before it. So whoever appends does not sync: the records of one turn gather in a batch, a microtask writes the
 * batch with one call, and one sync is under way at a time, with the next batch gathering behind it (DeWitt et
 * al., "Implementation Techniques for Main Memory Database Systems", SIGMOD 1984, section 5.2, where it is called
 * pre-committing in groups). Everyone in a batch gets the same promise.
 *
 * Two failures are answered for good:
 *
 * - No space. Nothing of the batch is acknowledged, what was written of it is cut off again, and the writer refuses
 *   until the batch has found room; it tries once a second. It keeps the batch because the owner has applied it:
 *   to drop it would leave memory and disk different for good.
 * - A sync fails. The kernel may have forgotten what it could not write, and the next sync would succeed without
 *   it (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020). So the writer is poisoned:
 *   nothing more is written or acknowledged, and what reading the file shows is not to be relied on. A new process
 *   copies what it can read to a new file (`open.ts`).
 *
 * @module
 */

import { DiskError, type DiskFile, type Timer } from "../../actors/runtime/environment.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { EngineError } from "../engine.ts";
import { type Batch, newBatch, RecordBuffer, type Tail, writeAll } from "./batch.ts";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  END_RECORD,
  recordBytes,
  SEGMENT_HEADER_BYTES,
} from "./format.ts";
import type { JournalOptions } from "./options.ts";
import { createSegment } from "./segments.ts";

/** Where a writer goes on. */
export interface Continuation {
  /** The newest segment, open for writing. */
  readonly file: DiskFile;
  /** Its number. */
  readonly number: number;
  /** Its seed. */
  readonly seed: number;
  /** Its size, all of it durable. */
  readonly end: number;
}

const DONE = Promise.resolve();
const ignore = () => {};

/** Appends to the newest segment of a journal. */
export class Writer {
  readonly #options: JournalOptions;
  readonly #segmentBytes: number;
  /** What waits to be written; the last one gathers. */
  #queue: Batch[] = [];
  #queuedBytes = 0;
  #slab: Uint8Array | undefined;
  /** Where the next record will stand. */
  #tail: Tail;
  #tailEnd: number;
  #offset = 0;
  #sealed = false;
  /** What has been written. */
  #file: DiskFile;
  #written: Tail;
  #writtenEnd: number;
  /** Up to where it will be durable before anything more is written: where the last sync began. */
  #durableEnd: number;
  #unsynced = false;

  #scheduled = false;
  #running = false;
  /** Resolves when the last run of the pump is over. */
  #idle: Promise<void> = DONE;
  #closing = false;
  #refusal: EngineError | null = null;
  #probe: Timer | null = null;
  #syncTimer: Timer | null = null;
  /** Where the last end record ends, and when that is synced. */
  #endedAt = -1;
  #endTimer: Timer | null = null;

  /** Records made durable, and syncs that took, since the start. */
  readonly counts = { records: 0, syncs: 0 };
  /** Called with each segment that is complete and durable, and its size. */
  onSegment: (number: number, sizeBytes: number) => void = ignore;

  /** @param options what it needs @param continuation where it goes on */
  constructor(options: JournalOptions, { file, number, seed, end }: Continuation) {
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? LIMITS.segmentBytes;
    this.#file = file;
    this.#tail = this.#written = { number, seed, header: new Uint8Array(0) };
    this.#tailEnd = this.#writtenEnd = this.#durableEnd = end;
  }

  /** The segment that the last append went to. */
  get segment(): number {
    return this.#tail.number;
  }

  /** Where in it the last append begins. */
  get offset(): number {
    return this.#offset;
  }

  /** The segment that is being written, and how much of it has been. */
  get written(): { readonly number: number; readonly sizeBytes: number } {
    return { number: this.#written.number, sizeBytes: this.#writtenEnd };
  }

  /** Why it takes no appends, null when it does. */
  get refusal(): EngineError | null {
    return this.#refusal;
  }

  /** See {@link Journal.append}. */
  append(type: number, parts: readonly Uint8Array[]): Promise<void> {
    if (this.#closing) throw this.#closed();
    return this.#append(type, parts);
  }

  #append(type: number, parts: readonly Uint8Array[]): Promise<void> {
    if (this.#refusal) throw this.#refusal;
    let payloadBytes = 0;
    for (const part of parts) payloadBytes += part.length;
    const sizeBytes = recordBytes(payloadBytes);
    if (this.#queuedBytes > 0 && this.#queuedBytes + sizeBytes > LIMITS.journalBacklogBytes) {
      throw new EngineError("overloaded", `over ${LIMITS.journalBacklogBytes} bytes wait for the disk`);
    }
    const isLong = this.#tailEnd + sizeBytes > this.#segmentBytes;
    if (this.#tailEnd > SEGMENT_HEADER_BYTES && (isLong || this.#sealed)) this.#startSegment();
    this.#sealed = false;
    const batch = this.#gathering();
    batch.buffer.append(batch.place, this.#tailEnd, type, parts);
    this.#offset = this.#tailEnd;
    batch.records++;
    this.#tailEnd += sizeBytes;
    this.#queuedBytes += sizeBytes;
    return batch.promise;
  }

  /** Let the next append start a new segment. */
  seal(): void {
    this.#sealed = true;
  }

  /** See {@link Journal.sync}. */
  sync(): Promise<void> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    if (!this.#running && this.#queue.length === 0 && !this.#unsynced) return DONE;
    const batch = this.#gathering();
    batch.mustSync = true;
    return batch.promise;
  }

  /**
   * Write and sync all there is, then an end record, and close the file.
   *
   * @throws {EngineError} when that cannot be done; the file is closed all the same
   */
  async close(): Promise<void> {
    this.#closing = true;
    try {
      if (this.#refusal?.code === "full") this.#start();
      await this.#idle;
      await this.sync();
      // A sync of its own: an end record must never be seen without what it vouches for.
      this.#append(END_RECORD, []);
      await this.sync();
    } finally {
      this.#syncTimer?.cancel();
      this.#endTimer?.cancel();
      this.#probe?.cancel();
      this.#refuse(this.#refusal ?? this.#closed());
      await this.#idle;
      this.#file.close();
    }
  }

  /** Take no more, and let nobody wait for ever. */
  poison(detail: string): void {
    if (this.#refusal?.code === "poisoned") return;
    const { log, directory } = this.#options;
    log.error("the journal takes no more writes until a new process opens it", { directory, detail });
    this.#refuse(new EngineError("poisoned", `poisoned: ${detail}`));
    this.#queue = [];
  }

  #closed(): EngineError {
    return new EngineError("closed", `${this.#options.directory} is closed`);
  }

  #refuse(refusal: EngineError): void {
    this.#refusal = refusal;
    for (const batch of this.#queue) batch.reject(refusal);
  }

  #startSegment(): void {
    const number = this.#tail.number + 1;
    const header = encodeSegmentHeader(number, this.#options.random.bytes(8), this.#tailEnd);
    this.#tail = { number, header, seed: decodeSegmentHeader(header)!.seed };
    this.#tailEnd = SEGMENT_HEADER_BYTES;
  }

  /** The batch that takes the next record. */
  #gathering(): Batch {
    const last = this.#queue.at(-1);
    if (last && last.tail === this.#tail) return last;
    const tail = this.#tail;
    const durable = tail === this.#written ? this.#durableEnd : SEGMENT_HEADER_BYTES;
    const batch = newBatch(tail, durable, this.#slab);
    this.#slab = undefined;
    this.#queue.push(batch);
    if (!this.#scheduled && !this.#running) {
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        if (!this.#refusal) this.#start();
      });
    }
    return batch;
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#idle = this.#pump();
  }

  /** Write and sync batch after batch until none is left. Never rejects. */
  async #pump(): Promise<void> {
    for (let batch = this.#queue[0]; batch; batch = this.#queue[0]) {
      try {
        if (batch.tail !== this.#written) await this.#nextSegment(batch.tail);
        if (this.#refusal?.code === "poisoned") break;
        this.#write(batch);
      } catch (error) {
        this.#onWriteFailed(error);
        break;
      }
      // Taken: from here on appends gather in the next batch.
      this.#queue.shift();
      this.#queuedBytes -= batch.buffer.sizeBytes;
      this.#slab = batch.buffer.release();
      try {
        if (batch.mustSync || this.#options.sync === "always") await this.#sync();
        else this.#syncLater();
      } catch {
        batch.reject(this.#refusal!);
        break;
      }
      this.#recovered();
      this.counts.records += batch.records;
      batch.resolve();
    }
    if (!this.#refusal && !this.#closing) this.#writeEnd();
    this.#running = false;
  }

  /**
   * Say that all before is durable, where nothing more is to be written for the time being: that the last batch is
   * missing, or spoiled, would else look like the trace of a crash. It is synced with the next batch or a moment later.
   */
  #writeEnd(): void {
    if (this.#unsynced || this.#writtenEnd === this.#endedAt) return;
    const { seed } = this.#written;
    const buffer = new RecordBuffer(this.#slab);
    buffer.append({ seed, durable: this.#writtenEnd }, this.#writtenEnd, END_RECORD, []);
    try {
      this.#tailEnd = this.#writtenEnd = this.#endedAt = this.#writeWhole(buffer);
      this.#endTimer ??= this.#options.clock.after(LIMITS.endSyncMs, () => {
        this.#endTimer = null;
        if (this.#writtenEnd !== this.#endedAt) return; // a batch brings its sync
        this.#unsynced = true;
        this.sync().catch(ignore);
      });
    } catch (error) {
      if (!isFull(error)) this.poison(String(error));
    }
    this.#slab = buffer.release();
  }

  #write(batch: Batch): void {
    if (batch.buffer.sizeBytes === 0) return;
    this.#unsynced = true;
    this.#writtenEnd = this.#writeWhole(batch.buffer);
  }

  /** Write all of it, or nothing. Returns where it ends. */
  #writeWhole(buffer: RecordBuffer): number {
    try {
      return writeAll(this.#file, buffer.pieces(), this.#writtenEnd);
    } catch (error) {
      this.#file.truncate(this.#writtenEnd);
      throw error;
    }
  }

  /** A sync that fails poisons, whatever it is called: one for lack of space has forgotten what it could not place. */
  async #sync(): Promise<void> {
    if (!this.#unsynced) return;
    this.#durableEnd = this.#writtenEnd;
    if (this.#writtenEnd !== this.#endedAt) this.counts.syncs++; // an end record is no work of anybody's
    try {
      await this.#file.sync();
    } catch (error) {
      this.poison(String(error));
      throw this.#refusal;
    }
    this.#unsynced = false;
  }

  /** Only the newest segment is ever unsynced: that is all that an unclean start has to copy. */
  async #nextSegment(tail: Tail): Promise<void> {
    this.#unsynced = true; // the end record is
    await this.#sync();
    const { disk, directory } = this.#options;
    const file = await createSegment(disk, directory, tail.number, tail.header);
    this.#file.close();
    this.onSegment(this.#written.number, this.#writtenEnd);
    this.#file = file;
    this.#written = tail;
    this.#writtenEnd = this.#durableEnd = SEGMENT_HEADER_BYTES;
  }

  #syncLater(): void {
    const { sync, clock } = this.#options;
    if (typeof sync === "string" || this.#syncTimer || !this.#unsynced) return;
    this.#syncTimer = clock.after(sync.intervalMs, () => {
      this.#syncTimer = null;
      this.sync().catch(ignore);
    });
  }

  #onWriteFailed(error: unknown): void {
    if (!isFull(error)) return this.poison(String(error));
    const { log, clock, directory } = this.#options;
    if (!this.#refusal) log.error("the disk is full: no writes until there is space", { directory });
    this.#refuse(new EngineError("full", `full: ${error.message}`));
    this.#probe = clock.after(LIMITS.fullProbeMs, () => {
      if (this.#refusal?.code === "full") this.#start();
    });
  }

  #recovered(): void {
    if (this.#refusal?.code !== "full") return;
    this.#refusal = null;
    this.#options.log.info("there is space again", { directory: this.#options.directory });
  }
}

function isFull(error: unknown): error is DiskError {
  return error instanceof DiskError && error.code === "no-space";
}
