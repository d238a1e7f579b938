/**
 * Directories with all that is in them: which files there are, copying them, removing them.
 *
 * @module
 */

import { type Clock, type Disk, DiskError } from "../actors/runtime/environment.ts";
import { writeAll } from "../storage/journal/batch.ts";
import { makeDurableDirectory } from "../storage/journal/open.ts";

/** A file below a directory. */
export interface FileBelow {
  /** Its path from there. */
  readonly path: string;
  /** How long it is. */
  readonly sizeBytes: number;
}

/** The one name that is no data: it keeps other processes out. */
const LOCK = "lock";
/** Copying pauses after so many bytes, so that a node goes on serving. */
const SLICE_BYTES = 256 * 1024;

/** Names in a directory, null when it is not there or none. */
export function namesIn(disk: Disk, directory: string): string[] | null {
  try {
    return disk.list(directory);
  } catch (error) {
    if (error instanceof DiskError && error.code === "not-found") return null;
    throw error;
  }
}

/** Every file below a directory, but locks; in the order of their names, a directory's before the next. */
export function filesBelow(disk: Disk, directory: string): FileBelow[] {
  const walk = (below: string): FileBelow[] =>
    (namesIn(disk, `${directory}/${below}`) ?? []).flatMap((name) => {
      const path = `${below}${name}`;
      if (namesIn(disk, `${directory}/${path}`) !== null) return walk(`${path}/`);
      return name === LOCK ? [] : [{ path, sizeBytes: sizeOf(disk, `${directory}/${path}`) }];
    });
  return walk("");
}

/** How long a file is. */
export function sizeOf(disk: Disk, path: string): number {
  const file = disk.open(path);
  try {
    return file.size();
  } finally {
    file.close();
  }
}

/** Remove a directory and all that is in it; nothing happens when it is not there. */
export function removeTree(disk: Disk, directory: string): void {
  const names = namesIn(disk, directory);
  if (names === null) return;
  for (const name of names) {
    const path = `${directory}/${name}`;
    if (namesIn(disk, path) !== null) removeTree(disk, path);
    else disk.remove(path);
  }
  disk.remove(directory);
}

/**
 * Copy files from below one directory to below another, durably and in this order: a crash leaves the first ones, each
 * whole. `onProgress` gets the fraction of their bytes that is done.
 *
 * @throws {DiskError} rejects; what was copied by then stays
 */
export async function copyFiles(
  { disk, clock }: { readonly disk: Disk; readonly clock: Clock },
  files: readonly FileBelow[],
  from: string,
  to: string,
  onProgress: (fraction: number) => void,
): Promise<void> {
  const total = Math.max(1, files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  let done = 0;
  for (const { path, sizeBytes } of files) {
    const target = `${to}/${path}`;
    const directory = target.slice(0, target.lastIndexOf("/"));
    await makeDurableDirectory(disk, directory);
    const onBytes = (copied: number) => {
      onProgress(Math.min(1, (done + copied) / total));
      return new Promise<void>((resolve) => void clock.after(0, resolve));
    };
    await copyFile(disk, `${from}/${path}`, target, onBytes);
    await disk.syncDirectory(directory);
    done += sizeBytes;
  }
}

/** Copy one file, which gets its name when it is whole and durable. */
async function copyFile(
  disk: Disk,
  from: string,
  to: string,
  onBytes: (copied: number) => Promise<void>,
): Promise<void> {
  const temporary = `${to}.tmp`;
  const source = disk.open(from);
  try {
    const target = disk.open(temporary, { write: true, create: true });
    try {
      target.truncate(0);
      const slice = new Uint8Array(SLICE_BYTES);
      for (let at = 0;;) {
        const bytes = slice.subarray(0, source.read(slice, at));
        if (bytes.length === 0) break;
        at = writeAll(target, [bytes], at);
        await onBytes(at);
      }
      await target.sync();
    } finally {
      target.close();
    }
    disk.rename(temporary, to);
  } finally {
    source.close();
  }
}
