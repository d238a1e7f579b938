/**
 * The client writes that an object knows to be replaced, by their request ids: so that a retry of one, minted late
 * by another coordinator, is known for what it is (`object.ts`, "Retries").
 *
 * There is no end to them, so the oldest are forgotten, on all replicas the same: a list is the largest
 * `LIMITS.replacedRequests` elements of a set, by when they were minted, then by id. The largest so many of a union
 * are the same in whatever order the union was made, so lists can be joined as clocks can: commutative, associative,
 * idempotent (Shapiro, Preguiça, Baquero, Zawirski 2011, "Conflict-Free Replicated Data Types", section 2.3).
 *
 * A list is the bytes it is stored as, for it comes with every request: entries of 24 bytes, time before id, ascending,
 * so that the order of bytes is the order of entries.
 *
 * @module
 */

import { LIMITS } from "../runtime/limits.ts";
import { ID_BYTES, putId, putU64, u64At } from "./fields.ts";
import type { RequestId } from "./protocol.ts";

/** A list; not to be changed. */
export type Replaced = Uint8Array;

/** What was replaced. */
export interface ReplacedWrite {
  /** Its id. */
  readonly requestId: RequestId;
  /** When it was minted: see `Sibling.wallMs`. */
  readonly wallMs: number;
}

/** Bytes of an entry: the time it was minted, its request id. */
export const ENTRY_BYTES: number = 8 + ID_BYTES;
const MOST_BYTES = LIMITS.replacedRequests * ENTRY_BYTES;

/** The empty list. */
export const NONE: Replaced = new Uint8Array(0);

/**
 * The list with these writes, as many as are remembered.
 *
 * @example
 * ```ts
 * import { has, NONE, withWrites } from "./replaced.ts";
 * import { assert, assertEquals } from "../runtime/testing/assert.ts";
 *
 * const requestId = "0f".repeat(16);
 * const list = withWrites(NONE, [{ requestId, wallMs: 1 }]);
 * assert(has(list, requestId) && !has(NONE, requestId));
 * assertEquals(list.toHex(), "0000000000000001" + requestId);
 * ```
 */
export function withWrites(list: Replaced, writes: readonly ReplacedWrite[]): Replaced {
  let all = list;
  for (const { requestId, wallMs } of writes) {
    const entry = new Uint8Array(ENTRY_BYTES);
    putId(entry, putU64(entry, 0, wallMs), requestId);
    all = join(all, entry);
  }
  return all;
}

/** What is in either list, as much as is remembered; `a` itself when that is all. */
export function join(a: Replaced, b: Replaced): Replaced {
  if (b.length === 0 || a === b) return a;
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  let size = 0;
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const order = j === b.length ? -1 : i === a.length ? 1 : compareEntries(a, i, b, j);
    both.set(order <= 0 ? a.subarray(i, i + ENTRY_BYTES) : b.subarray(j, j + ENTRY_BYTES), size);
    size += ENTRY_BYTES;
    if (order <= 0) i += ENTRY_BYTES;
    if (order >= 0) j += ENTRY_BYTES;
  }
  const kept = both.subarray(Math.max(0, size - MOST_BYTES), size);
  return isEqual(kept, a) ? a : kept;
}

/** Whether a write of this id is in the list. */
export function has(list: Replaced, requestId: RequestId): boolean {
  if (list.length === 0) return false;
  putId(SOUGHT, 0, requestId);
  for (let at = ENTRY_BYTES - ID_BYTES; at < list.length; at += ENTRY_BYTES) {
    let same = 0;
    while (same < ID_BYTES && list[at + same] === SOUGHT[same]) same++;
    if (same === ID_BYTES) return true;
  }
  return false;
}

/** When the youngest of them was minted; 0 of none. */
export function newestMs(list: Replaced): number {
  return list.length === 0 ? 0 : u64At(list, list.length - ENTRY_BYTES);
}

/** Why bytes are no list, null when they are one. */
export function faultOf(list: Uint8Array): string | null {
  if (list.length > MOST_BYTES) return `over ${LIMITS.replacedRequests} replaced requests`;
  for (let at = 0; at < list.length; at += ENTRY_BYTES) {
    if (u64At(list, at) > Number.MAX_SAFE_INTEGER) return "a number past 2^53-1";
    if (at > 0 && compareEntries(list, at - ENTRY_BYTES, list, at) >= 0) {
      return "replaced requests out of order";
    }
  }
  return null;
}

/** Scratch for {@link has}. */
const SOUGHT = new Uint8Array(ID_BYTES);

function compareEntries(a: Replaced, i: number, b: Replaced, j: number): number {
  for (let n = 0; n < ENTRY_BYTES; n++) {
    const difference = a[i + n]! - b[j + n]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function isEqual(a: Replaced, b: Replaced): boolean {
  if (a.length !== b.length) return false;
  // What differs differs at the young end.
  for (let at = a.length - 1; at >= 0; at--) if (a[at] !== b[at]) return false;
  return true;
}
