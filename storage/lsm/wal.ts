/**
 * The write-ahead log of an LSM engine: the memory engine's records, and which store this is. The grammar is in
 * `storage/FORMAT.md`.
 *
 * @module
 */

import type { JournalRecord } from "../journal.ts";
import { LARGE_BYTES } from "../keys/arena.ts";
import { CHANGES_RECORD, decodeChanges, decodeDrop, DROP_RECORD } from "../memory/codec.ts";
import { STORE_ID_RECORD } from "../store_id.ts";
import type { Change } from "../engine.ts";
import type { Memtable } from "./memtable.ts";
import type { StoreId } from "./version.ts";

const SERIAL_BYTES = 4;
const STORE_ID_BYTES = 16;

/** The payload of a record that says which store this is. */
export function encodeStoreId({ serial, bytes }: StoreId): Uint8Array {
  const payload = new Uint8Array(SERIAL_BYTES + STORE_ID_BYTES);
  new DataView(payload.buffer).setUint32(0, serial);
  payload.set(bytes, SERIAL_BYTES);
  return payload;
}

function decodeStoreId(payload: Uint8Array): StoreId | null {
  if (payload.length !== SERIAL_BYTES + STORE_ID_BYTES) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return { serial: view.getUint32(0), bytes: payload.slice(SERIAL_BYTES) };
}

/** Takes the records of the log into a memtable. */
export class WalReplay {
  /** The last id that the log has, if any. */
  storeId: StoreId | null = null;
  /** The segment of its last record, 0 when it has none. */
  lastSegment = 0;
  readonly #memtable: Memtable;

  /** @param memtable empty; what it has not to be told, because it is in tables, is before its `walFrom` */
  constructor(memtable: Memtable) {
    this.#memtable = memtable;
  }

  /** See `Replay`. */
  take({ type, payload, segment }: JournalRecord): boolean {
    this.lastSegment = segment;
    if (segment < this.#memtable.walFrom) return true;
    if (type === CHANGES_RECORD) {
      const changes = decodeChanges(payload);
      for (const change of changes ?? []) this.#memtable.apply(keepable(change));
      return changes !== null;
    }
    if (type === DROP_RECORD) {
      const partition = decodeDrop(payload);
      if (partition !== null) this.#memtable.drop(partition);
      return partition !== null;
    }
    const storeId = type === STORE_ID_RECORD ? decodeStoreId(payload) : null;
    this.storeId = storeId ?? this.storeId;
    return storeId !== null;
  }
}

/** A large record is kept by reference, but a replayed payload is gone after the call. */
function keepable(change: Change): Change {
  const { record } = change;
  return record && record.length >= LARGE_BYTES ? { ...change, record: record.slice() } : change;
}
