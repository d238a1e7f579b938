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
  await tree.wal.removeBefore(walFrom);
}

/** The lines that memtables have drawn: what is older is hidden. */
function linesOf(memtables: readonly Memtable[]): Map<number, number> {
  const lines = new Map<number, number>();
  for (const { drops, age } of memtables) {
    for (const partition of drops) lines.set(partition, Math.max(age - 1, lines.get(partition) ?? -1));
  }
  return lines;
}
