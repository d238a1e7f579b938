/**
 * The hash trees of a store: one for each partition that holds anything, up to date with every commit, and made anew of
 * what is there when the store starts, a slice at a time. Whatever else has to be known of every key (when the first
 * expires, which are tombstones) learns it from the same slices: a start reads a partition once.
 *
 * A slice is read and learnt in one turn of the store, so that no write comes between, and clients wait no longer
 * than for any other message: {@link SLICE_ENTRIES} keys or {@link SLICE_BYTES}. What a slice costs is said in
 * `hash_tree.ts`, and which keys it makes known. What is damaged is left out, as if it were not there: another owner
 * that has it sends it.
 *
 * A tree says what was written, not what a disk has made of it since. So whenever keys of a stretch are listed for
 * another owner, they are compared with the tree; where they differ, that leaf is surveyed anew. If nothing there was
 * damaged, nor left out by a survey, somebody wrote behind the tree's back: a bug, which is counted and shown.
 *
 * @module
 */

import type { Engine, EngineError, ScanOptions } from "../../storage/engine.ts";
import type { Log } from "../runtime/environment.ts";
import { compareBytes } from "../runtime/bytes.ts";
import {
  type Cut,
  type Digest,
  EMPTY_DIGEST,
  encodeDigest,
  type HashedKey,
  HashTree,
  LEAF_KEYS,
} from "../repair/hash_tree.ts";
import { encodeHash, type ObjectHash, type objectHash } from "./object_hash.ts";
import { type EncodedObject, PAGE_ENTRIES, type PartitionEntry } from "./protocol.ts";
import type { Records } from "./records.ts";
import type { StoredObject } from "./object.ts";
import {
  type CutDigests,
  type Digests,
  type KeyPage,
  NO_KEYS,
  NO_OBJECTS,
  type Objects,
  type Stretch,
  type TreeStatus,
} from "./tree_protocol.ts";

/** Keys read for a survey in one turn. */
const SLICE_ENTRIES = 256;
/** And bytes. */
const SLICE_BYTES = 128 * 1024;
/** Keys listed in one turn of a stretch of which it is not known how many it has. */
const UNKNOWN_ENTRIES = 4 * LEAF_KEYS;
/** Bytes of objects in one message, and read for one list of keys. */
const PAGE_BYTES = 512 * 1024;

/** What {@link Trees} needs of the store it runs in. */
export interface TreesDesk {
  /** Pure decisions, substitutable. */
  readonly core: { readonly objectHash: typeof objectHash; readonly changeTree: typeof changeTree };
  /** What is held. */
  readonly engine: Pick<Engine, "scan" | "count" | "partitions">;
  /** How it is read. */
  readonly records: Records;
  /** Words for people. */
  readonly log: Log;
  /** There is something to survey: have {@link Trees.survey} called soon. */
  wake(): void;
  /** A survey meets an object. */
  onMet(partition: number, key: Uint8Array, object: StoredObject): void;
}

/** What a commit does to the tree of its partition. */
export function changeTree(
  tree: HashTree,
  key: Uint8Array,
  before: ObjectHash | null,
  after: ObjectHash | null,
): void {
  tree.change(key, before, after);
}

/** A piece of a partition, hashed. */
interface Slice {
  readonly keys: readonly HashedKey[];
  /** Whether nothing follows in the partition. */
  readonly isEnd: boolean;
  /** Whether something damaged was left out. */
  readonly isDamaged: boolean;
}

/** The trees of one store. */
export class Trees {
  readonly #desk: TreesDesk;
  readonly #trees = new Map<number, HashTree>();
  /** Partitions whose trees are not settled. */
  readonly #unsettled = new Set<number>();
  /** Partitions of which a survey left out what was damaged. */
  readonly #leftOut = new Set<number>();
  #wrong = 0;

