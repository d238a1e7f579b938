/**
 * A disk as it is with a {@link Reserve}: a change for which there is no space is tried again for as long as some of
 * the reserve is given up for it.
 *
 * A store that is open is not entitled to it for its log, where clients' writes go first; for anything else it is:
 * that comes of flushing and compacting, which is how a store makes room.
 *
 * @module
 */

import {
  type Disk,
  DiskError,
  type DiskFile,
  type Lock,
  type OpenOptions,
} from "../actors/runtime/environment.ts";
import type { Reserve } from "./reserve.ts";

/** See the module. */
export class ReserveDisk implements Disk {
  /** Whether what is kept is given up for logs, too. */
  isForLogs = true;
  readonly #disk: Disk;
  readonly #reserve: Reserve;

  /** @param disk the disk @param reserve on it */
  constructor(disk: Disk, reserve: Reserve) {
    this.#disk = disk;
    this.#reserve = reserve;
  }

  /** See {@link Disk.open}. */
  open(path: string, options: OpenOptions = {}): DiskFile {
    if (!options.write) return this.#disk.open(path, options);
    const file = this.attempt(path, 0, () => this.#disk.open(path, options));
    return new ReserveFile(file, this);
  }

  /** See {@link Disk.list}. */
  list(directory: string): string[] {
    return this.#disk.list(directory);
  }

  /** See {@link Disk.exists}. */
  exists(path: string): boolean {
    return this.#disk.exists(path);
  }

  /** See {@link Disk.birthMs}. */
  birthMs(path: string): number | null {
    return this.#disk.birthMs(path);
  }

  /** See {@link Disk.rename}. */
  rename(from: string, to: string): void {
    this.attempt(to, 0, () => this.#disk.rename(from, to));
    this.#reserve.refill();
  }

  /** See {@link Disk.link}. */
  link(from: string, to: string): void {
    this.attempt(to, 0, () => this.#disk.link(from, to));
  }

  /** See {@link Disk.remove}. */
  remove(path: string): void {
    this.#disk.remove(path);
    this.#reserve.refill();
  }

  /** See {@link Disk.makeDirectory}. */
  makeDirectory(path: string): void {
    this.attempt(path, 0, () => this.#disk.makeDirectory(path));
  }

  /** See {@link Disk.syncDirectory}. */
  syncDirectory(directory: string): Promise<void> {
    return this.#disk.syncDirectory(directory);
  }

  /** See {@link Disk.lock}. */
  lock(path: string): Lock {
    return this.#disk.lock(path);
  }

  /** Change what is at `path`, by so many bytes at most, again and again while room is made for it. */
  attempt<T>(path: string, sizeBytes: number, change: () => T): T {
    while (true) {
      try {
        return change();
      } catch (error) {
        const isFull = error instanceof DiskError && error.code === "no-space";
        const isEntitled = this.isForLogs || !LOG.test(path);
        if (!isFull || !this.#reserve.onFull(sizeBytes, isEntitled)) throw error;
      }
    }
  }
}

/** A segment of a journal, or one that is being made. */
const LOG = /\.log(\.tmp)?$/;

class ReserveFile implements DiskFile {
  readonly path: string;
  readonly #file: DiskFile;
  readonly #disk: ReserveDisk;

  constructor(file: DiskFile, disk: ReserveDisk) {
    this.path = file.path;
    this.#file = file;
    this.#disk = disk;
  }

  size(): number {
    return this.#file.size();
  }

  read(into: Uint8Array, position: number): number {
    return this.#file.read(into, position);
  }

  write(bytes: Uint8Array, position: number): number {
    return this.#disk.attempt(this.path, bytes.length, () => this.#file.write(bytes, position));
  }

  truncate(sizeBytes: number): void {
    this.#disk.attempt(this.path, sizeBytes, () => this.#file.truncate(sizeBytes));
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  close(): void {
    this.#file.close();
  }
}
