/**
 * The store's part in collecting tombstones: it says which it knows of, what it holds under keys, durably, and removes
 * what all owners have agreed on. Who asks what, and when, is decided in `actors/repair/collector.ts`.
 *
 * @module
 */

import type { Change, Engine } from "../../storage/engine.ts";
import { equalBytes } from "../runtime/bytes.ts";
import type { Log } from "../runtime/environment.ts";
import { encodeHash, type objectHash } from "./object_hash.ts";
import { type EncodedObject, PAGE_ENTRIES, type Placement } from "./protocol.ts";
import { type Grave, type Graves, type Hashes, NO_HASHES, type Reap } from "./reaper_protocol.ts";
import type { Records } from "./records.ts";
import { isBuried, type Tombstones } from "./tombstones.ts";
import type { Trees } from "./trees.ts";

/** What {@link Reaper} needs of the store it runs in. */
export interface ReaperDesk {
  /** Pure decisions, substitutable. */
  readonly core: { readonly objectHash: typeof objectHash };
  /** Where records are. */
  readonly engine: Pick<Engine, "write" | "sync">;
  /** How they are read. */
  readonly records: Records;
  /** What is known of deleted keys. */
  readonly tombstones: Tombstones;
  /** What has to hear of every change. */
  readonly trees: Pick<Trees, "onCommit" | "doubt">;
  /** Words for people. */
  readonly log: Log;
  /** Whether this node comes first among the owners of a partition. */
  isFirst(partition: number): boolean;
  /** Whether this copy is one to agree with: owned under just this ring, at rest, whole and well. */
  isSound(placement: Placement): boolean;
  /** A record of the partition is damaged; resolves when that is remembered. */
  onDamaged(partition: number): Promise<boolean>;
}

/** A record as it is found: damaged records are none to agree on. */
type Found = { readonly record: EncodedObject; readonly hash: Uint8Array | null } | "damaged" | null;

/** Lists and removes. */
export class Reaper {
  readonly #desk: ReaperDesk;

  /** @param desk its store */
  constructor(desk: ReaperDesk) {
    this.#desk = desk;
  }

  /** Keys that hold nothing but tombstones, of partitions in which this node comes first. */
  list(most: number): Graves {
    const { tombstones, isFirst } = this.#desk;
    let left = most;
    return tombstones.partitions().filter(isFirst).flatMap((partition) => {
      const keys = tombstones.of(partition, Math.min(left, PAGE_ENTRIES));
      left -= keys.length;
      return keys.length === 0 ? [] : [{ partition, keys }];
    });
  }

  /** What is held under keys, once that is durable; null for what is no mere tombstone. */
  async hashes(placement: Placement, keys: readonly Uint8Array[]): Promise<Hashes> {
    const { engine, records, isSound } = this.#desk;
    if (!isSound(placement) || records.isClosed) return NO_HASHES;
    const hashes: (Uint8Array | null)[] = [];
    for (const key of keys) {
      const found = await this.#find(placement.partition, key);
      if (found === "damaged") await this.#desk.onDamaged(placement.partition);
      hashes.push(found === null || found === "damaged" ? null : found.hash);
    }
    try {
      await engine.sync();
    } catch {
      return NO_HASHES;
    }
    return isSound(placement) ? { ok: true, hashes } : NO_HASHES;
  }

  /** Remove what is still what was agreed on; how many keys. */
  async reap({ partition, epoch, graves }: Reap): Promise<{ removed: number }> {
    const { engine, records, trees, tombstones, isSound, log } = this.#desk;
    if (!isSound({ partition, epoch }) || records.isClosed) return { removed: 0 };
    const found = new Map<Grave, Found>();
    for (const grave of graves) found.set(grave, await this.#find(partition, grave.key));
    // A damaged record can be agreed with by nobody any more, and would be in the way for ever.
    if ([...found.values()].includes("damaged") && !await this.#desk.onDamaged(partition)) {
      return { removed: 0 };
    }
    const isGone = ({ hash }: Grave, held: Found) =>
      held === "damaged" || held !== null && held.hash !== null && equalBytes(held.hash, hash);
    const gone = [...found].filter(([grave, held]) => isGone(grave, held));
    const changes = gone.map(([{ key }]): Change => ({ partition, key, record: null }));
    if (changes.length === 0) return { removed: 0 };
    try {
      // What a crash brings back is brought back to all, and collected another time.
      engine.write(changes).catch((error) => log.warn("tombstones may be back", { error: String(error) }));
    } catch (error) {
      log.warn("tombstones stay", { partition, error: String(error) });
      return { removed: 0 };
    }
    for (const [{ key }, held] of gone) {
      if (held === "damaged") trees.doubt(partition, key);
      else if (held !== null) trees.onCommit(partition, key, held.record, null);
      tombstones.note(partition, key, null);
    }
    tombstones.collected += gone.length;
    return { removed: gone.length };
  }

  #find(partition: number, key: Uint8Array): Found | Promise<Found> {
    const { records, core } = this.#desk;
    return records.read<Found>(
      partition,
      key,
      (record) => {
        if (record === null) return null;
        const object = records.decode(record);
        if (object === null) return "damaged";
        return { record, hash: isBuried(object) ? encodeHash(core.objectHash(key, record)) : null };
      },
      () => null,
    );
  }
}
