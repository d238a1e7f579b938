/**
 * Everything that is not on the request path: control messages between actors of different nodes, and what
 * people ask a node. Few and varied, so they are MessagePack; what they decode to is checked field by field
 * before any actor sees it. Layouts: `PROTOCOL.md`, "Control".
 *
 * @module
 */

import type { AskErrorCode } from "../../actors/runtime/protocol.ts";
import { decodeMsgpack, encodeMsgpack, MsgpackError } from "../../actors/runtime/msgpack.ts";
import { list, nullable, oneOf, type Shape, shape, ShapeError, text } from "../../actors/runtime/shape.ts";
import { type Frame, WireError } from "../frame.ts";
import type { FrameWriter } from "../frame_writer.ts";
import type { Message } from "./message.ts";

/** A message for an actor, by name. The frame's number is the ask's plus one, 0 when it was told. */
export interface Control {
  /** The actor it is for. */
  readonly to: string;
  /** The kind of message. */
  readonly kind: string;
  /** The actor it is from. */
  readonly from: string;
  /** The body, not yet checked. */
  readonly body: unknown;
}

/** The answer to an ask. The frame's number is the ask's plus one. */
export interface ControlReply {
  /** The actor that asked. */
  readonly to: string;
  /** The actor that answers. */
  readonly from: string;
  /** Why there is no answer, or null. */
  readonly failure: AskErrorCode | null;
  /** The answer, not yet checked. */
  readonly body: unknown;
}

/** What someone asks the operator. */
export interface Admin {
  /** The kind of message. */
  readonly kind: string;
  /** The body, not yet checked. */
  readonly body: unknown;
}

/** The operator's answer. */
export type AdminReply =
  | { readonly ok: true; readonly reply: unknown }
  | { readonly ok: false; readonly code: AskErrorCode | "bad-request"; readonly message: string };

const name = text(64);
const ASK_ERRORS: readonly AskErrorCode[] = [
  "timeout",
  "dead",
  "overloaded",
  "unreachable",
  "aborted",
  "crashed",
];
const failure = oneOf(...ASK_ERRORS);
const anything: Shape<unknown> = (value) => value;

/** The body as a list of `length` values. */
function decodeList(frame: Frame, length: number): readonly unknown[] {
  return checked(() => {
    const values = shape(list(anything, length), decodeMsgpack(frame.rest()));
    if (values.length !== length) throw new ShapeError("", `a list of ${length}`, values);
    return values;
  });
}

/** Run a decoder whose complaints are the wire's. */
function checked<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ShapeError || error instanceof MsgpackError) {
      throw new WireError("bad-body", error.message);
    }
    throw error;
  }
}

function encodeList(writer: FrameWriter, values: readonly unknown[]): void {
  writer.bytes(encodeMsgpack(values));
}

/** See {@link Control}. */
export const CONTROL: Message<Control> = {
  number: 48,
  name: "control",
  encode: (writer, { to, kind, from, body }) => encodeList(writer, [to, kind, from, body]),
  decode(frame) {
    const [to, kind, from, body] = decodeList(frame, 4);
    return checked(() => ({ to: shape(name, to), kind: shape(name, kind), from: shape(name, from), body }));
  },
};

/** See {@link ControlReply}. */
export const CONTROL_REPLY: Message<ControlReply> = {
  number: 49,
  name: "control-reply",
  encode: (writer, { to, from, failure, body }) => encodeList(writer, [to, from, failure, body]),
  decode(frame) {
    const [to, from, code, body] = decodeList(frame, 4);
    return checked(() => ({
      to: shape(name, to),
      from: shape(name, from),
      failure: shape(nullable(failure), code),
      body,
    }));
  },
};

/** See {@link Admin}. */
export const ADMIN: Message<Admin> = {
  number: 50,
  name: "admin",
  encode: (writer, { kind, body }) => encodeList(writer, [kind, body]),
  decode(frame) {
    const [kind, body] = decodeList(frame, 2);
    return checked(() => ({ kind: shape(name, kind), body }));
  },
};

/** See {@link AdminReply}. */
export const ADMIN_REPLY: Message<AdminReply> = {
  number: 51,
  name: "admin-reply",
  encode: (writer, reply) =>
    encodeList(writer, reply.ok ? [null, "", reply.reply] : [reply.code, reply.message, null]),
  decode(frame) {
    const [code, message, reply] = decodeList(frame, 3);
    return checked(() => {
      const known = shape(nullable(oneOf(...ASK_ERRORS, "bad-request")), code);
      return known === null
        ? { ok: true, reply }
        : { ok: false, code: known, message: shape(text(4096), message) };
    });
  },
};
