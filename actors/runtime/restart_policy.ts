/**
 * What a supervisor does about a child that crashed, as pure functions.
 *
 * Restarting is right because most faults of a running system are transient: they depend on a state that a
 * fresh start does not reproduce. It is wrong when the fault is permanent: restarting for ever then hides it,
 * and restarting at once burns the machine while hiding it. So three numbers bound it, as in Erlang/OTP
 * (J. Armstrong, "Making reliable distributed systems in the presence of software errors", 2003, section 5.2):
 * at most `restarts` within any `withinMs`, counted for all children of one supervisor together; one more and
 * the supervisor gives up and becomes its own parent's fault. Unlike OTP, restarts wait: twice as long each
 * time, with chance mixed in so that the nodes of a cluster that fell together do not rise together.
 *
 * @module
 */

/**
 * Who is restarted when one child crashes. `one-for-one`: that child, the others do not depend on it.
 * `one-for-all`: every child, they depend on each other. `rest-for-one`: that child and those started after
 * it, a later one may depend on an earlier one.
 */
export type Strategy = "one-for-one" | "one-for-all" | "rest-for-one";

/** How many restarts a supervisor may need before it gives up. */
export interface Intensity {
  /** So many are fine; 0 allows none. */
  readonly restarts: number;
  /** Within this long. */
  readonly withinMs: number;
}

/** How long a restart waits. */
export interface Backoff {
  /** The longest wait before the first restart. */
  readonly minMs: number;
  /** The longest wait before any restart. */
  readonly maxMs: number;
}

/** A supervisor's rules. */
export interface RestartPolicy {
  /** Who is restarted. */
  readonly strategy: Strategy;
  /** When to give up. */
  readonly intensity: Intensity;
  /** How long to wait. */
  readonly backoff: Backoff;
}

/** When the restarts of the last `withinMs` were decided, oldest first; at most `restarts` of them. */
export type RestartHistory = readonly number[];

/** One child's crash. */
export interface ChildFailure {
  /** Its position among its supervisor's children. */
  readonly child: number;
  /** How many children there are. */
  readonly children: number;
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  /** A number in [0, 1), for the jitter. */
  readonly chance: number;
}

/** What to do about it. */
export type Decision =
  /** Stop children [first, end), last first; wait; start them, first first. */
  | {
    readonly action: "restart";
    readonly first: number;
    readonly end: number;
    readonly delayMs: number;
    readonly history: RestartHistory;
  }
  /** Too many restarts in too short a time: give up and tell the parent. */
  | { readonly action: "escalate" };

/** The wait when a supervisor's specification names none. */
export const DEFAULT_BACKOFF: Backoff = { minMs: 10, maxMs: 1000 };

/** The children [first, end) that a strategy restarts when `child` of `children` crashed. */
export function affected(
  strategy: Strategy,
  child: number,
  children: number,
): { first: number; end: number } {
  switch (strategy) {
    case "one-for-one":
      return { first: child, end: child + 1 };
    case "one-for-all":
      return { first: 0, end: children };
    case "rest-for-one":
      return { first: child, end: children };
  }
}

/**
 * How long the `attempt`th restart (from 1) waits, in milliseconds: `minMs` doubled with every attempt, never
 * over `maxMs`, of which between half and all is waited ("equal jitter").
 */
export function backoffMs(backoff: Backoff, attempt: number, chance: number): number {
  const longest = Math.min(backoff.maxMs, backoff.minMs * 2 ** (attempt - 1));
  return longest / 2 + (longest / 2) * chance;
}

/**
 * Restart or escalate.
 *
 * @example
 * ```ts
 * import { decide, type RestartPolicy } from "./restart_policy.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const policy: RestartPolicy = {
 *   strategy: "rest-for-one",
 *   intensity: { restarts: 1, withinMs: 5000 },
 *   backoff: { minMs: 100, maxMs: 1000 },
 * };
 * const first = decide(policy, [], { child: 1, children: 3, nowMs: 7000, chance: 0.5 });
 * assertEquals(first, { action: "restart", first: 1, end: 3, delayMs: 75, history: [7000] });
 * const second = decide(policy, [7000], { child: 2, children: 3, nowMs: 8000, chance: 0.5 });
 * assertEquals(second, { action: "escalate" });
 * ```
 */
export function decide(policy: RestartPolicy, history: RestartHistory, failure: ChildFailure): Decision {
  const { restarts, withinMs } = policy.intensity;
  const recent = history.filter((at) => failure.nowMs - at <= withinMs);
  if (recent.length >= restarts) return { action: "escalate" };
  return {
    action: "restart",
    ...affected(policy.strategy, failure.child, failure.children),
    delayMs: backoffMs(policy.backoff, recent.length + 1, failure.chance),
    history: [...recent, failure.nowMs],
  };
}
