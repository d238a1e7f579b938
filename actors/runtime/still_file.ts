/**
 * A file of a disk that stays as it is (`still_disk.ts`): what was there, and in memory what was written since.
 *
 * @module
 */

import { type Disk, DiskError, type DiskFile } from "./environment.ts";

const PAGE_BYTES = 16 * 1024;

/** What may still be kept in memory, of all files together. */
export interface Budget {
  /** Bytes. */
  leftBytes: number;
}

/** A file: that of the disk below, and what was changed of it. */
export class Draft {
  /** Where it was. */
  readonly below: { readonly disk: Disk; readonly path: string } | null;
  /** Its size, once it is known or was changed. */
  sizeBytes: number;
  readonly #budget: Budget;
  /** Pages that were written to, by number. */
  readonly #pages = new Map<number, Uint8Array>();
  /** Of the file below, so much still shows. */
  #shownBytes = 0;
  #file: DiskFile | null = null;
  #users = 0;

  /** @param budget shared by all files of a disk @param below the file it begins as, null for an empty one */
  constructor(budget: Budget, below: { readonly disk: Disk; readonly path: string } | null) {
    this.#budget = budget;
    this.below = below;
    this.sizeBytes = below === null ? 0 : -1;
  }

  /** Somebody opens it. */
  acquire(): void {
    this.#file ??= this.below && this.below.disk.open(this.below.path);
    if (this.sizeBytes < 0) this.sizeBytes = this.#shownBytes = this.#file?.size() ?? 0;
    this.#users++;
  }

  /** Somebody closes it. */
  release(): void {
    if (--this.#users > 0) return;
    this.#file?.close();
    this.#file = null;
  }

  /** See `DiskFile.read`. */
  read(into: Uint8Array, position: number): number {
    const end = Math.min(position + into.length, this.sizeBytes);
    if (this.#pages.size === 0 && end <= this.#shownBytes) {
      return this.#file === null || end <= position
        ? 0
        : this.#file.read(into.subarray(0, end - position), position);
    }
    for (let at = position; at < end;) {
      const { page, from, to } = pageAt(at, end);
      const target = into.subarray(at - position, at - position + to - from);
      const bytes = this.#pages.get(page);
      if (bytes !== undefined) target.set(bytes.subarray(from, to));
      else this.#readBelow(target, at);
      at += to - from;
    }
    return Math.max(0, end - position);
  }

  /** See `DiskFile.write`. */
  write(bytes: Uint8Array, position: number): number {
    const end = position + bytes.length;
    for (let at = position; at < end;) {
      const { page, from, to } = pageAt(at, end);
      this.#page(page).set(bytes.subarray(at - position, at - position + to - from), from);
      at += to - from;
    }
    this.sizeBytes = Math.max(this.sizeBytes, end);
    return bytes.length;
  }

  /** See `DiskFile.truncate`. */
  truncate(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) {
      this.#shownBytes = Math.min(this.#shownBytes, sizeBytes);
      for (const [page, bytes] of this.#pages) bytes.fill(0, clamp(sizeBytes - page * PAGE_BYTES));
    }
    this.sizeBytes = sizeBytes;
  }

  /** A page to write to. */
  #page(page: number): Uint8Array {
    let bytes = this.#pages.get(page);
    if (bytes === undefined) {
      if (this.#budget.leftBytes < PAGE_BYTES) {
        throw new DiskError(
          "no-space",
          this.below?.path ?? "",
          "more would be written than is kept in memory",
        );
      }
      this.#budget.leftBytes -= PAGE_BYTES;
      bytes = new Uint8Array(PAGE_BYTES);
      this.#readBelow(bytes, page * PAGE_BYTES);
      this.#pages.set(page, bytes);
    }
    return bytes;
  }

  /** Fill from the file below as far as it shows, the rest with zeros. */
  #readBelow(into: Uint8Array, position: number): void {
    const shown = Math.max(0, Math.min(into.length, this.#shownBytes - position));
    if (shown > 0) this.#file?.read(into.subarray(0, shown), position);
    into.fill(0, shown);
  }
}

/** A {@link Draft}, opened. */
export class StillFile implements DiskFile {
  readonly path: string;
  readonly #draft: Draft;
  readonly #isWritable: boolean;
  #isOpen = true;

  constructor(path: string, draft: Draft, isWritable: boolean) {
    draft.acquire();
    this.path = path;
    this.#draft = draft;
    this.#isWritable = isWritable;
  }

  size(): number {
    this.#check();
    return this.#draft.sizeBytes;
  }

  read(into: Uint8Array, position: number): number {
    this.#check();
    return this.#draft.read(into, position);
  }

  write(bytes: Uint8Array, position: number): number {
    this.#checkWritable();
    return this.#draft.write(bytes, position);
  }

  truncate(sizeBytes: number): void {
    this.#checkWritable();
    this.#draft.truncate(sizeBytes);
  }

  async sync(): Promise<void> {
    await Promise.resolve();
    this.#check();
  }

  close(): void {
    if (this.#isOpen) this.#draft.release();
    this.#isOpen = false;
  }

  #check(): void {
    if (!this.#isOpen) throw new DiskError("io", this.path, "the file is closed");
  }

  #checkWritable(): void {
    this.#check();
    if (!this.#isWritable) throw new DiskError("io", this.path, "the file is open for reading");
  }
}

/** The page that a position is in, and where in it the stretch up to `end` begins and ends. */
function pageAt(at: number, end: number): { page: number; from: number; to: number } {
  const page = Math.floor(at / PAGE_BYTES);
  const start = page * PAGE_BYTES;
  return { page, from: at - start, to: clamp(end - start) };
}

function clamp(offset: number): number {
  return Math.max(0, Math.min(PAGE_BYTES, offset));
}
