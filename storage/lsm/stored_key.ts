/**
 * Keys as tables have them: the partition in two bytes, then the key, so that one byte order sorts by both.
 *
 * @module
 */

import { LIMITS } from "../../actors/runtime/limits.ts";

/** What precedes the key. */
export const PARTITION_BYTES = 2;
/** The longest stored key. */
export const STORED_KEY_BYTES: number = PARTITION_BYTES + LIMITS.keyBytes;

/** Write a stored key to the front of `into`. Returns its length. */
export function writeStoredKey(into: Uint8Array, partition: number, key: Uint8Array): number {
  into[0] = partition >>> 8;
  into[1] = partition;
  const length = key.length;
  for (let i = 0; i < length; i++) into[PARTITION_BYTES + i] = key[i]!;
  return PARTITION_BYTES + length;
}

/** A stored key of its own. */
export function storedKey(partition: number, key: Uint8Array): Uint8Array {
  const stored = new Uint8Array(PARTITION_BYTES + key.length);
  writeStoredKey(stored, partition, key);
  return stored;
}

/** The partition of a stored key. */
export function partitionOf(stored: Uint8Array): number {
  return stored[0]! << 8 | stored[1]!;
}

/** The byte order of the first `aBytes` of `a` and the first `bBytes` of `b`, as `sort` wants it. */
export function compareKeys(a: Uint8Array, aBytes: number, b: Uint8Array, bBytes: number): number {
  const shorter = aBytes < bBytes ? aBytes : bBytes;
  for (let i = 0; i < shorter; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return aBytes - bBytes;
}
