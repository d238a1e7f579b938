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
 * two dots. Each sibling therefore carries its request id, and those of the versions it replaced:
 *  - siblings with one request id are one sibling, the one with the smallest dot, which remembers the other dots.
 *    Whoever replaced the write under any of its names, replaced it: a context that covers one of the dots is
 *    enough, and so is a clock that covers one of which its object knows no sibling (a reader may have met the
 *    write under one name only, and the replica where he writes under the other);
 *  - a sibling whose request id another's `replaced` holds is that write, come late, and goes.
 * So an object never shows one request twice, and the clock keeps every dot. The list has an end
 * (`LIMITS.replacedRequests`), and knows only versions that were present where the write was minted. A retry later
 * than that comes back as a sibling, the safe side: a write too many to look at, never one too few. For the same
 * reason the merge is commutative, idempotent and only ever moves up in the order of what is known, so that
 * replicas which keep exchanging objects meet, but it is not associative: which intermediate objects met may
 * decide if a late retry is seen.
 *
 * @module
 */

import { crc32c } from "../runtime/crc32c.ts";
import { LIMITS } from "../runtime/limits.ts";
import { type Clock, compareDots, covers, descends, type Dot, EMPTY_CLOCK, join, withDot } from "./clock.ts";
import type { RequestId } from "./protocol.ts";

/** One version of a key. Whatever carries this dot is this version, byte for byte, everywhere for ever. */
export interface Sibling {
  /** Its name; the smallest, where a retried write got several. */
  readonly dot: Dot;
  /** The other names that this write is known to have got, sorted; absent when there are none, as nearly always. */
  readonly also?: readonly Dot[];
  /** The client write it came from. */
  readonly requestId: RequestId;
  /** Client writes known to be replaced by it, those it saw itself first. */
  readonly replaced: readonly RequestId[];
  /** Whether it marks a delete. */
  readonly tombstone: boolean;
  /** The bytes; empty for a tombstone. */
  readonly value: Uint8Array;
  /** CRC-32C of `value` as its writer computed it; 0 for a tombstone. */
  readonly crc32c: number;
  /** When it was minted, milliseconds since the Unix epoch by its coordinator's clock: for people only. */
  readonly wallMs: number;
}

/** All that a replica knows of one key. */
export interface StoredObject {
  /** The dots whose fate is known. Covers every sibling's. */
  readonly clock: Clock;
  /** The versions that nothing known has replaced, sorted by dot; at least one. */
  readonly siblings: readonly Sibling[];
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
  if (local !== null && siblings.some((sibling) => knows(sibling, write.requestId))) {
    return { ok: true, applied: false, object: local };
  }
  const { context, dot } = write;
  if (covers(clock, dot) || covers(context, dot)) {
    const message = `dot ${dot.counter} of actor ${dot.actor} is not new to this key`;
    return { ok: false, code: "future-dot", message };
  }
  const replaced = siblings.filter((sibling) => coversAny(context, sibling));
  const kept = siblings.filter((sibling) => !coversAny(context, sibling));
  const fresh: Sibling = {
    dot,
    requestId: write.requestId,
    replaced: requestsReplaced(replaced),
    tombstone: write.value === null,
    value: write.value ?? NO_BYTES,
    crc32c: write.crc32c,
    wallMs: Math.max(0, Math.trunc(write.wallMs)),
  };
  const object: StoredObject = {
    clock: withDot(join(clock, context), dot),
    siblings: [...kept, fresh].sort((a, b) => compareDots(a.dot, b.dot)),
  };
  return limitExceeded(local, object, write.value === null) ?? { ok: true, applied: true, object };
}

/** Whether the sibling is, or has replaced, what this request wrote. */
function knows(sibling: Sibling, requestId: RequestId): boolean {
  return sibling.requestId === requestId || sibling.replaced.includes(requestId);
}

/** The requests of the versions replaced, then as many of those they had replaced as the limit allows. */
function requestsReplaced(replaced: readonly Sibling[]): readonly RequestId[] {
  const requests = new Set(replaced.map((sibling) => sibling.requestId));
  for (const earlier of replaced.flatMap((sibling) => sibling.replaced)) {
    if (requests.size >= LIMITS.replacedRequests) break;
    requests.add(earlier);
  }
  return [...requests];
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
      if (kept === null) continue;
      siblings.push(kept);
      renamed ||= kept.dot !== one.dot;
    }
  }
  if (renamed) siblings.sort((x, y) => compareDots(x.dot, y.dot));
  return { clock: join(a.clock, b.clock), siblings: withoutReplaced(siblings) };
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
 * The siblings without those that another replaced. Honest request ids cannot list each
 * other in a circle, for a context is older than the request it is sent with; should it happen all the same
 * (an id used for two writes), better all of the circle than none.
 */
function withoutReplaced(siblings: readonly Sibling[]): readonly Sibling[] {
  if (siblings.length < 2) return siblings;
  const seen = new Set(siblings.flatMap((sibling) => sibling.replaced));
  if (seen.size === 0) return siblings;
  const current = siblings.filter(({ requestId }) => !seen.has(requestId));
  return current.length > 0 ? current : siblings;
}

/** Whether merging `b` into `a` would change nothing: a replica that holds `a` can skip it. */
export function includes(a: StoredObject, b: StoredObject): boolean {
  if (!descends(a.clock, b.clock)) return false;
  return a.siblings.every((mine) => {
    if (mine.also === undefined && !covers(b.clock, mine.dot)) return sameWrite(b, mine) === undefined;
    const theirs = sameWrite(b, mine);
    return united(mine, a.clock, theirs, b.clock) === mine;
  });
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

/** Bytes an object takes before its clock and siblings; see `storage/FORMAT.md`. */
const OBJECT_HEADER_BYTES = 7;
/** Bytes per clock entry. */
const CLOCK_ENTRY_BYTES = 24;
/** Bytes per sibling beside its value and the requests it replaced. */
const SIBLING_HEADER_BYTES = 47;
/** Bytes per replaced request. */
const REQUEST_ID_BYTES = 16;
/** Bytes of the count of further dots, where there are any, and of each. */
const ALSO_HEADER_BYTES = 2;
/** See above. */
const ALSO_BYTES = 10;

/** The size of the object's encoding (`object_codec.ts`) in bytes. */
export function sizeBytes(object: StoredObject): number {
  let size = OBJECT_HEADER_BYTES + CLOCK_ENTRY_BYTES * object.clock.length;
  for (const { value, replaced, also } of object.siblings) {
    size += SIBLING_HEADER_BYTES + REQUEST_ID_BYTES * replaced.length + value.length;
    if (also !== undefined) size += ALSO_HEADER_BYTES + ALSO_BYTES * also.length;
  }
  return size;
}
