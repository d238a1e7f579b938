/**
 * Requests for a key and their outcomes: from a client to a node, and from a coordinator to another. Layouts:
 * `PROTOCOL.md`, "Requests".
 *
 * @module
 */

import type {
  Failure,
  FailureCode,
  GetRequest,
  GetSuccess,
  PutRequest,
  PutSuccess,
  SiblingValue,
} from "../../actors/coordinator/protocol.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { type Frame, WireError } from "../frame.ts";
import { flags, type Message, ordinal, word } from "./message.ts";

/** Failure codes by their number on the wire; append-only. */
export const FAILURE_CODES: readonly FailureCode[] = [
  "quorum-unmet",
  "timeout",
  "overloaded",
  "bad-context",
  "too-large",
  "too-many-siblings",
  "bad-request",
  "ring-changing",
  "unavailable",
  "stopping",
];

const DELETE = 1, CONTEXT = 2, FORWARDED = 4, STRICT = 8, SLOPPY = 16, FALLBACK = 32, TTL = 64;
const DEFINITE = 1, COUNTS = 2;
const MESSAGE_BYTES = 1024;

/** What of a {@link GetRequest} stands in the body. */
export type GetBody = Pick<GetRequest, "key" | "r" | "sloppy">;

/** The flag for what a request says of stand-ins; none where it says nothing. */
function sloppyBit(sloppy: boolean | undefined): number {
  return sloppy === undefined ? 0 : sloppy ? SLOPPY : STRICT;
}

/** What the flags say of stand-ins; nothing where both are set. */
function sloppyOf(bits: number): { sloppy?: boolean } {
  const said = bits & (STRICT | SLOPPY);
  return said === SLOPPY ? { sloppy: true } : said === STRICT ? { sloppy: false } : {};
}

/** A read. */
export const GET: Message<GetBody> = {
  number: 16,
  name: "get",
  encode(writer, { key, r, sloppy }) {
    writer.u8(sloppyBit(sloppy));
    writer.u8(r);
    writer.bytes(key);
  },
  decode(frame) {
    const bits = flags(frame, STRICT | SLOPPY);
    return { r: frame.u8(), ...sloppyOf(bits), key: frame.rest() };
  },
};

/** What of a {@link PutRequest} stands in the body. */
export type PutBody = Pick<
  PutRequest,
  "key" | "value" | "crc32c" | "context" | "w" | "sloppy" | "requestId" | "forwarded" | "fallback" | "ttlMs"
>;

/** A write or delete. */
export const PUT: Message<PutBody> = {
  number: 17,
  name: "put",
  encode(
    writer,
    { key, value, crc32c, context, w, sloppy, requestId, forwarded, fallback = false, ttlMs = 0 },
  ) {
    writer.u8(
      (value ? 0 : DELETE) | (context ? CONTEXT : 0) | (forwarded ? FORWARDED : 0) | sloppyBit(sloppy) |
        (fallback ? FALLBACK : 0) | (ttlMs > 0 ? TTL : 0),
    );
    writer.u8(w);
    writer.hex(requestId);
    writer.u32(crc32c);
    if (ttlMs > 0) writer.u64(ttlMs);
    writer.u16(key.length);
    writer.bytes(key);
    if (context) {
      writer.u32(context.length);
      writer.bytes(context);
    }
    if (value) writer.bytes(value);
  },
  decode(frame) {
    const bits = flags(frame, DELETE | CONTEXT | FORWARDED | STRICT | SLOPPY | FALLBACK | TTL);
    return {
      w: frame.u8(),
      requestId: frame.hex(16),
      crc32c: frame.u32(),
      ...(bits & TTL && { ttlMs: ttlIn(frame) }),
      key: frame.bytes(frame.u16()),
      context: bits & CONTEXT ? frame.bytes(frame.u32()) : null,
      value: bits & DELETE ? null : frame.rest(),
      forwarded: (bits & FORWARDED) !== 0,
      ...sloppyOf(bits),
      ...(bits & FALLBACK ? { fallback: true } : {}),
    };
  },
};

function ttlIn(frame: Frame): number {
  const ttlMs = frame.u64();
  if (!(ttlMs >= 1 && ttlMs <= LIMITS.ttlMs)) {
    throw new WireError("bad-body", `a time to live of ${ttlMs} ms`);
  }
  return ttlMs;
}

/** A read that met its quorum. */
export const GOT: Message<GetSuccess> = {
  number: 18,
  name: "got",
  encode(writer, { values, context }) {
    writer.u32(context.length);
    writer.bytes(context);
    writer.u32(values.length);
    for (const { value, crc32c } of values) {
      writer.u32(crc32c);
      writer.u32(value.length);
      writer.bytes(value);
    }
  },
  decode(frame) {
    const context = frame.bytes(frame.u32());
    const count = frame.u32();
    if (count * 8 > frame.left) throw new WireError("bad-body", `${count} values do not fit`);
    const values: SiblingValue[] = [];
    for (let i = 0; i < count; i++) {
      const crc32c = frame.u32();
      values.push({ value: frame.bytes(frame.u32()), crc32c });
    }
    return { ok: true, values, context };
  },
};

/** A write that met its quorum. */
export const DONE: Message<PutSuccess> = {
  number: 19,
  name: "done",
  encode() {},
  decode: () => ({ ok: true }),
};

/** A request that failed. */
export const FAILED: Message<Failure> = {
  number: 20,
  name: "failed",
  encode(writer, { code, definite, message, answered, needed }) {
    const counts = answered !== undefined && needed !== undefined;
    writer.u8(ordinal(FAILURE_CODES, code));
    writer.u8((definite ? DEFINITE : 0) | (counts ? COUNTS : 0));
    if (counts) {
      writer.u8(answered);
      writer.u8(needed);
    }
    writer.bytes(shortUtf8(message));
  },
  decode(frame) {
    const code = word(FAILURE_CODES, frame.u8());
    const bits = flags(frame, DEFINITE | COUNTS);
    const counts = bits & COUNTS ? { answered: frame.u8(), needed: frame.u8() } : {};
    return { ok: false, code, definite: (bits & DEFINITE) !== 0, ...counts, message: frame.text(frame.left) };
  },
};

/** The UTF-8 of a message for people, cut at a character where it would be too long. */
export function shortUtf8(text: string): Uint8Array {
  const bytes = encodeUtf8(text);
  if (bytes.length <= MESSAGE_BYTES) return bytes;
  let end = MESSAGE_BYTES;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
