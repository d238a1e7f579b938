/**
 * What goes on in the background: flushing and compacting, in slices, whenever there is something to do.
 *
 * There is one of each at a time, and compacting waits while something is flushed, for that is what writes wait for.
 * What fails is tried again after a pause; unless a write or a sync of the disk failed, which poisons the store.
 *
 * @module
 */

import type { Timer } from "../../actors/runtime/environment.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { EngineError } from "../engine.ts";
import { compact } from "./compaction.ts";
import { flush, isLogTooLong, shortenLog } from "./flush.ts";
import { type Job, jobTables, pickFully, pickJob } from "./pick.ts";
import type { Reserve } from "./reserve.ts";
import type { Workshop } from "./run_writer.ts";
import type { Tree } from "./tree.ts";
import { LEVELS } from "./version.ts";

/** So many memtables, however small, are flushed: reads look into each of them. */
const MANY_MEMTABLES = 32;

/** How often it is asked whether compaction may go on. */
const PACE_MS = 10;

type Activity = "flushing" | "compacting";

/** See the module. */
export class Background {
  readonly #tree: Tree;
  readonly #reserve: Reserve;
  /** What is under way: resolves to why it failed, null when it did not. */
  #flushing: Promise<unknown> | null = null;
  #compacting: Promise<unknown> | null = null;
  /** Callers that have everything flushed, however little it is; that have everything compacted. */
  #flushers = 0;
  #compacters = 0;
  /** Who waits for something that may find the disk full. */
  readonly #whenFull = new Set<(full: EngineError) => void>();
  #isStopping = false;
  /** What failed is tried again after a rest; the other goes on. */
  readonly #rests = new Map<Activity, Timer>();
  /** By level: up to which key it has been compacted. */
  readonly #lastKeys: Uint8Array[] = Array.from({ length: LEVELS }, () => new Uint8Array(0));

  /** @param tree what it works on @param reserve what it gives up when the disk is full */
  constructor(tree: Tree, reserve: Reserve) {
    this.#tree = tree;
    this.#reserve = reserve;
    tree.manifest.onFull = () => this.#onFull();
  }

