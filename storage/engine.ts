/**
 * The contract between the replica store and the place where bytes rest.
 *
 * An engine maps (partition, key) to a record: opaque bytes. It knows nothing of versions, clocks or
 * tombstones; a deleted key is a record like any other until the replica store removes it. `memory`,
 * `bitcask` and `lsm` meet this contract, and one conformance suite (`storage/testing/`) judges them.
 *
 * @module
 */

/** One change. `record: null` removes the key. */
export interface Change {
  /** The partition the key belongs to, 0 to 65535. */
  readonly partition: number;
  /** 1 byte to `LIMITS.keyBytes`. The engine keeps or copies it; the caller must not change it afterwards. */
  readonly key: Uint8Array;
  /** The record's bytes, kept by reference where the engine can; null removes the key. */
  readonly record: Uint8Array | null;
}

/** A key and its record, as a scan yields them. */
export interface Entry {
  /** The key. */
  readonly key: Uint8Array;
  /** Its record; not to be changed. */
  readonly record: Uint8Array;
}

/** What to scan: keys of one partition in ascending unsigned byte order. */
export interface ScanOptions {
  /** The partition. */
  readonly partition: number;
  /** Only keys greater than this; absent: from the first. */
  readonly after?: Uint8Array;
  /** At most so many entries (at least 1). */
  readonly limit: number;
  /** Stop once the records and keys add up to this; the first entry is always given. */
  readonly limitBytes: number;
  /**
   * Told of each damaged place that is met; what stands there is left out then, and with it every key of which it
   * cannot be told whether it stands there. Absent: the scan fails.
   */
  readonly onDamaged?: (error: EngineError) => void;
}

/** A bounded piece of a scan. */
export interface ScanPage {
  /** The entries, in order. */
  readonly entries: readonly Entry[];
  /** Whether the partition holds nothing after the last entry. */
  readonly done: boolean;
}

/** What an engine holds and owes. Sizes are bytes. */
export interface EngineStats {
  /** `memory`, `bitcask` or `lsm`. */
  readonly engine: string;
  /** Live keys; of `lsm` at most so many, for what was overwritten counts until it is compacted. */
  readonly keys: number;
  /** Keys and records that are live; of `lsm` at most, as above. */
  readonly liveBytes: number;
  /** Bytes on disk. */
  readonly diskBytes: number;
  /** Bytes on disk that no live key needs. */
  readonly deadBytes: number;
  /** Files on disk. */
  readonly files: number;
  /** Bytes that compaction still has to rewrite. */
  readonly compactionDebtBytes: number;
  /** Writes acknowledged per sync of the disk, since the start; 0 before the first. */
  readonly writesPerSync: number;
  /** Null while all is well, else why the engine takes no writes (`poisoned: …`, `full: …`). */
  readonly refusing: string | null;
}

/** One damaged place, found when the store was opened or by {@link Engine.verify}. */
export interface Damage {
  /**
   * `torn-tail`: a place in the part of a log that may never have been synced does not verify, which is what a
   * crash leaves; it may hide damage to the very last writes that were acknowledged. `corrupt`: something that was
   * durable is gone. `rebuilt`: a file that only saves time was damaged and is made anew from the others: nothing is
   * lost.
   */
  readonly kind: "torn-tail" | "corrupt" | "rebuilt";
  /** The file. */
  readonly path: string;
  /** Where in it. */
  readonly offset: number;
  /** What is wrong, for people. */
  readonly detail: string;
  /** The partition concerned, when it can be told. */
  readonly partition?: number;
}

/**
 * Why an engine refused. `poisoned`: a sync or a write failed; nothing is written again before a new process
 * reopens the store. `full`: no space; taken back by itself once there is. `overloaded`: too much is waiting for
 * the disk, try again later. When opening: `locked`: another process has the directory; `newer`: a later release
 * wrote it, nothing was touched.
 */
export type EngineErrorCode =
  | "poisoned"
  | "full"
  | "corrupt"
  | "io"
  | "closed"
  | "overloaded"
  | "locked"
  | "newer";

/** What engine calls throw or reject with. */
export class EngineError extends Error {
  /** Tells it from other errors. */
  override readonly name = "EngineError";
  /**
   * Make one.
   *
   * @param code what kind of failure @param detail for people
   */
  constructor(readonly code: EngineErrorCode, detail: string) {
    super(detail);
  }
}

