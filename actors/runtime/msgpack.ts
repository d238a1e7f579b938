/**
 * MessagePack for control messages and stored metadata, strict and bounded. Not for the request path: see
 * `net/PROTOCOL.md` for the fixed layouts used there.
 *
 * `@std/msgpack` reads what well-meaning peers send. Fed by others it can be made to follow an array header of
 * four thousand million elements, recurse until the stack ends, set `__proto__`, let the second of two equal
 * keys win, and hand out NaN or a bigint where the program expects a number. So the bytes are walked once
 * before they are decoded ({@link scanValue}): every declared length must fit the bytes that are left, nesting
 * and the number of values are limited, and whatever could not be encoded here is refused. What passes, `decode`
 * turns into plain objects, arrays, strings, finite numbers, booleans, null and `Uint8Array`s that share the
 * input's memory. Whether it has the expected fields is for `shape.ts` to say.
 *
 * @module
 */

import * as std from "@std/msgpack";
import { decodeUtf8Strict } from "./bytes.ts";
import { LIMITS } from "./limits.ts";

/** The package ships no types; what is used of it. */
const { decode, encode } = std as unknown as {
  decode(bytes: Uint8Array): unknown;
  encode(value: unknown): Uint8Array;
};

/**
 * Why a value cannot be carried. `truncated`: a length points past the end. `trailing`: bytes are left over.
 * `number`: NaN, an infinity, or an integer a double cannot hold exactly. `text`: not valid UTF-8 or UTF-16,
 * or begins with a byte order mark, which decoding would lose. `type`: an extension, a map key that is no text.
 */
export type MsgpackErrorCode =
  | "truncated"
  | "trailing"
  | "too-deep"
  | "too-many"
  | "number"
  | "text"
  | "duplicate-key"
  | "forbidden-key"
  | "type";

/** What {@link encodeMsgpack} and {@link decodeMsgpack} throw. */
export class MsgpackError extends Error {
  override readonly name = "MsgpackError";
  /** @param code what is wrong @param detail for people */
  constructor(readonly code: MsgpackErrorCode, detail: string) {
    super(`msgpack: ${detail}`);
  }
}

/**
 * The bytes of a value: null, booleans, finite numbers, text, `Uint8Array`s, arrays and plain objects.
 *
 * @throws {MsgpackError} for everything {@link decodeMsgpack} would refuse, undefined and bigints included.
 *
 * @example
 * ```ts
 * import { decodeMsgpack, encodeMsgpack } from "./msgpack.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeMsgpack({ kind: "leave", epoch: 7 });
 * assertEquals(decodeMsgpack(bytes), { kind: "leave", epoch: 7 });
 * ```
 */
export function encodeMsgpack(value: unknown): Uint8Array {
  checkValue(value, 0);
  return encode(value);
}

/**
 * The value that `bytes` hold, all of them.
 *
 * @throws {MsgpackError} when the bytes are damaged, hostile, or hold what a double or a plain object cannot.
 */
export function decodeMsgpack(bytes: Uint8Array): unknown {
  const scan: Scan = {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    at: 0,
    items: 0,
    wide: false,
  };
  scanValue(scan, 0);
  if (scan.at < bytes.length) throw new MsgpackError("trailing", `${bytes.length - scan.at} bytes left over`);
  const value = decode(bytes);
  return scan.wide ? narrow(value) : value;
}

/** How far the walk has come. `wide`: a 64-bit integer was met, which `decode` will give as a bigint. */
interface Scan {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
  items: number;
  wide: boolean;
}

/** Step over one value; `depth` containers are open around it. */
function scanValue(scan: Scan, depth: number): void {
  if (++scan.items > LIMITS.msgpackItems) throw new MsgpackError("too-many", "too many values");
  const type = scan.bytes[skip(scan, 1)]!;
  if (type <= 0x7f || type >= 0xe0) return;
  if (type <= 0x8f) return scanMap(scan, type & 0x0f, depth);
  if (type <= 0x9f) return scanArray(scan, type & 0x0f, depth);
  if (type <= 0xbf) return void scanText(scan, type & 0x1f);
  switch (type) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return;
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return void skip(scan, unsigned(scan, 1 << (type - 0xc4)));
    case 0xca:
      return checkNumber(scan.view.getFloat32(skip(scan, 4)));
    case 0xcb:
      return checkNumber(scan.view.getFloat64(skip(scan, 8)));
    case 0xcc:
    case 0xcd:
    case 0xce:
      return void skip(scan, 1 << (type - 0xcc));
    case 0xcf:
      return scanWide(scan, scan.view.getBigUint64(skip(scan, 8)));
    case 0xd0:
    case 0xd1:
    case 0xd2:
      return void skip(scan, 1 << (type - 0xd0));
    case 0xd3:
      return scanWide(scan, scan.view.getBigInt64(skip(scan, 8)));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return void scanText(scan, unsigned(scan, 1 << (type - 0xd9)));
    case 0xdc:
    case 0xdd:
      return scanArray(scan, unsigned(scan, 2 << (type - 0xdc)), depth);
    case 0xde:
    case 0xdf:
      return scanMap(scan, unsigned(scan, 2 << (type - 0xde)), depth);
    default:
      throw new MsgpackError("type", `type 0x${type.toString(16)} is not used here`);
  }
}

