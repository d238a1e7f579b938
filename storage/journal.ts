/**
 * A journal: an append-only log that says when a record is durable, and gives every durable record back.
 *
 * It is the write-ahead log of the engines and the whole of the node's own memory. A directory holds one journal:
 * numbered segments, of which only the newest is written. A record is appended whole or not at all, so a record
 * is also the unit of atomicity. Old segments are the owner's to give up: it appends again what is still needed
 * of the oldest and then removes it ({@link Journal.removeBefore}); so a log needs no manifest, and the order of
 * the records is always the truth (Rosenblum and Ousterhout, "The Design and Implementation of a Log-Structured
 * File System", 1992, section 3). The bytes are in `storage/FORMAT.md`, group commit and what happens when the
 * disk fails in `journal/writer.ts`, repair in `journal/open.ts`.
 *
 * @module
 */

import type { Lock } from "../actors/runtime/environment.ts";
import type { Damage } from "./engine.ts";
import { copySegments, makeCopy, refuseUnfinished } from "./journal/copy.ts";
import { makeDurableDirectory, recover, type Recovered, type Replay } from "./journal/open.ts";
import type { JournalOptions } from "./journal/options.ts";
import { asEngineError } from "./journal/errors.ts";
import { RECORD_HEADER_BYTES } from "./journal/format.ts";
import { identifySegment, inspectSegment, readWritten } from "./journal/inspect.ts";
import type { FoundDamage, FoundRecord } from "./journal/reader.ts";
import { type SegmentIdentity, segmentPath } from "./journal/segments.ts";
import { Writer } from "./journal/writer.ts";

export type { JournalRecord, Replay } from "./journal/open.ts";
export type { JournalOptions } from "./journal/options.ts";
export type { FoundDamage, FoundRecord } from "./journal/reader.ts";
export type { SegmentIdentity } from "./journal/segments.ts";
export { asEngineError } from "./journal/errors.ts";
export { recordBytes } from "./journal/format.ts";
export { segmentPath } from "./journal/segments.ts";

/**
 * Open the journal in a directory, which is made when it is missing, and hand every record that was ever durable
 * to `replay`, oldest first (and perhaps records that were appended last and never acknowledged). One process at
 * a time may have it open.
 *
 * @throws {EngineError} `locked`, `newer`, `corrupt` (a segment is missing, or this is half a copy), `full`, `io`
 * @example
 * ```ts
 * import { openJournal } from "./journal.ts";
 * import { realEnvironment } from "../actors/runtime/real/mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = `${Deno.makeTempDirSync()}/journal`;
 * const options = { ...realEnvironment({ node: "n1" }), directory, sync: "always" as const };
 * const journal = await openJournal(options, () => true);
 * await journal.append(1, [Uint8Array.of(1, 2), Uint8Array.of(3)]);
 * await journal.close();
 *
 * const seen: number[] = [];
 * const again = await openJournal(options, ({ payload }) => seen.push(...payload) > 0);
 * assertEquals(seen, [1, 2, 3]);
 * await again.close();
 * ```
 */
export async function openJournal(options: JournalOptions, replay: Replay): Promise<Journal> {
  const { disk, log, directory } = options;
  let lock: Lock | null = null;
  try {
    await makeDurableDirectory(disk, directory);
    lock = disk.lock(lockOf(directory));
    refuseUnfinished(disk, directory);
    const recovered = await recover(options, replay);
    for (const damage of recovered.damage) {
      const fields = { ...damage };
      if (damage.kind === "corrupt") log.error("a journal is damaged; the rest of it is kept", fields);
      else log.warn("the end of a journal was torn and is cut off", fields);
    }
    return new Journal(options, recovered, lock);
  } catch (error) {
    lock?.release();
    throw asEngineError(error);
  }
}

function lockOf(directory: string): string {
  return `${directory}/lock`;
}

