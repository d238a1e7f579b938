/**
 * The segments of a journal, open for reading.
 *
 * Opening a file costs ten times what reading a record costs, so files stay open; and since a process may have only
 * so many, the one that was not used for the longest time makes room.
 *
 * @module
 */

import type { Disk, DiskFile } from "../../actors/runtime/environment.ts";
import { segmentPath } from "../journal.ts";

/** So many segments are kept open: 16 GiB of those of the usual size. */
const MOST_OPEN = 256;

interface OpenFile {
  readonly file: DiskFile;
  usedAt: number;
}

/** Reads segments by number. */
export class SegmentFiles {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #most: number;
  readonly #open = new Map<number, OpenFile>();
  #uses = 0;

  /** @param disk where @param directory the journal's @param most so many are kept open */
  constructor(disk: Disk, directory: string, most = MOST_OPEN) {
    this.#disk = disk;
    this.#directory = directory;
    this.#most = most;
  }

  /** Read from a segment; see {@link DiskFile.read}. */
  read(segment: number, into: Uint8Array, position: number): number {
    const open = this.#open.get(segment) ?? this.#add(segment);
    open.usedAt = ++this.#uses;
    return open.file.read(into, position);
  }

  /** Let go of segments before this one. */
  closeBefore(segment: number): void {
    for (const number of [...this.#open.keys()]) if (number < segment) this.#close(number);
  }

  /** Let go of all. */
  close(): void {
    this.closeBefore(Infinity);
  }

  #add(segment: number): OpenFile {
    if (this.#open.size >= this.#most) this.#close(this.#leastUsed());
    const open = { file: this.#disk.open(segmentPath(this.#directory, segment)), usedAt: 0 };
    this.#open.set(segment, open);
    return open;
  }

  #leastUsed(): number {
    let least = -1;
    let leastAt = Infinity;
    for (const [number, { usedAt }] of this.#open) {
      if (usedAt >= leastAt) continue;
      least = number;
      leastAt = usedAt;
    }
    return least;
  }

  #close(segment: number): void {
    this.#open.get(segment)?.file.close();
    this.#open.delete(segment);
  }
}
