/**
 * The LSM-tree engine: a store much larger than memory whose writes are sequential.
 *
 * A tree on disk that is changed in place costs a random read and a random write for each change. Here changes gather
 * in memory (a memtable; the log has them, too), go to disk as a sorted table, and tables are merged level by level, so
 * that a byte is written some ten times in all, but always many together; and a read has to look into some ten places,
 * most of which a Bloom filter spares it (O'Neil, Cheng, Gawlick and O'Neil, "The Log-Structured Merge-Tree", Acta
 * Informatica, 1996; Chang et al., "Bigtable", OSDI 2006, section 5.3; LevelDB's `doc/impl.md`).
 *
 * Where to read on: `version.ts` tells what makes up a store and how partitions are dropped, `manifest.ts` how one
 * version follows another, `flush.ts` and `compaction.ts` how tables come and go, `view.ts` how they are read,
 * `write_control.ts` how writers are slowed down, `open.ts` and `salvage.ts` what happens to damage.
 *
 * @module
 */

import { toHex } from "../../actors/runtime/bytes.ts";
import { checkChanges } from "../changes.ts";
import {
  type Change,
  type Damage,
  type Engine,
  EngineError,
  type EngineStats,
  type ScanOptions,
  type ScanPage,
} from "../engine.ts";
import { CHANGES_RECORD, DROP_RECORD, encodeChanges, encodeDrop } from "../memory/codec.ts";
import { Background } from "./background.ts";
import { copyTree } from "./copy.ts";
import { openTree } from "./open.ts";
import type { LsmOptions } from "./options.ts";
import { debtBytes } from "./pick.ts";
import { Reserve } from "./reserve.ts";
import type { Tree } from "./tree.ts";
import { verifyTree } from "./verify.ts";
import type { TableMeta } from "./version.ts";
import type { Snapshot, View } from "./view.ts";
import { delayOf, pressureOf } from "./write_control.ts";

export type { LsmOptions } from "./options.ts";
export type { Snapshot } from "./view.ts";

const DONE = Promise.resolve();
/** A log shorter than this is left to the next process: it is replayed in a few milliseconds. */
const SHORT_LOG_BYTES = 256 * 1024;

/** What writing, reading and keeping a byte costs; see Athanassoulis et al., "The RUM Conjecture", EDBT 2016. */
export interface Amplification {
  /** Bytes written to the log and to tables for each byte of keys and records, since the start. */
  readonly write: number;
  /** Blocks read from disk for each key that was read, since the start. */
  readonly read: number;
  /** Bytes on disk for each live byte. */
  readonly space: number;
}

/**
 * Open an LSM engine.
 *
 * @throws {EngineError} as `openJournal`; `corrupt` when the manifest or parts of the log are missing
 * @example
 * ```ts
 * import { openLsmEngine } from "./engine.ts";
 * import { realEnvironment } from "../../actors/runtime/real/mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = `${Deno.makeTempDirSync()}/store`;
 * const options = { ...realEnvironment({ node: "n1" }), directory, sync: "always" as const };
 * const engine = await openLsmEngine(options);
 * const key = Uint8Array.of(1);
 * await engine.write([{ partition: 7, key, record: Uint8Array.of(2, 3) }]);
 * assertEquals(engine.get(7, key), Uint8Array.of(2, 3));
 * await engine.close();
 * ```
 */
export async function openLsmEngine(options: LsmOptions): Promise<LsmEngine> {
  const { tree, damage } = await openTree(options);
  return new LsmEngine(tree, damage);
}

/** An open LSM engine; made by {@link openLsmEngine}. */
export class LsmEngine implements Engine {
  /** See {@link Engine.storeId}. */
  readonly storeId: string;
  /** See {@link Engine.damageAtOpen}. */
  readonly damageAtOpen: readonly Damage[];
  readonly #tree: Tree;
  readonly #background: Background;
  readonly #reserve: Reserve;
  #closing: Promise<void> | null = null;
  #reads = 0;
  /** Tables in which damage was seen. */
  readonly #suspects: Set<number>;
  /** The last promise that was delayed, and the one given for it: writes of one turn share it. */
  #delayed: { readonly durable: Promise<void>; readonly later: Promise<void> } | null = null;

