/**
 * An exchange: two replicas of a partition find out where they differ, and each ends with the merge of both.
 *
 * Level by level: one side divides the partition into pieces of its hash tree and the other says what it has of each;
 * what is equal is passed over, what is not is divided again, down to a leaf. Of a leaf both list their keys, with a
 * hash of each object; then only objects that differ travel: theirs come first and are merged here, what that gives
 * goes back. An exchange never reads through a partition: it reads the leaves that differ, some 32 keys each, and what
 * differs in them.
 *
 * Nothing is locked, and writes go on. A piece may differ only because a write has come to one side and is on its way
 * to the other; then its object is sent once more than necessary, and nothing worse (FAULTS 62): what is sent is the
 * object as it is by then, and merging is idempotent. An exchange that ends well therefore says: whatever either side
 * held when it began, both hold now.
 *
 * Any failure ends it, and nothing is said. What was merged by then is merged.
 *
 * @module
 */

import type { Body, Reply } from "../runtime/protocol.ts";
import { equalBytes, toHex } from "../runtime/bytes.ts";
import { encodeHash, objectHash } from "../replica_store/object_hash.ts";
import type { PartitionEntry, Placement } from "../replica_store/protocol.ts";
import type { MergeAnswer, TreeProtocol } from "../replica_store/tree_protocol.ts";
import { type Difference, differences, isSameCut, type KeyDifference, keyDifferences } from "./difference.ts";
import type { Cut } from "./hash_tree.ts";

/** A replica store, here or elsewhere; what it does not answer in time rejects. */
export interface Side {
  /** Ask it. */
  ask<K extends keyof TreeProtocol & string>(
    kind: K,
    body: Body<TreeProtocol, K>,
  ): Promise<Reply<TreeProtocol, K>>;
}

/** Both sides, and how to wait. */
export interface ExchangeOptions {
  /** The partition, and the ring that says whose it is. */
  readonly placement: Placement;
  /** This node's store. */
  readonly mine: Side;
  /** The other owner's. */
  readonly theirs: Side;
  /** Fetch what the other side has, and send nothing. */
  readonly isOneWay?: boolean;
  /** Let a store that has not made the last objects durable have time for it. */
  pause(): Promise<void>;
  /** Resolves when so many bytes may travel. */
  spend(sizeBytes: number): Promise<void>;
}

/** What came of an exchange. */
export interface Outcome {
  /** Whether both sides (this one, where nothing is sent) now hold what either held when it began. */
  readonly ok: boolean;
  /** Whether it went to its end: all is as `ok` says, but for what was damaged and is left out. */
  readonly isThrough: boolean;
  /** Why not, for people. */
  readonly why: string | null;
  /** Keys that one side or both got something new for. */
  readonly repaired: number;
  /** Bytes of keys, hashes and objects that travelled between the nodes. */
  readonly bytes: number;
}

/** Into so many pieces a stretch is divided. */
export const FAN_OUT = 16;
/** Keys whose objects are exchanged at a time. */
const BATCH_KEYS = 100;
/** What is paid for a leaf that both sides read from their disks, besides what travels. */
const LEAF_BYTES = 16 * 1024;

/** Why an exchange ended before its time. */
class Broken extends Error {
  override readonly name = "Broken";
}

/** Make one. Never rejects. */
export async function exchange(options: ExchangeOptions): Promise<Outcome> {
  const one = new Exchange(options);
  let why: string | null = null;
  try {
    await one.run();
  } catch (error) {
    why = error instanceof Broken ? error.message : String(error);
  }
  const { repaired, bytes, isDamaged } = one;
  const isThrough = why === null;
  if (isThrough && isDamaged) why = "something damaged was left out";
  return { ok: why === null, isThrough, why, repaired, bytes };
}

