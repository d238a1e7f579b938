/**
 * A disk that stays as it is, whatever is done to it.
 *
 * Who wants to know whether a store is whole must not mend it by looking; but opening a store mends it: torn tails are
 * cut off, damaged files copied, ends marked. Naive: a second way of opening everything that only reads. It would be
 * another program than the one that matters, and be wrong in other places. Here the one way of opening is used, over
 * a disk on which nothing is changed: what is written is kept in memory, page by page, and read from there
 * (copy on write, as a file system's overlay has it).
 *
 * Locks are real ones, so that nobody else changes what is looked at.
 *
 * @module
 */

import {
  type Disk,
  DiskError,
  type DiskErrorCode,
  type DiskFile,
  type Lock,
  type OpenOptions,
} from "./environment.ts";
import { type Budget, Draft, StillFile } from "./still_file.ts";

/** What a path is here, where that is not what the disk below says: a file that was opened, a directory, nothing. */
type Entry = Draft | "directory" | "gone";

/**
 * See the module.
 *
 * @example
 * ```ts
 * import { StillDisk } from "./still_disk.ts";
 * import { realEnvironment } from "./real/mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${directory}/greeting`, "hello");
 * const disk = new StillDisk(realEnvironment({ node: "n1" }).disk);
 * const file = disk.open(`${directory}/greeting`, { write: true });
 * file.write(new TextEncoder().encode("J"), 0);
 * const read = new Uint8Array(5);
 * file.read(read, 0);
 * assertEquals(new TextDecoder().decode(read), "Jello");
 * assertEquals(await Deno.readTextFile(`${directory}/greeting`), "hello");
 * file.close();
 * ```
 */
export class StillDisk implements Disk {
  readonly #below: Disk;
  readonly #entries = new Map<string, Entry>();
  readonly #budget: Budget;

  /** @param below what stays as it is @param limitBytes so much is kept in memory; then this disk is full */
  constructor(below: Disk, limitBytes = Infinity) {
    this.#below = below;
    this.#budget = { leftBytes: limitBytes };
  }

  /** See {@link Disk.open}. */
  open(path: string, options: OpenOptions = {}): DiskFile {
    const name = normalize(path);
    let entry = this.#entryOf(name);
    if (entry === "directory") throw new DiskError("io", path, "is a directory");
    if (entry !== "gone" && options.create && options.createNew) {
      throw new DiskError("exists", path, "file exists");
    }
    if (entry === "gone") {
      if (!options.create) throw new DiskError("not-found", path, "no such file or directory");
      this.#checkParent(name);
      entry = new Draft(this.#budget, null);
    }
    const file = new StillFile(path, entry, options.write ?? false);
    this.#entries.set(name, entry);
    return file;
  }

  /** See {@link Disk.list}. */
  list(directory: string): string[] {
    const name = normalize(directory);
    if (this.#entryOf(name) !== "directory") throw new DiskError("not-found", directory, "not a directory");
    const names = new Set(isDirectory(this.#below, name || ".") ? this.#below.list(name || ".") : []);
    for (const [path, entry] of this.#entries) {
      if (parentOf(path) !== name) continue;
      if (entry === "gone") names.delete(baseOf(path));
      else names.add(baseOf(path));
    }
    return [...names].sort();
  }

  /** See {@link Disk.exists}. */
  exists(path: string): boolean {
    return this.#entryOf(normalize(path)) !== "gone";
  }

  /** See {@link Disk.birthMs}: of what is made here nobody remembers it. */
  birthMs(path: string): number | null {
    const name = normalize(path);
    const entry = this.#entryOf(name);
    if (entry === "gone") throw new DiskError("not-found", path, "no such file or directory");
    return entry !== "directory" && entry.below !== null ? this.#below.birthMs(entry.below.path) : null;
  }

  /** See {@link Disk.rename}. */
  rename(from: string, to: string): void {
    const [source, target] = [normalize(from), normalize(to)];
    const entry = this.#fileAt(source, target, "io");
    const replaced = this.#entryOf(target);
    if (replaced === "directory") throw new DiskError("io", to, "is a directory");
    if (replaced === entry) return; // POSIX: one file, nothing happens
    this.#entries.set(source, "gone");
    this.#entries.set(target, entry);
  }

  /** See {@link Disk.link}. */
  link(from: string, to: string): void {
    const [source, target] = [normalize(from), normalize(to)];
    const entry = this.#fileAt(source, target, "denied");
    if (this.#entryOf(target) !== "gone") throw new DiskError("exists", to, "the name is taken");
    this.#entries.set(target, entry);
  }

  /** See {@link Disk.remove}. */
  remove(path: string): void {
    const name = normalize(path);
    const entry = this.#entryOf(name);
    if (entry === "gone") throw new DiskError("not-found", path, "no such file or directory");
    if (entry === "directory" && this.list(name).length > 0) {
      throw new DiskError("io", path, "the directory is not empty");
    }
    this.#entries.set(name, "gone");
  }

  /** See {@link Disk.makeDirectory}. */
  makeDirectory(path: string): void {
    const name = normalize(path);
    if (name === "" || name === "/" || this.#entryOf(name) === "directory") return;
    if (this.exists(name)) throw new DiskError("exists", path, "is a file");
    this.makeDirectory(parentOf(name));
    this.#entries.set(name, "directory");
  }

  /** See {@link Disk.syncDirectory}: there is nothing to make durable. */
  syncDirectory(directory: string): Promise<void> {
    if (this.#entryOf(normalize(directory)) === "directory") return Promise.resolve();
    return Promise.reject(new DiskError("not-found", directory, "not a directory"));
  }

  /** See {@link Disk.lock}. One that is not there is held by nobody, and is made in memory only. */
  lock(path: string): Lock {
    try {
      if (this.#below.exists(path)) return this.#below.lock(path);
    } catch (error) {
      // Where nobody can write, nobody needs to be kept out.
      if (!(error instanceof DiskError) || error.code !== "read-only") throw error;
    }
    this.makeDirectory(parentOf(normalize(path)));
    this.open(path, { write: true, create: true }).close();
    return { release: () => {} };
  }

  /** What a path is; a file of the disk below becomes one that can be written here. */
  #entryOf(name: string): Entry {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    if (name === "" || name === "/") return "directory";
    for (let above = parentOf(name); above !== "" && above !== "/"; above = parentOf(above)) {
      if (this.#entries.get(above) === "gone") return "gone";
    }
    if (!this.#below.exists(name)) return "gone";
    return isDirectory(this.#below, name)
      ? "directory"
      : new Draft(this.#budget, { disk: this.#below, path: name });
  }

  /** The file that a path names, which is to be given another name. */
  #fileAt(source: string, target: string, otherwise: DiskErrorCode): Draft {
    const entry = this.#entryOf(source);
    if (entry === "gone") throw new DiskError("not-found", source, "no such file or directory");
    this.#checkParent(target);
    if (entry === "directory") throw new DiskError(otherwise, source, "is a directory");
    this.#entries.set(source, entry);
    return entry;
  }

  #checkParent(name: string): void {
    if (this.#entryOf(parentOf(name)) === "directory") return;
    throw new DiskError("not-found", name, "no such file or directory");
  }
}

/** One spelling for each path: no doubled or trailing slash, no dot. */
function normalize(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".").join("/");
  return path.startsWith("/") ? `/${parts}` : parts;
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : "";
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function isDirectory(disk: Disk, path: string): boolean {
  try {
    disk.list(path);
    return true;
  } catch (error) {
    if (error instanceof DiskError && error.code === "not-found") return false;
    throw error;
  }
}
