/**
 * What one flipped bit did.
 *
 * @module
 */

import { equalBytes } from "../../actors/runtime/bytes.ts";
import type { Exhibit, Seen, Truth } from "./flip_exhibit.ts";

/**
 * How a flip was noticed, by what comes first. `refused`: the store does not open and says why. `cut tail`, `open`:
 * opening reported it, as the trace of a crash or as damage. `read`: reading a value did. `verify`: only that did.
 * `log`: it was only logged, and made good. `unnoticed`: everything is as it was, and nothing was said.
 */
export type Notice = "refused" | "open" | "cut tail" | "read" | "verify" | "log" | "unnoticed";

/** All of them. */
export const NOTICES: readonly Notice[] = [
  "refused",
  "open",
  "cut tail",
  "read",
  "verify",
  "log",
  "unnoticed",
];

/** What came of a flip. */
export interface Verdict {
  /** How it was noticed. */
  readonly notice: Notice;
  /** What must not be, for people; null when all is as it may be. */
  readonly wrong: string | null;
}

/** Flip one bit of an exhibit and look. */
export async function judgeFlip(exhibit: Exhibit, healthyId: string | null, bit: number): Promise<Verdict> {
  const bytes = exhibit.files.get(exhibit.path)!;
  const flipped = bytes.slice();
  flipped[bit >> 3]! ^= 1 << bit % 8;
  let seen: Seen;
  try {
    seen = await exhibit.look(new Map([...exhibit.files, [exhibit.path, flipped]]), exhibit.truth);
  } catch (error) {
    return { notice: "unnoticed", wrong: `it threw ${(error as Error).stack}` };
  }
  const notice = noticeOf(seen);
  return { notice, wrong: wrongIn(seen, exhibit.truth, notice, healthyId) };
}

function noticeOf({ refusal, damageAtOpen, values, damage, troubles }: Seen): Notice {
  if (refusal) return "refused";
  if (damageAtOpen.some(({ kind }) => kind === "corrupt")) return "open";
  if (damageAtOpen.length > 0) return "cut tail";
  if ([...values.values()].some((value) => value instanceof Error)) return "read";
  if (damage.length > 0) return "verify";
  return troubles > 0 ? "log" : "unnoticed";
}

/**
 * Nothing is ever shown that was not written. And what is missing or old is that only in a store that says so: one
 * with another id, or of a tail that was cut, and then only what was written last.
 */
function wrongIn(
  { refusal, id, values }: Seen,
  truth: Truth,
  notice: Notice,
  healthyId: string | null,
): string | null {
  if (refusal) return null;
  for (const [name, value] of values) {
    if (value instanceof Error) continue;
    const written = truth.written.get(name);
    if (!written) return `${name} was never written`;
    if (isSame(value, written.at(-1)!)) continue;
    if (!written.some((one) => isSame(value, one))) return `${name} shows what was never written`;
    const isTold = notice === "open" && id !== healthyId || notice === "cut tail" && truth.last.has(name);
    if (!isTold) return `${name} is not what it was (${notice})`;
  }
  return null;
}

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}
