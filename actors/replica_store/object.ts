/**
 * Objects: the versions of one key, and what it takes to know which of them are concurrent.
 *
 * Problem. Any node may take a write, so two clients that have not seen each other's may write one key. Both
 * values must be kept, as siblings, until somebody who has read both writes again. But a write that had seen
 * a value must replace it. Which of the two it was must be known from the versions alone, on every replica,
 * in whatever order the versions arrive. Clocks of the wall do not know: the last write wins, the other is
 * lost.
 *
 * Naive attempt. Give each value a version vector: what its writer had read, and one more for the server that
 * took the write (Dynamo, section 4.4). A and B read nothing, and both write at server s: A's value gets
 * {s: 1}. If B's gets {s: 2}, it replaces A's, which B never saw. If both are kept under {s: 2}, a writer who
 * has seen one of them cannot say which, nothing is ever replaced, and siblings pile up (Riak's sibling
 * explosion). With an entry per client instead, vectors grow with the clients, are pruned, and so forget. One
 * number per server cannot say "2, but not 1".
 *
 * The idea: dotted version vectors (Preguiça, Baquero, Almeida, Fonte, Gonçalves 2010, "Dotted Version
 * Vectors: Efficient Causality Tracking for Distributed Key-Value Stores"; Almeida et al. 2014, "Scalable and
 * Accurate Causality Tracking for Eventually Consistent Stores", section 5). Keep apart what a value is and
 * what its writer had seen. Each value is named by its own dot (s, 2). The object has one clock: all dots
 * whose fate it knows. A sibling that is there is current. A dot which the clock covers and which is not
 * there has been replaced. So
 *  - a write with a context replaces exactly the siblings whose dots the context covers ({@link mint});
 *  - a merge keeps a sibling if the other side has it too, or has never heard of it ({@link merge}).
 * Siblings are then exactly the concurrent writes, and the clock has one entry per server.
 *
 * The gap rule. A clock entry (s, 2) claims to know the fate of (s, 1) too. That is true only if whoever
 * holds dot (s, n) of a key holds, or has a clock that covers, every earlier dot of s for the key. Therefore
 * a coordinator merges a write into its own object first and sends the merged object, whole: the new version
 * alone, with a clock that covers (s, 2), would make a replica that misses (s, 1) believe it was replaced. It
 * is also why a server that may have forgotten what it issued must take a new actor id: counting again from 1
 * it mints dots that others' clocks cover already, and its writes vanish on the first merge (Riak's kv679).
 * `object_test.ts` puts each of these mistakes in, and sees siblings go missing.
 *
 * Deletes. A tombstone is a version like any other: it has a dot, replaces what its context covers, is
 * concurrent with what it does not. Forgetting it would forget that the old value was replaced.
 *
 * Retries. A write whose coordinator fell silent is sent to another under the same request id, and may so get
 * two dots. Each sibling therefore carries its request id, and the object a list of those of what was replaced:
 *  - siblings with one request id are one sibling, the one with the smallest dot, which remembers the other dots.
 *    Whoever replaced the write under any of its names, replaced it: a context that covers one of the dots is
 *    enough, and so is a clock that covers one of which its object knows no sibling (a reader may have met the
 *    write under one name only, and the replica where he writes under the other);
 *  - whatever goes, where it is replaced by a write or found to be replaced in a merge, has its id in the list;
 *  - a sibling whose request id is in the list is that write, come late, and goes.
 * So an object never shows one request twice, and the clock keeps every dot. The list belongs to the object and not
 * to the sibling that did the replacing: where that is replaced in its turn by one who never met it, but for a
 * context, all it knew would go with it. It has an end (`LIMITS.replacedRequests`), and it takes a replica that held
 * the write to know its id. A retry later than that comes back as a sibling, the safe side: a write too many to look
 * at, never one too few. Up to that end the merge is commutative, associative and idempotent.
 *
 * @module
 */

import { crc32c } from "../runtime/crc32c.ts";
import { LIMITS } from "../runtime/limits.ts";
import { type Clock, compareDots, covers, descends, type Dot, EMPTY_CLOCK, join, withDot } from "./clock.ts";
import type { RequestId } from "./protocol.ts";
import { has, join as joinReplaced, newestMs, NONE, type Replaced, withWrites } from "./replaced.ts";