  /** Whether something is under way. */
  get isBusy(): boolean {
    return this.#flushing !== null || this.#compacting !== null;
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#isStopping || this.#tree.refusal !== null) return;
    if (this.#flushing === null && !this.#rests.has("flushing") && this.#isFlushDue()) this.#flush();
    if (this.#compacting !== null || this.#compacters > 0 || this.#rests.has("compacting")) return;
    const job = pickJob(this.#tree.version, this.#tree.settings, this.#lastKeys);
    if (job !== null) this.#compact(job);
  }

  /** Flush everything that has been written. @throws {EngineError} rejects when that cannot be done */
  async flushAll(): Promise<void> {
    const tree = this.#tree;
    tree.freeze();
    const youngest = tree.waiting[0];
    this.#flushers++;
    try {
      while (youngest && tree.waiting.includes(youngest)) await this.#done(this.#flushing ?? this.#flush());
    } finally {
      this.#flushers--;
    }
  }

  /** Flush and compact everything. See `Engine.compact`. @throws {EngineError} rejects when that cannot be done */
  async compactAll(onProgress: (fraction: number) => void): Promise<void> {
    await this.flushAll();
    const tree = this.#tree;
    const before = tree.version.edit.age - 1;
    let doneBytes = 0;
    this.#compacters++;
    try {
      for (;;) {
        // Others may be waiting for the same: only one goes on.
        while (this.#compacting !== null) await this.#done(this.#compacting);
        const job = pickFully(tree.version, tree.settings, before);
        if (job === null) return onProgress(1);
        const jobBytes = jobTables(job).reduce((sum, table) => sum + table.sizeBytes, 0);
        await this.#done(this.#compact(job));
        doneBytes += jobBytes;
        onProgress(doneBytes / (doneBytes + tree.version.sizeBytes));
      }
    } finally {
      this.#compacters--;
      this.wake();
    }
  }

  /** Give up what is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const rest of this.#rests.values()) rest.cancel();
    await Promise.all([this.#flushing, this.#compacting]);
  }

  #isFlushDue(): boolean {
    const { waiting, waitingBytes, settings } = this.#tree;
    if (waiting.length === 0) return isLogTooLong(this.#tree);
    return this.#flushers > 0 || waiting.length >= MANY_MEMTABLES || waitingBytes >= settings.memtableBytes;
  }

  #flush(): Promise<unknown> {
    const task = this.#try("flushing", async () => {
      await flush(this.#tree, this.#workshop(() => this.#turn()));
      if (isLogTooLong(this.#tree)) await shortenLog(this.#tree);
    });
    return this.#flushing = task.finally(() => {
      this.#flushing = null;
      this.wake();
    });
  }

  #compact(job: Job): Promise<unknown> {
    const task = this.#try("compacting", async () => {
      const tree = this.#tree;
      const workshop = this.#workshop(() => this.#compactionTurn());
      await tree.commit(await compact(workshop, tree.tables, tree.version, job));
      if (job.level > 0) this.#lastKeys[job.level] = job.tables.at(-1)!.last;
    });
    return this.#compacting = task.finally(() => {
      this.#compacting = null;
      this.wake();
    });
  }

  /** An edit waits for space, and what brought it with it. */
  #onFull(): void {
    this.#reserve.giveUp();
    const full = new EngineError("full", "full: it goes on once there is space");
    for (const tell of this.#whenFull) tell(full);
  }

  /** @throws {EngineError} rejects when what was tried failed, or waits for space: whoever asked for it need not */
  async #done(task: Promise<unknown>): Promise<void> {
    let tell = (_: unknown) => {};
    const full = new Promise<unknown>((resolve) => void (tell = resolve));
    this.#whenFull.add(tell);
    const failure = await Promise.race([task, full]).finally(() => this.#whenFull.delete(tell));
    if (failure !== null) throw failure;
  }

  /** Do something that may fail. Resolves to why it did, null when it did not. */
  async #try(what: Activity, task: () => Promise<void>): Promise<unknown> {
    try {
      this.#refuse();
      await task();
      return null;
    } catch (error) {
      this.#onFailed(what, error);
      return error;
    }
  }

  /** @throws {EngineError} when nothing more is to be done */
  #refuse(): void {
    if (this.#isStopping) throw new EngineError("closed", "the engine is closed");
    if (this.#tree.refusal !== null) throw this.#tree.refusal;
  }

  #onFailed(what: Activity, error: unknown): void {
    // What is no failure of the disk is a mistake of ours: better nothing more is done than something wrong.
    const failure = error instanceof EngineError ? error : new EngineError("poisoned", `poisoned: ${error}`);
    const { code } = failure;
    if (code === "closed") return;
    if (code === "poisoned") return this.#tree.poison(failure);
    const { log, clock, directory } = this.#tree.options;
    log.warn(`${what} was given up for now`, { directory, reason: String(error) });
    if (code === "full") this.#reserve.giveUp();
    if (this.#isStopping) return;
    this.#rests.get(what)?.cancel();
    this.#rests.set(
      what,
      clock.after(LIMITS.fullProbeMs, () => {
        this.#rests.delete(what);
        this.wake();
      }),
    );
  }

  /** Let everybody else have a turn. */
  async #turn(): Promise<void> {
    await new Promise<void>((resolve) => void this.#tree.options.clock.after(0, resolve));
    this.#refuse();
  }

  async #compactionTurn(): Promise<void> {
    await this.#turn();
    const { options: { pace, clock }, settings: { sliceBytes } } = this.#tree;
    while (pace && this.#compacters === 0 && !pace.trySpend(sliceBytes) && !this.#isPressing()) {
      await new Promise<void>((resolve) => void clock.after(PACE_MS, resolve));
      this.#refuse();
    }
    while (this.#flushing !== null) {
      await this.#flushing;
      await this.#turn();
    }
  }

  /** Whether writes will have to wait for compaction before long. */
  #isPressing(): boolean {
    const { version, settings: { level0Tables } } = this.#tree;
    return version.levels[0]!.length >= 2 * level0Tables;
  }

  #workshop(turn: () => Promise<void>): Workshop {
    const { options, settings, manifest, written } = this.#tree;
    return {
      disk: options.disk,
      directory: options.directory,
      random: options.random,
      settings,
      nextFile: () => manifest.nextFile(),
      turn,
      onWritten: (sizeBytes) => void (written.tableBytes += sizeBytes),
    };
  }
}