  /** @param tree what was opened @param damage what opening it has found */
  constructor(tree: Tree, damage: readonly Damage[]) {
    this.#tree = tree;
    this.#reserve = new Reserve(tree.options, tree.settings.reserveBytes);
    this.#background = new Background(tree, this.#reserve);
    this.storeId = toHex(tree.version.edit.storeId.bytes);
    this.damageAtOpen = damage;
    this.#suspects = new Set(tree.version.suspects);
    tree.tables.onDamage = (table, offset, detail) => this.#onDamage(table, offset, detail);
    this.#reserve.keep();
    this.#freezeIfFull();
    this.#background.wake();
  }

  /** See {@link Engine.write}. */
  write(changes: readonly Change[]): Promise<void> {
    const tree = this.#tree;
    this.#check();
    checkChanges(changes);
    if (tree.refusal !== null) throw tree.refusal;
    if (changes.length === 0) return DONE;
    const pressure = this.#pressure();
    if (pressure >= 1) throw new EngineError("overloaded", "flushing and compacting do not keep up");
    if (tree.freezeIfPinned()) this.#background.wake();
    const durable = tree.wal.append(CHANGES_RECORD, encodeChanges(changes));
    tree.apply(changes);
    this.#freezeIfFull();
    return pressure > 0 || this.#background.isBusy ? this.#later(durable, delayOf(pressure)) : durable;
  }

  /** See {@link Engine.get}. */
  get(partition: number, key: Uint8Array): Uint8Array | null {
    this.#check();
    this.#reads++;
    return this.#tree.view.get(partition, key);
  }

  /** See {@link Engine.scan}. */
  scan(options: ScanOptions): ScanPage {
    this.#check();
    return this.#tree.view.scan(options);
  }

  /** What the store holds now, for as long as that is needed. */
  snapshot(): Snapshot {
    this.#check();
    const view = this.#tree.pin();
    const use = (): View => {
      this.#check();
      return view;
    };
    return {
      get: (partition, key) => use().get(partition, key),
      scan: (options) => use().scan(options),
      release: () => this.#tree.unpin(view),
    };
  }

  /** See {@link Engine.partitions}. Reads a little of every partition. */
  partitions(): number[] {
    this.#check();
    return this.#tree.view.partitions();
  }

  /** See {@link Engine.count}: a key counts once for every source that holds it, until they are compacted. */
  count(partition: number): number {
    this.#check();
    return this.#tree.view.held(partition).keys;
  }

  /** See {@link Engine.dropPartition}. */
  async dropPartition(partition: number): Promise<void> {
    const tree = this.#tree;
    this.#check();
    if (tree.refusal !== null) throw tree.refusal;
    if (tree.freezeIfPinned()) this.#background.wake();
    const durable = tree.wal.append(DROP_RECORD, [encodeDrop(partition)]);
    tree.drop(partition);
    await durable;
    await tree.wal.sync();
  }

