/**
 * Directories and all that is in them.
 *
 * @module
 */

import { type Disk, DiskError } from "../../actors/runtime/environment.ts";

/** Remove what is in a directory. */
export function removeAll(disk: Disk, directory: string): void {
  for (const name of disk.list(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory(disk, path)) removeAll(disk, path);
    disk.remove(path);
  }
}

/** Every file in a directory and below, by its path from there. */
export function bytesIn(disk: Disk, directory: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const name of disk.list(directory)) {
    const path = `${directory}/${name}`;
    if (!isDirectory(disk, path)) found.set(name, bytesOf(disk, path));
    else for (const [inner, bytes] of bytesIn(disk, path)) found.set(`${name}/${inner}`, bytes);
  }
  return found;
}

function bytesOf(disk: Disk, path: string): Uint8Array {
  const file = disk.open(path);
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0);
  file.close();
  return bytes;
}

function isDirectory(disk: Disk, path: string): boolean {
  try {
    disk.list(path);
    return true;
  } catch (error) {
    if (error instanceof DiskError) return false;
    throw error;
  }
}
