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

/** Scratch, one per change of a record: a journal copies short parts at once. */
const HEADERS: Uint8Array[] = [];

/**
 * The payload of a {@link CHANGES_RECORD}, in parts: keys and records are the given ones, what is between them
 * is good until the next call.
 */
export function encodeChanges(changes: readonly Change[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < changes.length; i++) {
    const { partition, key, record } = changes[i]!;
    const header = HEADERS[i] ??= new Uint8Array(CHANGE_HEADER_BYTES);
    const size = record === null ? REMOVED : record.length;
    header[0] = partition >>> 8;
    header[1] = partition;
    header[2] = key.length >>> 8;
    header[3] = key.length;
    header[4] = size >>> 24;
    header[5] = size >>> 16;
    header[6] = size >>> 8;
    header[7] = size;
    parts.push(header, key);
    if (record !== null) parts.push(record);
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
