/**
 * What everything sorted looks like to whoever reads it in order: memtables, tables, levels, merges of them.
 *
 * A generator of entries would make three objects per entry; a compaction reads millions. So a cursor is one object
 * that moves, and shows the entry it stands on in place.
 *
 * @module
 */

/** Instead of a record's length: the key was removed. */
export const REMOVED = -1;

/** A place in entries sorted by stored key. */
export interface Cursor {
  /** Whether it stands on an entry; nothing else means anything when not. */
  readonly valid: boolean;
  /** Holds the stored key in its first bytes, until the cursor moves. */
  readonly key: Uint8Array;
  /** How many. */
  readonly keyBytes: number;
  /** Holds the record, until the cursor moves. */
  readonly bytes: Uint8Array;
  /** Where in it the record begins. */
  readonly recordAt: number;
  /** Bytes of the record, or {@link REMOVED}. */
  readonly recordBytes: number;
  /** The age of what it reads (see `version.ts`). */
  readonly age: number;
  /** Go to the next entry. */
  next(): void;
}