  /** @param desk its store */
  constructor(desk: TreesDesk) {
    this.#desk = desk;
    for (const partition of desk.engine.partitions()) {
      this.#trees.set(partition, new HashTree(false));
      this.#unsettled.add(partition);
    }
    if (this.#unsettled.size > 0) desk.wake();
  }

  /** A record was written over another, or where there was none, or was removed (null). All are sound. */
  onCommit(
    partition: number,
    key: Uint8Array,
    before: EncodedObject | null,
    after: EncodedObject | null,
  ): void {
    // What was left out may have been just this: the next read of it may well be sound.
    if (before !== null && this.#leftOut.has(partition)) return this.doubt(partition, key);
    const { objectHash, changeTree } = this.#desk.core;
    const tree = this.#of(partition);
    changeTree(tree, key, before && objectHash(key, before), after && objectHash(key, after));
    this.#settle(partition, tree);
  }

  /** What is there of a partition may not be what was written: nothing is known of it until it is surveyed, and met. */
  resurvey(partition: number): void {
    if (!this.#desk.engine.partitions().includes(partition)) return;
    const tree = new HashTree(false);
    this.#trees.set(partition, tree);
    this.#settle(partition, tree);
  }

  /** What is under a key is not what the tree has of it, or may not be. */
  doubt(partition: number, key: Uint8Array): void {
    const tree = this.#of(partition);
    tree.doubt(key);
    this.#settle(partition, tree);
  }

  /**
   * A partition was dropped, or that was tried. Whoever owns it again begins with nothing; what was left of it all the
   * same is surveyed.
   */
  forget(partition: number): void {
    this.#trees.delete(partition);
    this.#unsettled.delete(partition);
    this.#leftOut.delete(partition);
    this.resurvey(partition);
  }

  /** Survey a little; whether there is more to do. False also when it cannot be read now. */
  async survey(): Promise<"more" | "done" | "failed"> {
    const [partition] = this.#unsettled;
    if (partition === undefined) return "done";
    const tree = this.#trees.get(partition)!;
    const place = tree.survey();
    if (place !== null) {
      const limit = Math.min(SLICE_ENTRIES, (place.keys ?? SLICE_ENTRIES) + 1);
      const slice = await this.#read({ partition, ...afterOf(place.after), limit, limitBytes: SLICE_BYTES });
      if (slice === null) return "failed";
      if (slice.isDamaged) this.#leftOut.add(partition);
      if (!tree.learn(place.after, slice.keys, slice.isEnd)) this.#onWrong(partition, slice);
    }
    // Another one's turn, so that none waits for the largest.
    this.#unsettled.delete(partition);
    if (!tree.isSettled) this.#unsettled.add(partition);
    return this.#unsettled.size > 0 ? "more" : "done";
  }

  /** The digest of a partition, null while that is not known. */
  root(partition: number): Uint8Array | null {
    const tree = this.#trees.get(partition);
    return encoded(tree === undefined ? EMPTY_DIGEST : tree.digest());
  }

  /** See `TreeProtocol.treePieces`. */
  pieces({ partition, after, upTo }: Stretch, most: number): CutDigests {
    const { cuts, digests } = this.#of(partition).pieces(after, upTo, most);
    return { ok: true, cuts, digests: digests.map(encoded) };
  }

  /** See `TreeProtocol.treeDigests`. */
  digests(partition: number, cuts: readonly Cut[]): Digests {
    return { ok: true, digests: this.#of(partition).digests(cuts).map(encoded) };
  }

  /** See `TreeProtocol.treeKeys`. */
  async keys({ partition, after, upTo }: Stretch): Promise<KeyPage> {
    const tree = this.#of(partition);
    const expected = tree.pieces(after, upTo, 1).digests[0]?.keys ?? UNKNOWN_ENTRIES;
    const limit = Math.min(PAGE_ENTRIES, expected + 1);
    const slice = await this.#read({ partition, ...afterOf(after), limit, limitBytes: PAGE_BYTES });
    if (slice === null) return NO_KEYS;
    const wrong = tree.verify(after, slice.keys, slice.isEnd);
    if (wrong > 0) this.#onWrong(partition, slice);
    this.#settle(partition, tree);
    const inside = slice.keys.filter(({ key }) => upTo === null || compareBytes(key, upTo) <= 0);
    const last = slice.keys.at(-1)?.key ?? null;
    const isAll = slice.isEnd || inside.length < slice.keys.length || last === null ||
      upTo !== null && compareBytes(last, upTo) === 0;
    return {
      ok: true,
      keys: inside.map(({ key, hash }) => ({ key, hash: encodeHash(hash) })),
      next: isAll ? null : last,
      isDamaged: slice.isDamaged,
    };
  }

  /** See `TreeProtocol.treeObjects`. */
  async objects(partition: number, keys: readonly Uint8Array[], stamp: number): Promise<Objects> {
    const { records } = this.#desk;
    const entries: PartitionEntry[] = [];
    let sizeBytes = 0;
    let done = 0;
    for (; done < keys.length && sizeBytes < PAGE_BYTES; done++) {
      const key = keys[done]!;
      const read = records.read<EncodedObject | null | "failed">(
        partition,
        key,
        (record) => record,
        () => "failed",
      );
      const object = read instanceof Promise ? await read : read;
      if (object === "failed") return NO_OBJECTS;
      if (object === null || records.decode(object) === null) continue;
      entries.push({ key, object });
      sizeBytes += object.length;
    }
    return { ok: true, entries, done, stamp };
  }

  /** For `status`. */
  describe(): TreeStatus {
    let leaves = 0;
    let unknown = 0;
    for (const tree of this.#trees.values()) {
      leaves += tree.leaves;
      if (tree.digest() === null) unknown++;
    }
    return { unknown, leaves, wrong: this.#wrong };
  }

  #of(partition: number): HashTree {
    let tree = this.#trees.get(partition);
    if (tree === undefined) this.#trees.set(partition, tree = new HashTree(true));
    return tree;
  }

  #settle(partition: number, tree: HashTree): void {
    if (tree.isSettled || this.#unsettled.has(partition)) return;
    this.#unsettled.add(partition);
    this.#desk.wake();
  }

  #onWrong(partition: number, { isDamaged }: Slice): void {
    if (isDamaged || this.#leftOut.has(partition)) return;
    this.#wrong++;
    this.#desk.log.error("a hash tree was not that of what is held; it is now", { partition });
  }

  /** Read and hash; null when it cannot be read now. */
  async #read(options: ScanOptions): Promise<Slice | null> {
    const { engine, records, core, log } = this.#desk;
    const { partition } = options;
    if (records.isClosed) return null;
    let isDamaged = false;
    const onDamaged = (error: EngineError) => {
      isDamaged = true;
      records.unreadable(`a piece of partition ${partition} is left out of its hash tree`, error);
    };
    try {
      const scanned = engine.scan({ ...options, onDamaged });
      const page = scanned instanceof Promise ? await scanned : scanned;
      const keys: HashedKey[] = [];
      for (const { key, record } of page.entries) {
        const object = records.decode(record);
        if (object === null) isDamaged = true;
        else {
          keys.push({ key, hash: core.objectHash(key, record) });
          this.#desk.onMet(partition, key, object);
        }
      }
      const last = page.entries.at(-1);
      if (!page.done && keys.length === 0 && last !== undefined) {
        // Nothing but damage: go on behind it.
        const rest = await this.#read({ ...options, after: last.key });
        return rest && { ...rest, isDamaged: true };
      }
      return { keys, isEnd: page.done, isDamaged };
    } catch (error) {
      if (!records.isClosed) log.warn("a hash tree waits for its disk", { partition, error: String(error) });
      return null;
    }
  }
}

function afterOf(after: Cut): { readonly after?: Uint8Array } {
  return after === null ? {} : { after };
}

function encoded(digest: Digest | null): Uint8Array | null {
  return digest && encodeDigest(digest);
}
