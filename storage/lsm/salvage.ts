/**
 * Cutting damage out of tables, when a store is opened.
 *
 * A running store leaves a table alone in which damage was seen: whoever wants what may have been there is told that it
 * cannot be read. Going on without it would show older records, or none. So the damage is cut out only when the store
 * becomes another one by the same edit: then whoever knows its id knows that it may have lost something, and has it
 * refilled. Of a damaged table everything that can still be read goes to a new one; the damaged file is kept under
 * another name.
 *
 * @module
 */

import type { Disk } from "../../actors/runtime/environment.ts";
import { type Damage, EngineError } from "../engine.ts";
import { BlockWalker } from "./block.ts";
import type { Cursor } from "./cursor.ts";
import type { LostTable } from "./inspect.ts";
import { Merge } from "./merge.ts";
import { type Workshop, writeRun } from "./run_writer.ts";
import { type Table, tablePath } from "./table.ts";
import type { Tables } from "./tables.ts";
import type { Changes, StoreId, TableMeta, Version } from "./version.ts";

/** What has to be done about damage. */
export interface Salvaged {
  /** The edit that cuts it out; null when there is nothing to do. */
  readonly changes: Changes | null;
  /** What was found. */
  readonly damage: readonly Damage[];
}

/**
 * Write anew what can be read of tables in which damage was seen. `newId` is drawn when anything is lost.
 *
 * @throws {EngineError} rejects as `writeRun`
 */
export async function salvage(
  workshop: Workshop,
  tables: Tables,
  version: Version,
  lost: readonly LostTable[],
  newId: () => StoreId,
): Promise<Salvaged> {
  const damage = lost.map((one) => one.damage);
  const removed = lost.map(({ table }) => table.number);
  const added: { level: number; table: TableMeta }[] = [];
  for (const [level, metas] of version.levels.entries()) {
    for (const meta of metas) {
      if (!version.suspects.has(meta.number) || removed.includes(meta.number)) continue;
      const rest = new Rest(tables.detached(meta), tablePath(workshop.directory, meta.number));
      const run = { merge: new Merge([rest]), keeps: () => true, age: meta.age, level, tableBytes: Infinity };
      for (const table of await writeRun(workshop, run)) added.push({ level, table });
      removed.push(meta.number);
      damage.push(...rest.finish());
    }
  }
  if (removed.length === 0) return { changes: null, damage };
  const isLoss = damage.some(({ kind }) => kind === "corrupt");
  return { changes: { removed, added, ...isLoss ? { storeId: newId() } : {} }, damage };
}

/** Keep a damaged table under another name, for whoever wants to know what happened. */
export function quarantine(disk: Disk, directory: string, number: number): void {
  const path = tablePath(directory, number);
  const kept = `${path}.damaged`;
  if (disk.exists(path) && !disk.exists(kept)) disk.link(path, kept);
}

/** A cursor over what can be read of a table. */
class Rest extends BlockWalker implements Cursor {
  valid = false;
  readonly age: number;
  readonly #table: Table;
  readonly #path: string;
  readonly #damage: Damage[] = [];
  #block = -1;

  constructor(table: Table, path: string) {
    super();
    this.age = table.meta.age;
    this.#table = table;
    this.#path = path;
    this.next();
  }

  override next(): boolean {
    this.valid = super.next();
    while (!this.valid && this.#enterNext()) this.valid = super.next();
    return this.valid;
  }

  /** What was found, once it has been read through. */
  finish(): Damage[] {
    this.#table.close();
    if (this.#damage.length > 0) return this.#damage;
    // The blocks are whole, so it was the filter, the index, or nothing at all that lasts.
    return [{
      kind: "rebuilt",
      path: this.#path,
      offset: 0,
      detail: "damage was seen in it; it is written anew",
    }];
  }

  /** Stand before the first entry of the next block that can be read; false when there is none. */
  #enterNext(): boolean {
    const table = this.#table;
    for (;;) {
      const offset = this.#offsetOf(++this.#block);
      if (offset === null) return false;
      const bytes = new Uint8Array(table.index.sizeBytes(this.#block));
      try {
        table.read(bytes, offset);
        const content = table.contentOf(bytes, 0, bytes.length, offset);
        this.enter(content, 0, content.length);
        return true;
      } catch (error) {
        this.#note(offset, error);
      }
    }
  }

  /** Where a block begins, null when there is none, or no way to tell. */
  #offsetOf(block: number): number | null {
    try {
      return block < this.#table.index.count ? this.#table.index.offset(block) : null;
    } catch (error) {
      this.#note(0, error);
      return null;
    }
  }

  #note(offset: number, error: unknown): void {
    if (!(error instanceof EngineError && error.code === "corrupt")) throw error;
    this.#damage.push({ kind: "corrupt", path: this.#path, offset, detail: error.message });
  }
}
