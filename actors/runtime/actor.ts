/**
 * What the author of an actor writes and is given.
 *
 * @module
 */

import type { Environment, Log, Timer } from "./environment.ts";
import type { Address, Body, Handlers, Kind, Protocol, Ref } from "./protocol.ts";

/**
 * How to make an actor. `start` runs for every incarnation: state lives in its closure, so a restart begins
 * from nothing but what it reads from disk.
 */
export interface ActorSpec<P extends Protocol> {
  /** Unique on its node. */
  readonly name: string;
  /** Messages that may wait; default `LIMITS.mailbox`. */
  readonly mailboxCapacity?: number;
  /**
   * Handlers whose promises are pending do not keep others from running: for an actor without state of its own
   * that waits for others. When one of those fails it (an `AskError`), the ask it was answering fails, and
   * nothing else. Default false: one message at a time.
   */
  readonly reentrant?: boolean;
  /**
   * Make an incarnation. The next child of the supervisor waits until the handlers are there; messages wait in
   * the mailbox. A throw or rejection is a failed start.
   */
  start(context: ActorContext<P>): Handlers<P> | Promise<Handlers<P>>;
}

/** An {@link ActorSpec} of whatever protocol. */
export interface AnyActorSpec {
  /** See {@link ActorSpec.name}. */
  readonly name: string;
  /** See {@link ActorSpec.mailboxCapacity}. */
  readonly mailboxCapacity?: number;
  /** See {@link ActorSpec.reentrant}. */
  readonly reentrant?: boolean;
  /** See {@link ActorSpec.start}. */
  start(context: never): object;
}

/**
 * One incarnation's hold on the world. It lasts as long as the incarnation: after a stop or a crash its timers
 * are gone, its asks are rejected with `aborted`, and what it still says is not sent (`dead`), so that a
 * callback or promise that comes late never touches the incarnation that took its place.
 */
export interface ActorContext<P extends Protocol> {
  /** This actor. */
  readonly self: Ref<P>;
  /** Time, chance, disk, network. */
  readonly environment: Environment;
  /** The node's log with the actor's name on every line. */
  readonly log: Log;
  /** A ref whose messages have this actor as their sender. A string is the name of an actor of this node. */
  ref<Q extends Protocol>(to: string | Address): Ref<Q>;
  /** Tell self later. The mailbox's limit does not refuse it. Cancelling recalls it until it is due. */
  after<K extends Kind<P>>(delayMs: number, kind: K, body: Body<P, K>): Timer;
  /**
   * Tell an actor of this node something that must not be refused by a full mailbox: a change in the node itself,
   * of which there are few, never something that comes with load.
   */
  announce<Q extends Protocol, K extends Kind<Q>>(actor: string, kind: K, body: Body<Q, K>): void;
  /**
   * Run `task` when this incarnation stops or crashes: last registered first, each awaited, before the next
   * incarnation starts. Errors are logged. Messages to other actors still leave while tasks run. Registered
   * too late, it runs at once.
   */
  onStop(task: () => void | Promise<void>): void;
  /** Crash from a callback outside a handler. Ignored when this incarnation is already gone. */
  crash(error: unknown): void;
}
