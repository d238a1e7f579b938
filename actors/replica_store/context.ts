/**
 * The context a client is given with a read and gives back with its next write: the clock of what it has
 * seen.
 *
 * To the client it is opaque; a client that makes one up, mixes up two keys or damages one would silently
 * replace values it never saw. So the layout of RLDB (count, then entries) is followed by a checksum over the
 * cluster, the key and the entries, and what does not match is refused:
 *
 * | size | field |
 * | --- | --- |
 * | 4 | entries, 1 to `LIMITS.clockEntries` |
 * | 32 each | actor id (16), counter (16), ascending by actor id, counters 1 to 2^53-1 |
 * | 4 | CRC-32C of the cluster id in UTF-8, a zero byte, the key, and everything above |
 *
 * Numbers are big-endian. Nothing seen is no bytes at all. A CRC sees every flipped bit and every burst of up
 * to 32, and another key passes once in 2^32; it is no defence against one who forges contexts on purpose,
 * who may as well delete the key.
 *
 * @module
 */

import { encodeUtf8 } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { LIMITS } from "../runtime/limits.ts";
import { Slab } from "../runtime/slab.ts";
import { type Clock, type Dot, EMPTY_CLOCK, isCounter } from "./clock.ts";
import { actorAt, ID_BYTES, putId, putU32, putU64, u32At, u64At } from "./fields.ts";

const COUNT_BYTES = 4;
const ENTRY_BYTES = 32;
const CHECKSUM_BYTES = 4;
const SEPARATOR = Uint8Array.of(0);
const slab = new Slab(4 * 1024, 1024);

/** The last cluster a checksum was made for: nearly always the only one, and UTF-8 costs time. */
let cluster = { id: "", seed: crc32c(SEPARATOR) };

/** The checksum of the count and entries at the head of `bytes`, for this key of this cluster. */
function checksum(bytes: Uint8Array, key: Uint8Array, clusterId: string): number {
  if (cluster.id !== clusterId) {
    cluster = { id: clusterId, seed: crc32c(SEPARATOR, crc32c(encodeUtf8(clusterId))) };
  }
  return crc32c(bytes, crc32c(key, cluster.seed), 0, bytes.length - CHECKSUM_BYTES);
}

/**
 * The context that says a reader of `key` has seen `clock`.
 *
 * @example
 * ```ts
 * import { decodeContext, encodeContext } from "./context.ts";
 * import { encodeUtf8 } from "../runtime/bytes.ts";
 * import { assertEquals } from "../runtime/testing/assert.ts";
 *
 * const clock = [{ actor: "0a".repeat(16), counter: 7 }];
 * const context = encodeContext(clock, encodeUtf8("foo"), "cluster");
 * assertEquals(decodeContext(context, encodeUtf8("foo"), "cluster"), clock);
 * assertEquals(decodeContext(context, encodeUtf8("bar"), "cluster"), null);
 * ```
 */
export function encodeContext(clock: Clock, key: Uint8Array, clusterId: string): Uint8Array {
  if (clock.length === 0) return new Uint8Array(0);
  const bytes = slab.take(COUNT_BYTES + ENTRY_BYTES * clock.length + CHECKSUM_BYTES);
  let at = putU32(bytes, 0, clock.length);
  for (const { actor, counter } of clock) {
    at = putId(bytes, at, actor);
    at = putU64(bytes, at + 8, counter);
  }
  putU32(bytes, at, checksum(bytes, key, clusterId));
  return bytes;
}

/** The clock in a context; null when it is damaged, or was not given for this key of this cluster. */
export function decodeContext(bytes: Uint8Array, key: Uint8Array, clusterId: string): Clock | null {
  if (bytes.length === 0) return EMPTY_CLOCK;
  if (bytes.length < COUNT_BYTES + ENTRY_BYTES + CHECKSUM_BYTES) return null;
  const count = u32At(bytes, 0);
  if (count > LIMITS.clockEntries) return null;
  if (bytes.length !== COUNT_BYTES + ENTRY_BYTES * count + CHECKSUM_BYTES) return null;
  if (u32At(bytes, bytes.length - CHECKSUM_BYTES) !== checksum(bytes, key, clusterId)) return null;
  const clock: Dot[] = [];
  for (let i = 0; i < count; i++) {
    const at = COUNT_BYTES + ENTRY_BYTES * i;
    const actor = actorAt(bytes, at);
    const counter = u64At(bytes, at + ID_BYTES + 8);
    if (u64At(bytes, at + ID_BYTES) !== 0 || !isCounter(counter)) return null;
    if (i > 0 && actor <= clock[i - 1]!.actor) return null;
    clock.push({ actor, counter });
  }
  return clock;
}
