/**
 * What is live in a segment, to be appended anew.
 *
 * @module
 */

import type { Change } from "../engine.ts";
import type { Journal } from "../journal.ts";
import { changeBytes, type PlacedChange } from "./codec.ts";
import type { BitcaskCore } from "./core.ts";
import type { Keydir } from "./keydir.ts";
import { type RecordVisitor, visitRecord } from "./records.ts";

/** A slice has about so many live bytes at most, found in about so many at most. */
const SLICE_BYTES = 256 * 1024;
const SLICE_READ_BYTES = 512 * 1024;
/** Changes that are copied share a record of about this size: damage to one spares the next. */
const BATCH_BYTES = 4096;

/** Whose segment it is. */
export interface Source {
  /** The journal. */
  readonly journal: Journal;
  /** What is live. */
  readonly keydir: Keydir;
  /** What decodes. */
  readonly core: BitcaskCore;
}

/**
 * Copies of the live changes in a segment, in batches; of each slice what is live when it is asked for. What is damaged
 * is left out.
 */
export function* liveSlices(source: Source, segment: number): Generator<Change[][], void, void> {
  let slice = new Slice(source.keydir);
  let pauseAt = SLICE_READ_BYTES;
  for (const found of source.journal.read(segment)) {
    if (found.kind === "record") visitRecord(source.core, found, slice);
    if (slice.sizeBytes < SLICE_BYTES && found.end < pauseAt) continue;
    yield slice.batches;
    slice = new Slice(source.keydir);
    pauseAt = found.end + SLICE_READ_BYTES;
  }
  yield slice.batches;
}

class Slice implements RecordVisitor {
  readonly batches: Change[][] = [];
  sizeBytes = 0;
  readonly #keydir: Keydir;
  #batchBytes = Infinity;

  constructor(keydir: Keydir) {
    this.#keydir = keydir;
  }

  change({ sequence, partition, key, record }: PlacedChange): void {
    if (record === null || !this.#keydir.isLive(partition, key, sequence)) return;
    if (this.#batchBytes >= BATCH_BYTES) {
      this.batches.push([]);
      this.#batchBytes = 0;
    }
    this.batches.at(-1)!.push({ partition, key: key.slice(), record: record.slice() });
    const sizeBytes = changeBytes(key.length, record.length);
    this.#batchBytes += sizeBytes;
    this.sizeBytes += sizeBytes;
  }

  storeId(): void {}
}
