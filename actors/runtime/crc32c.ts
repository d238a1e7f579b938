/**
 * CRC-32C, the Castagnoli checksum (RFC 3720 appendix B.4) that every value, frame and record carries.
 *
 * The definition walks the message bit by bit. Sarwate's table takes a byte a step; slicing (Kounavis and
 * Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation", 2008) takes sixteen, with
 * one table per byte of the step, so that the look-ups do not wait for one another. 1.6 GB/s at 100 bytes, 1.8
 * at a mebibyte; the same loop in WebAssembly gained a fifth on long messages, lost on short ones and was not
 * kept.
 *
 * @module
 */

/** The reflected Castagnoli polynomial. */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 16;

/** `TABLE[256 k + b]`: what byte `b` does to the checksum when `k` more bytes follow it. Signed for speed. */
const TABLE = buildTable();

function buildTable(): Int32Array {
  const table = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  for (let i = 256; i < table.length; i++) {
    const previous = table[i - 256]!;
    table[i] = table[previous & 255]! ^ (previous >>> 8);
  }
  return table;
}

/**
 * The CRC-32C of `bytes` as an unsigned 32-bit number. `seed` is the checksum of what came before, so that a
 * message can be taken in pieces; `start` and `end` name a piece without the cost of a view.
 *
 * @example
 * ```ts
 * import { crc32c } from "./crc32c.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const utf8 = new TextEncoder();
 * assertEquals(crc32c(utf8.encode("bar")), 179770161);
 * assertEquals(crc32c(utf8.encode("r"), crc32c(utf8.encode("ba"))), 179770161);
 * assertEquals(crc32c(utf8.encode("[bar]"), 0, 1, 4), 179770161);
 * ```
 */
export function crc32c(bytes: Uint8Array, seed = 0, start = 0, end: number = bytes.length): number {
  const t = TABLE;
  const lastStep = end - (SLICES - 1);
  let crc = ~seed;
  let i = start;
  while (i < lastStep) {
    crc = t[3840 + (bytes[i]! ^ (crc & 255))]! ^ t[3584 + (bytes[i + 1]! ^ (crc >>> 8 & 255))]! ^
      t[3328 + (bytes[i + 2]! ^ (crc >>> 16 & 255))]! ^ t[3072 + (bytes[i + 3]! ^ (crc >>> 24))]! ^
      t[2816 + bytes[i + 4]!]! ^ t[2560 + bytes[i + 5]!]! ^ t[2304 + bytes[i + 6]!]! ^
      t[2048 + bytes[i + 7]!]! ^ t[1792 + bytes[i + 8]!]! ^ t[1536 + bytes[i + 9]!]! ^
      t[1280 + bytes[i + 10]!]! ^ t[1024 + bytes[i + 11]!]! ^ t[768 + bytes[i + 12]!]! ^
      t[512 + bytes[i + 13]!]! ^ t[256 + bytes[i + 14]!]! ^ t[bytes[i + 15]!]!;
    i += SLICES;
  }
  while (i < end) crc = t[(crc ^ bytes[i++]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
