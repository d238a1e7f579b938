/**
 * Building the keydir when a store is opened: segment by segment, from the hint file where one can be believed, else
 * from the records.
 *
 * The journal has been opened before, so what is read here are the files as they stay: a segment that was mended has
 * its records at other places than before.
 *
 * @module
 */

import { EngineError } from "../engine.ts";
import { type Journal, segmentPath } from "../journal.ts";
import type { StoreId } from "../store_id.ts";
import { type PlacedChange, REMOVED } from "./codec.ts";
import type { BitcaskCore } from "./core.ts";
import { type Hint, hintEntries } from "./hint.ts";
import type { Hints } from "./hints.ts";
import { Keydir } from "./keydir.ts";
import { type RecordVisitor, visitRecord } from "./records.ts";

/** What the files of a store say. */
export class Loaded implements RecordVisitor {
  /** Where each key's record stands. */
  readonly keydir = new Keydir();
  /** The number of the last change; 0 when there is none. */
  sequence = 0;
  /** Which store it is, null when no record says so. */
  id: StoreId | null = null;
  #segment = 0;

  /** Read all segments. */
  constructor(journal: Journal, hints: Hints, core: BitcaskCore, directory: string) {
    for (const segment of journal.segments().keys()) {
      this.#segment = segment;
      const hint = hints.load(journal, segment);
      if (hint !== null) this.#takeHint(hint);
      else this.#takeRecords(journal, core, segmentPath(directory, segment));
    }
  }

  /** See {@link RecordVisitor.change}. */
  change({ sequence, partition, key, record }: PlacedChange, offset: number): void {
    this.#apply(partition, key, record === null ? REMOVED : record.length, offset, sequence);
  }

  /** See {@link RecordVisitor.storeId}. */
  storeId(bytes: Uint8Array): void {
    this.id = { bytes, segment: this.#segment };
  }

  #takeHint(hint: Hint): void {
    for (const { partition, key, recordBytes, offset, sequence } of hintEntries(hint)) {
      this.#apply(partition, key, recordBytes, offset, sequence);
    }
    if (hint.storeId !== null) this.storeId(hint.storeId.slice());
  }

  #takeRecords(journal: Journal, core: BitcaskCore, path: string): void {
    for (const found of journal.read(this.#segment)) {
      if (found.kind === "damage") throw new EngineError("io", `${path} reads differently each time`);
      visitRecord(core, found, this); // what makes no sense was reported when the journal was opened
    }
  }

  #apply(partition: number, key: Uint8Array, recordBytes: number, offset: number, sequence: number): void {
    this.keydir.apply(partition, key, { segment: this.#segment, offset, recordBytes, sequence });
    this.sequence = sequence;
  }
}
