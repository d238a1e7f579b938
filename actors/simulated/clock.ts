/**
 * A machine's clock as it is in the world: its monotonic time starts anywhere and runs a little fast or slow,
 * its wall time is wrong and jumps.
 *
 * @module
 */

import type { Clock, Timer } from "../runtime/environment.ts";
import type { Events, Process } from "./events.ts";

/** Wall time when a simulation begins: the first of January 2026. */
const EPOCH_MS = 1_767_225_600_000;

/** The clock of one machine; it outlives the processes on it. */
export class SimulatedClock {
  /** How far wall time is ahead of the truth (negative: behind). Change it at will: the clock jumps. */
  skewMs = 0;

  readonly #events: Events;
  #rate = 1;
  #since = 0;
  #elapsed = 0;

  /**
   * Make one.
   *
   * @param events the time that this clock misreads
   */
  constructor(events: Events) {
    this.#events = events;
  }

  /** How fast it runs: 1 is right, 1.01 gains 1 %. Time does not jump when the rate changes. */
  get rate(): number {
    return this.#rate;
  }

  set rate(rate: number) {
    if (!(rate > 0)) throw new RangeError(`a clock cannot run at ${rate}`);
    this.#elapsed = this.#monotonic();
    this.#since = this.#events.now;
    this.#rate = rate;
  }

  /**
   * The clock as a process on this machine sees it.
   *
   * @param originMs what the monotonic clock shows at time zero: different for each process, so that nobody
   * gets away with comparing two processes' times
   */
  forProcess(process: Process, originMs: number): Clock {
    return {
      now: () => originMs + this.#monotonic(),
      wall: () => EPOCH_MS + this.skewMs + this.#events.now,
      after: (delayMs: number, task: () => void): Timer =>
        this.#events.schedule(delayMs / this.#rate, process, "timer", task),
    };
  }

  #monotonic(): number {
    return this.#elapsed + (this.#events.now - this.#since) * this.#rate;
  }
}
