/**
 * Gossip as bytes. All integers are big-endian:
 *
 * ```text
 * u8  format, 1       u64 ring epoch        u8  number of rumours, at most 64
 * u8  1: an answer    u32 ring checksum     per rumour, 41 bytes:
 *   id (16), u32 life, boot (8), u32 incarnation, u64 heartbeat, u8 0 alive, 1 suspect, 2 down
 * ```
 *
 * The frame around it carries a checksum.
 *
 * @module
 */

import type { Liveness } from "../coordinator/protocol.ts";
import { toHex } from "../runtime/bytes.ts";
import { type Gossip, MOST_RUMOURS, type Rumour } from "./rumour.ts";

const FORMAT = 1;
const HEAD_BYTES = 15;
const RUMOUR_BYTES = 41;
/** The longest message. */
export const GOSSIP_BYTES: number = gossipBytes(MOST_RUMOURS);
/** Append only: the position is the number on the wire. */
const LIVENESS: readonly Liveness[] = ["alive", "suspect", "down"];

/** How long a message with so many rumours is. */
export function gossipBytes(rumours: number): number {
  return HEAD_BYTES + RUMOUR_BYTES * rumours;
}

/**
 * The bytes of a message.
 *
 * @example
 * ```ts
 * import { decodeGossip, encodeGossip } from "./gossip_codec.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const gossip = { digest: { epoch: 7, checksum: 1 }, isAnswer: true, rumours: [] };
 * assertEquals(decodeGossip(encodeGossip(gossip)), gossip);
 * ```
 */
export function encodeGossip({ digest, isAnswer, rumours }: Gossip): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(gossipBytes(rumours.length));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FORMAT);
  view.setUint8(1, isAnswer ? 1 : 0);
  view.setBigUint64(2, BigInt(digest.epoch));
  view.setUint32(10, digest.checksum);
  view.setUint8(14, rumours.length);
  rumours.forEach((rumour, i) => {
    const at = HEAD_BYTES + RUMOUR_BYTES * i;
    bytes.set(Uint8Array.fromHex(rumour.node), at);
    view.setUint32(at + 16, rumour.life);
    bytes.set(Uint8Array.fromHex(rumour.boot), at + 20);
    view.setUint32(at + 28, rumour.incarnation);
    view.setBigUint64(at + 32, BigInt(rumour.heartbeat));
    view.setUint8(at + 40, LIVENESS.indexOf(rumour.liveness));
  });
  return bytes;
}

/** The message that bytes from a peer hold; null when they hold none. */
export function decodeGossip(bytes: Uint8Array): Gossip | null {
  if (bytes.length < HEAD_BYTES || bytes[0] !== FORMAT || bytes[1]! > 1) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes[14]!;
  if (count > MOST_RUMOURS || bytes.length !== gossipBytes(count)) return null;
  const epoch = Number(view.getBigUint64(2));
  if (!Number.isSafeInteger(epoch)) return null;
  const rumours: Rumour[] = [];
  for (let at = HEAD_BYTES; at < bytes.length; at += RUMOUR_BYTES) {
    const rumour = decodeRumour(bytes, view, at);
    if (rumour === null) return null;
    rumours.push(rumour);
  }
  return { digest: { epoch, checksum: view.getUint32(10) }, isAnswer: bytes[1] === 1, rumours };
}

function decodeRumour(bytes: Uint8Array, view: DataView, at: number): Rumour | null {
  const life = view.getUint32(at + 16);
  const heartbeat = Number(view.getBigUint64(at + 32));
  const liveness = LIVENESS[bytes[at + 40]!];
  if (life === 0 || !Number.isSafeInteger(heartbeat) || liveness === undefined) return null;
  return {
    node: toHex(bytes.subarray(at, at + 16)),
    life,
    boot: toHex(bytes.subarray(at + 20, at + 28)),
    incarnation: view.getUint32(at + 28),
    heartbeat,
    liveness,
  };
}
