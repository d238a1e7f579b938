/**
 * 64 bits that stand for a key and what is held under it: what the hash trees (`actors/repair/hash_tree.ts`) add up.
 *
 * Replicas that hold the same have to come to the same hash, and nothing else may: so it is taken of the encoding
 * (`object_codec.ts`), which is canonical and knows nothing of the replica it lies on: clock, siblings, tombstones,
 * requests replaced. It is taken on every write, twice (of what was there and of what is there now), and a value may
 * have 8 MiB. Therefore values are left out: the CRC-32C and the length of each are part of the encoding, and so is
 * its dot, under which no other value ever goes.
 *
 * Two halves of 32 bits, made in two ways, each begun with the key. A CRC alone would not do: it is linear, and of two
 * keys that exchanged their objects the sum would stay what it was.
 *
 * @module
 */

import { crc32c } from "../runtime/crc32c.ts";
import { murmur3 } from "../runtime/murmur3.ts";
import { ID_BYTES, putU32, u32At } from "./fields.ts";
import { ENTRY_BYTES } from "./replaced.ts";
import type { EncodedObject } from "./protocol.ts";

/** Two independent halves, unsigned. */
export interface ObjectHash {
  /** 32 bits. */
  readonly low: number;
  /** 32 more. */
  readonly high: number;
}

/** Bytes of a hash on the wire. */
export const HASH_BYTES = 8;

const LOW_SEED = 0x5bd1_e995;
const HIGH_SEED = 0x1b87_3593;
/** Of a clock entry: actor and counter. */
const CLOCK_ENTRY_BYTES = ID_BYTES + 8;
/** Where in a sibling the length of its value stands, its flags, and what of it comes before its value. */
const FLAGS_AT = 10;
const LENGTH_AT = 23;
const SIBLING_BYTES = 43;
const ALSO = 2;
const ALSO_BYTES = 10;

/**
 * The hash of a key and of the encoding of an object under it. What is no encoding has some hash, too.
 *
 * @example
 * ```ts
 * import { objectHash } from "./object_hash.ts";
 * import { encodeObject } from "./object_codec.ts";
 * import { mint } from "./object.ts";
 * import { assert, assertEquals } from "../runtime/testing/assert.ts";
 *
 * const dot = { actor: "a0".repeat(16), counter: 1 };
 * const write = { context: [], value: null, crc32c: 0, requestId: "0f".repeat(16), wallMs: 1, dot };
 * const outcome = mint(null, write);
 * assert(outcome.ok);
 * const record = encodeObject(outcome.object);
 * assertEquals(objectHash(Uint8Array.of(1), record), objectHash(Uint8Array.of(1), record.slice()));
 * assert(objectHash(Uint8Array.of(1), record).low !== objectHash(Uint8Array.of(2), record).low);
 * ```
 */
export function objectHash(key: Uint8Array, record: EncodedObject): ObjectHash {
  let low = murmur3(key, LOW_SEED);
  let high = murmur3(key, HIGH_SEED);
  let from = 0;
  let at = 3 + CLOCK_ENTRY_BYTES * u16At(record, 1);
  at += 2 + ENTRY_BYTES * u16At(record, at);
  let siblings = u32At(record, at);
  at += 4;
  for (; siblings > 0 && at < record.length; siblings--) {
    const valueBytes = u32At(record, at + LENGTH_AT);
    const isRenamed = (record[at + FLAGS_AT]! & ALSO) !== 0;
    at += SIBLING_BYTES;
    if (isRenamed) at += 2 + ALSO_BYTES * u16At(record, at);
    if (valueBytes === 0) continue;
    const end = Math.min(at, record.length);
    low = murmur3(record, low, from, end);
    high = crc32c(record, high, from, end);
    from = at = at + valueBytes;
  }
  if (from < record.length) {
    low = murmur3(record, low, from);
    high = crc32c(record, high, from);
  }
  return { low, high: mix(high) };
}

/** Whether two hashes are one. */
export function isSameHash(a: ObjectHash, b: ObjectHash): boolean {
  return a.low === b.low && a.high === b.high;
}

/** A hash as it travels. */
export function encodeHash({ low, high }: ObjectHash): Uint8Array {
  const bytes = new Uint8Array(HASH_BYTES);
  putU32(bytes, putU32(bytes, 0, low), high);
  return bytes;
}

/** The hash in {@link HASH_BYTES} bytes. */
export function decodeHash(bytes: Uint8Array): ObjectHash {
  return { low: u32At(bytes, 0), high: u32At(bytes, 4) };
}

/** Murmur3's last step: every bit of the result depends on every bit, and not linearly. */
function mix(bits: number): number {
  let hash = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function u16At(bytes: Uint8Array, at: number): number {
  return at + 2 > bytes.length ? 0 : bytes[at]! << 8 | bytes[at + 1]!;
}
