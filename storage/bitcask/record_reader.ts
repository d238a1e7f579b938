/**
 * Reading one record from where the keydir says it stands.
 *
 * @module
 */

import { EngineError } from "../engine.ts";
import { asEngineError, type JournalOptions, segmentPath } from "../journal.ts";
import { READ_TRIES } from "../journal/reader.ts";
import { CHANGE_HEADER_BYTES, changeBytes } from "./codec.ts";
import type { BitcaskCore } from "./core.ts";
import type { Hints } from "./hints.ts";
import type { Keydir } from "./keydir.ts";
import { SegmentFiles } from "./segment_files.ts";

/** Reads records of one store. */
export class RecordReader {
  readonly #options: JournalOptions;
  readonly #core: BitcaskCore;
  readonly #keydir: Keydir;
  readonly #hints: Hints;
  readonly #files: SegmentFiles;

  /** @param options of the journal @param core what verifies @param keydir where records stand @param hints theirs */
  constructor(options: JournalOptions, core: BitcaskCore, keydir: Keydir, hints: Hints) {
    this.#options = options;
    this.#core = core;
    this.#keydir = keydir;
    this.#hints = hints;
    this.#files = new SegmentFiles(options.disk, options.directory);
  }

  /**
   * The record of an entry, which is change `sequence` and has this key. One read, and again if it does not verify.
   *
   * @throws {EngineError} `corrupt` or `io`
   */
  read(entry: number, sequence: number, partition: number, key: Uint8Array): Uint8Array {
    const segment = this.#keydir.segment(entry);
    const offset = this.#keydir.offset(entry);
    const bytes = new Uint8Array(changeBytes(key.length, this.#keydir.recordBytes(entry)));
    try {
      for (let tries = 0; tries < READ_TRIES; tries++) {
        const length = this.#files.read(segment, bytes, offset);
        if (length === bytes.length && this.#core.isChange(bytes, sequence, partition, key)) {
          return bytes.subarray(CHANGE_HEADER_BYTES + key.length);
        }
      }
    } catch (error) {
      throw asEngineError(error);
    }
    const path = segmentPath(this.#options.directory, segment);
    this.#options.log.error("a record does not verify", { path, offset, partition });
    this.#hints.distrust(segment);
    throw new EngineError("corrupt", `${path} at ${offset}: not the record of this key`);
  }

  /** Let go of segments before this one. */
  closeBefore(segment: number): void {
    this.#files.closeBefore(segment);
  }

  /** Let go of all. */
  close(): void {
    this.#files.close();
  }
}
