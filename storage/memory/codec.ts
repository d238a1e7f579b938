/**
 * What the memory engine writes to its journal; the grammar is in `storage/FORMAT.md`.
 *
 * @module
 */

import type { Change } from "../engine.ts";

/** A record of changes that hold together. */
export const CHANGES_RECORD = 1;
/** A record that empties a partition. */
export const DROP_RECORD = 2;
/** What precedes key and record of a change. */
export const CHANGE_HEADER_BYTES = 8;

const REMOVED = 0xffffffff;

/** The payload of a {@link CHANGES_RECORD}, in parts: keys and records are the given ones. */
export function encodeChanges(changes: readonly Change[]): Uint8Array[] {
  const headers = new Uint8Array(CHANGE_HEADER_BYTES * changes.length);
  const view = new DataView(headers.buffer);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { partition, key, record } of changes) {
    view.setUint16(at, partition);
    view.setUint16(at + 2, key.length);
    view.setUint32(at + 4, record === null ? REMOVED : record.length);
    parts.push(headers.subarray(at, at + CHANGE_HEADER_BYTES), key);
    if (record !== null) parts.push(record);
    at += CHANGE_HEADER_BYTES;
  }
  return parts;
}

/** The changes in a payload, as views of it; null when it is not one. */
export function decodeChanges(payload: Uint8Array): Change[] | null {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const changes: Change[] = [];
  for (let at = 0; at < payload.length;) {
    if (at + CHANGE_HEADER_BYTES > payload.length) return null;
    const partition = view.getUint16(at);
    const keyBytes = view.getUint16(at + 2);
    const length = view.getUint32(at + 4);
    const keyAt = at + CHANGE_HEADER_BYTES;
    const recordAt = keyAt + keyBytes;
    at = length === REMOVED ? recordAt : recordAt + length;
    if (keyBytes === 0 || at > payload.length) return null;
    const record = length === REMOVED ? null : payload.subarray(recordAt, at);
    changes.push({ partition, key: payload.subarray(keyAt, recordAt), record });
  }
  return changes;
}

/** The payload of a {@link DROP_RECORD}. */
export function encodeDrop(partition: number): Uint8Array {
  return Uint8Array.of(partition >>> 8, partition & 255);
}

/** The partition that a payload drops, null when it is not one. */
export function decodeDrop(payload: Uint8Array): number | null {
  return payload.length === 2 ? payload[0]! << 8 | payload[1]! : null;
}
