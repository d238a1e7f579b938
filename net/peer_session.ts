/**
 * One peer at the door: what it says goes to the actor it is for, under the peer's own name.
 *
 * @module
 */

import type { PutRequest } from "../actors/coordinator/protocol.ts";
import type { NodeId, ReplicaStoreProtocol } from "../actors/replica_store/protocol.ts";
import type { Log } from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import type { Body, Envelope, TellResult } from "../actors/runtime/protocol.ts";
import { ShapeError } from "../actors/runtime/shape.ts";
import type { Channel } from "./channel.ts";
import type { EnvelopeCodec } from "./codec.ts";
import type { Frame } from "./frame.ts";
import type { NodeFacts } from "./handshake.ts";
import { PING, PONG } from "./messages/handshake.ts";
import { readMessage } from "./messages/message.ts";

/** The way to the actors here, and back to the peer. */
export interface PeerDesk {
  /** This node, and who is in its ring. */
  readonly facts: NodeFacts;
  /** Take in what a peer sent. */
  readonly deliver: (envelope: Envelope) => TellResult;
  /** Send to a peer. */
  readonly send: (envelope: Envelope) => boolean;
}

/** One peer's connection, past its handshake. */
export class PeerSession {
  readonly #channel: Channel;
  readonly #node: NodeId;
  readonly #codec: EnvelopeCodec;
  readonly #desk: PeerDesk;
  readonly #log: Log;
  #complained = false;
  #isMember = false;

  /** @param channel open @param node whose it is @param codec this node's @param desk the node @param log its log */
  constructor(channel: Channel, node: NodeId, codec: EnvelopeCodec, desk: PeerDesk, log: Log) {
    this.#channel = channel;
    this.#node = node;
    this.#codec = codec;
    this.#desk = desk;
    this.#log = log;
  }

  /** A frame came. */
  onFrame(frame: Frame): void {
    if (frame.message === PING.number) {
      readMessage(PING, frame);
      return void this.#channel.send(PONG, { number: frame.number }, null);
    }
    const envelope = this.#decode(frame);
    if (!envelope || !this.#mayReach(envelope)) return;
    const result = this.#desk.deliver(envelope);
    if (result !== "sent") this.#bounce(envelope, result);
  }

  /** A promise while this peer reads too little of what it is sent, which is only pongs. */
  pause(): Promise<void> | null {
    return this.#channel.queuedBytes < LIMITS.clientOutputBytes ? null : this.#channel.flushed();
  }

  /** The frame was whole, so the stream is in step: a message that nobody here takes is dropped. */
  #decode(frame: Frame): Envelope | null {
    try {
      return this.#codec.decode(frame, this.#node, this.#channel.arrivedAt);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      if (!this.#complained) {
        this.#log.warn("a peer's message was dropped", { peer: this.#node, reason: error.message });
      }
      this.#complained = true;
      return null;
    }
  }

  /** Who is not in this node's ring may tell it of a newer one, and nothing else: see `judgePeer`. */
  #mayReach({ to, kind }: Envelope): boolean {
    this.#isMember ||= this.#desk.facts.isMember(this.#node);
    return this.#isMember || (to.actor === "ring_manager" && kind !== "");
  }

  /** On the request path somebody waits: say at once that nothing was done. Asks are answered by the system. */
  #bounce({ to, kind, body }: Envelope, result: TellResult): void {
    const code = result === "overloaded" ? "overloaded" : "unavailable";
    const back = { to: { node: this.#node, actor: "coordinator" }, from: to };
    if (to.actor === "coordinator" && kind === "put") {
      const { ticket } = body as PutRequest;
      const outcome = { ok: false, code, definite: true, message: `node ${to.node}: ${result}` };
      this.#desk.send({ ...back, kind: "answer", body: { ticket, outcome } });
    } else if (to.actor === "replica_store" && kind === "read") {
      const { ticket } = body as Body<ReplicaStoreProtocol, "read">;
      this.#desk.send({
        ...back,
        kind: "replicaRead",
        body: { ticket, replica: to.node, answer: { ok: false, code } },
      });
    } else if (to.actor === "replica_store" && kind === "write") {
      const { ticket } = body as Body<ReplicaStoreProtocol, "write">;
      const answer = { ok: false, code, definite: true };
      if (ticket !== 0) {
        this.#desk.send({ ...back, kind: "replicaWrote", body: { ticket, replica: to.node, answer } });
      }
    }
  }
}