/** Whether a call failed because something on disk is not what was written there. */
export function isDamage(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code === "corrupt";
}

/** When a write counts as durable. */
export type SyncPolicy = "always" | "never" | {
  /** Sync at most this many milliseconds after a write; writes are acknowledged before. */
  readonly intervalMs: number;
};

/**
 * How fast an engine may rewrite what it holds; see `actors/repair/budget.ts`. It goes on regardless before writes
 * would have to wait for it.
 */
export interface Pace {
  /** Whether so many bytes may be rewritten now; else it is asked again a little later. */
  trySpend(sizeBytes: number): boolean;
}

/** A store of records. One owner; not to be shared between actors. */
export interface Engine {
  /**
   * Which store this is: 16 random bytes as 32 hex digits, drawn when there is none yet, durable before the store is
   * open, and the same from then on. So whoever remembers it notices that a store is not the one it was: its files
   * are gone, others are in their place, or something in them that was durable was found damaged (then another id is
   * drawn by the same stroke that cuts the damage out, so that no crash hides it). Null when nothing is kept on disk.
   */
  readonly storeId: string | null;
  /**
   * Apply all changes or none. They are visible to {@link Engine.get} when the call returns; the promise
   * resolves when they are durable (see {@link SyncPolicy}). Writes of one turn share one sync and may share
   * one promise: compare it by identity to wait once for many.
   *
   * @throws {EngineError} at once, nothing applied, when the engine takes no writes; the promise rejects when
   * durability could not be had (then the outcome is unknown until a restart; after `full`, the engine still
   * holds what it applied and makes it durable as soon as there is space). Changes of one call that add up to
   * more than `LIMITS.batchBytes` are a mistake of the caller (`RangeError`).
   */
  write(changes: readonly Change[]): Promise<void>;
  /**
   * The record of a key, null when there is none. A promise only where a disk has to be waited for.
   *
   * @throws {EngineError} `corrupt` or `io`: the record is there and cannot be read; never null instead.
   */
  get(partition: number, key: Uint8Array): Uint8Array | null | Promise<Uint8Array | null>;
  /**
   * A bounded, ordered piece of a partition, consistent in itself; resume with the last key as `after`.
   *
   * @throws {EngineError} `io`, and `corrupt` unless {@link ScanOptions.onDamaged} is there to be told
   */
  scan(options: ScanOptions): ScanPage | Promise<ScanPage>;
  /** Partitions that hold a key, ascending. */
  partitions(): number[];
  /** Keys of one partition, counted without reading them. */
  count(partition: number): number;
  /** Remove every key of a partition; resolves when that is durable. */
  dropPartition(partition: number): Promise<void>;
  /** Make everything written so far durable, whatever the sync policy. */
  sync(): Promise<void>;
  /** What it holds and owes. */
  stats(): EngineStats;
  /** Read everything and report what is damaged; `onProgress` gets the fraction done, 0 to 1. */
  verify(onProgress?: (fraction: number) => void): Promise<readonly Damage[]>;
  /**
   * Rewrite until no dead byte is left that may go, while service goes on; `onProgress` gets the fraction done.
   *
   * @throws {EngineError} rejects when it cannot go on; nothing is lost then
   */
  compact(onProgress?: (fraction: number) => void): Promise<void>;
  /**
   * Make a copy that can be opened as a store, durably, while service goes on: everything that was acknowledged before
   * the call is in it. `directory` must not exist yet, and be on the same file system: files that do not change any
   * more are hard links. Until the copy is finished it does not open. `onProgress` gets the fraction done.
   *
   * @throws {EngineError} rejects when it cannot be made; what was made of it is removed
   */
  copyTo(directory: string, onProgress?: (fraction: number) => void): Promise<void>;
  /** What opening the store had to cut, skip or repair; empty after a clean open. */
  readonly damageAtOpen: readonly Damage[];
  /**
   * Sync, release files and the lock. Further calls throw `closed`. Closing twice does nothing. Rejects, with
   * everything released all the same, when not all that was applied could be made durable: not a clean close.
   */
  close(): Promise<void>;
}
