/**
 * The simulated disk as one process uses it: the Disk seam over a machine's files and names.
 *
 * @module
 */

import { type Disk, DiskError, type DiskFile, type Lock, type OpenOptions } from "../runtime/environment.ts";
import type { DiskFaults } from "./disk.ts";
import type { Events, Process } from "./events.ts";
import { SimulatedFile } from "./file.ts";
import { type Entry, type Names, normalize, parentOf } from "./names.ts";
import type { SimulatedRandom } from "./random.ts";

/** What a process can ask of a disk. */
export type DiskOperation = keyof Disk | Exclude<keyof DiskFile, "path" | "size" | "close">;

/** What a {@link ProcessDisk} is made of. */
export interface Parts {
  /** The machine's names. */
  readonly names: Names;
  /** Who holds which lock. */
  readonly locks: Map<SimulatedFile, Process>;
  /** What goes wrong. */
  readonly faults: DiskFaults;
  /** Decides when. */
  readonly random: SimulatedRandom;
  /** Where syncs take their time. */
  readonly events: Events;
  /** Whose view this is. */
  readonly process: Process;
  /** Called before each operation; throws when the process has ended. */
  readonly guard: (operation: DiskOperation, path: string) => void;
}

/** The {@link Disk} of one simulated process. */
export class ProcessDisk implements Disk {
  readonly #parts: Parts;

  /**
   * Make one.
   *
   * @param parts what it works on
   */
  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** See {@link Disk.open}. */
  open(path: string, options: OpenOptions = {}): DiskFile {
    this.#parts.guard("open", path);
    return new ProcessFile(this.#parts, path, this.#file(path, options), options.write ?? false);
  }

  /** See {@link Disk.list}. */
  list(directory: string): string[] {
    this.#parts.guard("list", directory);
    return this.#parts.names.list(this.#directory(directory));
  }

  /** See {@link Disk.exists}. */
  exists(path: string): boolean {
    this.#parts.guard("exists", path);
    return this.#parts.names.get(normalize(path)) !== undefined;
  }

  /** See {@link Disk.birthMs}. */
  birthMs(path: string): number | null {
    this.#parts.guard("exists", path);
    const entry = this.#get(path);
    return entry === "directory" ? null : entry.birthMs;
  }

  /** See {@link Disk.rename}. */
  rename(from: string, to: string): void {
    const { names } = this.#change("rename", from);
    const entry = this.#get(from);
    const target = this.#target(to);
    const replaced = names.get(target);
    if (entry === "directory") throw new DiskError("io", from, "directories are not renamed here");
    if (replaced === "directory") throw new DiskError("io", to, "is a directory");
    if (replaced !== entry) names.rename(normalize(from), target, entry); // POSIX: one file, nothing happens
  }

  /** See {@link Disk.link}. */
  link(from: string, to: string): void {
    const { names } = this.#change("link", from);
    const entry = this.#get(from);
    const target = this.#target(to);
    if (entry === "directory") throw new DiskError("denied", from, "is a directory");
    if (names.get(target)) throw new DiskError("exists", to, "the name is taken");
    names.set(target, entry);
  }

  /** See {@link Disk.remove}. */
  remove(path: string): void {
    const { names } = this.#change("remove", path);
    const target = normalize(path);
    if (this.#get(path) === "directory" && names.list(target).length > 0) {
      throw new DiskError("io", path, "the directory is not empty");
    }
    names.delete(target);
  }

  /** See {@link Disk.makeDirectory}. */
  makeDirectory(path: string): void {
    const { names, guard } = this.#parts;
    guard("makeDirectory", path);
    const parts = normalize(path).split("/");
    for (let depth = 1; depth <= parts.length; depth++) {
      const step = parts.slice(0, depth).join("/");
      const entry = names.get(step);
      if (entry instanceof SimulatedFile) {
        throw new DiskError(depth < parts.length ? "not-found" : "exists", path, `${step} is a file`);
      }
      if (entry) continue;
      this.#refuseReadOnly(path);
      names.set(step, "directory");
    }
  }

  /** See {@link Disk.syncDirectory}. */
  async syncDirectory(directory: string): Promise<void> {
    const { names, guard } = this.#parts;
    guard("syncDirectory", directory);
    const target = this.#directory(directory);
    const mark = names.mark();
    const done = await deviceSync(this.#parts, `sync directory ${directory}`);
    if (!done) throw new DiskError("io", directory, "the sync failed");
    names.synced(target, mark);
  }

  /** See {@link Disk.lock}. */
  lock(path: string): Lock {
    const { locks, guard, process } = this.#parts;
    guard("lock", path);
    const file = this.#file(path, { write: true, create: true });
    if (locks.get(file)?.alive) throw new DiskError("locked", path, "another process holds it");
    locks.set(file, process);
    let held = true;
    const release = () => {
      if (held && process.alive) locks.delete(file);
      held = false;
    };
    return { release };
  }

  #change(operation: DiskOperation, path: string): Parts {
    this.#parts.guard(operation, path);
    this.#refuseReadOnly(path);
    return this.#parts;
  }

  #refuseReadOnly(path: string): void {
    if (this.#parts.faults.readOnly) throw new DiskError("read-only", path, "the file system is read-only");
  }

  #get(path: string): Entry {
    const entry = this.#parts.names.get(normalize(path));
    if (!entry) throw new DiskError("not-found", path, "no such file or directory");
    return entry;
  }

