/**
 * The one budget of all work in the background: hints, repair, anti-entropy, transfers, compaction.
 *
 * Whoever wants to move bytes that no client waits for asks first ({@link Budget.spend}) and goes on when it is told.
 * One after the other, in the order they asked, so that none starves. How many bytes a second there are is decided in
 * `pace.ts` by what clients feel; an operator can bound or pause it.
 *
 * @module
 */

import type { Clock, Timer } from "../runtime/environment.ts";
import { LIMITS } from "../runtime/limits.ts";
import { LatencyWindow, nextRate, type PaceSettings } from "./pace.ts";

/** What of it can be set. */
export interface BudgetSettings {
  /** Bytes a second at most; null: as `LIMITS` has it. */
  readonly mostBytesPerS: number | null;
  /** Nothing is done in the background. */
  readonly isPaused: boolean;
}

/** Its part of `status`. */
export interface BudgetStatus extends BudgetSettings {
  /** Bytes a second just now. */
  readonly bytesPerS: number;
  /** Bytes that were spent since the start. */
  readonly spentBytes: number;
  /** How many wait to spend some. */
  readonly waiting: number;
  /** What one client request of a hundred took longer than, milliseconds; null when there were too few to tell. */
  readonly p99Ms: number | null;
}

/** What {@link Budget} decides by; a test plants a bug by substituting it. */
export const BUDGET_CORE = { nextRate };

/** See {@link BUDGET_CORE}. */
export type BudgetCore = typeof BUDGET_CORE;

const TICK_MS = 1_000;

interface Waiting {
  readonly sizeBytes: number;
  go(): void;
}

/** See the module. */
export class Budget {
  readonly #clock: Clock;
  readonly #core: BudgetCore;
  readonly #latencies = new LatencyWindow();
  readonly #waiting: Waiting[] = [];
  #settings: BudgetSettings = { mostBytesPerS: null, isPaused: false };
  #bytesPerS: number = LIMITS.backgroundBytesPerS;
  #spentBytes = 0;
  /** Bytes that may be spent at once; negative after much was spent together. */
  #purse = 0;
  #filledAt: number;
  #tickedAt: number;
  #timer: Timer | null = null;

  /** @param clock what time it is @param core see {@link BUDGET_CORE} */
  constructor(clock: Clock, core: BudgetCore = BUDGET_CORE) {
    this.#clock = clock;
    this.#core = core;
    this.#filledAt = this.#tickedAt = clock.now();
  }

  /** A client's request was answered after so long. */
  observe(elapsedMs: number): void {
    this.#latencies.observe(elapsedMs, this.#clock.now());
  }

  /** Resolves when so many bytes may be moved. */
  spend(sizeBytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ sizeBytes, go: resolve });
      this.#serve();
    });
  }

  /**
   * Spend so many bytes now, if nothing speaks against it, nor anybody waits: for work that can be left, or will be
   * found again.
   */
  trySpend(sizeBytes: number): boolean {
    this.#tick();
    if (this.#settings.isPaused || this.#purse < 0 || this.#waiting.length > 0) return false;
    this.#take(sizeBytes);
    return true;
  }

  /**
   * A purse of its own for work that asks again and again, since it may have to go on regardless: compaction, which
   * writes would wait for in the end. It stands in line like everybody else, once at a time.
   */
  asker(): { trySpend(sizeBytes: number): boolean } {
    let isWaiting = false;
    let isPaid = false;
    return {
      trySpend: (sizeBytes) => {
        if (!isWaiting && !isPaid) {
          isWaiting = true;
          const go = () => {
            isWaiting = false;
            isPaid = true;
          };
          this.#waiting.push({ sizeBytes, go });
          this.#serve();
        }
        const mayGo = isPaid;
        isPaid = false;
        return mayGo;
      },
    };
  }

  /** What an operator wants from now on. */
  set(settings: BudgetSettings): void {
    this.#settings = settings;
    this.#bytesPerS = Math.min(this.#bytesPerS, this.#pace().mostBytesPerS);
    this.#serve();
  }

  /** See {@link BudgetStatus}. */
  status(): BudgetStatus {
    this.#tick();
    return {
      ...this.#settings,
      bytesPerS: this.#settings.isPaused ? 0 : this.#bytesPerS,
      spentBytes: this.#spentBytes,
      waiting: this.#waiting.length,
      p99Ms: this.#latencies.p99(this.#clock.now()),
    };
  }

  /** Whoever waits is let go: the node stops. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const { go } of this.#waiting.splice(0)) go();
  }

  #pace(): PaceSettings {
    const mostBytesPerS = this.#settings.mostBytesPerS ?? LIMITS.backgroundBytesPerS;
    const leastBytesPerS = Math.min(mostBytesPerS, LIMITS.backgroundLeastBytesPerS);
    return { leastBytesPerS, mostBytesPerS, targetMs: LIMITS.backgroundTargetMs };
  }

  /** Let go whoever can, and come back for the rest. */
  #serve(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#tick();
    if (this.#settings.isPaused) return;
    while (this.#waiting.length > 0 && this.#purse >= 0) {
      const { sizeBytes, go } = this.#waiting.shift()!;
      this.#take(sizeBytes);
      go();
    }
    if (this.#waiting.length === 0) return;
    const waitMs = Math.min(TICK_MS, 1 + (-this.#purse / this.#bytesPerS) * 1000);
    this.#timer = this.#clock.after(waitMs, () => this.#serve());
  }

  /** On credit: what is larger than a second's worth would wait for ever otherwise. */
  #take(sizeBytes: number): void {
    this.#purse -= sizeBytes;
    this.#spentBytes += sizeBytes;
  }

  /** Bring the purse and the rate up to the present. */
  #tick(): void {
    const now = this.#clock.now();
    for (; this.#tickedAt + TICK_MS <= now; this.#tickedAt += TICK_MS) {
      this.#bytesPerS = this.#core.nextRate(
        this.#bytesPerS,
        this.#latencies.p99(this.#tickedAt),
        this.#pace(),
      );
      if (now - this.#tickedAt > 60 * TICK_MS) this.#tickedAt = now - TICK_MS; // nobody asked for long
    }
    this.#purse += this.#bytesPerS * (now - this.#filledAt) / 1000;
    this.#purse = Math.min(this.#purse, this.#bytesPerS / 10);
    this.#filledAt = now;
  }
}
