/**
 * Fields one after the other, for what is written and read rarely: rings, edits of a manifest. Big-endian. The
 * request path has readers of its own, which do without a `DataView` and copy nothing.
 *
 * @module
 */

/** The bytes are not what they should be: they end too early, or a number is past 2^53 - 1. */
export class SerialError extends Error {}

/** Writes one field after the other. */
export class SerialWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #at = 0;

  /** @param mostBytes room for all fields */
  constructor(mostBytes: number) {
    this.#bytes = new Uint8Array(mostBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** What was written so far. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at);
  }

  /** An unsigned byte. */
  u8(value: number): void {
    this.#view.setUint8(this.#advance(1), value);
  }

  /** An unsigned 16-bit number. */
  u16(value: number): void {
    this.#view.setUint16(this.#advance(2), value);
  }

  /** An unsigned 32-bit number. */
  u32(value: number): void {
    this.#view.setUint32(this.#advance(4), value);
  }

  /** An integer of 0 to 2^53 - 1 in eight bytes. */
  u64(value: number): void {
    this.#view.setBigUint64(this.#advance(8), BigInt(value));
  }

  /** A number as IEEE 754 has it. */
  f64(value: number): void {
    this.#view.setFloat64(this.#advance(8), value);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#advance(bytes.length));
  }

  #advance(sizeBytes: number): number {
    const start = this.#at;
    this.#at += sizeBytes;
    return start;
  }
}

/**
 * Reads one field after the other.
 *
 * @throws {SerialError} from every method that passes the end
 *
 * @example
 * ```ts
 * import { SerialReader, SerialWriter } from "./serial.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const writer = new SerialWriter(16);
 * writer.u8(7);
 * writer.u64(2 ** 40);
 * const reader = new SerialReader(writer.written);
 * assertEquals([reader.u8(), reader.u64(), reader.left], [7, 2 ** 40, 0]);
 * ```
 */
export class SerialReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** @param bytes which to read */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that were not read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** An unsigned byte. */
  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  /** An unsigned 16-bit number. */
  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  /** An unsigned 32-bit number. */
  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** An integer of 0 to 2^53 - 1 in eight bytes. */
  u64(): number {
    const value = Number(this.#view.getBigUint64(this.#advance(8)));
    if (value > Number.MAX_SAFE_INTEGER) throw new SerialError("a number past 2^53 - 1");
    return value;
  }

  /** A number as IEEE 754 has it. */
  f64(): number {
    return this.#view.getFloat64(this.#advance(8));
  }

  /** So many bytes, not copied. */
  raw(sizeBytes: number): Uint8Array {
    const start = this.#advance(sizeBytes);
    return this.#bytes.subarray(start, start + sizeBytes);
  }

  #advance(sizeBytes: number): number {
    const start = this.#at;
    if (sizeBytes > this.left) throw new SerialError("it ends too early");
    this.#at = start + sizeBytes;
    return start;
  }
}