/** An open journal; made by {@link openJournal}. */
export class Journal {
  /** What opening it cut or skipped. */
  readonly damageAtOpen: readonly Damage[];
  /** Segments that were not read when it was opened, because their owner knew what they hold. */
  readonly unread: ReadonlySet<number>;
  /** Called with each segment that is complete and durable from now on. */
  onComplete: (segment: number) => void = () => {};
  readonly #options: JournalOptions;
  readonly #writer: Writer;
  readonly #lock: Lock;
  /** Sizes of the segments before the one being written. */
  readonly #segments: Map<number, number>;
  #segmentsBytes = 0;
  #closing: Promise<void> | null = null;

  /**
   * What {@link openJournal} does in the end.
   *
   * @param options as given @param recovered what is there @param lock held until closed
   */
  constructor(options: JournalOptions, recovered: Recovered, lock: Lock) {
    this.#options = options;
    this.#lock = lock;
    this.damageAtOpen = recovered.damage;
    this.unread = recovered.unread;
    this.#segments = recovered.segments;
    for (const sizeBytes of this.#segments.values()) this.#segmentsBytes += sizeBytes;
    this.#writer = new Writer(options, recovered.continuation);
    this.#writer.onSegment = (number, sizeBytes) => {
      this.#segments.set(number, sizeBytes);
      this.#segmentsBytes += sizeBytes;
      this.onComplete(number);
    };
  }

  /**
   * Append one record of `type` (1 to 255). The promise resolves when it is durable, as the sync policy has it;
   * appends that are made durable together share one promise. Parts under 32 KiB are copied at once, longer ones
   * written from where they are: they must not be changed before.
   *
   * @throws {EngineError} at once, nothing appended: `poisoned`, `full`, `overloaded`, `closed`. The promise
   * rejects with `poisoned` (unknown whether the record is there after a restart) or with `full` (the record is
   * kept and will be written when there is space).
   */
  append(type: number, parts: readonly Uint8Array[]): Promise<void> {
    return this.#writer.append(type, parts);
  }

  /** Make everything appended so far durable, whatever the sync policy. Rejects as {@link Journal.append}. */
  sync(): Promise<void> {
    return this.#writer.sync();
  }

  /** The number of the segment that the last append went to. */
  get segment(): number {
    return this.#writer.segment;
  }

  /** Where in that segment its payload begins: known at once, and true once it is durable. */
  get payloadOffset(): number {
    return this.#writer.offset + RECORD_HEADER_BYTES;
  }

