/**
 * A hash tree of one partition: what tells two replicas whether they hold the same, and where they do not, without
 * either of them reading through what it holds.
 *
 * Dynamo (section 4.7) keeps a Merkle tree (Merkle 1987, "A Digital Signature Based on a Conventional Encryption
 * Function") for each key range: leaves are hashes of keys, inner nodes of their children, so that equal ranges are
 * passed over at the price of one comparison, however large they are. What is a leaf decides what it costs.
 *  - A leaf for each key: as much memory as the keys themselves.
 *  - A leaf for each slot of a hash of the key, as Riak has it: then the keys of a leaf lie all over the partition, and
 *    whoever wants to know them has to read all of it, or keep a second index of all keys by slot.
 *  - Here a leaf is a stretch of the key order, so that its keys are found where they lie, by a bounded scan. Both
 *    sides must cut the key order at the same places, though neither knows the other's keys. Cut after every 32nd key,
 *    and one key more moves all cuts behind it. So the keys themselves say where: a key ends its leaf when its hash is
 *    divisible by {@link LEAF_KEYS}. A cut depends on one key alone, and a key more or less makes or joins one leaf.
 *    (Content-defined chunking: Manber 1994, "Finding Similar Files in a Large File System"; with trees on top: Auvolat
 *    and Taïani 2019, "Merkle Search Trees".)
 *
 * The digest of a stretch is the sum of the hashes of its keys and objects, and how many keys there are. So one change
 * takes one subtraction and one addition, a stretch of many leaves is the sum of theirs, and inner nodes need not be
 * kept: they are added up when somebody asks. (A sum of 64 bits is no defence against an adversary who picks objects
 * to hide a difference; whoever can write one side apart from the other is a member of the cluster already.)
 *
 * A tree has to be made of what a store holds already, while that changes. And a new cut divides a leaf, but what of
 * its sum falls on either side only its keys can tell. Both are one thing here, a survey: {@link HashTree.survey} names
 * a stretch to read next, {@link HashTree.learn} takes a page of what is there, and between two pages changes go on.
 *  - A leaf is known or unknown. Of an unknown one nothing is kept, so changes in it pass by: its keys are read later.
 *  - A page makes known just the stretch that it covers; the rest stays what it was, unknown, or known less the page.
 *    What is known is right at every moment; the position of a survey is where the unknown begins, and nothing else.
 *  - A page must show the store as it is after the last {@link HashTree.change}: read and learnt in one turn.
 * Where that stretch does not end at a cut (large values fill a page with few keys), its end is provisional, and goes
 * when what follows has been read.
 *
 * Memory: 200 bytes a leaf, 6 to 7 for each key; nothing for an empty partition, which needs no tree.
 *
 * @module
 */

import { compareBytes } from "../runtime/bytes.ts";
import { murmur3 } from "../runtime/murmur3.ts";
import { putU32, u32At } from "../replica_store/fields.ts";
import type { ObjectHash } from "../replica_store/object_hash.ts";

/** Keys in a leaf, on average; a power of two. */
export const LEAF_KEYS = 32;

/** A place in the key order: after this key. Null stands for the end, and where something begins, for the beginning. */
export type Cut = Uint8Array | null;

/** What stands for all keys of a stretch and what is held under them. */
export interface Digest extends ObjectHash {
  /** How many keys there are. */
  readonly keys: number;
}

/** A key and the hash of what is under it. */
export interface HashedKey {
  /** The key. */
  readonly key: Uint8Array;
  /** Of the key and its object. */
  readonly hash: ObjectHash;
}

/** The digest of a stretch that holds nothing. */
export const EMPTY_DIGEST: Digest = { keys: 0, low: 0, high: 0 };
/** Bytes of a digest on the wire. */
export const DIGEST_BYTES = 12;

const CUT_SEED = 0x27d4_eb2f;

/** Whether a leaf ends after this key: the same in every tree, whatever else is in it. */
export function isCut(key: Uint8Array): boolean {
  return (murmur3(key, CUT_SEED) & (LEAF_KEYS - 1)) === 0;
}

/** Whether two digests are one. */
export function isSameDigest(a: Digest, b: Digest): boolean {
  return a.keys === b.keys && a.low === b.low && a.high === b.high;
}

