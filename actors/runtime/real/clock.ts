/**
 * The machine's clock.
 *
 * @module
 */

import { clearImmediate, setImmediate } from "node:timers";
import type { Clock, Timer } from "../environment.ts";

/** The longest delay a system timer takes; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** System time and system timers. */
export class RealClock implements Clock {
  /** See {@link Clock.now}: the origin is the start of the process. */
  now(): number {
    return performance.now();
  }

  /** See {@link Clock.wall}. */
  wall(): number {
    return Date.now();
  }

  /**
   * See {@link Clock.after}. No delay is the next turn of the event loop, for which a timer would take a
   * millisecond. Delays of more than 24 days are walked in steps.
   */
  after(delayMs: number, task: () => void): Timer {
    if (delayMs <= 0) {
      const id = setImmediate(task);
      return { cancel: () => clearImmediate(id) };
    }
    const due = performance.now() + delayMs;
    const fire = () => {
      const left = due - performance.now();
      if (left > LONGEST_MS) id = setTimeout(fire, LONGEST_MS);
      else if (left > 1) id = setTimeout(fire, left);
      else task();
    };
    let id = delayMs > LONGEST_MS ? setTimeout(fire, LONGEST_MS) : setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(id) };
  }
}
