/**
 * What the records of a bitcask journal mean to whoever reads them one after the other.
 *
 * @module
 */

import { RECORD_HEADER_BYTES } from "../journal/format.ts";
import { decodeStoreId, STORE_ID_RECORD } from "../store_id.ts";
import { CHANGES_RECORD, type PlacedChange } from "./codec.ts";
import type { BitcaskCore } from "./core.ts";

/** Told of what a record holds. */
export interface RecordVisitor {
  /** A change, and where it begins in its segment; its bytes are good during the call. */
  change(change: PlacedChange, offset: number): void;
  /** The id of the store. */
  storeId(id: Uint8Array): void;
}

/** A record, as it stands in a segment. */
export interface StoredRecord {
  /** Its type. */
  readonly type: number;
  /** Its payload. */
  readonly payload: Uint8Array;
  /** Where it begins. */
  readonly offset: number;
}

/** Tell `visitor` what a record holds; false when it makes no sense, and nothing is told. */
export function visitRecord(
  core: BitcaskCore,
  { type, payload, offset }: StoredRecord,
  visitor: RecordVisitor,
): boolean {
  if (type === STORE_ID_RECORD) {
    const id = decodeStoreId(payload);
    if (id !== null) visitor.storeId(id);
    return id !== null;
  }
  const changes = type === CHANGES_RECORD ? core.decodeChanges(payload) : null;
  for (const change of changes ?? []) visitor.change(change, offset + RECORD_HEADER_BYTES + change.offset);
  return changes !== null;
}
