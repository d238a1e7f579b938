/**
 * A copy of a store that is in use.
 *
 * The log is copied first, the version of the manifest that is present afterwards is written to a new manifest, and its
 * tables are linked. What the log's copy lacks because it came too early is in the tables of that version; what those
 * lack is in the log's copy. So whatever happens in between, the copy is the store as it was at some moment after the
 * call.
 *
 * @module
 */

import type { Disk } from "../../actors/runtime/environment.ts";
import { asEngineError } from "../journal.ts";
import { makeCopy } from "../journal/copy.ts";
import { walDirectory } from "./inspect.ts";
import { openManifest } from "./manifest.ts";
import { tablePath } from "./table.ts";
import type { Tree } from "./tree.ts";

/** See `Engine.copyTo`. */
export async function copyTree(
  tree: Tree,
  directory: string,
  onProgress: (fraction: number) => void,
): Promise<void> {
  const { disk } = tree.options;
  if (tree.refusal !== null) throw tree.refusal;
  try {
    await makeCopy(disk, directory, async () => {
      try {
        await fill(tree, directory, onProgress);
      } catch (error) {
        for (const inner of [walDirectory(directory), `${directory}/manifest`]) discard(disk, inner);
        throw error;
      }
    });
  } catch (error) {
    throw asEngineError(error);
  }
  onProgress(1);
}

async function fill(tree: Tree, directory: string, onProgress: (fraction: number) => void): Promise<void> {
  const { options, wal } = tree;
  const walBytes = wal.sizeBytes;
  const walShare = walBytes / (walBytes + tree.version.sizeBytes + 1);
  await wal.copyTo(walDirectory(directory), (fraction) => onProgress(fraction * walShare));
  const view = tree.pin();
  try {
    for (const { number } of view.version.tables()) {
      options.disk.link(tablePath(options.directory, number), tablePath(directory, number));
    }
    await options.disk.syncDirectory(directory);
    const manifest = await openManifest({ ...options, directory }, () => {});
    try {
      await manifest.begin(view.version.asWhole(1));
    } finally {
      await manifest.close();
    }
  } finally {
    tree.unpin(view);
  }
}

/** Remove a directory of files; the mark of the copy says that what stays is nothing. */
function discard(disk: Disk, directory: string): void {
  try {
    for (const name of disk.list(directory)) disk.remove(`${directory}/${name}`);
    disk.remove(directory);
  } catch {
    // It was not made yet, or cannot be helped.
  }
}
