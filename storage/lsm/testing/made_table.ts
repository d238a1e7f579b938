/**
 * Tables made of a few entries, for tests.
 *
 * @module
 */

import type { Disk } from "../../../actors/runtime/environment.ts";
import { simulatedWorld } from "../../testing/worlds.ts";
import type { SimulatedWorld } from "../../testing/worlds.ts";
import { BlockCache } from "../block_cache.ts";
import { type Cursor, REMOVED } from "../cursor.ts";
import { FRAME_HEADER_BYTES } from "../format.ts";
import { writeStoredKey } from "../stored_key.ts";
import { Table, tablePath } from "../table.ts";
import { type TableOptions, TableWriter } from "../table_writer.ts";
import type { TableMeta } from "../version.ts";

/** What a table holds, in order. */
export type Entries = readonly {
  readonly partition: number;
  readonly key: Uint8Array;
  readonly record: Uint8Array | null;
}[];

/** Where tables are made. */
export const DIRECTORY = "tables";

/** A table and the disk it lies on. */
export interface Made {
  readonly world: SimulatedWorld;
  readonly disk: Disk;
  readonly meta: TableMeta;
  /** Offsets at which damage was noted. */
  readonly damaged: number[];
  /** Open it anew. */
  open(): Table;
}

/** Write a table. */
export function makeTable(
  entries: Entries,
  options: Partial<
    Pick<TableOptions, "number" | "seed" | "compress"> & { age: number; world: SimulatedWorld }
  > = {},
): Made {
  const { compress = false, number = 1, world = simulatedWorld(1), age = 5 } = options;
  const { disk, random } = world.place();
  disk.makeDirectory(DIRECTORY);
  const file = disk.open(tablePath(DIRECTORY, number), { write: true, create: true });
  const seed = options.seed ?? new DataView(random.bytes(4).buffer).getUint32(0);
  const writer = new TableWriter(file, { number, seed, blockBytes: 256, compress });
  for (const entry of entries) writer.add(cursorOn(entry));
  const meta = writer.finish(age);
  file.close();
  const damaged: number[] = [];
  const events = { blocksRead: 0, onDamage: (_: TableMeta, offset: number) => void damaged.push(offset) };
  const open = () => new Table(disk, DIRECTORY, meta, new BlockCache(4096, 256 + FRAME_HEADER_BYTES), events);
  return { world, disk, meta, damaged, open };
}

function cursorOn({ partition, key, record }: Entries[number]): Cursor {
  const stored = new Uint8Array(key.length + 2);
  return {
    valid: true,
    key: stored,
    keyBytes: writeStoredKey(stored, partition, key),
    bytes: record ?? stored,
    recordAt: 0,
    recordBytes: record?.length ?? REMOVED,
    age: 0,
    next: () => {},
  };
}