class Exchange {
  repaired = 0;
  bytes = 0;
  isDamaged = false;
  #paid = 0;
  readonly #options: ExchangeOptions;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const open: Difference[] = [{ after: null, upTo: null, isPiece: true }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) open.push(...await this.#divide(next));
  }

  /** What differs inside a stretch; nothing when that has been made good already. */
  async #divide(whole: Difference): Promise<readonly Difference[]> {
    const { placement, mine, theirs } = this.#options;
    const { after, upTo } = whole;
    await this.#pay();
    const pieces = await mine.ask("treePieces", { ...placement, after, upTo, most: FAN_OUT });
    this.#check(pieces.ok, "the own tree cannot be asked");
    const { cuts, digests } = pieces;
    if (digests.length <= 1) return await this.#compareKeys(whole);
    this.#count(cuts);
    const other = await theirs.ask("treeDigests", { ...placement, cuts });
    this.#check(other.ok && other.digests.length === digests.length, "the other tree cannot be asked");
    this.#count(other.digests);
    const found = differences(cuts, digests, other.digests);
    // Not one cut in common, or none that tells anything: there is nothing left to divide.
    const [only] = found;
    const isAll = only !== undefined && isSameCut(only.after, after) && isSameCut(only.upTo, upTo);
    return isAll ? await this.#compareKeys(whole) : found;
  }

  /** List the keys of a stretch on both sides, and make good what differs. */
  async #compareKeys({ after, upTo }: Difference): Promise<readonly Difference[]> {
    const { placement, mine, theirs, isOneWay = false } = this.#options;
    let at: Cut = after;
    do {
      const stretch = { ...placement, after: at, upTo };
      await this.#pay(LEAF_BYTES);
      const theirPage = await theirs.ask("treeKeys", stretch);
      this.#check(theirPage.ok, "the other side cannot list its keys");
      for (const { key, hash } of theirPage.keys) this.bytes += key.length + hash.length;
      const page = await mine.ask("treeKeys", stretch);
      this.#check(page.ok, "this side cannot list its keys");
      this.isDamaged ||= page.isDamaged || theirPage.isDamaged;
      const { differing, next } = keyDifferences(page, theirPage);
      const wanted = isOneWay ? differing.filter((one) => one.theirs !== null) : differing;
      for (let first = 0; first < wanted.length; first += BATCH_KEYS) {
        await this.#makeGood(wanted.slice(first, first + BATCH_KEYS));
      }
      at = next;
    } while (at !== null);
    return [];
  }

  async #makeGood(keys: readonly KeyDifference[]): Promise<void> {
    const { mine, theirs, isOneWay = false } = this.#options;
    const wanted = keys.filter((one) => one.theirs !== null).map(({ key }) => key);
    this.#count(wanted);
    const had = new Map<string, Uint8Array>();
    const isFetched = await this.#pass(wanted, theirs, mine, ({ key, object }) => {
      had.set(toHex(key), encodeHash(objectHash(key, object)));
      this.bytes += key.length + object.length;
      return true;
    });
    this.#check(isFetched, "an object of the other side is damaged");
    this.repaired += keys.length;
    if (isOneWay) return;
    const isSent = await this.#pass(keys.map(({ key }) => key), mine, theirs, ({ key, object }) => {
      const known = had.get(toHex(key));
      if (known !== undefined && equalBytes(known, encodeHash(objectHash(key, object)))) return false;
      this.bytes += key.length + object.length;
      return true;
    });
    this.#check(isSent, "an object of this side is damaged");
  }

  /** Have one side merge what the other holds under keys. False when one of them could not be had. */
  async #pass(
    keys: readonly Uint8Array[],
    from: Side,
    to: Side,
    isNeeded: (entry: PartitionEntry) => boolean,
  ): Promise<boolean> {
    const { placement } = this.#options;
    let had = 0;
    for (let rest = keys; rest.length > 0;) {
      await this.#pay();
      const page = await from.ask("treeObjects", { ...placement, keys: rest });
      this.#check(page.ok && page.done > 0, "objects cannot be read");
      had += page.entries.length;
      rest = rest.slice(page.done);
      const entries = page.entries.filter(isNeeded);
      if (entries.length > 0) await this.#merge(to, entries);
    }
    return had === keys.length;
  }

  async #merge(side: Side, entries: readonly PartitionEntry[]): Promise<void> {
    const { placement, pause } = this.#options;
    while (true) {
      // What is large is not sent to be turned away: nothing is sent first.
      for (const some of [[], entries]) {
        const answer: MergeAnswer = await side.ask("treeMerge", { ...placement, entries: some });
        this.#check(answer !== "refused", "objects were not taken");
        if (answer === "busy") break;
        if (some === entries) return;
      }
      await pause();
    }
  }

  /** Pay for what has travelled, before more does: how much it will be nobody knows beforehand. */
  async #pay(moreBytes = 0): Promise<void> {
    const owed = this.bytes - this.#paid + moreBytes;
    this.#paid = this.bytes;
    if (owed > 0) await this.#options.spend(owed);
  }

  #count(parts: readonly Cut[]): void {
    for (const part of parts) this.bytes += part?.length ?? 0;
  }

  #check(holds: boolean, otherwise: string): void {
    if (!holds) throw new Broken(otherwise);
  }
}
