/**
 * Which store this is, as a record of its journal. See `Engine.storeId`.
 *
 * @module
 */

import type { Random } from "../actors/runtime/environment.ts";
import type { Journal } from "./journal.ts";

/** The type of a record that says which store this is. */
export const STORE_ID_RECORD = 3;
const STORE_ID_BYTES = 16;

/** A store's id and where it is remembered. */
export interface StoreId {
  /** The id. */
  readonly bytes: Uint8Array;
  /** The newest segment that holds it. */
  readonly segment: number;
}

/** A new id. */
export function drawStoreId(random: Random): Uint8Array {
  return random.bytes(STORE_ID_BYTES);
}

/** Append an id. */
export function appendStoreId(journal: Journal, bytes: Uint8Array): StoreId {
  journal.append(STORE_ID_RECORD, [bytes]);
  return { bytes, segment: journal.segment };
}

/** The id that a record's payload is, null when it is none. */
export function decodeStoreId(payload: Uint8Array): Uint8Array | null {
  return payload.length === STORE_ID_BYTES ? payload.slice() : null;
}
