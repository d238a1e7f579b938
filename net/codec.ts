/**
 * The ordinal table, and envelopes between nodes as frames.
 *
 * @module
 */

import type { CoordinatorProtocol, PutRequest } from "../actors/coordinator/protocol.ts";
import type { Keep } from "../actors/handoff/protocol.ts";
import type { ReplicaStoreProtocol } from "../actors/replica_store/protocol.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import type { Address, Body, Envelope } from "../actors/runtime/protocol.ts";
import { type ControlCodec, remaining } from "./control_codec.ts";
import { type Frame, WireError } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { ADMIN, ADMIN_REPLY, CONTROL, CONTROL_REPLY } from "./messages/control.ts";
import { HELLO, PING, PONG, REFUSED, WELCOME } from "./messages/handshake.ts";
import { type Message, readMessage, writeMessage } from "./messages/message.ts";
import { KEEP, READ, READ_ANSWER, READ_HINT, WRITE, WRITE_ANSWER } from "./messages/replicas.ts";
import { DONE, FAILED, GET, GOT, PUT } from "./messages/requests.ts";

/**
 * Every message there is. Numbers are append-only: one that is retired moves to {@link RESERVED} and is never
 * given to another.
 */
export const MESSAGES: readonly Message<never>[] = [
  ...[HELLO, WELCOME, REFUSED, PING, PONG],
  ...[GET, PUT, GOT, DONE, FAILED],
  ...[READ, READ_ANSWER, WRITE, WRITE_ANSWER, KEEP, READ_HINT],
  ...[CONTROL, CONTROL_REPLY, ADMIN, ADMIN_REPLY],
] as unknown as readonly Message<never>[];

/** Numbers never to be used (again). 0 is what a zeroed buffer says. */
export const RESERVED: readonly number[] = [0];

const COORDINATOR = "coordinator";
const REPLICA_STORE = "replica_store";
const HINT_STORE = "hint_store";

/** When nobody waits any more for what a frame asks: its remaining time, capped, from its arrival. */
export function deadlineOf(remainingMs: number, arrivedAt: number): number {
  return arrivedAt + Math.min(remainingMs === 0 ? LIMITS.defaultDeadlineMs : remainingMs, LIMITS.deadlineMs);
}

/** The outcome of a request, as the frame of its kind. False when it is over the size limit. */
export function writeOutcome(
  writer: FrameWriter,
  { ticket, outcome }: Body<CoordinatorProtocol, "answer">,
): boolean {
  const header = { number: ticket };
  if (!outcome.ok) return writeMessage(writer, FAILED, header, outcome);
  if ("values" in outcome) return writeMessage(writer, GOT, header, outcome);
  return writeMessage(writer, DONE, header, outcome);
}

/**
 * What a node says to another, both ways. The request path has fixed layouts; the rest goes through
 * {@link ControlCodec}. Who speaks is never read from the wire: it is the node the connection belongs to.
 */
export class EnvelopeCodec {
  readonly #control: ControlCodec;
  readonly #self: string;
  readonly #now: () => number;

  /** @param control for everything off the request path @param self this node's id @param now its clock */
  constructor(control: ControlCodec, self: string, now: () => number) {
    this.#control = control;
    this.#self = self;
    this.#now = now;
  }

