/**
 * A disk in memory on which nothing goes wrong and nothing takes time: for runs that open a store a million times.
 *
 * It begins with files that many such disks share; what is written to one of them is seen on that disk alone.
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
} from "../../actors/runtime/environment.ts";

/** What a file holds; null for a directory. */
export type Files = ReadonlyMap<string, Uint8Array | null>;

interface Content {
  bytes: Uint8Array;
  size: number;
  /** Whether `bytes` is somebody else's, too. */
  isShared: boolean;
}

/** See the module. */
export class MemoryDisk implements Disk {
  readonly #entries = new Map<string, Content | null>();
  readonly #locks = new Set<string>();

  /** @param files what is there at first; they are not changed */
  constructor(files: Files = new Map()) {
    for (const [path, bytes] of files) {
      this.#entries.set(path, bytes && { bytes, size: bytes.length, isShared: true });
    }
  }

  /** One on which a directory holds these files, by their paths from there. */
  static of(directory: string, files: ReadonlyMap<string, Uint8Array>): MemoryDisk {
    const disk = new MemoryDisk();
    disk.makeDirectory(directory);
    for (const [name, bytes] of files) {
      const path = `${directory}/${name}`;
      disk.makeDirectory(parentOf(path));
      disk.#entries.set(path, { bytes, size: bytes.length, isShared: true });
    }
    return disk;
  }

  /** A copy of everything. */
  snapshot(): Files {
    return new Map([...this.#entries].map(([path, content]) => {
      return [path, content && content.bytes.slice(0, content.size)];
    }));
  }

  /** See {@link Disk.open}. */
  open(path: string, { write, create, createNew }: OpenOptions = {}): DiskFile {
    const found = this.#entries.get(path);
    if (found === null) throw failure("io", path);
    if (found && createNew) throw failure("exists", path);
    if (found) return new MemoryFile(path, found);
    if (!write || !create || this.#entries.get(parentOf(path)) !== null) throw failure("not-found", path);
    const content = { bytes: new Uint8Array(0), size: 0, isShared: false };
    this.#entries.set(path, content);
    return new MemoryFile(path, content);
  }

  /** See {@link Disk.list}. */
  list(directory: string): string[] {
    if (this.#entries.get(directory) !== null) throw failure("not-found", directory);
    const names: string[] = [];
    for (const path of this.#entries.keys()) {
      if (parentOf(path) === directory && path !== directory) names.push(path.slice(directory.length + 1));
    }
    return names.sort();
  }

  /** See {@link Disk.exists}. */
  exists(path: string): boolean {
    return this.#entries.has(path);
  }

  /** See {@link Disk.birthMs}. */
  birthMs(): number | null {
    return null;
  }

  /** See {@link Disk.rename}. */
  rename(from: string, to: string): void {
    const content = this.#file(from);
    this.#entries.delete(from);
    this.#entries.set(to, content);
  }

  /** See {@link Disk.link}. */
  link(from: string, to: string): void {
    if (this.#entries.has(to)) throw failure("exists", to);
    this.#entries.set(to, this.#file(from));
  }

  /** See {@link Disk.remove}. */
  remove(path: string): void {
    if (!this.#entries.delete(path)) throw failure("not-found", path);
  }

  /** See {@link Disk.makeDirectory}. */
  makeDirectory(path: string): void {
    for (let at = path; at !== "." && at !== "/"; at = parentOf(at)) {
      if (this.#entries.get(at)) throw failure("exists", at);
      this.#entries.set(at, null);
    }
  }

  /** See {@link Disk.syncDirectory}. */
  syncDirectory(): Promise<void> {
    return Promise.resolve();
  }

  /** See {@link Disk.lock}. */
  lock(path: string): Lock {
    if (this.#locks.has(path)) throw failure("locked", path);
    this.#locks.add(path);
    if (!this.#entries.has(path)) this.open(path, { write: true, create: true });
    return { release: () => void this.#locks.delete(path) };
  }

  #file(path: string): Content {
    const content = this.#entries.get(path);
    if (!content) throw failure("not-found", path);
    return content;
  }
}

class MemoryFile implements DiskFile {
  readonly #content: Content;

  constructor(readonly path: string, content: Content) {
    this.#content = content;
  }

  size(): number {
    return this.#content.size;
  }

  read(into: Uint8Array, position: number): number {
    const { bytes, size } = this.#content;
    const end = Math.min(size, position + into.length);
    if (end <= position) return 0;
    into.set(bytes.subarray(position, end));
    return end - position;
  }

  write(bytes: Uint8Array, position: number): number {
    const end = position + bytes.length;
    this.#own(end);
    this.#content.bytes.set(bytes, position);
    this.#content.size = Math.max(this.#content.size, end);
    return bytes.length;
  }

  truncate(sizeBytes: number): void {
    this.#own(sizeBytes);
    this.#content.bytes.fill(0, Math.min(sizeBytes, this.#content.size));
    this.#content.size = sizeBytes;
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}

  /** Bytes of its own, at least so many. */
  #own(sizeBytes: number): void {
    const content = this.#content;
    if (!content.isShared && content.bytes.length >= sizeBytes) return;
    const grown = new Uint8Array(Math.max(sizeBytes, 2 * content.size, 1024));
    grown.set(content.bytes.subarray(0, content.size));
    content.bytes = grown;
    content.isShared = false;
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash) || "/";
}

function failure(code: DiskErrorCode, path: string): DiskError {
  return new DiskError(code, path, code);
}
