/**
 * Space in hand for a full disk.
 *
 * A full disk is where a node has to write most: to start, it puts what an unclean end has left into a new file; a vote
 * on the ring counts only once it is durable; and removing what is dead takes a copy of what is not. A node that can do
 * none of this cannot be helped but by making room with something else. So a file of zeros is kept beside the data,
 * and given up bit by bit for what has to be written (CockroachDB keeps such a file, too: its ballast). Clients'
 * writes do not count as such: they are refused as `full` while all of it is still there (`reserve_disk.ts`).
 *
 * Naive: fill the file up to its size, or to where the disk ends. Then a disk with little room has none the moment a
 * node starts on it, and a node's own writes fail because of the file. So a new one is made in the background, and is
 * gone as soon as anybody finds no space before it is complete. From then on the space is the file's: what was given up
 * of it is taken back before clients have it, as far as there is any.
 *
 * @module
 */

import { DiskError, type Environment, type Timer } from "../actors/runtime/environment.ts";
import { namesIn, sizeOf } from "./files.ts";

/** What a reserve needs of its node's environment. */
export type ReserveEnvironment = Pick<Environment, "disk" | "clock" | "log">;

/** A new one is made so much at a time, with a pause in between for whatever else has to be written. */
const SLICE = new Uint8Array(1 << 20);
const SLICE_MS = 20;
/** File systems give out space in blocks. */
const BLOCK_BYTES = 4096;
/** A disk that had no room is asked again after so long, and at last so seldom: the attempt is not free. */
const AGAIN_MIN_MS = 10_000;
const AGAIN_MAX_MS = 600_000;
const NAME = "reserve";

/** The reserve of one node. */
export class Reserve {
  readonly #environment: ReserveEnvironment;
  readonly #directory: string;
  readonly #path: string;
  readonly #fullBytes: number;
  /** What is there to be given up; null before anybody has looked. */
  #keptBytes: number | null = null;
  /** How much there is of a new one that is being made. */
  #madeBytes = 0;
  #timer: Timer | null = null;
  #againMs = AGAIN_MIN_MS;

  /**
   * @param environment the node's
   * @param directory its data directory
   * @param fullBytes how much to keep; 0: no more than there is
   */
  constructor(environment: ReserveEnvironment, directory: string, fullBytes: number) {
    this.#environment = environment;
    this.#directory = directory;
    this.#path = `${directory}/${NAME}`;
    this.#fullBytes = fullBytes;
  }

  /** What may be given up now, in bytes. */
  get keptBytes(): number {
    return this.#keptBytes ??= this.#found();
  }

  /** Put space aside, as soon as there is so much, from now on. */
  keep(): void {
    if (this.keptBytes < this.#fullBytes) this.#timer ??= this.#after(0);
  }

  /** Take back what was given up, as far as it is free again. */
  refill(): void {
    const before = this.keptBytes;
    if (before === 0 || before >= this.#fullBytes) return;
    this.#keptBytes = this.#write(this.#path, before, this.#fullBytes);
    if (this.keptBytes > before) void this.#makeDurable();
  }

  /** Leave it as it is; what has not become complete goes. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#discardMade();
  }

  /**
   * Somebody found no space for so many bytes. True when there may be some now: it is worth another try. Only who is
   * `isEntitled` gets what is kept.
   */
  onFull(sizeBytes: number, isEntitled: boolean): boolean {
    if (this.#discardMade()) return true;
    const before = this.keptBytes;
    if (!isEntitled || before === 0) return false;
    if (before === this.#fullBytes) {
      this.#environment.log.warn("the disk is full: space that was put aside is used", { path: this.#path });
    }
    const given = Math.max(1, Math.ceil(sizeBytes / BLOCK_BYTES)) * BLOCK_BYTES;
    this.#keptBytes = this.#cut(Math.max(0, before - given));
    if (this.#fullBytes > 0) this.#timer ??= this.#after(this.#againMs);
    return this.keptBytes < before;
  }

  /** What an earlier process left. */
  #found(): number {
    const { disk } = this.#environment;
    try {
      const names = namesIn(disk, this.#directory) ?? [];
      if (names.includes(`${NAME}.tmp`)) disk.remove(`${this.#path}.tmp`);
      return names.includes(NAME) ? sizeOf(disk, this.#path) : 0;
    } catch {
      return 0; // whatever is wrong with the disk, others meet it too, and say so
    }
  }

  #after(delayMs: number): Timer {
    return this.#environment.clock.after(delayMs, () => {
      this.#timer = null;
      this.#tick();
    });
  }

  #tick(): void {
    if (this.keptBytes > 0) this.refill();
    else this.#make();
    if (this.keptBytes >= this.#fullBytes) this.#againMs = AGAIN_MIN_MS;
    else if (this.#madeBytes > 0) this.#timer = this.#after(SLICE_MS);
    else {
      this.#timer = this.#after(this.#againMs);
      this.#againMs = Math.min(2 * this.#againMs, AGAIN_MAX_MS);
    }
  }

  /** One slice more of a new one. */
  #make(): void {
    const temporary = `${this.#path}.tmp`;
    const wanted = Math.min(this.#fullBytes, this.#madeBytes + SLICE.length);
    this.#madeBytes = this.#write(temporary, this.#madeBytes, wanted);
    if (this.#madeBytes < wanted) return void this.#discardMade();
    if (this.#madeBytes < this.#fullBytes) return;
    try {
      this.#environment.disk.rename(temporary, this.#path);
    } catch {
      return void this.#discardMade();
    }
    this.#keptBytes = this.#madeBytes;
    this.#madeBytes = 0;
    void this.#makeDurable();
  }

  /** What is not complete is nobody's; false when there is no such. */
  #discardMade(): boolean {
    if (this.#madeBytes === 0) return false;
    this.#madeBytes = 0;
    try {
      this.#environment.disk.remove(`${this.#path}.tmp`);
    } catch {
      return false; // the next start does it
    }
    return true;
  }

  /** Make a file longer, as far as there is space; how long it is then. */
  #write(path: string, from: number, to: number): number {
    let end = from;
    try {
      const file = this.#environment.disk.open(path, { write: true, create: true });
      try {
        while (end < to) {
          const count = file.write(SLICE.subarray(0, Math.min(to - end, SLICE.length)), end);
          if (count === 0) break;
          end += count;
        }
      } finally {
        file.close();
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
    return end;
  }

  /** Make it shorter; how long it is then. */
  #cut(sizeBytes: number): number {
    try {
      const file = this.#environment.disk.open(this.#path, { write: true });
      try {
        file.truncate(sizeBytes);
      } finally {
        file.close();
      }
      return sizeBytes;
    } catch {
      return this.keptBytes;
    }
  }

  /** A power cut would give the space to whoever is first. Nobody waits for it: what is lost is put aside again. */
  async #makeDurable(): Promise<void> {
    const { disk } = this.#environment;
    try {
      const file = disk.open(this.#path);
      try {
        await file.sync();
      } finally {
        file.close();
      }
      await disk.syncDirectory(this.#directory);
    } catch {
      // See above.
    }
  }
}
