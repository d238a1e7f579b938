/**
 * What a violation rests on, and what led to it.
 *
 * @module
 */

import type { Violation } from "./checkers.ts";
import { describe, type Operation } from "./history.ts";
import type { Report } from "./scenario.ts";

/** What a violation rests on. */
export interface Conviction {
  /** The calls that it cites. */
  readonly calls: readonly Operation[];
  /** When it was certain: at the end of the last of them; where it cites none, of the last that there is. */
  readonly atMs: number;
}

/** Calls are cited as `describe` has them; of a violation that cites none all calls of its key are meant. */
export function convictionOf({ detail, key }: Violation, operations: readonly Operation[]): Conviction {
  const cited = new Set([...detail.matchAll(/#(\d+) \d+\.\d/g)].map(([, id]) => Number(id)));
  const calls = [...cited].flatMap((id) => operations[id] ?? []);
  const about = calls.length > 0 ? calls : operations.filter((one) => one.key === key);
  const ends = (about.length > 0 ? about : operations).map(({ startMs, endMs }) =>
    Number.isFinite(endMs) ? endMs : startMs
  );
  return { calls, atMs: Math.max(0, ...ends) };
}

/** So many events before a violation are told of, beside what it cites. */
const MOST = 120;

/** The faults, and the calls of its key, before a violation was certain; a line for each. */
export function leadingTo(
  violation: Violation,
  { troubles, operations }: Pick<Report, "troubles" | "operations">,
): string[] {
  const { calls, atMs: endMs } = convictionOf(violation, operations);
  const before = [
    ...troubles.map(({ atMs, nodes, what }) => {
      const who = what.includes("node") ? "" : nodes.map((index) => `node${index + 1} `).join("");
      return { atMs, line: `fault ${atMs.toFixed(1)} ${who}${what}`, isCited: false };
    }),
    ...operations.filter(({ key }) => key === violation.key).map((one) => ({
      atMs: one.startMs,
      line: describe(one),
      isCited: calls.includes(one),
    })),
  ].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
  const last = before.length - MOST;
  return before.filter(({ isCited }, index) => isCited || index >= last).map(({ line }) => line);
}