/** One version of a key. Whatever carries this dot is this version, byte for byte, everywhere for ever. */
export interface Sibling {
  /** Its name; the smallest, where a retried write got several. */
  readonly dot: Dot;
  /** The other names that this write is known to have got, sorted; absent when there are none, as nearly always. */
  readonly also?: readonly Dot[];
  /** The client write it came from. */
  readonly requestId: RequestId;
  /** Whether it marks a delete. */
  readonly tombstone: boolean;
  /** The bytes; empty for a tombstone. */
  readonly value: Uint8Array;
  /** CRC-32C of `value` as its writer computed it; 0 for a tombstone. */
  readonly crc32c: number;
  /**
   * When it was minted, milliseconds since the Unix epoch by its coordinator's clock, or later than what that knew of:
   * for people, and to forget the oldest requests first.
   */
  readonly wallMs: number;
  /** When it expires, milliseconds since the Unix epoch as most members have it; absent: never. */
  readonly expiresMs?: number;
}

/** All that a replica knows of one key. */
export interface StoredObject {
  /** The dots whose fate is known. Covers every sibling's. */
  readonly clock: Clock;
  /** The versions that nothing known has replaced, sorted by dot; at least one. */
  readonly siblings: readonly Sibling[];
  /** The client writes that are known to be replaced; the oldest are forgotten. */
  readonly replaced: Replaced;
}

/** A client's write, about to become a version. */
export interface Write {
  /** What the writer had seen. */
  readonly context: Clock;
  /** The bytes (kept by reference), null to delete. */
  readonly value: Uint8Array | null;
  /** CRC-32C of `value`; 0 for a delete. */
  readonly crc32c: number;
  /** The same through all retries. */
  readonly requestId: RequestId;
  /** See {@link Sibling.wallMs}. */
  readonly wallMs: number;
  /** See {@link Sibling.expiresMs}. */
  readonly expiresMs?: number;
  /** A dot its actor never used before. */
  readonly dot: Dot;
}

/** Outcome of {@link mint}. `applied`: false when `local` knows the request already; the dot is unused. */
export type MintOutcome =
  | { readonly ok: true; readonly applied: boolean; readonly object: StoredObject }
  | {
    readonly ok: false;
    readonly code: "too-many-siblings" | "too-large" | "future-dot";
    readonly message: string;
  };

const NO_BYTES = new Uint8Array(0);

/**
 * Turn a write into a version of `local`, which null stands for nothing known. The siblings that the context
 * covers are replaced. The limits are applied here and nowhere later, and never to a write that leaves less
 * than it found, so that one can always resolve and delete. `future-dot`: the dot is not new to the object or
 * the context, so its actor has forgotten what it issued (FAULTS 26, kv679); nothing must be minted by it.
 *
 * @example
 * ```ts
 * import { liveValues, mint } from "./object.ts";
 * import { crc32c } from "../runtime/crc32c.ts";
 * import { assert, assertEquals } from "../runtime/testing/assert.ts";
 *
 * const write = (text: string, n: number) => {
 *   const value = new TextEncoder().encode(text);
 *   const requestId = `${n}`.padStart(32, "0");
 *   const dot = { actor: "a", counter: n };
 *   return { context: [], value, crc32c: crc32c(value), requestId, wallMs: 0, dot };
 * };
 * const one = mint(null, write("bar1", 1));
 * assert(one.ok);
 * const two = mint(one.object, write("bar2", 2)); // no context: concurrent
 * assert(two.ok);
 * assertEquals(liveValues(two.object).map((live) => live.crc32c), [1383588930, 1093081014]);
 * const three = mint(two.object, { ...write("conflicts_resolved", 3), context: two.object.clock });
 * assert(three.ok);
 * assertEquals(liveValues(three.object).map((live) => live.crc32c), [3289643150]);
 * ```
 */
export function mint(local: StoredObject | null, write: Write): MintOutcome {
  const clock = local === null ? EMPTY_CLOCK : local.clock;
  const siblings = local === null ? [] : local.siblings;
  if (local !== null && knows(local, write.requestId)) return { ok: true, applied: false, object: local };
  const { context, dot } = write;
  if (covers(clock, dot) || covers(context, dot)) {
    const message = `dot ${dot.counter} of actor ${dot.actor} is not new to this key`;
    return { ok: false, code: "future-dot", message };
  }
  const gone = siblings.filter((sibling) => coversAny(context, sibling));
  const kept = siblings.filter((sibling) => !coversAny(context, sibling));
  const fresh: Sibling = {
    dot,
    requestId: write.requestId,
    tombstone: write.value === null,
    value: write.value ?? NO_BYTES,
    crc32c: write.crc32c,
    wallMs: Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.trunc(write.wallMs), 1 + newestOf(local))),
    ...(write.expiresMs !== undefined && { expiresMs: Math.max(0, Math.trunc(write.expiresMs)) }),
  };
  const object: StoredObject = {
    clock: withDot(join(clock, context), dot),
    siblings: [...kept, fresh].sort((a, b) => compareDots(a.dot, b.dot)),
    replaced: withWrites(local?.replaced ?? NONE, gone),
  };
  return limitExceeded(local, object, write.value === null) ?? { ok: true, applied: true, object };
}

