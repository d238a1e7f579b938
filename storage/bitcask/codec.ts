/**
 * What the bitcask engine writes to its journal; the grammar is in `storage/FORMAT.md`.
 *
 * A journal reads whole records and checks them. Bitcask reads one change out of a record, with one read, and has to
 * know by that alone that it is the right one. So each change has a checksum of its own, and a sequence number that
 * no other change of the store has: a block of another file, of another place in this one, or of an older version of
 * the same key, does not answer to what is asked for.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import type { Change } from "../engine.ts";

/** A record of changes that hold together. */
export const CHANGES_RECORD = 1;
/** What precedes key and record of a change. */
export const CHANGE_HEADER_BYTES = 20;
/** In the place of a length: there is no record, the key is removed. */
export const REMOVED = 0xffffffff;

const CRC_BYTES = 4;
/** Parts under this are copied by a journal at once, longer ones kept by reference. */
const BY_REFERENCE_BYTES = 32 * 1024;
/** Memory for the changes of one call, where a journal does not keep it. */
const SCRATCH = new Uint8Array(BY_REFERENCE_BYTES);

/** A change as it stands in a journal. */
export interface PlacedChange {
  /** Its number: greater than that of every change before it. */
  readonly sequence: number;
  /** The partition. */
  readonly partition: number;
  /** The key; empty for a {@link dropOf} and for {@link NOTHING}. */
  readonly key: Uint8Array;
  /** The record; null: the key is removed, or all of the partition. */
  readonly record: Uint8Array | null;
  /** Where the change begins, from the start of the payload. */
  readonly offset: number;
}

/** A change that changes nothing: only its number counts. */
export const NOTHING: Change = { partition: 0, key: new Uint8Array(0), record: new Uint8Array(0) };

/** A change that removes every key of a partition. */
export function dropOf(partition: number): Change {
  return { partition, key: new Uint8Array(0), record: null };
}

/** How many bytes a change takes, without a record where `recordBytes` is {@link REMOVED}. */
export function changeBytes(keyBytes: number, recordBytes: number): number {
  return CHANGE_HEADER_BYTES + keyBytes + (recordBytes === REMOVED ? 0 : recordBytes);
}

/**
 * The payload of a {@link CHANGES_RECORD}, in parts to be handed to a journal at once. The first change has number
 * `sequence`, the next the one after it.
 */
export function encodeChanges(changes: readonly Change[], sequence: number): Uint8Array[] {
  let gatheredBytes = 0;
  for (const { key, record } of changes) {
    const isGathered = record !== null && record.length < BY_REFERENCE_BYTES;
    gatheredBytes += changeBytes(key.length, isGathered ? record.length : REMOVED);
  }
  const bytes = gatheredBytes < SCRATCH.length ? SCRATCH : new Uint8Array(gatheredBytes);
  const parts: Uint8Array[] = [];
  let from = 0;
  let at = 0;
  for (let i = 0; i < changes.length; i++) {
    const { key, record } = changes[i]!;
    const start = at;
    at = encodeHeader(bytes, at, changes[i]!, sequence + i);
    bytes.set(key, at);
    at += key.length;
    if (record !== null && record.length >= BY_REFERENCE_BYTES) {
      setCrc(bytes, start, crc32(record, crc32(bytes.subarray(start + CRC_BYTES, at))));
      parts.push(bytes.subarray(from, at), record);
      from = at;
      continue;
    }
    if (record !== null) {
      bytes.set(record, at);
      at += record.length;
    }
    setCrc(bytes, start, crc32(bytes.subarray(start + CRC_BYTES, at)));
  }
  if (at > from) parts.push(bytes.subarray(from, at));
  return parts;
}

function encodeHeader(bytes: Uint8Array, at: number, change: Change, sequence: number): number {
  const { partition, key, record } = change;
  setUint32(bytes, at + 4, Math.floor(sequence / 2 ** 32));
  setUint32(bytes, at + 8, sequence);
  setUint32(bytes, at + 12, partition << 16 | key.length);
  setUint32(bytes, at + 16, record === null ? REMOVED : record.length);
  return at + CHANGE_HEADER_BYTES;
}

function setCrc(bytes: Uint8Array, start: number, crc: number): void {
  setUint32(bytes, start, crc);
}

function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function getUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/** The changes in a payload, as views of it; null when it is not one, or any of them does not verify. */
export function decodeChanges(payload: Uint8Array): PlacedChange[] | null {
  const changes: PlacedChange[] = [];
  for (let offset = 0; offset < payload.length;) {
    if (offset + CHANGE_HEADER_BYTES > payload.length) return null;
    const sequence = getUint32(payload, offset + 4) * 2 ** 32 + getUint32(payload, offset + 8);
    const partition = getUint32(payload, offset + 12) >>> 16;
    const keyBytes = getUint32(payload, offset + 12) & 0xffff;
    const recordBytes = getUint32(payload, offset + 16);
    const end = offset + changeBytes(keyBytes, recordBytes);
    if (end > payload.length || keyBytes === 0 && recordBytes > 0 && recordBytes !== REMOVED) return null;
    if (crc32(payload.subarray(offset + CRC_BYTES, end)) !== getUint32(payload, offset)) return null;
    const recordAt = offset + CHANGE_HEADER_BYTES + keyBytes;
    const key = payload.subarray(offset + CHANGE_HEADER_BYTES, recordAt);
    const record = recordBytes === REMOVED ? null : payload.subarray(recordAt, end);
    changes.push({ sequence, partition, key, record, offset });
    offset = end;
  }
  return changes;
}

/** Whether `bytes` are the change with this number that puts a record under this key. */
export function isChange(bytes: Uint8Array, sequence: number, partition: number, key: Uint8Array): boolean {
  const keyBytes = key.length;
  if (getUint32(bytes, 8) !== sequence >>> 0) return false;
  if (getUint32(bytes, 4) !== Math.floor(sequence / 2 ** 32)) return false;
  if (getUint32(bytes, 12) !== (partition << 16 | keyBytes) >>> 0) return false;
  if (getUint32(bytes, 16) !== bytes.length - CHANGE_HEADER_BYTES - keyBytes) return false;
  for (let i = 0; i < keyBytes; i++) if (bytes[CHANGE_HEADER_BYTES + i] !== key[i]) return false;
  return crc32(bytes.subarray(CRC_BYTES)) === getUint32(bytes, 0);
}
