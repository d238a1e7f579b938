/**
 * Edits as bytes; the grammar is in `storage/FORMAT.md`.
 *
 * @module
 */

import { SerialError, SerialReader, SerialWriter } from "../../actors/runtime/serial.ts";
import type { Contents, Edit, TableMeta } from "./version.ts";

/** The only format version this code reads and writes: of edits, and of the store that they describe. */
export const EDIT_VERSION = 1;
const IS_WHOLE = 1;

const STORE_ID_BYTES = 16;
/** Fields of an edit before its lists. */
const HEADER_BYTES = 2 + 8 + 4 + 8 + 4 + 4 + STORE_ID_BYTES;
/** Fields of a table before its keys, with the length of a list after them. */
const TABLE_BYTES = 1 + 4 + 4 + 4 + 8 + 2 + 2 + 4;
const CONTENTS_BYTES = 2 + 4 + 4 + 4;
const DROP_BYTES = 2 + 8;

/** Lists have their length before them. */
class EditWriter extends SerialWriter {
  list<T>(items: readonly T[], put: (item: T) => void): void {
    this.u32(items.length);
    items.forEach(put);
  }
}

/** The same to be read. */
class EditReader extends SerialReader {
  list<T>(get: () => T): T[] {
    const items: T[] = [];
    for (let left = this.u32(); left > 0; left--) items.push(get());
    return items;
  }
}

function editBytes({ added, removed, drops, suspects }: Edit): number {
  let sizeBytes = HEADER_BYTES + 4 * 4 + 4 * removed.length + DROP_BYTES * drops.length + 4 * suspects.length;
  for (const { table } of added) {
    sizeBytes += TABLE_BYTES + table.first.length + table.last.length +
      CONTENTS_BYTES * table.contents.length;
  }
  return sizeBytes;
}

/** The bytes of an edit. */
export function encodeEdit(edit: Edit): Uint8Array {
  const fields = new EditWriter(editBytes(edit));
  fields.u8(EDIT_VERSION);
  fields.u8(edit.isWhole ? IS_WHOLE : 0);
  fields.u64(edit.number);
  fields.u32(edit.walFrom);
  fields.u64(edit.age);
  fields.u32(edit.nextFile);
  fields.u32(edit.storeId.serial);
  fields.raw(edit.storeId.bytes);
  fields.list(edit.added, ({ level, table }) => putTable(fields, level, table));
  fields.list(edit.removed, (number) => fields.u32(number));
  fields.list(edit.drops, ([partition, line]) => {
    fields.u16(partition);
    fields.u64(line);
  });
  fields.list(edit.suspects, (number) => fields.u32(number));
  return fields.written;
}

function putTable(fields: EditWriter, level: number, table: TableMeta): void {
  fields.u8(level);
  fields.u32(table.number);
  fields.u32(table.sizeBytes);
  fields.u32(table.seed);
  fields.u64(table.age);
  fields.u16(table.first.length);
  fields.raw(table.first);
  fields.u16(table.last.length);
  fields.raw(table.last);
  fields.list(table.contents, ({ partition, entries, removed, sizeBytes }) => {
    fields.u16(partition);
    fields.u32(entries);
    fields.u32(removed);
    fields.u32(sizeBytes);
  });
}

/** What the format version of an edit is; anything may follow when it is not {@link EDIT_VERSION}. */
export function editVersion(bytes: Uint8Array): number {
  return bytes[0] ?? 0;
}

/** The edit that bytes of this version hold, null when they hold none. */
export function decodeEdit(bytes: Uint8Array): Edit | null {
  try {
    const fields = new EditReader(bytes);
    if (fields.u8() !== EDIT_VERSION) return null;
    const edit: Edit = {
      isWhole: fields.u8() === IS_WHOLE,
      number: fields.u64(),
      walFrom: fields.u32(),
      age: fields.u64(),
      nextFile: fields.u32(),
      storeId: { serial: fields.u32(), bytes: fields.raw(STORE_ID_BYTES).slice() },
      added: fields.list(() => takeTable(fields)),
      removed: fields.list(() => fields.u32()),
      drops: fields.list(() => [fields.u16(), fields.u64()] as const),
      suspects: fields.list(() => fields.u32()),
    };
    return fields.left === 0 ? edit : null;
  } catch (error) {
    if (error instanceof SerialError) return null;
    throw error;
  }
}

function takeTable(fields: EditReader): { readonly level: number; readonly table: TableMeta } {
  const level = fields.u8();
  const table: TableMeta = {
    number: fields.u32(),
    sizeBytes: fields.u32(),
    seed: fields.u32(),
    age: fields.u64(),
    first: fields.raw(fields.u16()).slice(),
    last: fields.raw(fields.u16()).slice(),
    contents: fields.list((): Contents => ({
      partition: fields.u16(),
      entries: fields.u32(),
      removed: fields.u32(),
      sizeBytes: fields.u32(),
    })),
  };
  return { level, table };
}
