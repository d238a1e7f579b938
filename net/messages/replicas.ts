/**
 * Between a coordinator and the replicas of a key on other nodes. Layouts: `PROTOCOL.md`, "Replicas".
 *
 * The ticket is the frame's number; who asks or answers is whoever the connection belongs to.
 *
 * @module
 */

import type {
  EncodedObject,
  Placement,
  ReadAnswer,
  Stamped,
  WriteAnswer,
  WriteRefusal,
} from "../../actors/replica_store/protocol.ts";
import type { Keep } from "../../actors/handoff/protocol.ts";
import type { Frame } from "../frame.ts";
import type { FrameWriter } from "../frame_writer.ts";
import { flags, type Message, ordinal, word } from "./message.ts";

/** What became of a read, by number; append-only. */
const READ_CODES = [
  "found",
  "missing",
  "not-whole",
  "not-whole-missing",
  "unreadable",
  "wrong-epoch",
  "overloaded",
  "unavailable",
] as const;

/** What became of a write, by number; append-only. */
const WRITE_CODES: readonly ("ok" | WriteRefusal)[] = [
  "ok",
  "wrong-epoch",
  "overloaded",
  "unavailable",
  "unreadable",
  "corrupt",
  "future-dot",
  "ring-changing",
  "hints-full",
  "collected",
];

const DEFINITE = 1, EPOCH = 2;

/** Where a request belongs, as every replica request begins. */
function encodePlacement(writer: FrameWriter, { partition, epoch }: Placement): void {
  writer.u16(partition);
  writer.u64(epoch);
}

/** The end of an answer's fixed part: the ring's epoch when it is told. */
function encodeEpoch(writer: FrameWriter, bits: number, epoch: number | undefined): void {
  writer.u8(epoch === undefined ? bits : bits | EPOCH);
  if (epoch !== undefined) writer.u64(epoch);
}

/** The field that a flag announces, or none. */
function decodeEpoch(frame: Frame, bits: number): { epoch?: number } {
  return bits & EPOCH ? { epoch: frame.u64() } : {};
}

/** `replica_store.read`. */
export const READ: Message<Placement & { readonly key: Uint8Array }> = {
  number: 32,
  name: "read",
  encode(writer, body) {
    encodePlacement(writer, body);
    writer.bytes(body.key);
  },
  decode: (frame) => ({ partition: frame.u16(), epoch: frame.u64(), key: frame.rest() }),
};

/** `coordinator.replicaRead`. */
export const READ_ANSWER: Message<ReadAnswer> = {
  number: 33,
  name: "read-answer",
  encode(writer, answer) {
    if (answer.ok || answer.code === "not-whole") {
      writer.u8((answer.ok ? 0 : 2) + (answer.object ? 0 : 1));
      if (!answer.object) return;
      writer.u64(answer.stamp ?? 0);
      writer.bytes(answer.object);
    } else {
      writer.u8(ordinal(READ_CODES, answer.code));
      encodeEpoch(writer, 0, answer.epoch);
    }
  },
  decode(frame) {
    const code = word(READ_CODES, frame.u8());
    if (code === "found") return { ok: true, stamp: frame.u64(), object: frame.rest() };
    if (code === "missing") return { ok: true, object: null };
    if (code === "not-whole") return { ok: false, code, stamp: frame.u64(), object: frame.rest() };
    if (code === "not-whole-missing") return { ok: false, code: "not-whole", object: null };
    return { ok: false, code, ...decodeEpoch(frame, flags(frame, EPOCH)) };
  },
};

/** `replica_store.write`. */
export const WRITE: Message<
  Placement & Stamped & { readonly key: Uint8Array; readonly object: EncodedObject }
> = {
  number: 34,
  name: "write",
  encode(writer, body) {
    encodePlacement(writer, body);
    writer.u64(body.stamp);
    writer.u16(body.key.length);
    writer.bytes(body.key);
    writer.bytes(body.object);
  },
  decode: (frame) => ({
    partition: frame.u16(),
    epoch: frame.u64(),
    stamp: frame.u64(),
    key: frame.bytes(frame.u16()),
    object: frame.rest(),
  }),
};

/** `hint_store.keep`. */
export const KEEP: Message<Pick<Keep, "partition" | "epoch" | "stamp" | "target" | "key" | "object">> = {
  number: 36,
  name: "keep",
  encode(writer, body) {
    encodePlacement(writer, body);
    writer.u64(body.stamp);
    writer.hex(body.target);
    writer.u16(body.key.length);
    writer.bytes(body.key);
    writer.bytes(body.object);
  },
  decode: (frame) => ({
    partition: frame.u16(),
    epoch: frame.u64(),
    stamp: frame.u64(),
    target: frame.hex(16),
    key: frame.bytes(frame.u16()),
    object: frame.rest(),
  }),
};

/** `hint_store.read`; answered as a read. */
export const READ_HINT: typeof READ = { ...READ, number: 37, name: "read-hint" };

/** `coordinator.replicaWrote`. */
export const WRITE_ANSWER: Message<WriteAnswer> = {
  number: 35,
  name: "write-answer",
  encode(writer, answer) {
    writer.u8(answer.ok ? 0 : ordinal(WRITE_CODES, answer.code));
    if (!answer.ok) encodeEpoch(writer, answer.definite ? DEFINITE : 0, answer.epoch);
  },
  decode(frame) {
    const code = word(WRITE_CODES, frame.u8());
    if (code === "ok") return { ok: true };
    const bits = flags(frame, DEFINITE | EPOCH);
    return { ok: false, code, definite: (bits & DEFINITE) !== 0, ...decodeEpoch(frame, bits) };
  },
};