/** Whether the object holds what this request wrote, or has replaced it. */
function knows({ siblings, replaced }: StoredObject, requestId: RequestId): boolean {
  return siblings.some((sibling) => sibling.requestId === requestId) || has(replaced, requestId);
}

/** When the youngest thing that an object knows of was minted; before all time where there is nothing. */
function newestOf(local: StoredObject | null): number {
  if (local === null) return -1;
  return local.siblings.reduce((newest, { wallMs }) => Math.max(newest, wallMs), newestMs(local.replaced));
}

/**
 * The refusal of `after` if it is over a limit and grew in that respect, else null. A delete is never refused for
 * bytes: its tombstone is the way out, and the limit of siblings bounds how many there are.
 */
function limitExceeded(
  before: StoredObject | null,
  after: StoredObject,
  isDelete: boolean,
): MintOutcome | null {
  const siblings = after.siblings.length;
  if (siblings > LIMITS.siblings && siblings > (before?.siblings.length ?? 0)) {
    const message =
      `the key has its limit of ${LIMITS.siblings} siblings: read it, and write with its context`;
    return { ok: false, code: "too-many-siblings", message };
  }
  const entries = after.clock.length;
  if (entries > LIMITS.mintClockEntries && entries > (before?.clock.length ?? 0)) {
    const message = `the version vector would have ${entries} entries, over ${LIMITS.mintClockEntries}`;
    return { ok: false, code: "too-large", message };
  }
  const size = sizeBytes(after);
  if (!isDelete && size > LIMITS.objectBytes && size > (before === null ? 0 : sizeBytes(before))) {
    const message = `the key's siblings would take ${size} bytes together, over ${LIMITS.objectBytes}`;
    return { ok: false, code: "too-large", message };
  }
  return null;
}

/**
 * All that `a` and `b` know together. Never refuses. A result equal to an operand may be that operand.
 *
 * @example
 * ```ts
 * import { merge, mint } from "./object.ts";
 * import { assert, assertEquals } from "../runtime/testing/assert.ts";
 *
 * const write = { context: [], value: new Uint8Array(0), crc32c: 0, wallMs: 0 };
 * const here = mint(null, { ...write, requestId: "1".repeat(32), dot: { actor: "a", counter: 1 } });
 * const there = mint(null, { ...write, requestId: "2".repeat(32), dot: { actor: "b", counter: 7 } });
 * assert(here.ok && there.ok);
 * assertEquals(merge(here.object, there.object).siblings.length, 2);
 * ```
 */
export function merge(a: StoredObject, b: StoredObject): StoredObject {
  if (a === b) return a;
  const siblings: Sibling[] = [];
  const gone: Sibling[] = [];
  let renamed = false;
  let i = 0;
  let j = 0;
  while (i < a.siblings.length || j < b.siblings.length) {
    const mine = a.siblings[i];
    const theirs = b.siblings[j];
    const order = mine === undefined ? 1 : theirs === undefined ? -1 : compareDots(mine.dot, theirs.dot);
    if (order <= 0) i++;
    if (order >= 0) j++;
    if (order === 0 && mine!.also === undefined && theirs!.also === undefined) siblings.push(mine!);
    else {
      const twin = order === 0 ? theirs : order < 0 ? sameWrite(b, mine!) : sameWrite(a, theirs!);
      if (order > 0 && twin !== undefined) continue; // its turn comes, or came, among a's
      const one = order > 0 ? theirs! : mine!;
      const kept = order > 0 ? united(one, b.clock, undefined, a.clock) : united(one, a.clock, twin, b.clock);
      if (kept === null) gone.push(one, ...(order <= 0 && twin !== undefined ? [twin] : []));
      else {
        siblings.push(kept);
        renamed ||= kept.dot !== one.dot;
      }
    }
  }
  if (renamed) siblings.sort((x, y) => compareDots(x.dot, y.dot));
  return withoutReplaced(join(a.clock, b.clock), siblings, gone, joinReplaced(a.replaced, b.replaced));
}

