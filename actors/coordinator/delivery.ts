/**
 * One hint on its way back (Dynamo, section 4.6): the object is sent to those who are to have it, and whoever keeps
 * the hint hears whether all of them have made it durable. For a replica it is a write like any other, so that it may
 * come late, twice and in any order. Or it is handed on to one who is to keep it in the sender's place.
 *
 * @module
 */

import type { EncodedObject, NodeId, ReplicaWrite, WriteAnswer } from "../replica_store/protocol.ts";
import { Resend } from "./resend.ts";
import { WriteQuorum } from "./write_quorum.ts";

/** What is to be delivered. */
export interface Delivery {
  /** The number of whoever keeps the hint for it. */
  readonly ticket: number;
  /** The key's partition. */
  readonly partition: number;
  /** The epoch of the ring that says who is to have it: by it replicas judge whether they take it. */
  readonly epoch: number;
  /** The key. */
  readonly key: Uint8Array;
  /** What is kept of it. */
  readonly object: EncodedObject;
  /** Who is to have it. */
  readonly recipients: readonly NodeId[];
  /** As a hint for this one; null: they are replicas. */
  readonly keepFor: NodeId | null;
  /** When nobody waits any more. */
  readonly deadline: number;
}

/** What a delivery needs of the coordinator it runs in. */
export interface DeliveryDesk {
  /** This node. */
  readonly self: NodeId;
  /** Now, monotonic milliseconds. */
  now(): number;
  /** Send the object to a replica; false when it certainly did not leave. */
  sendWrite(replica: NodeId, write: ReplicaWrite): boolean;
  /** Have a node keep the object for `target`; false when that certainly did not leave. */
  sendHint(keeper: NodeId, target: NodeId, write: ReplicaWrite): boolean;
  /** Tell whoever keeps the hint. Called once. */
  delivered(delivery: Delivery, ok: boolean): void;
}

/** A delivery under way. */
export class DeliveryUnderWay {
  /** Whoever keeps the hint has been told. */
  answered = false;
  /** Never: under a newer ring there may be other recipients, so that it is for the sender to begin again. */
  readonly outdated = false;
  /** The epoch of the ring it was placed by. */
  epoch = 0;
  readonly #quorum: WriteQuorum;
  readonly #desk: DeliveryDesk;
  #write: ReplicaWrite | null = null;
  #resend: Resend | null = null;

  /** @param request what is to be delivered @param ticket its number in this coordinator @param desk its coordinator */
  constructor(readonly request: Delivery, public ticket: number, desk: DeliveryDesk) {
    const { recipients } = request;
    this.#desk = desk;
    this.#quorum = new WriteQuorum({ needed: Math.max(1, recipients.length), replicas: recipients });
  }

  /** Send it. */
  start(): void {
    const { partition, epoch, key, object } = this.request;
    const { self } = this.#desk;
    this.epoch = epoch;
    this.#write = { partition, key, object, epoch, ticket: this.ticket, from: self };
    this.#resend = new Resend(this.#desk.now(), object.length);
    for (const recipient of this.request.recipients) {
      if (this.#send(recipient, this.#write)) continue;
      this.#quorum.add(recipient, { ok: false, code: "unavailable", definite: true });
    }
    this.#conclude();
  }

  #send(recipient: NodeId, write: ReplicaWrite): boolean {
    const { keepFor } = this.request;
    return keepFor === null
      ? this.#desk.sendWrite(recipient, write)
      : this.#desk.sendHint(recipient, keepFor, write);
  }

  /** Whoever keeps the hint has been told; nothing more is expected. */
  get settled(): boolean {
    return this.answered;
  }

  /** Nothing is read. */
  onReplicaRead(): void {}

  /** A replica stored the object, or did not. */
  onReplicaWrote(replica: NodeId, answer: WriteAnswer): void {
    this.#quorum.add(replica, answer);
    this.#conclude();
  }

  /** A replica is gone. */
  onPeerLost(node: NodeId): void {
    this.onReplicaWrote(node, { ok: false, code: "unavailable", definite: false });
  }

  /** Time went by: whoever is silent is sent it again. */
  onSweep(now: number): void {
    if (this.answered || this.#write === null || !this.#resend?.isDue(now)) return;
    for (const recipient of this.#quorum.silent()) this.#send(recipient, this.#write);
  }

  /** The deadline passed. */
  expire(): void {
    this.#answer(false);
  }

  #conclude(): void {
    if (this.#quorum.enough()) this.#answer(true);
    else if (this.#quorum.impossible()) this.#answer(false);
  }

  #answer(ok: boolean): void {
    if (this.answered) return;
    this.answered = true;
    this.#desk.delivered(this.request, ok);
  }
}
