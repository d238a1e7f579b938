/**
 * What actors say to each other, as types.
 *
 * A protocol is one table: the kind of a message, its body, and the reply it gets. Handlers are that table
 * turned inside out, so a missing or mistyped handler does not compile. A kind whose reply is `void` can only
 * be told; any other can be asked (or told, when nobody waits for the answer).
 *
 * @example
 * ```ts
 * import type { Handlers } from "./protocol.ts";
 *
 * type CounterProtocol = {
 *   add: [{ amount: number }, void];
 *   read: [Record<never, never>, number];
 * };
 * let total = 0;
 * const handlers: Handlers<CounterProtocol> = {
 *   add: ({ amount }) => { total += amount; },
 *   read: () => total,
 * };
 * handlers.add({ amount: 2 }, undefined);
 * ```
 *
 * @module
 */

/** Kind to `[body, reply]`. Write it as a `type`, not an `interface`. */
export type Protocol = { readonly [kind: string]: readonly [body: unknown, reply: unknown] };

/** The message kinds of a protocol. */
export type Kind<P extends Protocol> = keyof P & string;

/** The kinds that have an answer. */
export type AskKind<P extends Protocol> = {
  [K in Kind<P>]: [P[K][1]] extends [void] ? never : K;
}[Kind<P>];

/** The body of a message kind. */
export type Body<P extends Protocol, K extends Kind<P>> = P[K][0];

/** The reply to a message kind. */
export type Reply<P extends Protocol, K extends Kind<P>> = P[K][1];

/**
 * Where an actor is: a node id (32 hex digits) and the actor's name on that node. A ref made of an address
 * works the same whether the node is this one or another; only the envelope's way differs.
 */
export interface Address {
  /** The node's id. */
  readonly node: string;
  /** The actor's name, unique on its node. */
  readonly actor: string;
}

/**
 * One handler per kind. While a handler's promise is pending the actor takes no other message; a handler on
 * the request path returns at once. `from` is the sender, when it is an actor.
 */
export type Handlers<P extends Protocol> = {
  readonly [K in Kind<P>]: (
    body: Body<P, K>,
    from: Address | undefined,
  ) => Reply<P, K> | Promise<Reply<P, K>>;
};

/** What became of a tell. `overloaded`: the mailbox is full. `dead`: no such actor (counted, logged). */
export type TellResult = "sent" | "overloaded" | "dead";

/** Why an ask got no reply. */
export type AskErrorCode = "timeout" | "dead" | "overloaded" | "unreachable" | "aborted" | "crashed";

/** What an ask rejects with. Whether the message was handled is known for `dead` and `overloaded` only. */
export class AskError extends Error {
  /** Always `AskError`. */
  override readonly name = "AskError";
  /** Whether the message was certainly never handled. */
  readonly definite: boolean;
  /** Make one. @param code what happened @param to whom it was sent @param kind which message */
  constructor(readonly code: AskErrorCode, readonly to: Address, readonly kind: string) {
    super(`ask ${to.actor}@${to.node}.${kind}: ${code}`);
    this.definite = code === "dead" || code === "overloaded";
  }
}

/** How long an ask may take, and how to give it up early. */
export interface AskOptions {
  /** Milliseconds until the ask rejects with `timeout`; between nodes the remaining time travels along. */
  readonly timeoutMs: number;
  /** Rejects the ask with `aborted`. */
  readonly signal?: AbortSignal;
}

/** A handle on an actor, here or on another node. Cheap to make, never stale: it is only an address. */
export interface Ref<P extends Protocol> {
  /** Whom it addresses. */
  readonly address: Address;
  /** Send and forget. To another node: at most once, and `sent` means handed to the connection. */
  tell<K extends Kind<P>>(kind: K, body: Body<P, K>): TellResult;
  /** Send and wait for the reply; rejects with an {@link AskError}. */
  ask<K extends AskKind<P>>(kind: K, body: Body<P, K>, options: AskOptions): Promise<Reply<P, K>>;
}

/** A message on its way between two nodes. */
export interface Envelope {
  /** Whom it is for. */
  readonly to: Address;
  /** Who sent it (the actor is empty when no actor did). */
  readonly from: Address;
  /** The kind of message; for an answer to an ask, `""`. */
  readonly kind: string;
  /** The body, or the answer. */
  readonly body: unknown;
  /** Present when an answer is wanted or given: the asker's number for it. */
  readonly ask?: number;
  /** Present on answers that report a failure instead of a body. */
  readonly failure?: AskErrorCode;
  /** When the asker gives up, on the local monotonic clock; absent when nobody waits. */
  readonly deadline?: number;
}

/** The way to other nodes; `net/peers.ts` is one. */
export interface Transport {
  /** Hand over an envelope; false when it certainly was not sent (no connection, buffer full). */
  send(envelope: Envelope): boolean;
}