  /** See {@link Engine.sync}. */
  async sync(): Promise<void> {
    this.#check();
    if (this.#tree.refusal !== null) throw this.#tree.refusal;
    await this.#tree.wal.sync();
  }

  /** See {@link Engine.stats}; keys and live bytes as {@link LsmEngine.count}. */
  stats(): EngineStats {
    const { wal, manifest, view, version, settings, refusal } = this.#tree;
    const held = view.heldInAll();
    const diskBytes = this.#diskBytes();
    const inTables = [...version.tables()].length;
    return {
      engine: "lsm",
      keys: held.keys,
      liveBytes: held.sizeBytes,
      diskBytes,
      deadBytes: Math.max(0, diskBytes - held.sizeBytes),
      files: wal.files + manifest.size.files + inTables,
      compactionDebtBytes: debtBytes(version, settings),
      writesPerSync: wal.recordsPerSync,
      refusing: this.#closing ? "closed" : (refusal?.message ?? wal.refusing),
    };
  }

  /** What reading, writing and keeping a byte has cost so far. */
  amplification(): Amplification {
    const { written, view, tables } = this.#tree;
    return {
      write: written.userBytes === 0 ? 0 : (written.userBytes + written.tableBytes) / written.userBytes,
      read: this.#reads === 0 ? 0 : tables.blocksRead / this.#reads,
      space: this.#diskBytes() / Math.max(1, view.heldInAll().sizeBytes),
    };
  }

  /** See {@link Engine.verify}. */
  verify(onProgress: (fraction: number) => void = () => {}): Promise<readonly Damage[]> {
    this.#check();
    return verifyTree(this.#tree, onProgress);
  }

  /** See {@link Engine.compact}. */
  async compact(onProgress: (fraction: number) => void = () => {}): Promise<void> {
    this.#check();
    await this.#background.compactAll(onProgress);
  }

  /** See {@link Engine.copyTo}. */
  async copyTo(directory: string, onProgress: (fraction: number) => void = () => {}): Promise<void> {
    this.#check();
    await copyTree(this.#tree, directory, onProgress);
  }

  /** See {@link Engine.close}. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { wal, manifest, settings, refusal } = this.#tree;
    manifest.onFull = null; // from now on nobody waits for space
    try {
      // Short enough to be replayed, or to be flushed now: either way the next start is a quick one.
      const isShort = wal.sizeBytes < Math.min(SHORT_LOG_BYTES, settings.memtableBytes);
      if (!isShort && refusal === null) await this.#background.flushAll().catch(() => {}); // the log has it all
      await this.#background.stop();
      await this.#reserve.stop();
    } finally {
      this.#tree.release();
      await Promise.allSettled([wal.close(), manifest.close()]);
    }
    await wal.close(); // the same promise: rejects when not all could be made durable
    if (this.#tree.refusal !== null) throw this.#tree.refusal;
  }

  #check(): void {
    if (this.#closing) throw new EngineError("closed", "the engine is closed");
  }

  #diskBytes(): number {
    const { wal, manifest, version } = this.#tree;
    return wal.sizeBytes + manifest.size.sizeBytes + version.sizeBytes + this.#reserve.sizeBytes;
  }

  #pressure(): number {
    const { waitingBytes, version, settings } = this.#tree;
    return pressureOf({ waitingBytes, level0Tables: version.levels[0]!.length }, settings);
  }

  #freezeIfFull(): void {
    const { view, settings } = this.#tree;
    if (view.memtables[0]!.writtenBytes < settings.memtableBytes) return;
    this.#tree.freeze();
    this.#background.wake();
  }

  /** Fulfilled once `durable` is and `delayMs` have passed: one turn of the event loop at least, for the background. */
  #later(durable: Promise<void>, delayMs: number): Promise<void> {
    if (this.#delayed?.durable === durable) return this.#delayed.later;
    const pause = new Promise<void>((resolve) => void this.#tree.options.clock.after(delayMs, resolve));
    const later = Promise.all([durable, pause]).then(() => {});
    later.catch(() => {}); // whoever waits for it hears of a failure; nobody has to
    this.#delayed = { durable, later };
    return later;
  }

  /** Damage was seen: the table is left alone from now on, and the next start cuts it out. */
  #onDamage({ number }: TableMeta, offset: number, detail: string): void {
    const tree = this.#tree;
    if (this.#suspects.has(number)) return;
    this.#suspects.add(number);
    const { log, directory } = tree.options;
    log.error("a table is damaged: restart to have it cut out", { directory, number, offset, detail });
    tree.commit({ suspects: [number] }).catch((error) => {
      if (error instanceof EngineError && error.code === "poisoned") tree.poison(error);
    });
  }
}
