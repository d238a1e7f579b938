/**
 * The smallest environment the actor library's own tests need: time that moves when told, seeded chance, a log
 * that is kept, no disk and no network. Whole nodes are tested in `actors/simulated` instead.
 *
 * @module
 */

import type { Clock, Environment, Log, LogFields, Timer } from "../environment.ts";
import { macrotask } from "../real/turn.ts";

/** Time that moves when a test says so. */
export class FakeClock implements Clock {
  #now = 1000;
  #due: { at: number; task: () => void }[] = [];

  /** See {@link Clock.now}. */
  now(): number {
    return this.#now;
  }

  /** See {@link Clock.wall}. */
  wall(): number {
    return this.#now;
  }

  /** See {@link Clock.after}. */
  after(delayMs: number, task: () => void): Timer {
    const entry = { at: this.#now + delayMs, task };
    this.#due.push(entry);
    return { cancel: () => void (this.#due = this.#due.filter((other) => other !== entry)) };
  }

  /** Timers set and neither due nor cancelled. */
  get pending(): number {
    return this.#due.length;
  }

  /** Jump without running any timer: what a process sees that was too busy to look. */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** Let `ms` pass: everything due runs in order, and all microtasks after each. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await macrotask();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#due.splice(this.#due.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.task();
      await macrotask();
    }
    this.#now = Math.max(this.#now, until);
  }

  #next(until: number) {
    // Sorting is stable: of those due at the same time the one set first.
    return this.#due.filter((entry) => entry.at <= until).sort((a, b) => a.at - b.at)[0];
  }
}

/** An environment and handles on it. */
export interface Fake {
  /** What the code under test is given. */
  readonly environment: Environment;
  /** Its clock. */
  readonly clock: FakeClock;
  /** `level message {fields}`, one per line logged. */
  readonly lines: string[];
}

function keepLines(lines: string[], fields: LogFields): Log {
  const at = (level: string) => (message: string, more?: LogFields) => {
    const { stack: _, ...shown } = { ...fields, ...more };
    lines.push(`${level} ${message} ${JSON.stringify(shown)}`);
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (more) => keepLines(lines, { ...fields, ...more }),
  };
}

function unavailable(what: string): never {
  throw new Error(`there is no ${what} here`);
}

/** A fresh environment. */
export function fake(seed = 1): Fake {
  const clock = new FakeClock();
  const lines: string[] = [];
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    return state / 2 ** 32;
  };
  const environment: Environment = {
    clock,
    random: {
      next,
      integer: (bound) => Math.floor(next() * bound),
      bytes: (sizeBytes) => Uint8Array.from({ length: sizeBytes }, () => next() * 256),
    },
    get disk() {
      return unavailable("disk");
    },
    get network() {
      return unavailable("network");
    },
    log: keepLines(lines, {}),
  };
  return { environment, clock, lines };
}
