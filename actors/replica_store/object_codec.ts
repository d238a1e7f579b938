/**
 * Objects as bytes, the same for the disk, the wire and the hash tree: layout in `storage/FORMAT.md`,
 * "Object".
 *
 * The encoding is canonical: two objects are equal exactly when their bytes are, so replicas are compared
 * without being decoded. Therefore, and because the bytes may come from a damaged disk or a confused peer,
 * {@link decodeObject} accepts what {@link encodeObject} writes and nothing else. (What it cannot see is a
 * changed value: the CRC-32C beside each is checked by `verifyValues`.)
 *
 * This is on the path of every request. An id is 16 bytes there and hex in memory: `toHex` costs 45 ns, a
 * small view 40 ns, so ids that stand together are turned into hex together, and those of actors are
 * remembered (`fields.ts`). Small encodings are cut from a slab (`runtime/slab.ts`).
 *
 * @module
 */

import { LIMITS } from "../runtime/limits.ts";
import { Slab } from "../runtime/slab.ts";
import { actorAt, ID_BYTES, putId, putU32, putU64, u32At, u64At } from "./fields.ts";
import { compareDots, isCounter } from "./clock.ts";
import type { Clock, Dot } from "./clock.ts";
import { ENTRY_BYTES, faultOf } from "./replaced.ts";
import { type Sibling, sizeBytes, type StoredObject } from "./object.ts";
import type { ActorId, EncodedObject } from "./protocol.ts";

const VERSION = 1;
const TOMBSTONE = 1;
const ALSO = 2;
const EXPIRES = 4;
const slab = new Slab(16 * 1024, 1024);

/** Bytes that are not the encoding of an object. */
export class ObjectFormatError extends Error {
  /** The class, for logs. */
  override readonly name = "ObjectFormatError";
}

// --- encoding ---------------------------------------------------------------------------------------------

/**
 * The bytes of an object. Small ones share a buffer with others: whoever keeps them for long, copies them.
 *
 * @example
 * ```ts
 * import { decodeObject, encodeObject } from "./object_codec.ts";
 * import { mint } from "./object.ts";
 * import { assert, assertEquals } from "../runtime/testing/assert.ts";
 *
 * const requestId = "0f".repeat(16);
 * const dot = { actor: "a0".repeat(16), counter: 1 };
 * const outcome = mint(null, { context: [], value: null, crc32c: 0, requestId, wallMs: 1, dot });
 * assert(outcome.ok);
 * const bytes = encodeObject(outcome.object);
 * assertEquals(bytes.length, 76);
 * assertEquals(decodeObject(bytes), outcome.object);
 * ```
 */
export function encodeObject(object: StoredObject): EncodedObject {
  const { clock, siblings, replaced } = object;
  if (clock.length > 0xffff) throw new RangeError(`an object with ${clock.length} clock entries`);
  const bytes = slab.take(sizeBytes(object));
  bytes[0] = VERSION;
  bytes[1] = clock.length >>> 8;
  bytes[2] = clock.length;
  let at = 3;
  for (const { actor, counter } of clock) {
    at = putId(bytes, at, actor);
    at = putU64(bytes, at, counter);
  }
  const requests = replaced.length / ENTRY_BYTES;
  bytes[at++] = requests >>> 8;
  bytes[at++] = requests;
  bytes.set(replaced, at);
  at = putU32(bytes, at + replaced.length, siblings.length);
  let actorIndex = 0;
  for (const sibling of siblings) {
    while (clock[actorIndex]!.actor !== sibling.dot.actor) actorIndex++;
    at = putSibling(bytes, at, sibling, actorIndex, clock);
  }
  return bytes;
}

function putSibling(
  bytes: Uint8Array,
  start: number,
  sibling: Sibling,
  actorIndex: number,
  clock: Clock,
): number {
  bytes[start] = actorIndex >>> 8;
  bytes[start + 1] = actorIndex;
  let at = putU64(bytes, start + 2, sibling.dot.counter);
  bytes[at++] = (sibling.tombstone ? TOMBSTONE : 0) | (sibling.also === undefined ? 0 : ALSO) |
    (sibling.expiresMs === undefined ? 0 : EXPIRES);
  at = putU32(bytes, at, sibling.crc32c);
  at = putU64(bytes, at, sibling.wallMs);
  at = putU32(bytes, at, sibling.value.length);
  at = putId(bytes, at, sibling.requestId);
  if (sibling.also !== undefined) at = putDots(bytes, at, sibling.also, clock);
  if (sibling.expiresMs !== undefined) at = putU64(bytes, at, sibling.expiresMs);
  bytes.set(sibling.value, at);
  return at + sibling.value.length;
}

function putDots(bytes: Uint8Array, start: number, dots: readonly Dot[], clock: Clock): number {
  bytes[start] = dots.length >>> 8;
  bytes[start + 1] = dots.length;
  let at = start + 2;
  for (const { actor, counter } of dots) {
    const index = clock.findIndex((entry) => entry.actor === actor);
    bytes[at] = index >>> 8;
    bytes[at + 1] = index;
    at = putU64(bytes, at + 2, counter);
  }
  return at;
}