  /** A directory's path, normalized, once it is sure to be one. */
  #directory(path: string): string {
    if (this.#get(path) !== "directory") throw new DiskError("not-found", path, "not a directory");
    return normalize(path);
  }

  /** A path, normalized, whose directory is there. */
  #target(path: string): string {
    this.#directory(parentOf(normalize(path)));
    return normalize(path);
  }

  #file(path: string, options: OpenOptions): SimulatedFile {
    const { names, events } = this.#parts;
    const target = this.#target(path);
    const entry = names.get(target);
    if (entry && options.create && options.createNew) throw new DiskError("exists", path, "file exists");
    if (entry === "directory") throw new DiskError("io", path, "is a directory");
    if (options.write && (entry || options.create)) this.#refuseReadOnly(path);
    if (entry) return entry;
    if (!options.create) throw new DiskError("not-found", path, "no such file or directory");
    const file = new SimulatedFile(events.now);
    names.set(target, file);
    return file;
  }
}

/** Let the device take its time; resolves to whether it did what it should. Never, if the process ends. */
function deviceSync({ faults, random, events, process }: Parts, label: string): Promise<boolean> {
  const delayMs = random.between(faults.syncMinMs, faults.syncMaxMs);
  const works = !random.chance(faults.syncErrorRate);
  if (!works) events.inject("sync-error");
  return new Promise((resolve) => {
    events.schedule(delayMs, process, works ? label : `${label}: fails`, () => resolve(works));
  });
}

class ProcessFile implements DiskFile {
  readonly #parts: Parts;
  readonly #file: SimulatedFile;
  readonly #writable: boolean;
  #open = true;

  constructor(parts: Parts, readonly path: string, file: SimulatedFile, writable: boolean) {
    this.#parts = parts;
    this.#file = file;
    this.#writable = writable;
  }

  size(): number {
    this.#check();
    return this.#file.view().length;
  }

  read(into: Uint8Array, position: number): number {
    this.#begin("read");
    const { faults, random, events } = this.#parts;
    if (random.chance(faults.readErrorRate)) {
      events.inject("read-error");
      throw new DiskError("io", this.path, "input/output error");
    }
    const bytes = this.#file.view();
    const length = Math.max(0, Math.min(into.length, bytes.length - position));
    if (length === 0) return 0;
    let from = position;
    if (random.chance(faults.misdirectedReadRate)) {
      events.inject("misdirected-read");
      from = random.integer(bytes.length - length + 1);
    }
    into.set(bytes.subarray(from, from + length));
    if (random.chance(faults.bitFlipRate)) {
      events.inject("bit-flip");
      into[random.integer(length)]! ^= 1 << random.integer(8);
    }
    return length;
  }

  write(bytes: Uint8Array, position: number): number {
    this.#beginChange("write");
    const { faults, random, events } = this.#parts;
    if (random.chance(faults.writeErrorRate)) {
      events.inject("write-error");
      throw new DiskError("io", this.path, "input/output error");
    }
    const length = Math.min(bytes.length, this.#room(position, bytes.length));
    if (length < bytes.length) events.inject("no-space");
    if (length === 0 && bytes.length > 0) {
      throw new DiskError("no-space", this.path, "no space left on device");
    }
    let written = length;
    if (length > 1 && random.chance(faults.shortWriteRate)) {
      events.inject("short-write");
      written = 1 + random.integer(length - 1);
    }
    const end = this.#file.view().length;
    let to = position;
    if (end > 0 && random.chance(faults.misdirectedWriteRate)) {
      events.inject("misdirected-write");
      to = random.integer(end);
    }
    this.#file.write(to, bytes.subarray(0, written));
    return written;
  }

  truncate(sizeBytes: number): void {
    this.#beginChange("truncate");
    const length = this.#file.view().length;
    if (sizeBytes > length && this.#room(length, sizeBytes - length) < sizeBytes - length) {
      throw new DiskError("no-space", this.path, "no space left on device");
    }
    this.#file.truncate(sizeBytes);
  }

  async sync(): Promise<void> {
    this.#begin("sync");
    const mark = this.#file.mark();
    if (await deviceSync(this.#parts, `sync ${this.path} ${mark}`)) return this.#file.synced(mark);
    this.#file.syncFailed(mark, this.#parts.random);
    throw new DiskError("io", this.path, "the sync failed");
  }

  close(): void {
    this.#open = false;
  }

  #begin(operation: DiskOperation): void {
    this.#check();
    this.#parts.guard(operation, this.path);
  }

  #beginChange(operation: DiskOperation): void {
    this.#begin(operation);
    if (!this.#writable) throw new DiskError("io", this.path, "the file is open for reading");
    if (this.#parts.faults.readOnly) {
      throw new DiskError("read-only", this.path, "the file system is read-only");
    }
  }

  #check(): void {
    if (!this.#open) throw new DiskError("io", this.path, "the file is closed");
  }

  /** How many of `length` bytes at `position` still fit the disk. */
  #room(position: number, length: number): number {
    const { faults, names } = this.#parts;
    if (faults.capacityBytes === Infinity) return length;
    let used = 0;
    for (const file of names.files().add(this.#file)) used += file.view().length;
    const inPlace = Math.max(0, Math.min(length, this.#file.view().length - position));
    return Math.min(length, inPlace + Math.max(0, Math.floor(faults.capacityBytes) - used));
  }
}
