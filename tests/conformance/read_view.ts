/**
 * Reading a database as it was at one moment.
 *
 * @module
 */

import { compareBytes, concatBytes } from "../../actors/runtime/bytes.ts";
import type { Engine, Entry, ScanOptions, ScanPage } from "../../storage/engine.ts";

/** The partition that holds the database. */
export const PARTITION = 7;
/** Entries of a page: few, that scans are resumed often. */
const PAGE_ENTRIES = 3;

/** A moment of an engine. */
export interface ReadView {
  /** See `Engine.get`. */
  get(partition: number, key: Uint8Array): Uint8Array | null;
  /** See `Engine.scan`. */
  scan(options: ScanOptions): ScanPage;
  /** It is no longer needed. */
  release(): void;
}

/** A key as it is kept: one byte longer, for none may be empty. */
export function stored(key: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(1), key);
}

/** What an engine shows now: its own snapshot, or all of it, copied. */
export function viewOf(engine: Engine & { snapshot?: () => ReadView }): ReadView {
  if (engine.snapshot) return engine.snapshot();
  const all = entriesOf(engine, {});
  return {
    get: (_, key) => all.find((entry) => compareBytes(entry.key, key) === 0)?.record ?? null,
    scan: ({ after, limit }) => {
      const ahead = after ? all.filter(({ key }) => compareBytes(key, after) > 0) : all;
      return { entries: ahead.slice(0, limit), done: ahead.length <= limit };
    },
    release: () => {},
  };
}

/** Bounds of keys, as `abstract-level` has them; where there are two of a kind, the one with equality counts. */
export interface Range {
  /** Greater than. */
  readonly gt?: Uint8Array;
  /** Not less than. */
  readonly gte?: Uint8Array;
  /** Less than. */
  readonly lt?: Uint8Array;
  /** Not greater than. */
  readonly lte?: Uint8Array;
}

/** Whether a key, as given by the user, is in range. */
export function isInRange(key: Uint8Array, range: Range): boolean {
  return !isBefore(key, range) && !isBehind(key, range);
}

function isBefore(key: Uint8Array, { gt, gte }: Range): boolean {
  if (gte) return compareBytes(key, gte) < 0;
  return gt !== undefined && compareBytes(key, gt) <= 0;
}

function isBehind(key: Uint8Array, { lt, lte }: Range): boolean {
  if (lte) return compareBytes(key, lte) > 0;
  return lt !== undefined && compareBytes(key, lt) >= 0;
}

/** Keys as the user gave them, and values, in range and in order. */
export function rangeEntries(from: Pick<Engine, "get" | "scan">, range: Range): [Uint8Array, Uint8Array][] {
  return entriesOf(from, range).map(({ key, record }) => [key.slice(1), record.slice()]);
}

function entriesOf(from: Pick<Engine, "get" | "scan">, range: Range): Entry[] {
  const entries: Entry[] = [];
  const low = range.gte ?? range.gt;
  let after = low && stored(low);
  const first = after && range.gte ? now(from.get(PARTITION, after)) : null;
  if (first && !isBehind(low!, range)) entries.push({ key: after!, record: first });
  for (;;) {
    const options = { partition: PARTITION, limit: PAGE_ENTRIES, limitBytes: Infinity };
    const page = now(from.scan({ ...options, ...(after && { after }) }));
    for (const entry of page.entries) {
      if (isBehind(entry.key.subarray(1), range)) return entries;
      entries.push(entry);
    }
    if (page.done) return entries;
    after = page.entries.at(-1)!.key;
  }
}

/** What an engine gives without a disk being waited for; all of them do. */
export function now<T>(given: T | Promise<T>): T {
  if (given instanceof Promise) throw new Error("this engine has to be waited for: no implicit snapshots");
  return given;
}