function scanArray(scan: Scan, length: number, depth: number): void {
  enter(scan, length, depth);
  for (let i = 0; i < length; i++) scanValue(scan, depth + 1);
}

function scanMap(scan: Scan, length: number, depth: number): void {
  enter(scan, 2 * length, depth);
  const keys = new Set<string>();
  for (let i = 0; i < length; i++) {
    const key = scanKey(scan);
    if (key === "__proto__") throw new MsgpackError("forbidden-key", "key __proto__");
    if (keys.size === keys.add(key).size) throw new MsgpackError("duplicate-key", `key ${key} comes twice`);
    scanValue(scan, depth + 1);
  }
}

/** A container of `length` values opens: it must not be too deep, and each value takes a byte at least. */
function enter(scan: Scan, length: number, depth: number): void {
  if (depth >= LIMITS.msgpackDepth) {
    throw new MsgpackError("too-deep", `nested deeper than ${LIMITS.msgpackDepth}`);
  }
  if (length > scan.bytes.length - scan.at) {
    throw new MsgpackError(
      "truncated",
      `${length} values declared, ${scan.bytes.length - scan.at} bytes left`,
    );
  }
}

function scanKey(scan: Scan): string {
  const type = scan.bytes[skip(scan, 1)]!;
  if (type >= 0xa0 && type <= 0xbf) return scanText(scan, type & 0x1f);
  if (type >= 0xd9 && type <= 0xdb) return scanText(scan, unsigned(scan, 1 << (type - 0xd9)));
  throw new MsgpackError("type", "a map key that is no text");
}

function scanText(scan: Scan, sizeBytes: number): string {
  const start = skip(scan, sizeBytes);
  const text = decodeUtf8Strict(scan.bytes.subarray(start, scan.at));
  if (text === null) throw new MsgpackError("text", "a text that is not UTF-8");
  checkText(text);
  return text;
}

function scanWide(scan: Scan, integer: bigint): void {
  checkNumber(Number(integer));
  scan.wide = true;
}

/** The big-endian length of `width` bytes that comes next. */
function unsigned(scan: Scan, width: number): number {
  const start = skip(scan, width);
  if (width === 1) return scan.view.getUint8(start);
  return width === 2 ? scan.view.getUint16(start) : scan.view.getUint32(start);
}

/** Pass over `sizeBytes` and give where they began. */
function skip(scan: Scan, sizeBytes: number): number {
  const start = scan.at;
  if (sizeBytes > scan.bytes.length - start) {
    throw new MsgpackError("truncated", `${sizeBytes} bytes declared, ${scan.bytes.length - start} left`);
  }
  scan.at = start + sizeBytes;
  return start;
}

/** Integers past 2^53 may have been rounded on the way; a fraction is never that large. */
function checkNumber(number: number): void {
  if (!(Math.abs(number) <= Number.MAX_SAFE_INTEGER)) {
    throw new MsgpackError("number", `${number} is not a number of at most 2^53 - 1`);
  }
}

function checkText(text: string): void {
  if (text.charCodeAt(0) === 0xfeff) throw new MsgpackError("text", "a text that begins with U+FEFF");
}

/** 64-bit integers, already known to be small enough, become numbers. */
function narrow(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(narrow);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, narrow(inner)]));
}

/** Refuse to encode what would be refused, or come back changed, when decoded. */
function checkValue(value: unknown, depth: number): void {
  if (value === null || typeof value === "boolean" || value instanceof Uint8Array) return;
  if (typeof value === "number") return checkNumber(value);
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new MsgpackError("text", "a text with half a surrogate pair");
    return checkText(value);
  }
  if (typeof value !== "object") throw new MsgpackError("type", `a ${typeof value} cannot be carried`);
  if (depth >= LIMITS.msgpackDepth) {
    throw new MsgpackError("too-deep", `nested deeper than ${LIMITS.msgpackDepth}`);
  }
  if (Array.isArray(value)) {
    for (const inner of value) checkValue(inner, depth + 1);
    return;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    throw new MsgpackError("type", "an object that is not plain");
  }
  for (const [key, inner] of Object.entries(value)) {
    if (key === "__proto__") throw new MsgpackError("forbidden-key", "key __proto__");
    checkValue(key, depth + 1);
    checkValue(inner, depth + 1);
  }
}
