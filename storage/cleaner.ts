/**
 * Cleaning a log: giving back the space of what was overwritten and removed.
 *
 * Naive: write a snapshot of all that is live, then begin a new log. Everything stops meanwhile, and a crash between
 * the two needs a manifest to say which of them counts. Or, as bitcask does: merge whatever files are mostly dead.
 * Then a removal may not go with its file, for a value that it removed may lie in an older file that was not merged
 * (FAULTS, last paragraph), and nothing tells how long it has to stay.
 *
 * Here the oldest segment is cleaned, and always the oldest: what it holds that is still live is appended anew, in
 * slices, and once that is durable the segment is removed. The order of records stays the truth at every step, and a
 * removal may go with the oldest segment, because no older one holds what it removed. A segment that is all live is
 * copied through like any other; that is the price. It is bounded: cleaning begins when more than half of the log is
 * dead, and by the time it has gone through the whole log it has copied at most the live half and freed the other; so
 * in the long run each byte is written twice at most (Rosenblum and Ousterhout, "The Design and Implementation of a
 * Log-Structured File System", 1992, section 3.4).
 *
 * @module
 */

import { LIMITS } from "../actors/runtime/limits.ts";
import { EngineError, type Pace } from "./engine.ts";
import type { Journal, JournalOptions } from "./journal.ts";

/** What {@link Cleaner} needs; part of an engine's options. */
export interface CleanerOptions extends Pick<JournalOptions, "clock" | "log" | "directory" | "sync"> {
  /** Dead bytes that the log may always hold. Default `LIMITS.deadBytes`. */
  readonly deadBytes?: number;
  /** How fast it may be cleaned. Default: as fast as it goes. */
  readonly pace?: Pace;
}

/** Whose log is cleaned. */
export interface Cleanable {
  /** Bytes of the log that no live key needs. */
  deadBytes(): number;
  /** The newest segment that holds some of them. */
  newestDirty(): number;
  /** Append anew what a segment holds that is live, a slice at a time; gives when that is durable, null for nothing. */
  rewrite(segment: number): Iterable<Promise<void> | null>;
  /** Append something that changes nothing: the first record of a new segment. */
  beginSegment(): void;
  /** Segments before this one have been removed. */
  forgetBefore(segment: number): void;
}

/** How often it is asked whether it may go on. */
const PACE_MS = 10;
/** What goes to the disk in one slice, more or less. */
const SLICE_BYTES = 64 * 1024;

/** Cleans one log, in the background. */
export class Cleaner {
  readonly #options: CleanerOptions;
  readonly #journal: Journal;
  readonly #owner: Cleanable;
  #running: Promise<void> | null = null;
  #isStopped = false;
  /** Not before, on the clock: what made cleaning fail may last. */
  #againAt = -Infinity;

  /** @param options when to clean @param journal the log @param owner who knows what of it is live */
  constructor(options: CleanerOptions, journal: Journal, owner: Cleanable) {
    this.#options = options;
    this.#journal = journal;
    this.#owner = owner;
  }

  /** Whether so much is dead that it is time. */
  get isWorthwhile(): boolean {
    const deadBytes = this.#owner.deadBytes();
    const floor = this.#options.deadBytes ?? LIMITS.deadBytes;
    return deadBytes > floor && deadBytes * 2 > this.#journal.sizeBytes;
  }

  /** Something may have become dead: begin, if it is time. */
  poke(): void {
    if (this.#running || this.#isStopped || this.#journal.refusing !== null || !this.isWorthwhile) return;
    if (this.#options.clock.now() < this.#againAt) return;
    this.#start(this.#cleanWhileWorthwhile());
  }

  /** See `Engine.compact`. */
  async compact(onProgress: (fraction: number) => void = () => {}): Promise<void> {
    while (this.#running) await this.#running;
    const compacting = this.#compact(onProgress);
    this.#start(compacting.catch(() => {}));
    await compacting;
  }

  /** Clean no more. Resolves when nothing is under way; never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    while (this.#running) await this.#running;
  }

  #start(running: Promise<void>): void {
    this.#running = running.finally(() => this.#running = null);
  }

  /** Never rejects. */
  async #cleanWhileWorthwhile(): Promise<void> {
    const { log, clock, directory } = this.#options;
    try {
      while (this.isWorthwhile) await this.#cleanOldest(() => this.#pause());
    } catch (error) {
      if (this.#isStopped) return;
      this.#againAt = clock.now() + LIMITS.cleaningPauseMs;
      log.warn("cleaning the journal was given up for now", { directory, reason: String(error) });
    }
  }

  async #compact(onProgress: (fraction: number) => void): Promise<void> {
    const first = this.#journal.oldest;
    const last = this.#owner.newestDirty();
    for (let segment = first; segment <= last; segment = this.#journal.oldest) {
      onProgress((segment - first) / (last + 1 - first));
      await this.#cleanOldest(() => Promise.resolve());
    }
    onProgress(1);
  }

  /** Until it may go on; not long when most of the log is dead. */
  async #pause(): Promise<void> {
    const { pace, clock } = this.#options;
    const isPressing = () => this.#owner.deadBytes() * 4 > this.#journal.sizeBytes * 3;
    while (pace && !this.#isStopped && !pace.trySpend(SLICE_BYTES) && !isPressing()) {
      await new Promise<void>((resolve) => void clock.after(PACE_MS, resolve));
    }
  }

  async #cleanOldest(pause: () => Promise<void>): Promise<void> {
    const { oldest } = this.#journal;
    if (oldest === this.#journal.segment) {
      this.#journal.seal();
      this.#owner.beginSegment();
    }
    // What has been appended to it must have been written, for its owner may read it.
    if (!this.#journal.isComplete(oldest)) await this.#journal.sync();
    for (const durable of this.#owner.rewrite(oldest)) {
      this.#check();
      if (durable !== null && this.#options.sync === "always") await durable;
      else await new Promise<void>((resolve) => void this.#options.clock.after(0, resolve));
      await pause();
    }
    this.#check();
    // Only what was copied must be durable, but the copies are behind all the rest.
    await this.#journal.sync();
    await this.#journal.removeBefore(oldest + 1);
    this.#owner.forgetBefore(oldest + 1);
  }

  #check(): void {
    if (this.#isStopped) throw new EngineError("closed", "the engine is closed");
  }
}
