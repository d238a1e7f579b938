/**
 * The store's part in refilling: giving others a partition in pages, and taking pages in. Who asks whom is
 * decided in `actors/repair/refiller.ts`.
 *
 * Pages are merged like any write, so that they may come twice, late or between writes of clients. One is taken
 * only when the one before it is durable: however slow the disk, no more than that waits for it because of a
 * refill, and the store itself never waits.
 *
 * @module
 */

import type { Engine, EngineError } from "../../storage/engine.ts";
import type { Log } from "../runtime/environment.ts";
import type { CommitGroup, CommitGroups } from "./commit_groups.ts";
import type { Clock } from "./clock.ts";
import type { StoredObject } from "./object.ts";
import {
  type Absorb,
  type AbsorbAnswer,
  type EncodedObject,
  NO_PAGE,
  PAGE_ENTRIES,
  type PartitionEntry,
  type PartitionPage,
} from "./protocol.ts";
import type { Records } from "./records.ts";
import type { MergeAnswer } from "./tree_protocol.ts";
import type { Wholeness } from "./wholeness.ts";

/** A page holds about so much. */
const PAGE_BYTES = 512 * 1024;

/** What {@link Refill} needs of the store it runs in. */
export interface RefillDesk {
  /** Where records are. */
  readonly engine: Pick<Engine, "scan" | "sync">;
  /** How they are read. */
  readonly records: Records;
  /** How they become durable. */
  readonly groups: CommitGroups;
  /** What is missing. */
  readonly wholeness: Wholeness;
  /** Words for people. */
  readonly log: Log;
  /** Whether a clock knows a dot of ours that was never issued; that is an alarm, and we go on under a new id. */
  isFromFuture(clock: Clock): boolean;
  /** Whether objects of this stamp may be merged into a partition now. */
  mayTake(partition: number, stamp: number): boolean;
  /** Merge an object into what is held under its key; false when it was not taken. */
  store(
    entry: { readonly partition: number; readonly key: Uint8Array; readonly object: EncodedObject },
    local: EncodedObject | null,
    incoming: StoredObject,
  ): boolean | Promise<boolean>;
}

/** Gives pages and takes them. */
export class Refill {
  readonly #desk: RefillDesk;
  /** The commit group of the page taken last. */
  #group: CommitGroup | null = null;

  /** @param desk its store */
  constructor(desk: RefillDesk) {
    this.#desk = desk;
  }

  /**
   * A piece of a partition as it is here. Damaged records are left out, but do not make the partition not whole:
   * two owners with a record each that nobody can bring back would take that from each other by turns for ever.
   */
  async scan(partition: number, after: Uint8Array | null, stamp = 0): Promise<PartitionPage> {
    const { engine, records } = this.#desk;
    if (records.isClosed) return NO_PAGE;
    try {
      const limits = { limit: PAGE_ENTRIES, limitBytes: PAGE_BYTES };
      const onDamaged = (error: EngineError) =>
        records.unreadable(`a piece of partition ${partition} is left out`, error);
      const page = await engine.scan({ partition, ...(after && { after }), ...limits, onDamaged });
      const next = page.done ? null : page.entries.at(-1)?.key ?? null;
      const sound = page.entries.filter(({ record }) => records.decode(record) !== null);
      return { ok: true, entries: sound.map(({ key, record }) => ({ key, object: record })), next, stamp };
    } catch (error) {
      if (!records.isClosed) records.unreadable(`partition ${partition} could not be read`, error);
      return NO_PAGE;
    }
  }

  /** Merge a page of another owner's copy, all of it or up to what was refused. */
  absorb({ partition, lossId, entries, stamp }: Absorb): Promise<AbsorbAnswer> {
    const { wholeness, mayTake } = this.#desk;
    // A page of nothing is not older than anything.
    const from = entries.length === 0 ? Infinity : stamp;
    return this.merge(
      partition,
      entries,
      () => wholeness.isLatest(partition, lossId) && mayTake(partition, from),
    );
  }

  /** Merge what another owner has, for as long as it is wanted. */
  async merge(
    partition: number,
    entries: readonly PartitionEntry[],
    isWanted: () => boolean,
  ): Promise<MergeAnswer> {
    const { records, groups, store, isFromFuture } = this.#desk;
    if (this.#group?.isSettled === false) return "busy";
    for (const { key, object } of entries) {
      if (!isWanted()) return "refused";
      const incoming = records.decode(object);
      if (incoming === null || isFromFuture(incoming.clock)) return "refused";
      const merge = (local: EncodedObject | null) => store({ partition, key, object }, local, incoming);
      const stored = records.read(partition, key, merge, () => false);
      if (!(stored instanceof Promise ? await stored : stored)) return "refused";
      this.#group = groups.newest;
    }
    return isWanted() ? "taken" : "refused";
  }

  /** All of a partition was absorbed; it is whole once that would survive the next start. */
  async onRefilled(partition: number, lossId: string): Promise<void> {
    const { engine, records, wholeness, log } = this.#desk;
    if (!wholeness.isLatest(partition, lossId)) return;
    try {
      await engine.sync();
    } catch (error) {
      return log.warn("a refilled partition is not durable yet", { partition, error: String(error) });
    }
    if (!records.isClosed) wholeness.regain(partition, lossId);
  }
}
