/**
 * Reading everything that a store has on disk, in slices.
 *
 * @module
 */

import { type Damage, EngineError } from "../engine.ts";
import type { Table } from "./table.ts";
import { tablePath } from "./table.ts";
import type { Tree } from "./tree.ts";

/** See `Engine.verify`. */
export async function verifyTree(
  tree: Tree,
  onProgress: (fraction: number) => void,
): Promise<readonly Damage[]> {
  const view = tree.pin();
  try {
    const { wal, manifest } = tree;
    const totalBytes = Math.max(1, manifest.size.sizeBytes + wal.sizeBytes + view.version.sizeBytes);
    let doneBytes = 0;
    const part = (sizeBytes: number) => (fraction: number) =>
      onProgress((doneBytes + fraction * sizeBytes) / totalBytes);
    const damage: Damage[] = [];
    for (const journal of [manifest, wal]) {
      const sizeBytes = "size" in journal ? journal.size.sizeBytes : journal.sizeBytes;
      damage.push(...await journal.verify(part(sizeBytes)));
      doneBytes += sizeBytes;
    }
    for (const meta of view.version.tables()) {
      damage.push(...await verifyTable(tree, tree.tables.detached(meta), part(meta.sizeBytes)));
      doneBytes += meta.sizeBytes;
    }
    onProgress(1);
    return damage;
  } finally {
    tree.unpin(view);
  }
}

async function verifyTable(
  tree: Tree,
  table: Table,
  onProgress: (fraction: number) => void,
): Promise<Damage[]> {
  const { clock, directory } = tree.options;
  const path = tablePath(directory, table.meta.number);
  const damage: Damage[] = [];
  const note = (offset: number, error: unknown) => {
    if (!(error instanceof EngineError)) throw error;
    damage.push({ kind: "corrupt", path, offset, detail: error.message });
  };
  let pauseAt = tree.settings.sliceBytes;
  let readBytes = 0;
  try {
    if (!table.isFooterWhole()) {
      note(table.meta.sizeBytes, new EngineError("corrupt", "a copy of the footer does not verify"));
    }
    for (const { offset, sizeBytes } of table.frames()) {
      try {
        const bytes = new Uint8Array(sizeBytes);
        table.read(bytes, offset);
        table.contentOf(bytes, 0, sizeBytes, offset);
      } catch (error) {
        note(offset, error);
      }
      readBytes += sizeBytes;
      if (readBytes < pauseAt) continue;
      pauseAt = readBytes + tree.settings.sliceBytes;
      onProgress(readBytes / table.meta.sizeBytes);
      await new Promise<void>((resolve) => void clock.after(0, resolve));
    }
  } catch (error) {
    note(0, error);
  } finally {
    table.close();
  }
  return damage;
}
