/**
 * A hint as bytes: what the hint store's engine holds under (slot, key).
 *
 *     version u8 (2)   target (16)   partition u16   stamp u64
 *     object (the rest; actors/replica_store/object_codec.ts)
 *
 * An engine maps (partition, key) to a record, and a key may be as long as an engine takes. So each target has a
 * partition of the engine to itself, its slot; the record says whose it is. The stamp is the collection epoch under
 * which the object was read or minted, the lowest of those merged. Big-endian. The engine's checksum covers it.
 *
 * @module
 */

import { fromHex, toHex } from "../runtime/bytes.ts";
import { putU64, u64At } from "../replica_store/fields.ts";
import type { EncodedObject, NodeId, Stamped } from "../replica_store/protocol.ts";

const VERSION = 2;
const ID_BYTES = 16;
/** What stands before the object. */
const HEADER_BYTES = 1 + ID_BYTES + 2 + 8;
const STAMP_AT = 1 + ID_BYTES + 2;

/** What a record says. */
export interface HintRecord extends Stamped {
  /** Whom it is kept for. */
  readonly target: NodeId;
  /** The key's partition. */
  readonly partition: number;
  /** What is kept; a view into the record. */
  readonly object: EncodedObject;
}

/**
 * The bytes of a hint.
 *
 * @example
 * ```ts
 * import { decodeHint, encodeHint } from "./hint_record.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const hint = { target: "ab".repeat(16), partition: 7, stamp: 3, object: Uint8Array.of(1, 2) };
 * assertEquals(decodeHint(encodeHint(hint)), hint);
 * assertEquals(decodeHint(Uint8Array.of(9)), null);
 * ```
 */
export function encodeHint({ target, partition, stamp, object }: HintRecord): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + object.length);
  bytes[0] = VERSION;
  bytes.set(fromHex(target)!, 1);
  new DataView(bytes.buffer).setUint16(1 + ID_BYTES, partition);
  putU64(bytes, STAMP_AT, stamp);
  bytes.set(object, HEADER_BYTES);
  return bytes;
}

/** What a record says, null when it is none. */
export function decodeHint(bytes: Uint8Array): HintRecord | null {
  if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return null;
  const { buffer, byteOffset } = bytes;
  return {
    target: toHex(bytes.subarray(1, 1 + ID_BYTES)),
    partition: new DataView(buffer, byteOffset).getUint16(1 + ID_BYTES),
    stamp: u64At(bytes, STAMP_AT),
    object: bytes.subarray(HEADER_BYTES),
  };
}