/** The sibling of an object that comes from the same request, under whatever dot. */
function sameWrite({ siblings }: StoredObject, { requestId }: Sibling): Sibling | undefined {
  return siblings.find((sibling) => sibling.requestId === requestId);
}

/**
 * One write as two objects know it, null when one of them knows that it was replaced: its clock covers a dot that
 * the write is there not known by. `theirs`: undefined when the other object has no such sibling.
 */
function united(mine: Sibling, own: Clock, theirs: Sibling | undefined, other: Clock): Sibling | null {
  if (theirs === undefined) return coversAny(other, mine) ? null : mine;
  const isNews = (dot: Dot, sibling: Sibling) => !dotsOf(sibling).some((one) => compareDots(one, dot) === 0);
  const added = dotsOf(theirs).filter((dot) => isNews(dot, mine));
  if (added.some((dot) => covers(own, dot))) return null;
  if (dotsOf(mine).some((dot) => isNews(dot, theirs) && covers(other, dot))) return null;
  if (added.length === 0) return mine;
  const [dot, ...also] = [...dotsOf(mine), ...added].sort(compareDots);
  return { ...(compareDots(mine.dot, theirs.dot) < 0 ? mine : theirs), dot: dot!, also };
}

/** All names of a write. */
function dotsOf({ dot, also }: Sibling): readonly Dot[] {
  return also === undefined ? [dot] : [dot, ...also];
}

/** Whether the clock covers the write under any of its names. */
function coversAny(clock: Clock, { dot, also }: Sibling): boolean {
  return covers(clock, dot) || also !== undefined && also.some((other) => covers(clock, other));
}

/**
 * An object of these siblings, without those that were replaced; they, and those that are gone already, are in the
 * list. That none is left takes ids that were used for several writes: then better too many than none.
 */
function withoutReplaced(
  clock: Clock,
  siblings: readonly Sibling[],
  gone: readonly Sibling[],
  known: Replaced,
): StoredObject {
  const isLate = ({ requestId }: Sibling) => has(known, requestId);
  if (!siblings.some(isLate) || siblings.every(isLate)) {
    return { clock, siblings, replaced: withWrites(known, gone) };
  }
  const late = siblings.filter(isLate);
  return {
    clock,
    siblings: siblings.filter((sibling) => !late.includes(sibling)),
    replaced: withWrites(known, [...gone, ...late]),
  };
}

/** Whether merging `b` into `a` would change nothing: a replica that holds `a` can skip it. */
export function includes(a: StoredObject, b: StoredObject): boolean {
  if (!descends(a.clock, b.clock)) return false;
  const { siblings, replaced } = merge(a, b);
  return replaced === a.replaced && siblings.length === a.siblings.length &&
    siblings.every((sibling, i) => sibling === a.siblings[i]);
}

/** The values a reader is shown: of all siblings but tombstones, in the order of their dots. */
export function liveValues(object: StoredObject): { readonly value: Uint8Array; readonly crc32c: number }[] {
  return object.siblings.filter((sibling) => !sibling.tombstone)
    .map(({ value, crc32c }) => ({ value, crc32c }));
}

/** Whether every value still has the CRC-32C its writer gave it. */
export function verifyValues(object: StoredObject): boolean {
  return object.siblings.every((sibling) => crc32c(sibling.value) === sibling.crc32c);
}

/** Bytes an object takes beside its clock, siblings and list; see `storage/FORMAT.md`. */
const OBJECT_HEADER_BYTES = 9;
/** Bytes per clock entry. */
const CLOCK_ENTRY_BYTES = 24;
/** Bytes per sibling beside its value. */
const SIBLING_HEADER_BYTES = 43;
/** Bytes of the count of further dots, where there are any, and of each. */
const ALSO_HEADER_BYTES = 2;
/** See above. */
const ALSO_BYTES = 10;
/** Bytes of the time at which a sibling expires, where it does. */
const EXPIRES_BYTES = 8;

/** The size of the object's encoding (`object_codec.ts`) in bytes. */
export function sizeBytes(object: StoredObject): number {
  let size = OBJECT_HEADER_BYTES + CLOCK_ENTRY_BYTES * object.clock.length + object.replaced.length;
  for (const { value, also, expiresMs } of object.siblings) {
    size += SIBLING_HEADER_BYTES + value.length;
    if (expiresMs !== undefined) size += EXPIRES_BYTES;
    if (also !== undefined) size += ALSO_HEADER_BYTES + ALSO_BYTES * also.length;
  }
  return size;
}
