/**
 * Small numbers in few bytes: seven bits a byte, the lowest first, the high bit where more follow (LEB128).
 *
 * @module
 */

/** Write a number of at most 32 bits. Returns where it ends. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  while (value >= 128) {
    bytes[at++] = value & 127 | 128;
    value >>>= 7;
  }
  bytes[at] = value;
  return at + 1;
}

/** The number that begins at a place; {@link varintBytes} of it tells where it ends. */
export function varintAt(bytes: Uint8Array, at: number): number {
  let byte = bytes[at]!;
  if (byte < 128) return byte;
  let value = byte & 127;
  for (let shift = 7; shift < 35; shift += 7) {
    byte = bytes[++at]!;
    value |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  return value >>> 0;
}

/** How many bytes a number takes. */
export function varintBytes(value: number): number {
  return value < 1 << 7 ? 1 : value < 1 << 14 ? 2 : value < 1 << 21 ? 3 : value < 1 << 28 ? 4 : 5;
}
