/**
 * The control messages that may come from the wire, and what their bodies must look like. An actor or kind
 * that is not in the registry cannot be reached from outside, whatever a frame says.
 *
 * @module
 */

import { LIMITS } from "../actors/runtime/limits.ts";
import type { Envelope } from "../actors/runtime/protocol.ts";
import { type Shape, shape, ShapeError } from "../actors/runtime/shape.ts";
import type { Frame } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { CONTROL, CONTROL_REPLY } from "./messages/control.ts";
import { readMessage, writeMessage } from "./messages/message.ts";

/** What one kind of message looks like. */
export interface ControlShapes {
  /** Its body. */
  readonly body: Shape<unknown>;
  /** The reply; absent for a kind that is only told. */
  readonly reply?: Shape<unknown>;
}

/** Actor to kind to shapes. */
export type ControlRegistry = {
  readonly [actor: string]: { readonly [kind: string]: ControlShapes };
};

/** An ask on its way, so that its answer can be checked. */
interface Asked {
  readonly reply: Shape<unknown>;
  readonly deadline: number;
}

/**
 * Control envelopes to frames and back. One per node: what `peers` sends, `listener` sees answered.
 */
export class ControlCodec {
  readonly #registry: ControlRegistry;
  readonly #now: () => number;
  readonly #asked = new Map<string, Asked>();

  /** With `registry`, what may be sent, and `now`, the node's monotonic clock. */
  constructor(registry: ControlRegistry, now: () => number) {
    this.#registry = registry;
    this.#now = now;
  }

  /**
   * Write an envelope. False when it is too large or too many asks are under way. Throws a `RangeError` when
   * the registry does not have it: a message that was never meant to leave its node.
   */
  encode(writer: FrameWriter, envelope: Envelope): boolean {
    const { to, from, kind, body, ask, failure, deadline } = envelope;
    const number = ask === undefined ? 0 : ask + 1;
    if (kind === "") {
      const reply = { to: to.actor, from: from.actor, failure: failure ?? null, body: body ?? null };
      return writeMessage(writer, CONTROL_REPLY, { number }, reply);
    }
    const shapes = this.#find(to.actor, kind);
    if (!shapes) throw new RangeError(`${to.actor}.${kind} is not sent between nodes`);
    const now = this.#now();
    const remainingMs = remaining(deadline, now);
    if (ask !== undefined) {
      if (!shapes.reply) throw new RangeError(`${to.actor}.${kind} cannot be asked between nodes`);
      if (this.#asked.size >= LIMITS.asks) this.#forgetLate(now);
      if (this.#asked.size >= LIMITS.asks) return false;
    }
    const control = { to: to.actor, kind, from: from.actor, body };
    const written = writeMessage(writer, CONTROL, { number, remainingMs }, control);
    if (written && ask !== undefined) {
      const asked = { reply: shapes.reply!, deadline: deadline ?? now + LIMITS.deadlineMs };
      this.#asked.set(`${to.node} ${number}`, asked);
    }
    return written;
  }

  /**
   * The envelope in a frame from `peer` that arrived at `arrivedAt`; null for an answer that nobody waits for. Throws a
   * `ShapeError` when it is for no actor or kind there is or its body is wrong, a `WireError` when it is no control
   * message.
   */
  decode(frame: Frame, self: string, peer: string, arrivedAt: number = this.#now()): Envelope | null {
    const { number, remainingMs } = frame;
    if (frame.message === CONTROL_REPLY.number) return this.#decodeReply(frame, self, peer);
    const { to, kind, from, body } = readMessage(CONTROL, frame);
    const shapes = this.#find(to, kind);
    if (!shapes || (number > 0 && !shapes.reply)) {
      throw new ShapeError("", "a message there is", `${to}.${kind}`);
    }
    return {
      to: { node: self, actor: to },
      from: { node: peer, actor: from },
      kind,
      body: shape(shapes.body, body),
      ...(number > 0 ? { ask: number - 1 } : {}),
      ...(remainingMs > 0 ? { deadline: arrivedAt + remainingMs } : {}),
    };
  }

  #decodeReply(frame: Frame, self: string, peer: string): Envelope | null {
    const { number } = frame;
    const { to, from, failure, body } = readMessage(CONTROL_REPLY, frame);
    const asked = this.#asked.get(`${peer} ${number}`);
    if (!asked) return null;
    this.#asked.delete(`${peer} ${number}`);
    const addresses = { to: { node: self, actor: to }, from: { node: peer, actor: from } };
    if (failure !== null) return { ...addresses, kind: "", body: null, ask: number - 1, failure };
    return { ...addresses, kind: "", body: shape(asked.reply, body), ask: number - 1 };
  }

  #find(actor: string, kind: string): ControlShapes | undefined {
    const kinds = Object.hasOwn(this.#registry, actor) ? this.#registry[actor] : undefined;
    return kinds && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  }

  #forgetLate(now: number): void {
    for (const [key, { deadline }] of this.#asked) if (deadline <= now) this.#asked.delete(key);
  }
}

/** A deadline as it travels: whole milliseconds left, at least 1; 0 for none. */
export function remaining(deadline: number | undefined, now: number): number {
  if (deadline === undefined) return 0;
  return Math.min(0xffff_ffff, Math.max(1, Math.ceil(deadline - now)));
}
