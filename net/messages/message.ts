/**
 * What one message on the wire is: a number for ever, and how its body becomes bytes and comes back.
 *
 * @module
 */

import { type Frame, WireError } from "../frame.ts";
import type { FrameWriter } from "../frame_writer.ts";

/** A message's entry in the ordinal table. */
export interface Message<T> {
  /** Its number: append-only, never used for anything else. */
  readonly number: number;
  /** Its name, for people. */
  readonly name: string;
  /** Write the body. */
  encode(writer: FrameWriter, body: T): void;
  /** Read the whole body; throws a {@link WireError} when it has another layout. */
  decode(frame: Frame): T;
}

/** What stands in a frame's header beside the message number. */
export interface Header {
  /** The request's, ticket's or ask's number. */
  readonly number: number;
  /** Milliseconds until nobody waits any more; absent or 0 for never. */
  readonly remainingMs?: number;
  /** A trace context of 25 bytes. */
  readonly trace?: Uint8Array | undefined;
}

/** Write one frame. False when it is over the size limit: then nothing was written. */
export function writeMessage<T>(writer: FrameWriter, message: Message<T>, header: Header, body: T): boolean {
  writer.begin(message.number, header.number, header.remainingMs ?? 0, header.trace);
  try {
    message.encode(writer, body);
  } catch (error) {
    writer.abandon();
    throw error;
  }
  return writer.end();
}

/** Read the body of a frame that must be exactly `message`. */
export function readMessage<T>(message: Message<T>, frame: Frame): T {
  if (frame.message !== message.number) {
    throw new WireError("unexpected-message", `number ${frame.message} instead of ${message.name}`);
  }
  const body = message.decode(frame);
  frame.done();
  return body;
}

/** The place of a word in an append-only list, as the wire has it (from 0). Throws when it is not there. */
export function ordinal<T extends string>(words: readonly T[], word: T): number {
  const at = words.indexOf(word);
  if (at < 0) throw new RangeError(`${word} has no number on the wire`);
  return at;
}

/** The word with this number; a {@link WireError} when there is none. */
export function word<T extends string>(words: readonly T[], at: number): T {
  const found = words[at];
  if (found === undefined) throw new WireError("bad-body", `code ${at} is not known`);
  return found;
}

/** The flags byte; a {@link WireError} when a bit outside `known` is set. */
export function flags(frame: Frame, known: number): number {
  const found = frame.u8();
  if (found & ~known) throw new WireError("bad-body", `flags ${found} are not known`);
  return found;
}
