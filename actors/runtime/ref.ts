/**
 * Refs: how a message finds its way to an actor, on this node or on another.
 *
 * @module
 */

import type { Asks, PendingAsk } from "./asks.ts";
import type { Cell } from "./cell.ts";
import type { DeadLetters } from "./dead_letters.ts";
import type { Incarnation } from "./incarnation.ts";
import {
  type Address,
  AskError,
  type AskErrorCode,
  type AskKind,
  type AskOptions,
  type Body,
  type Envelope,
  type Kind,
  type Protocol,
  type Ref,
  type Reply,
  type TellResult,
} from "./protocol.ts";

/** What a ref needs of the system it sends through. */
export interface PostOffice {
  /** The system's own node id. */
  readonly node: string;
  /** Asks under way. */
  readonly asks: Asks;
  /** Messages that nobody handles. */
  readonly deadLetters: DeadLetters;
  /** The actor of this node with that name. */
  find(actor: string): Cell | undefined;
  /** Hand an envelope to the transport; false, and counted as lost, when it was not sent. */
  send(envelope: Envelope): boolean;
}

/** An address, and on whose behalf it is written to. */
export class ActorRef<P extends Protocol> implements Ref<P> {
  /** See {@link Ref.address}. */
  readonly address: Address;
  readonly #office: PostOffice;
  readonly #sender: Incarnation | undefined;
  readonly #from: Address | undefined;
  readonly #remote: boolean;
  #cell: Cell | undefined;

  /** @param to a string is the name of an actor of this node @param sender absent: no actor writes */
  constructor(office: PostOffice, to: string | Address, sender?: Incarnation) {
    this.address = typeof to === "string" ? { node: office.node, actor: to } : to;
    this.#office = office;
    this.#sender = sender;
    this.#from = sender?.cell.address;
    this.#remote = this.address.node !== office.node;
  }

  /**
   * See {@link Ref.tell}. To another node, `overloaded` says that the transport did not take the message: there
   * is no connection, or its buffer is full. Such losses are counted.
   */
  tell<K extends Kind<P>>(kind: K, body: Body<P, K>): TellResult {
    if (this.#isStale()) {
      this.#office.deadLetters.add(this.address, kind, "stale");
      return "dead";
    }
    if (this.#remote) return this.#sendAway(kind, body) ? "sent" : "overloaded";
    return this.#deliver(kind, body, null);
  }

  /** See {@link Ref.ask}. */
  ask<K extends AskKind<P>>(kind: K, body: Body<P, K>, options: AskOptions): Promise<Reply<P, K>> {
    if (this.#isStale() || options.signal?.aborted) return this.#refuse("aborted", kind);
    const ask = this.#office.asks.open(this.address, kind, options, this.#sender);
    if (ask === undefined) return this.#refuse("overloaded", kind);
    if (this.#remote) {
      if (!this.#sendAway(kind, body, ask)) ask.fail("unreachable");
    } else {
      const result = this.#deliver(kind, body, ask);
      if (result !== "sent") ask.fail(result);
    }
    return ask.promise;
  }

  /** A crashed incarnation says no more: nothing to its successor, nothing to others once it is cleaned up. */
  #isStale(): boolean {
    const sender = this.#sender;
    if (sender === undefined || sender.alive) return false;
    const toSelf = !this.#remote && this.address.actor === sender.cell.name;
    return toSelf || sender.gone;
  }

  #deliver(kind: string, body: unknown, asker: PendingAsk | null): TellResult {
    const cell = this.#cell ??= this.#office.find(this.address.actor);
    if (cell !== undefined) return cell.accept({ kind, body, from: this.#from, asker });
    this.#office.deadLetters.add(this.address, kind, "no-actor");
    return "dead";
  }

  #sendAway(kind: string, body: unknown, ask?: PendingAsk): boolean {
    const from = this.#from ?? { node: this.#office.node, actor: "" };
    const envelope = { to: this.address, from, kind, body };
    return this.#office.send(ask ? { ...envelope, ask: ask.id, deadline: ask.deadline } : envelope);
  }

  #refuse(code: AskErrorCode, kind: string): Promise<never> {
    return Promise.reject(new AskError(code, this.address, kind));
  }
}