  /** Write an envelope. False when it is over the size limit: nothing was written. */
  encode(writer: FrameWriter, envelope: Envelope): boolean {
    const { to: { actor }, kind } = envelope;
    if (actor === COORDINATOR) return this.#encodeForCoordinator(writer, envelope);
    if ((actor === REPLICA_STORE || actor === HINT_STORE) && kind === "read") {
      const body = envelope.body as Body<ReplicaStoreProtocol, "read">;
      const remainingMs = remaining(body.deadline, this.#now());
      const message = actor === REPLICA_STORE ? READ : READ_HINT;
      return writeMessage(writer, message, { number: body.ticket, remainingMs }, body);
    }
    if (actor === HINT_STORE && kind === "keep") {
      const body = envelope.body as Keep;
      return writeMessage(writer, KEEP, { number: body.ticket }, body);
    }
    if (actor === REPLICA_STORE && kind === "write") {
      const body = envelope.body as Body<ReplicaStoreProtocol, "write">;
      return writeMessage(writer, WRITE, { number: body.ticket }, body);
    }
    return this.#control.encode(writer, envelope);
  }

  #encodeForCoordinator(writer: FrameWriter, envelope: Envelope): boolean {
    switch (envelope.kind) {
      case "put": {
        const body = envelope.body as PutRequest;
        const { ticket: number, deadline, trace } = body;
        const header = { number, remainingMs: remaining(deadline, this.#now()), trace };
        return writeMessage(writer, PUT, header, body);
      }
      case "answer":
        return writeOutcome(writer, envelope.body as Body<CoordinatorProtocol, "answer">);
      case "replicaRead": {
        const { ticket, answer } = envelope.body as Body<CoordinatorProtocol, "replicaRead">;
        return writeMessage(writer, READ_ANSWER, { number: ticket }, answer);
      }
      case "replicaWrote": {
        const { ticket, answer } = envelope.body as Body<CoordinatorProtocol, "replicaWrote">;
        return writeMessage(writer, WRITE_ANSWER, { number: ticket }, answer);
      }
      default:
        return this.#control.encode(writer, envelope);
    }
  }

  /**
   * The envelope in a frame from `peer` that arrived at `arrivedAt` on this node's clock; null for an answer that
   * nobody waits for. Throws a `WireError` when it is none, a `ShapeError` when it is a control message that no actor
   * here takes.
   */
  decode(frame: Frame, peer: string, arrivedAt: number = this.#now()): Envelope | null {
    const ticket = frame.number;
    switch (frame.message) {
      case PUT.number:
        return this.#to(COORDINATOR, peer, "put", {
          ...readMessage(PUT, frame),
          ...this.#origin(frame, peer, arrivedAt),
        });
      case DONE.number:
        return this.#to(COORDINATOR, peer, "answer", { ticket, outcome: readMessage(DONE, frame) });
      case FAILED.number:
        return this.#to(COORDINATOR, peer, "answer", { ticket, outcome: readMessage(FAILED, frame) });
      case READ.number:
      case READ_HINT.number: {
        const [actor, message] = frame.message === READ.number
          ? [REPLICA_STORE, READ] as const
          : [HINT_STORE, READ_HINT] as const;
        return this.#to(actor, peer, "read", {
          ...readMessage(message, frame),
          ticket,
          from: peer,
          deadline: deadlineOf(frame.remainingMs, arrivedAt),
        });
      }
      case KEEP.number:
        return this.#to(HINT_STORE, peer, "keep", { ...readMessage(KEEP, frame), ticket, from: peer });
      case WRITE.number:
        return this.#to(REPLICA_STORE, peer, "write", { ...readMessage(WRITE, frame), ticket, from: peer });
      case READ_ANSWER.number: {
        const answer = readMessage(READ_ANSWER, frame);
        return this.#to(COORDINATOR, peer, "replicaRead", { ticket, replica: peer, answer });
      }
      case WRITE_ANSWER.number: {
        const answer = readMessage(WRITE_ANSWER, frame);
        return this.#to(COORDINATOR, peer, "replicaWrote", { ticket, replica: peer, answer });
      }
      case CONTROL.number:
      case CONTROL_REPLY.number:
        return this.#control.decode(frame, this.#self, peer, arrivedAt);
      default:
        throw new WireError("unexpected-message", `number ${frame.message} from a peer`);
    }
  }

  /** On the request path replica stores answer, and everything else is a coordinator's word. */
  #to(actor: string, peer: string, kind: string, body: unknown): Envelope {
    const from = kind === "replicaRead" || kind === "replicaWrote" ? REPLICA_STORE : COORDINATOR;
    return { to: { node: this.#self, actor }, from: { node: peer, actor: from }, kind, body };
  }

  /** What a forwarded write has beside its body: its coordinator waits for the answer. */
  #origin({ number, remainingMs, trace }: Frame, peer: string, arrivedAt: number) {
    const origin: Address = { node: peer, actor: COORDINATOR };
    const deadline = deadlineOf(remainingMs, arrivedAt);
    return { origin, ticket: number, deadline, ...(trace ? { trace } : {}) };
  }
}