/** A digest as it travels. */
export function encodeDigest({ keys, low, high }: Digest): Uint8Array {
  const bytes = new Uint8Array(DIGEST_BYTES);
  putU32(bytes, putU32(bytes, putU32(bytes, 0, keys), low), high);
  return bytes;
}

/** The digest in {@link DIGEST_BYTES} bytes. */
export function decodeDigest(bytes: Uint8Array): Digest {
  return { keys: u32At(bytes, 0), low: u32At(bytes, 4), high: u32At(bytes, 8) };
}

/** A stretch of keys: those after the end of the leaf before it, up to its own end. */
interface Leaf {
  /** Its last key, or where that would be; null for the last leaf. */
  upTo: Cut;
  keys: number;
  low: number;
  high: number;
  /** Whether the three are what the stretch holds. */
  isKnown: boolean;
  /** Whether a cut lies inside. */
  isDivided: boolean;
}

/** The leaves of a stretch, or part of them, to be compared with another's. */
export interface Pieces {
  /** Where the pieces begin and end: one more than there are pieces. */
  readonly cuts: readonly Cut[];
  /** What each holds; null where that is not known yet. */
  readonly digests: readonly (Digest | null)[];
}

/**
 * See the module.
 *
 * @example
 * ```ts
 * import { HashTree } from "./hash_tree.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const key = (n: number) => new TextEncoder().encode(`key ${n}`);
 * const hash = { low: 7, high: 9 };
 * const here = new HashTree(true);
 * const there = new HashTree(true);
 * for (let n = 0; n < 100; n++) here.change(key(n), null, hash);
 * for (let n = 99; n >= 0; n--) there.change(key(n), null, hash);
 * assertEquals(here.digest(), { keys: 100, low: 700, high: 900 });
 * assertEquals(there.digest(), here.digest());
 * there.change(key(5), hash, { low: 8, high: 9 });
 * assertEquals(there.digest(), { keys: 100, low: 701, high: 900 });
 * ```
 */
export class HashTree {
  /** In the order of their ends; the last ends with the partition. */
  readonly #leaves: Leaf[];
  /** Leaves that are unknown or divided. */
  #unsettled: number;

  /** @param isEmpty whether there is nothing yet; else everything has to be surveyed */
  constructor(isEmpty: boolean) {
    this.#leaves = [{ ...EMPTY_DIGEST, upTo: null, isKnown: isEmpty, isDivided: false }];
    this.#unsettled = isEmpty ? 0 : 1;
  }

  /** How many leaves there are. */
  get leaves(): number {
    return this.#leaves.length;
  }

  /** Whether nothing has to be surveyed. */
  get isSettled(): boolean {
    return this.#unsettled === 0;
  }

  /** What is under a key has changed; null: nothing is there. */
  change(key: Uint8Array, before: ObjectHash | null, after: ObjectHash | null): void {
    const index = this.#indexOf(key);
    const leaf = this.#leaves[index]!;
    if (!leaf.isKnown) return;
    if (before !== null) add(leaf, -1, -before.low, -before.high);
    if (after !== null) add(leaf, 1, after.low, after.high);
    if ((before === null) === (after === null) || !isCut(key)) return;
    if (after === null) {
      if (leaf.upTo !== null && compareBytes(leaf.upTo, key) === 0) this.#joinNext(index);
    } else if (leaf.upTo === null || compareBytes(leaf.upTo, key) !== 0) this.#set(leaf, true, true);
  }

  /** What the tree has of a key may be wrong: its leaf is to be surveyed anew. */
  doubt(key: Uint8Array): void {
    const leaf = this.#leaves[this.#indexOf(key)]!;
    this.#set(leaf, false, false);
  }