// --- decoding ---------------------------------------------------------------------------------------------

/**
 * The object in these bytes; its values are views of them.
 *
 * @throws {ObjectFormatError} when they are not exactly what {@link encodeObject} writes.
 */
export function decodeObject(bytes: EncodedObject): StoredObject {
  const reader = new Reader(bytes);
  const version = reader.u8();
  if (version !== VERSION) throw new ObjectFormatError(`object version ${version} is not ${VERSION}`);
  const clock = readClock(reader);
  const replaced = reader.view(reader.u16() * ENTRY_BYTES);
  const fault = faultOf(replaced);
  if (fault !== null) throw new ObjectFormatError(fault);
  const count = reader.u32();
  if (count === 0) throw new ObjectFormatError("no siblings");
  const siblings: Sibling[] = [];
  let previous: Dot | null = null;
  let lastIndex = 0;
  for (let i = 0; i < count; i++) {
    const actorIndex = reader.u16();
    const sibling = readSibling(reader, clock, actorIndex);
    const { counter } = sibling.dot;
    if (
      previous !== null && (actorIndex < lastIndex || actorIndex === lastIndex && counter <= previous.counter)
    ) {
      throw new ObjectFormatError("siblings out of order");
    }
    siblings.push(sibling);
    previous = sibling.dot;
    lastIndex = actorIndex;
  }
  if (reader.at !== bytes.length) throw new ObjectFormatError(`${bytes.length - reader.at} bytes too many`);
  return { clock, siblings, replaced };
}

function readClock(reader: Reader): Clock {
  const count = reader.u16();
  if (count > LIMITS.clockEntries) {
    throw new ObjectFormatError(`a clock of ${count} entries, over ${LIMITS.clockEntries}`);
  }
  const clock: Dot[] = [];
  for (let i = 0; i < count; i++) {
    const actor = reader.actor();
    const counter = reader.counter();
    if (i > 0 && actor <= clock[i - 1]!.actor) throw new ObjectFormatError("clock out of order");
    clock.push({ actor, counter });
  }
  return clock;
}

function readSibling(reader: Reader, clock: Clock, actorIndex: number): Sibling {
  const dot = readDot(reader, clock, actorIndex);
  const flags = reader.u8();
  if (flags > (TOMBSTONE | ALSO | EXPIRES)) throw new ObjectFormatError(`unknown flags ${flags}`);
  const tombstone = (flags & TOMBSTONE) !== 0;
  const crc32c = reader.u32();
  const wallMs = reader.u64();
  const valueBytes = reader.u32();
  if (tombstone && (valueBytes > 0 || crc32c > 0)) throw new ObjectFormatError("a tombstone with a value");
  const requestId = reader.view(ID_BYTES).toHex();
  const also = (flags & ALSO) === 0 ? null : readAlso(reader, clock, dot);
  const expiresMs = (flags & EXPIRES) === 0 ? null : reader.u64();
  const value = reader.view(valueBytes);
  const sibling: Sibling = { dot, requestId, tombstone, value, crc32c, wallMs };
  if (also === null && expiresMs === null) return sibling;
  return { ...sibling, ...(also !== null && { also }), ...(expiresMs !== null && { expiresMs }) };
}

function readDot(reader: Reader, clock: Clock, actorIndex: number): Dot {
  const entry = clock[actorIndex];
  const counter = reader.counter();
  if (entry === undefined || counter > entry.counter) {
    throw new ObjectFormatError("a sibling that the clock does not cover");
  }
  // A dot that is its actor's last, as nearly all are, is the clock's entry.
  return counter === entry.counter ? entry : { actor: entry.actor, counter };
}

/** The other dots of a sibling: at least one, all greater than its own. */
function readAlso(reader: Reader, clock: Clock, dot: Dot): Dot[] {
  const also: Dot[] = [];
  const count = reader.u16();
  let previous = dot;
  while (also.length < count) {
    const next = readDot(reader, clock, reader.u16());
    if (compareDots(previous, next) >= 0) throw new ObjectFormatError("dots out of order");
    also.push(next);
    previous = next;
  }
  if (also.length === 0) throw new ObjectFormatError("no other dots");
  return also;
}

/** A place in bytes that never passes their end. Numbers are big-endian. */
class Reader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Step over so many bytes; where they begin. */
  #take(size: number): number {
    const start = this.at;
    if (size > this.#bytes.length - start) throw new ObjectFormatError("cut short");
    this.at = start + size;
    return start;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    const at = this.#take(2);
    return this.#bytes[at]! << 8 | this.#bytes[at + 1]!;
  }

  u32(): number {
    return u32At(this.#bytes, this.#take(4));
  }

  u64(): number {
    const value = u64At(this.#bytes, this.#take(8));
    if (value > Number.MAX_SAFE_INTEGER) throw new ObjectFormatError("a number past 2^53-1");
    return value;
  }

  counter(): number {
    const counter = this.u64();
    if (!isCounter(counter)) throw new ObjectFormatError("a counter of 0");
    return counter;
  }

  view(size: number): Uint8Array {
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  actor(): ActorId {
    return actorAt(this.#bytes, this.#take(ID_BYTES));
  }
}
