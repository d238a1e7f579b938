/**
 * Version vectors: what a replica, an object or a reader has seen.
 *
 * A dot (actor, n) names one write: the n-th that the actor minted. A version vector names a set of dots with
 * one number per actor: the entry (actor, n) stands for every dot of that actor up to n. So the union of two
 * such sets is the greater number per actor, and "has seen all that" is "is nowhere smaller". (Parker et al.
 * 1983, "Detection of Mutual Inconsistency in Distributed Systems"; Dynamo, section 4.4.) What the numbers
 * alone get wrong, and how a dot beside them puts it right, is told in `object.ts`.
 *
 * A clock is a sorted array, because nearly all have one to five entries. It is never changed; an operation
 * whose result equals an operand returns that operand, so `===` is a cheap first test.
 *
 * @module
 */

import type { ActorId } from "./protocol.ts";

/** The name of one write. */
export interface Dot {
  /** Who minted it. */
  readonly actor: ActorId;
  /** The actor's count, over all keys: 1 to 2^53-1. */
  readonly counter: number;
}

/** A version vector: per actor its last dot seen, sorted by actor id, no actor twice. */
export type Clock = readonly Dot[];

/** How two clocks relate; `before`: the second has seen all the first has, and more. */
export type Order = "equal" | "before" | "after" | "concurrent";

/** The clock that has seen nothing. */
export const EMPTY_CLOCK: Clock = [];

/** By actor id, then by counter: negative, zero or positive, as `sort` wants it. */
export function compareDots(a: Dot, b: Dot): number {
  if (a.actor !== b.actor) return a.actor < b.actor ? -1 : 1;
  return a.counter - b.counter;
}

/** Whether `n` can be a dot's counter. */
export function isCounter(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 1;
}

/** Where the actor's entry is, or would have to be inserted. */
function indexOf(clock: Clock, actor: ActorId): number {
  let low = 0;
  let high = clock.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (clock[middle]!.actor < actor) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last counter of `actor` the clock has seen, 0 for none. */
export function counterOf(clock: Clock, actor: ActorId): number {
  const entry = clock[indexOf(clock, actor)];
  return entry !== undefined && entry.actor === actor ? entry.counter : 0;
}

/** Whether the clock has seen the dot. */
export function covers(clock: Clock, dot: Dot): boolean {
  return dot.counter <= counterOf(clock, dot.actor);
}

/**
 * The clock that has also seen `dot`, and with it every earlier dot of the same actor.
 *
 * @throws {RangeError} when the counter is not 1 to 2^53-1.
 */
export function withDot(clock: Clock, dot: Dot): Clock {
  if (!isCounter(dot.counter)) throw new RangeError(`counter ${dot.counter} is not 1 to 2^53-1`);
  const at = indexOf(clock, dot.actor);
  const present = clock[at]?.actor === dot.actor;
  if (present && clock[at]!.counter >= dot.counter) return clock;
  return [...clock.slice(0, at), dot, ...clock.slice(present ? at + 1 : at)];
}

/** The clock of these dots in any order, an actor's greatest counter winning. */
export function clockOf(...dots: readonly Dot[]): Clock {
  return dots.reduce(withDot, EMPTY_CLOCK);
}

/**
 * The clock that has seen what either has: the least upper bound.
 *
 * @example
 * ```ts
 * import { clockOf, join } from "./clock.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const a = clockOf({ actor: "a", counter: 3 }, { actor: "b", counter: 1 });
 * const b = clockOf({ actor: "b", counter: 2 });
 * assertEquals(join(a, b), [{ actor: "a", counter: 3 }, { actor: "b", counter: 2 }]);
 * ```
 */
export function join(a: Clock, b: Clock): Clock {
  if (descends(a, b)) return a;
  if (descends(b, a)) return b;
  const joined: Dot[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]!;
    const y = b[j]!;
    if (x.actor === y.actor) {
      joined.push(x.counter >= y.counter ? x : y);
      i++;
      j++;
    } else if (x.actor < y.actor) {
      joined.push(x);
      i++;
    } else {
      joined.push(y);
      j++;
    }
  }
  while (i < a.length) joined.push(a[i++]!);
  while (j < b.length) joined.push(b[j++]!);
  return joined;
}

/** Whether `a` has seen everything `b` has (equal clocks included). */
export function descends(a: Clock, b: Clock): boolean {
  if (a === b) return true;
  if (a.length < b.length) return false;
  let i = 0;
  for (const entry of b) {
    while (i < a.length && a[i]!.actor < entry.actor) i++;
    const mine = a[i];
    if (mine === undefined || mine.actor !== entry.actor || mine.counter < entry.counter) return false;
  }
  return true;
}

/** How `a` relates to `b`. */
export function compare(a: Clock, b: Clock): Order {
  const after = descends(a, b);
  const before = descends(b, a);
  if (after) return before ? "equal" : "after";
  return before ? "before" : "concurrent";
}