  /** All segments by number, oldest first, and how much of each has been written. */
  segments(): Map<number, number> {
    const { number, sizeBytes } = this.#writer.written;
    return new Map([...this.#segments, [number, sizeBytes]]);
  }

  /** Whether a segment is complete, and not removed yet. */
  isComplete(segment: number): boolean {
    return this.#segments.has(segment);
  }

  /** The number of the oldest segment. */
  get oldest(): number {
    for (const number of this.#segments.keys()) return number;
    return this.#writer.written.number;
  }

  /** When the file was made that keeps other processes out: another time in every copy of the directory. */
  get birthMs(): number | null {
    return this.#options.disk.birthMs(lockOf(this.#options.directory));
  }

  /** Size of all segments, as written. */
  get sizeBytes(): number {
    return this.#segmentsBytes + this.#writer.written.sizeBytes;
  }

  /** Segments on disk. */
  get files(): number {
    return this.#segments.size + 1;
  }

  /** Records made durable per sync, since it was opened; 0 before the first sync. */
  get recordsPerSync(): number {
    const { records, syncs } = this.#writer.counts;
    return syncs === 0 ? 0 : records / syncs;
  }

  /** Why it takes no appends (`poisoned: …`, `full: …`), null when it does. */
  get refusing(): string | null {
    return this.#writer.refusal?.message ?? null;
  }

  /** Let the next append begin a new segment, so that the present one can be removed some day. */
  seal(): void {
    this.#writer.seal();
  }

  /**
   * Remove all segments before `number`, of which nothing is needed any more. Each is durably gone before the
   * next goes, so that a crash never leaves an old record without the younger one that overrides it.
   *
   * @throws {EngineError} rejects with `io` when one cannot be removed, `poisoned` when that cannot be made sure
   */
  async removeBefore(number: number): Promise<void> {
    const { disk, directory, companion } = this.#options;
    for (const [segment, sizeBytes] of [...this.#segments]) {
      if (segment >= number) return;
      try {
        const beside = companion && segmentPath(directory, segment, companion);
        if (beside && disk.exists(beside)) disk.remove(beside);
        disk.remove(segmentPath(directory, segment));
      } catch (error) {
        throw asEngineError(error);
      }
      this.#segments.delete(segment);
      this.#segmentsBytes -= sizeBytes;
      try {
        await disk.syncDirectory(directory);
      } catch (error) {
        this.#writer.poison(String(error));
        throw this.#writer.refusal;
      }
    }
  }

  /**
   * Copy everything that has been written, which is more than what is durable, into a directory that does not exist
   * yet, durably and in slices. See `Engine.copyTo`.
   *
   * @throws {EngineError} rejects with `poisoned` or `closed` when what can be read is not to be relied on, `corrupt`
   * when the newest segment is damaged, `full`, `io`; what was made of the copy is removed
   */
  async copyTo(directory: string, onProgress: (fraction: number) => void = () => {}): Promise<void> {
    const { refusal } = this.#writer;
    if (refusal !== null && refusal.code !== "full") throw refusal;
    try {
      await makeCopy(this.#options.disk, directory, () => {
        const written = { complete: [...this.#segments.keys()], newest: this.#writer.written };
        return copySegments(this.#options, directory, written, onProgress);
      });
    } catch (error) {
      throw asEngineError(error);
    }
    onProgress(1);
  }

  /**
   * What a segment holds by now, in order: records, and the damage between them. A payload is valid until the next one
   * is asked for. Time may pass in between; the segment may even be removed.
   *
   * @throws {EngineError} `io` when it cannot be read
   */
  read(segment: number): Generator<FoundRecord | FoundDamage, void, void> {
    const end = this.#segments.get(segment) ?? this.#writer.written.sizeBytes;
    return readWritten(this.#options, segment, end);
  }

  /** Which file a segment is; null when its header does not verify. Throws as {@link Journal.read}. */
  identify(segment: number): SegmentIdentity | null {
    return identifySegment(this.#options, segment);
  }

  /** Read everything that has been written and report what is damaged, in slices. See `Engine.verify`. */
  async verify(onProgress: (fraction: number) => void = () => {}): Promise<Damage[]> {
    const damage: Damage[] = [];
    await this.inspect(onProgress, (segment, found) => {
      if (found.kind === "record") return;
      const path = segmentPath(this.#options.directory, segment);
      damage.push({ kind: "corrupt", path, offset: found.offset, detail: found.detail });
    });
    return damage;
  }

  /**
   * Read everything that has been written, in slices, and tell `onFound` of all records and all damage: also of what
   * costs nothing, as one of two copies of a header, and of segments that cannot be read at all.
   */
  async inspect(
    onProgress: (fraction: number) => void,
    onFound: (segment: number, found: FoundRecord | FoundDamage) => void,
  ): Promise<void> {
    const total = this.sizeBytes;
    let done = 0;
    for (const [segment, end] of this.segments()) {
      try {
        await inspectSegment(this.#options, segment, end, (found) => {
          onFound(segment, found);
          onProgress(Math.min(1, (done + found.end) / total));
        });
      } catch (error) {
        // Removed meanwhile, by whoever had no more need of it.
        const wasRemoved = !this.#segments.has(segment) && segment !== this.#writer.written.number;
        const isWritten = { wasWritten: true, detail: String(error) };
        if (!wasRemoved) onFound(segment, { kind: "damage", offset: 0, end, ...isWritten });
      }
      done += end;
    }
    onProgress(1);
  }

  /**
   * Make everything durable, mark the end as clean, let go of the files and the lock. Closing twice gives the
   * same promise. Rejects, all let go the same, when not everything could be made durable.
   */
  close(): Promise<void> {
    this.#closing ??= this.#writer.close().finally(() => this.#lock.release());
    return this.#closing;
  }
}
