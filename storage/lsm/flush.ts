/**
 * Flushing: frozen memtables become a table of level 0.
 *
 * Order is all: the table is durable before the edit that names it, the edit before the segments of the log that had
 * the same changes are removed. A crash in between leaves a table that nobody knows, which is rubbish, or segments
 * whose records are in tables, which are not replayed.
 *
 * @module
 */

import type { Cursor } from "./cursor.ts";
import type { Memtable } from "./memtable.ts";
import { Merge } from "./merge.ts";
import { type Workshop, writeRun } from "./run_writer.ts";
import { partitionOf } from "./stored_key.ts";
import type { Tree } from "./tree.ts";

/**
 * Flush all memtables that wait.
 *
 * @throws {EngineError} rejects as `writeRun` and `Tree.commit`
 */
export async function flush(tree: Tree, workshop: Workshop): Promise<void> {
  const [active, ...waiting] = tree.view.memtables;
  if (waiting.length === 0) return;
  for (const memtable of waiting) for (const _ of memtable.sorting()) await workshop.turn();
  const drops = linesOf(waiting);
  const tables = await writeRun(workshop, {
    merge: new Merge(waiting.map((memtable) => memtable.first())),
    keeps: ({ key, age }: Cursor) => age > (drops.get(partitionOf(key)) ?? -1),
    age: waiting[0]!.age,
    level: 0,
    tableBytes: Infinity,
  });
  const { walFrom, age } = active!;
  const added = tables.map((table) => ({ level: 0, table }));
  await tree.commit({ added, drops: [...drops], walFrom, age }, waiting);
}

/** Whether there are segments of the log whose records are all in tables. */
export function isLogTooLong({ wal, version }: Tree): boolean {
  return wal.oldest < version.edit.walFrom;
}

/**
 * Remove those. What is in the log from then on is durable first: an empty log would look like a damaged one.
 *
 * @throws {EngineError} rejects as `Journal.sync` and `Journal.removeBefore`
 */
export async function shortenLog({ wal, version }: Tree): Promise<void> {
  await wal.sync();
  await wal.removeBefore(version.edit.walFrom);
}

/** The lines that memtables have drawn: what is older is hidden. */
function linesOf(memtables: readonly Memtable[]): Map<number, number> {
  const lines = new Map<number, number>();
  for (const { drops, age } of memtables) {
    for (const partition of drops) lines.set(partition, Math.max(age - 1, lines.get(partition) ?? -1));
  }
  return lines;
}
