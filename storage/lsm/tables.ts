/**
 * The open tables of a store: not more than so many, however many there are.
 *
 * @module
 */

import type { Disk } from "../../actors/runtime/environment.ts";
import { BlockCache } from "./block_cache.ts";
import { FRAME_HEADER_BYTES } from "./format.ts";
import type { LsmSettings } from "./options.ts";
import { Table, type TableEvents, tablePath } from "./table.ts";
import type { TableMeta } from "./version.ts";

/** Opens tables when they are wanted. */
export class Tables implements TableEvents {
  /** See {@link TableEvents.blocksRead}. */
  blocksRead = 0;
  /** See {@link TableEvents.onDamage}. */
  onDamage: TableEvents["onDamage"] = () => {};
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #limit: number;
  readonly #cache: BlockCache;
  /** Those that were wanted since the hand came by last are true. */
  readonly #open = new Map<number, { readonly table: Table; wanted: boolean }>();

  /** @param disk where @param directory in which @param settings how many, and how large a cache */
  constructor(disk: Disk, directory: string, settings: LsmSettings) {
    this.#disk = disk;
    this.#directory = directory;
    this.#limit = settings.openTables;
    this.#cache = new BlockCache(settings.cacheBytes, settings.blockBytes + FRAME_HEADER_BYTES);
  }

  /** A table, to read from. It may be closed as soon as another one is wanted, and opens itself again. */
  get(meta: TableMeta): Table {
    const found = this.#open.get(meta.number);
    if (found) {
      found.wanted = true;
      return found.table;
    }
    if (this.#open.size >= this.#limit) this.#closeOne();
    const table = this.detached(meta);
    this.#open.set(meta.number, { table, wanted: true });
    return table;
  }

  /** A table of the caller's own, to be closed by it. */
  detached(meta: TableMeta): Table {
    return new Table(this.#disk, this.#directory, meta, this.#cache, this);
  }

  /** Close and remove a table that nobody needs any more. @throws {DiskError} when it cannot be removed */
  remove(number: number): void {
    this.#open.get(number)?.table.close();
    this.#open.delete(number);
    const path = tablePath(this.#directory, number);
    if (this.#disk.exists(path)) this.#disk.remove(path);
  }

  /** Close everything. */
  close(): void {
    for (const { table } of this.#open.values()) table.close();
    this.#open.clear();
  }

  /** The first one in the circle that was not wanted lately (as in `block_cache.ts`). */
  #closeOne(): void {
    for (const [number, one] of this.#open) {
      this.#open.delete(number);
      if (!one.wanted) return one.table.close();
      one.wanted = false;
      this.#open.set(number, one);
    }
  }
}