  /** Where a survey has to go on, and how many keys are there if that is known; null when all is settled. */
  survey(): { readonly after: Cut; readonly keys: number | null } | null {
    if (this.#unsettled === 0) return null;
    const index = this.#leaves.findIndex(({ isKnown, isDivided }) => !isKnown || isDivided);
    const { keys, isKnown } = this.#leaves[index]!;
    return { after: this.#beginOf(index), keys: isKnown ? keys : null };
  }

  /**
   * What a stretch holds, from where {@link survey} said: all its keys, in order, up to the last that is given; when
   * `isEnd`, up to the end of the partition. False when that is not what was known of it: the tree had gone wrong, and
   * is right now.
   */
  learn(after: Cut, entries: readonly HashedKey[], isEnd: boolean): boolean {
    const index = after === null ? 0 : this.#endingAt(after) + 1;
    const leaf = this.#leaves[index];
    if (leaf === undefined || index === 0 && after !== null) return true; // joined with another meanwhile
    const inside = within(entries, leaf.upTo);
    const isAll = isEnd || inside.length < entries.length ||
      leaf.upTo !== null && inside.length > 0 && compareBytes(inside.at(-1)!.key, leaf.upTo) === 0;
    if (!isAll && inside.length === 0) return true; // an empty page of a stretch that goes on
    const { made, open } = divide(inside);
    const found = { ...EMPTY_DIGEST };
    for (const { keys, low, high } of [...made, open]) add(found, keys, low, high);
    if (isAll) {
      const isRight = !leaf.isKnown || isSameDigest(leaf, found);
      const last = made.at(-1)?.upTo ?? null;
      const isClosed = last !== null && leaf.upTo !== null && compareBytes(last, leaf.upTo) === 0;
      if (isClosed) this.#replace(index, made);
      else this.#replace(index, [...made, { ...open, upTo: leaf.upTo }], leaf.upTo !== null);
      return isRight;
    }
    const rest: Leaf = { ...leaf };
    if (rest.isKnown) add(rest, -found.keys, -found.low, -found.high);
    else Object.assign(rest, EMPTY_DIGEST);
    const provisional = open.keys === 0 ? [] : [{ ...open, upTo: inside.at(-1)!.key.slice() }];
    this.#replace(index, [...made, ...provisional, rest]);
    return true;
  }

  /**
   * Compare what was read of a stretch with what the tree has of the leaves that lie wholly in it. Where it differs the
   * tree has gone wrong, and is to be surveyed anew; how many leaves did.
   */
  verify(after: Cut, entries: readonly HashedKey[], isEnd: boolean): number {
    let wrong = 0;
    let at = 0;
    let index = after === null ? 0 : this.#endingAt(after) + 1;
    if (after !== null && index === 0) return 0;
    for (; index < this.#leaves.length; index++) {
      const leaf = this.#leaves[index]!;
      const found = { ...EMPTY_DIGEST };
      for (; at < entries.length && isWithin(entries[at]!.key, leaf.upTo); at++) {
        const { low, high } = entries[at]!.hash;
        add(found, 1, low, high);
      }
      const last = entries[at - 1];
      const isWhole = isEnd || at < entries.length ||
        last !== undefined && leaf.upTo !== null && compareBytes(last.key, leaf.upTo) === 0;
      if (!isWhole) break;
      if (leaf.isKnown && !isSameDigest(leaf, found)) {
        this.#set(leaf, false, false);
        wrong++;
      }
      if (at === entries.length && !isEnd) break;
    }
    return wrong;
  }

  /** What the whole partition holds; null while that is not known. */
  digest(): Digest | null {
    return this.#sum(0, this.#leaves.length);
  }

  /**
   * What lies between each of these cuts and the next, of which there is one fewer. Null where that is not known, and
   * on either side of a cut that is not one here.
   */
  digests(cuts: readonly Cut[]): (Digest | null)[] {
    const ends = cuts.map((cut, i) =>
      cut === null ? (i === 0 ? 0 : this.#leaves.length) : this.#endingAt(cut) + 1
    );
    return ends.slice(1).map((end, i) => {
      const isHere = (at: number) => cuts[at] === null || ends[at]! > 0;
      return isHere(i) && isHere(i + 1) ? this.#sum(ends[i]!, end) : null;
    });
  }

  /** Divide a stretch that begins and ends with a leaf into at most so many pieces of as many leaves each. */
  pieces(after: Cut, upTo: Cut, most: number): Pieces {
    const from = after === null ? 0 : this.#endingAt(after) + 1;
    const to = upTo === null ? this.#leaves.length : this.#endingAt(upTo) + 1;
    if (after !== null && from === 0 || to <= from) return { cuts: [after, upTo], digests: [null] };
    const step = Math.ceil((to - from) / most);
    const cuts: Cut[] = [after];
    const digests: (Digest | null)[] = [];
    for (let at = from; at < to; at += step) {
      const end = Math.min(to, at + step);
      cuts.push(this.#leaves[end - 1]!.upTo);
      digests.push(this.#sum(at, end));
    }
    return { cuts, digests };
  }

  #sum(from: number, to: number): Digest | null {
    const sum = { ...EMPTY_DIGEST };
    for (let i = from; i < to; i++) {
      const { isKnown, keys, low, high } = this.#leaves[i]!;
      if (!isKnown) return null;
      add(sum, keys, low, high);
    }
    return sum;
  }

  /** The leaf that a key belongs to. */
  #indexOf(key: Uint8Array): number {
    let low = 0;
    let high = this.#leaves.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isWithin(key, this.#leaves[middle]!.upTo)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The leaf that ends with a cut, -1 when none does. */
  #endingAt(cut: Uint8Array): number {
    const index = this.#indexOf(cut);
    const { upTo } = this.#leaves[index]!;
    return upTo !== null && compareBytes(upTo, cut) === 0 ? index : -1;
  }

  /** Where a leaf begins. */
  #beginOf(index: number): Cut {
    return index === 0 ? null : this.#leaves[index - 1]!.upTo;
  }

  #set(leaf: Leaf, isKnown: boolean, isDivided: boolean): void {
    this.#unsettled += Number(!isKnown || isDivided) - Number(!leaf.isKnown || leaf.isDivided);
    leaf.isKnown = isKnown;
    leaf.isDivided = isDivided;
    if (!isKnown) Object.assign(leaf, EMPTY_DIGEST);
  }

  /** A leaf lost its end: it becomes part of the next one. */
  #joinNext(index: number): void {
    const leaf = this.#leaves[index]!;
    const next = this.#leaves[index + 1]!;
    const isKnown = leaf.isKnown && next.isKnown;
    const isDivided = isKnown && (leaf.isDivided || next.isDivided);
    add(next, leaf.keys, leaf.low, leaf.high);
    this.#set(next, isKnown, isDivided);
    this.#set(leaf, true, false);
    this.#leaves.splice(index, 1);
  }

