/**
 * Names for the versions made here: an actor id, and a counter that is monotone over all keys.
 *
 * The actor id is drawn afresh at every start, even after an orderly stop: whoever died may have sent dots it
 * never stored, and whoever stopped may be started again from a copy of its directory, on an emptied disk or
 * without its disk at all. Counting on under the old id would let two different values share one version, or
 * claim to know the fate of dots that are gone (Riak's kv679). It costs one clock entry for each life of a
 * process in which it wrote the key.
 *
 * @module
 */

import { type Clock, counterOf, type Dot } from "./clock.ts";
import type { ActorId } from "./protocol.ts";

/**
 * Issues dots.
 *
 * @example
 * ```ts
 * import { Dots } from "./dots.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * let lives = 0;
 * const dots = new Dots(() => `${++lives}`.padStart(32, "0"));
 * const first = dots.next();
 * dots.issue();
 * assertEquals(dots.next(), { ...first, counter: 2 });
 * assert(!dots.isAhead([first]) && dots.isAhead([dots.next()]));
 * ```
 */
export class Dots {
  readonly #newActorId: () => ActorId;
  #actorId: ActorId;
  #issued = 0;

  /** @param newActorId an id nobody had before */
  constructor(newActorId: () => ActorId) {
    this.#newActorId = newActorId;
    this.#actorId = newActorId();
  }

  /** The id under which dots are issued now. */
  get actorId(): ActorId {
    return this.#actorId;
  }

  /** How many were issued under it. */
  get issued(): number {
    return this.#issued;
  }

  /** The dot that the next version gets, until it is issued. */
  next(): Dot {
    return { actor: this.#actorId, counter: this.#issued + 1 };
  }

  /** A version got the next dot. */
  issue(): void {
    this.#issued++;
  }

  /** Whether a clock knows a dot of ours that was never issued: our id is not ours alone. */
  isAhead(clock: Clock): boolean {
    return counterOf(clock, this.#actorId) > this.#issued;
  }

  /** Go on under a new id. */
  renew(): void {
    this.#actorId = this.#newActorId();
    this.#issued = 0;
  }
}
