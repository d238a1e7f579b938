/**
 * The machine's file system.
 *
 * Files are read and written by position (`pread`, `pwrite`): one system call, where seek and read are two,
 * and no shared cursor to mind. Everything is synchronous except the syncs, which wait for the device.
 *
 * @module
 */

import * as fs from "node:fs";
import {
  type Disk,
  DiskError,
  type DiskErrorCode,
  type DiskFile,
  type Lock,
  type OpenOptions,
} from "../environment.ts";

const CODES: Readonly<Record<string, DiskErrorCode>> = {
  ENOENT: "not-found",
  ENOTDIR: "not-found",
  EEXIST: "exists",
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EROFS: "read-only",
  EACCES: "denied",
  EPERM: "denied",
  ELOOP: "denied", // a data file that is a symbolic link; see RealDisk.open
};

/** The {@link DiskError} that tells of `error`, whatever the system threw. */
function asDiskError(error: unknown, path: string): DiskError {
  if (error instanceof DiskError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  // A permission that Deno itself withholds has a name and no code.
  const denied = error instanceof Error && error.name === "NotCapable";
  const detail = error instanceof Error ? error.message : String(error);
  return new DiskError(denied ? "denied" : CODES[code] ?? "io", path, detail);
}

/** Run a system call, its failure as a {@link DiskError}. */
function call<T>(path: string, task: () => T): T {
  try {
    return task();
  } catch (error) {
    throw asDiskError(error, path);
  }
}

class RealFile implements DiskFile {
  readonly #descriptor: number;
  #open = true;

  constructor(readonly path: string, flags: number) {
    this.#descriptor = call(path, () => fs.openSync(path, flags, 0o600));
  }

  size(): number {
    this.#check();
    return call(this.path, () => fs.fstatSync(this.#descriptor).size);
  }

  read(into: Uint8Array, position: number): number {
    this.#check();
    let done = 0;
    try {
      while (done < into.length) {
        const count = fs.readSync(this.#descriptor, into, done, into.length - done, position + done);
        if (count === 0) break;
        done += count;
      }
    } catch (error) {
      throw asDiskError(error, this.path);
    }
    return done;
  }

  write(bytes: Uint8Array, position: number): number {
    this.#check();
    try {
      return fs.writeSync(this.#descriptor, bytes, 0, bytes.length, position);
    } catch (error) {
      throw asDiskError(error, this.path);
    }
  }

  truncate(sizeBytes: number): void {
    this.#check();
    call(this.path, () => fs.ftruncateSync(this.#descriptor, sizeBytes));
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#check();
      fs.fdatasync(
        this.#descriptor,
        (error: Error | null) => error ? reject(asDiskError(error, this.path)) : resolve(),
      );
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    call(this.path, () => fs.closeSync(this.#descriptor));
  }

  /** The system may have given a closed descriptor to another file: using it would damage that one. */
  #check(): void {
    if (!this.#open) throw new DiskError("io", this.path, "the file is closed");
  }
}

/** The real {@link Disk}. Files and directories it creates are for their owner alone (0600, 0700). */
export class RealDisk implements Disk {
  /** See {@link Disk.open}. A symbolic link is not followed (`denied`): data belongs where it seems to be. */
  open(path: string, options: OpenOptions = {}): DiskFile {
    // Deno resolves links itself to check a permission that is not unlimited, and O_NOFOLLOW comes too late then.
    if (call(path, () => fs.lstatSync(path, { throwIfNoEntry: false }))?.isSymbolicLink()) {
      throw new DiskError("denied", path, "a symbolic link; data files are not followed elsewhere");
    }
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } = fs.constants;
    const flags = (options.write ? O_RDWR : O_RDONLY) | (options.create ? O_CREAT : 0) |
      (options.create && options.createNew ? O_EXCL : 0) | (O_NOFOLLOW ?? 0);
    return new RealFile(path, flags);
  }

  /** See {@link Disk.list}. */
  list(directory: string): string[] {
    return call(directory, () => Array.from(Deno.readDirSync(directory), (entry) => entry.name).sort());
  }

  /** See {@link Disk.exists}. */
  exists(path: string): boolean {
    try {
      Deno.lstatSync(path);
      return true;
    } catch (error) {
      const failure = asDiskError(error, path);
      if (failure.code === "not-found") return false;
      throw failure;
    }
  }

  /** See {@link Disk.birthMs}. */
  birthMs(path: string): number | null {
    return call(path, () => Deno.lstatSync(path).birthtime?.getTime() ?? null);
  }

  /** See {@link Disk.rename}. */
  rename(from: string, to: string): void {
    call(from, () => Deno.renameSync(from, to));
  }

  /** See {@link Disk.link}. */
  link(from: string, to: string): void {
    call(to, () => Deno.linkSync(from, to));
  }

  /** See {@link Disk.remove}. */
  remove(path: string): void {
    call(path, () => Deno.removeSync(path));
  }

  /** See {@link Disk.makeDirectory}. */
  makeDirectory(path: string): void {
    call(path, () => Deno.mkdirSync(path, { recursive: true, mode: 0o700 }));
  }

  /** See {@link Disk.syncDirectory}: fsync on the opened directory. */
  syncDirectory(directory: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const descriptor = call(directory, () => fs.openSync(directory, fs.constants.O_RDONLY));
      fs.fsync(descriptor, (error: Error | null) => {
        fs.closeSync(descriptor);
        if (error) reject(asDiskError(error, directory));
        else resolve();
      });
    });
  }

  /** See {@link Disk.lock}: an advisory lock of the system, gone with the process however it ends. */
  lock(path: string): Lock {
    const file = call(
      path,
      () => Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 }),
    );
    let held = call(path, () => file.tryLockSync(true));
    if (!held) {
      file.close();
      throw new DiskError("locked", path, "another process holds it");
    }
    const release = () => {
      if (held) file.close();
      held = false;
    };
    return { release };
  }
}