  /** Pieces take the place of a leaf. `isOpen`: no key that makes a cut stands at the end of the last. */
  #replace(index: number, pieces: readonly Leaf[], isOpen = false): void {
    this.#set(this.#leaves[index]!, true, false);
    this.#leaves.splice(index, 1, ...pieces);
    for (const { isKnown, isDivided } of pieces) if (!isKnown || isDivided) this.#unsettled++;
    if (isOpen) this.#joinNext(index + pieces.length - 1);
    const begin = this.#beginOf(index);
    if (begin !== null && !isCut(begin)) this.#joinNext(index - 1);
  }
}

/** Leaves that end with a cut, and what comes after the last. */
function divide(entries: readonly HashedKey[]): { readonly made: Leaf[]; readonly open: Leaf } {
  const made: Leaf[] = [];
  let open: Leaf = newLeaf();
  for (const { key, hash } of entries) {
    add(open, 1, hash.low, hash.high);
    if (!isCut(key)) continue;
    open.upTo = key.slice();
    made.push(open);
    open = newLeaf();
  }
  return { made, open };
}

function newLeaf(): Leaf {
  return { ...EMPTY_DIGEST, upTo: null, isKnown: true, isDivided: false };
}

function add(
  sum: { keys: number; low: number; high: number },
  keys: number,
  low: number,
  high: number,
): void {
  sum.keys += keys;
  sum.low = (sum.low + low) >>> 0;
  sum.high = (sum.high + high) >>> 0;
}

function isWithin(key: Uint8Array, upTo: Cut): boolean {
  return upTo === null || compareBytes(key, upTo) <= 0;
}

/** Those of a sorted list that do not come after the end of a stretch. */
function within(entries: readonly HashedKey[], upTo: Cut): readonly HashedKey[] {
  const end = entries.findIndex(({ key }) => !isWithin(key, upTo));
  return end < 0 ? entries : entries.slice(0, end);
}
