/**
 * The end of a turn of the event loop.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Resolves in the next turn of the event loop, after every microtask that is ready, and what those start. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
