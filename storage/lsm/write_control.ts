/**
 * How fast writes may come.
 *
 * Flushing and compacting owe the disk what writes have brought. Naive: take everything until no more can be owed, then
 * stop until some of it is paid. That is a stall of seconds, in which nothing is answered (Luo and Carey, "On
 * Performance Stability in LSM-based Storage Systems", VLDB 2019, section 5). Here the answer to a write comes later
 * the more is owed, so that whoever writes and waits writes more slowly; and whoever does not wait is refused at last.
 *
 * @module
 */

import type { LsmSettings } from "./options.ts";

/** The longest delay: what a write takes when nearly nothing more can be owed. */
const MAX_DELAY_MS = 100;

/** What is owed. */
export interface Owed {
  /** Bytes of memtables that wait to be flushed. */
  readonly waitingBytes: number;
  /** Tables of level 0. */
  readonly level0Tables: number;
}

/** How close to the limit: 0 and less is nothing out of the ordinary, from 1 on no write is taken. */
export function pressureOf({ waitingBytes, level0Tables }: Owed, settings: LsmSettings): number {
  const { memtableBytes, level0Tables: usual, level0MaxTables } = settings;
  return Math.max(
    share(waitingBytes, memtableBytes, settings.waitingBytes),
    share(level0Tables, Math.min(2 * usual, level0MaxTables - 1), level0MaxTables),
  );
}

function share(owed: number, free: number, limit: number): number {
  return (owed - free) / (limit - free);
}

/** How much later a write is answered. */
export function delayOf(pressure: number): number {
  return pressure <= 0 ? 0 : MAX_DELAY_MS * Math.min(1, pressure) ** 2;
}
