/**
 * The hint files beside the segments of one journal: read when it is opened, written in the background for every
 * segment that is complete, and for the newest one by a clean close.
 *
 * A hint file is made by reading the segment, which is durable by then, so it says what is in the file and not what
 * should be; and nothing has to be remembered while the segment is written. It is written under a temporary name,
 * synced and renamed: it is there as a whole or not at all. Whether it lasts does not matter, for it can be made again.
 *
 * @module
 */

import { type Disk, DiskError, type DiskFile } from "../../actors/runtime/environment.ts";
import type { Damage } from "../engine.ts";
import { type Journal, type JournalOptions, type SegmentIdentity, segmentPath } from "../journal.ts";
import { writeAll } from "../journal/batch.ts";
import { SEGMENT_HEADER_BYTES } from "../journal/format.ts";
import { READ_TRIES } from "../journal/reader.ts";
import type { BitcaskCore } from "./core.ts";
import { type Hint, HINT_HEADER_BYTES, HINT_SUFFIX, HintEncoder } from "./hint.ts";
import { visitRecord } from "./records.ts";

/** Writing a hint file pauses after so many bytes of its segment. */
const SLICE_BYTES = 256 * 1024;

/** What reading a hint file gives; `damaged`: it does not verify; `unreadable`: the disk does not give it. */
type Found = Hint | "absent" | "damaged" | "unreadable";

/** The hint files of one journal. */
export class Hints {
  /** Hint files that did not verify when the journal was opened. */
  readonly damageAtOpen: Damage[] = [];
  readonly #options: JournalOptions;
  readonly #core: BitcaskCore;
  #journal: Journal | null = null;
  /** Sizes of the hint files that are there, by segment. */
  readonly #sizes = new Map<number, number>();
  /** Segments that are damaged: no hint file may hide that from the next process. */
  readonly #damaged = new Set<number>();
  /** Segments whose hint file is to be written: those that an earlier process left without, and those since. */
  #missing: number[] = [];
  readonly #waiting: number[] = [];
  #running: Promise<void> | null = null;

  /** @param options of the journal @param core what decodes */
  constructor(options: JournalOptions, core: BitcaskCore) {
    this.#options = options;
    this.#core = core;
  }

