/**
 * Real chance: fast numbers for jitter and choice, secure bytes for identities and secrets.
 *
 * @module
 */

import type { Random } from "../environment.ts";

/** What one call to the system's source may ask for. */
const QUOTA_BYTES = 65536;

/** The engine's generator for numbers, the system's secure source for bytes. */
export class RealRandom implements Random {
  /** See {@link Random.next}. */
  next(): number {
    return Math.random();
  }

  /** See {@link Random.integer}. */
  integer(bound: number): number {
    return Math.floor(Math.random() * bound);
  }

  /** See {@link Random.bytes}. */
  bytes(sizeBytes: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(sizeBytes);
    for (let at = 0; at < sizeBytes; at += QUOTA_BYTES) {
      crypto.getRandomValues(bytes.subarray(at, at + QUOTA_BYTES));
    }
    return bytes;
  }
}
