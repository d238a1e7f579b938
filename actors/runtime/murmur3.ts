/**
 * MurmurHash3_x86_32 (Austin Appleby, public domain): a fast hash that spreads keys evenly over the ring. It
 * is no checksum (see `crc32c.ts`) and no defence against an adversary who picks the keys.
 *
 * @module
 */

const C1 = 0xcc9e2d51 | 0;
const C2 = 0x1b873593;

/** Stir one 32-bit block before it meets the hash. */
function scramble(block: number): number {
  const k = Math.imul(block, C1);
  return Math.imul((k << 15) | (k >>> 17), C2);
}

/**
 * The 32-bit hash of `bytes`, unsigned; `start` and `end` name a piece without the cost of a view.
 *
 * @example
 * ```ts
 * import { murmur3 } from "./murmur3.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(murmur3(new TextEncoder().encode("hello")), 0x248bfa47);
 * ```
 */
export function murmur3(bytes: Uint8Array, seed = 0, start = 0, end: number = bytes.length): number {
  const length = end - start;
  const tail = start + (length & ~3);
  let hash = seed | 0;
  for (let i = start; i < tail; i += 4) {
    hash ^= scramble(bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24);
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64 | 0;
  }
  if (tail < end) {
    let block = 0;
    for (let i = end - 1; i >= tail; i--) block = block << 8 | bytes[i]!;
    hash ^= scramble(block);
  }
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