  /** See `JournalOptions.knows`. */
  readonly knows = ({ number, seed }: SegmentIdentity): number | null => {
    const found = this.read(number);
    if (found === "damaged") {
      const detail = "the hint file does not verify";
      this.damageAtOpen.push({ kind: "rebuilt", path: this.#path(number), offset: 0, detail });
    }
    if (typeof found === "string" || found.number !== number || found.seed !== seed) return null;
    return found.end;
  };

  /** The hint file because of which a segment was not read; null when it was. */
  load(journal: Journal, segment: number): Hint | null {
    if (!journal.unread.has(segment)) return null;
    const found = this.read(segment);
    if (typeof found === "string") return null; // it is misread now
    this.#sizes.set(segment, found.bytes.length);
    return found;
  }

  /** Write what is missing, and from now on the hint file of every segment that is complete. */
  start(journal: Journal): void {
    this.#journal = journal;
    for (const segment of journal.segments().keys()) {
      if (journal.isComplete(segment) && !journal.unread.has(segment)) this.#missing.push(segment);
    }
    journal.onComplete = (segment) => this.renew(segment);
    this.#run();
  }

  /** Write the hint file of a complete segment anew. */
  renew(segment: number): void {
    this.#waiting.push(segment);
    this.#run();
  }

  /** Something in a segment does not verify: the next process is to read all of it, and to mend it. */
  distrust(segment: number): void {
    if (this.#damaged.has(segment)) return;
    this.#damaged.add(segment);
    this.#sizes.delete(segment);
    removeIfThere(this.#options.disk, this.#path(segment));
  }

  /**
   * Write what is waiting, and the hint file of the newest segment, to which nothing will be appended. What an earlier
   * process left is left once more: it may be much. Never rejects.
   */
  async close(newest: number | null): Promise<void> {
    this.#missing = [];
    await this.#running;
    if (newest !== null && this.#journal) await this.#write(this.#journal, newest);
  }

  /** What a hint file says; read again before it counts as damaged. */
  read(segment: number): Found {
    const path = this.#path(segment);
    let file: DiskFile | null = null;
    try {
      file = this.#options.disk.open(path);
      const bytes = new Uint8Array(file.size());
      for (let tries = 0; tries < READ_TRIES; tries++) {
        const hint = this.#core.decodeHint(bytes.subarray(0, file.read(bytes, 0)), path);
        if (hint !== null) return hint;
      }
      return "damaged";
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.code === "not-found") return "absent";
      if (error.code === "io") return "unreadable";
      throw error;
    } finally {
      file?.close();
    }
  }

  /** How many hint files there are, and what they take. */
  totals(): { readonly files: number; readonly sizeBytes: number } {
    let sizeBytes = 0;
    for (const size of this.#sizes.values()) sizeBytes += size;
    return { files: this.#sizes.size, sizeBytes };
  }

  /** Segments before this one are gone. */
  forgetBefore(segment: number): void {
    for (const number of [...this.#sizes.keys()]) if (number < segment) this.#sizes.delete(number);
  }

  #path(segment: number): string {
    return segmentPath(this.#options.directory, segment, HINT_SUFFIX);
  }

  #run(): void {
    if (this.#running || !this.#journal) return;
    this.#running = this.#writeWaiting(this.#journal).finally(() => this.#running = null);
  }

  async #writeWaiting(journal: Journal): Promise<void> {
    for (;;) {
      const segment = this.#waiting.shift() ?? this.#missing.shift();
      if (segment === undefined) return;
      await this.#write(journal, segment);
    }
  }

  /** Write one hint file, as long as its segment is there. Never rejects: without it the segment will be read. */
  async #write(journal: Journal, segment: number): Promise<void> {
    const { disk, log } = this.#options;
    const temporary = `${this.#path(segment)}.tmp`;
    try {
      const file = disk.open(temporary, { write: true, create: true });
      try {
        file.truncate(0);
        const isDone = await this.#fill(journal, segment, file);
        if (isDone) await file.sync();
        if (isDone && journal.segments().has(segment) && !this.#damaged.has(segment)) {
          disk.rename(temporary, this.#path(segment));
          this.#sizes.set(segment, file.size());
        } else disk.remove(temporary);
      } finally {
        file.close();
      }
    } catch (error) {
      log.warn("a hint file could not be written", { path: this.#path(segment), reason: String(error) });
      removeIfThere(disk, temporary);
    }
  }

  /** Write what a segment holds; false when it is not to be had. */
  async #fill(journal: Journal, segment: number, file: DiskFile): Promise<boolean> {
    const identity = journal.identify(segment);
    if (identity === null) return false;
    let writtenTo = HINT_HEADER_BYTES;
    const encoder = new HintEncoder((bytes) => writtenTo = writeAll(file, [bytes], writtenTo));
    let end = SEGMENT_HEADER_BYTES;
    let pauseAt = SLICE_BYTES;
    for (const found of journal.read(segment)) {
      if (found.kind === "damage" || !visitRecord(this.#core, found, encoder)) {
        const fields = { path: segmentPath(this.#options.directory, segment), offset: found.offset };
        this.#options.log.error("a segment is damaged", fields);
        this.distrust(segment);
        return false;
      }
      end = found.end;
      if (end < pauseAt) continue;
      pauseAt = end + SLICE_BYTES;
      await new Promise<void>((resolve) => void this.#options.clock.after(0, resolve));
      if (!journal.segments().has(segment)) return false;
    }
    writeAll(file, [encoder.finish({ number: segment, seed: identity.seed, end })], 0);
    return true;
  }
}

function removeIfThere(disk: Disk, path: string): void {
  try {
    if (disk.exists(path)) disk.remove(path);
  } catch {
    // What the next process finds there either verifies and is of this segment, or is not believed.
  }
}
