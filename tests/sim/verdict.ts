/**
 * A verdict: what one history showed, small enough to be sent from the process that made it. Whatever goes wrong
 * with a history is a violation too: it broke off, it did not end, it took its process along.
 *
 * @module
 */

import type { Violation } from "./checkers.ts";
import type { Plan } from "./plan.ts";
import { explainRun, type Report, simulate, type SimulateOptions } from "./scenario.ts";

/** What is counted and not convicted: see `lateRetries` in `checkers.ts`. */
export const LATE_RETRIES = "late retries";

/** What a worker puts before a verdict. */
export const VERDICT = "verdict ";

/** See the module. */
export interface Verdict {
  /** The history's seed. */
  readonly seed: number;
  /** What must not be, and was; empty when all is well. */
  readonly violations: readonly Violation[];
  /** What led to it, for people; empty when all is well. */
  readonly explained: string;
  /** How often each fault was injected, and the other figures. */
  readonly counts: Readonly<Record<string, number>>;
  /** Tells one history from another. */
  readonly traceHash: number;
  /** Events that happened. */
  readonly events: number;
  /** Simulated milliseconds. */
  readonly simulatedMs: number;
}

/** A history that came to no end of its own: `checker` names how, `detail` says what is known. */
export function brokenOff({ seed }: Plan, checker: string, detail: string): Verdict {
  return {
    seed,
    violations: [{ checker, detail }],
    explained: `seed ${seed}: ${checker}\n  ${detail.replaceAll("\n", "\n  ")}`,
    counts: {},
    traceHash: 0,
    events: 0,
    simulatedMs: 0,
  };
}

/** What a report comes down to. */
export function verdictOf(report: Report): Verdict {
  const { plan, violations, injected, figures, lateRetries, traceHash, events, simulatedMs } = report;
  const explained = violations.length === 0 ? "" : explainRun(report);
  const counts = { ...injected, ...figures, [LATE_RETRIES]: lateRetries };
  return { seed: plan.seed, violations, explained, counts, traceHash, events, simulatedMs };
}

/** Make the history of a plan and judge it. Never rejects. */
export async function judge(plan: Plan, options: SimulateOptions = {}): Promise<Verdict> {
  return (await attempt(plan, options)).verdict;
}

/** The same, with the whole report, of which there is none when the history broke off. */
export async function attempt(
  plan: Plan,
  options: SimulateOptions = {},
): Promise<{ readonly verdict: Verdict; readonly report: Report | null }> {
  try {
    const report = await simulate(plan, options);
    return { verdict: verdictOf(report), report };
  } catch (error) {
    return { verdict: threw(plan, error), report: null };
  }
}

/** The message, numbers left out, is part of the kind: one mistake must not be taken for another. */
function threw(plan: Plan, error: unknown): Verdict {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error; // see Cluster.run
  const { name, message, stack } = cause instanceof Error ? cause : new Error(String(cause));
  const what = message.replaceAll(/\d+(\.\d+)?/g, "…").slice(0, 60);
  return brokenOff(plan, `the history broke off: ${name}: ${what}`, stack ?? message);
}

/** What kind of failure it is: the first checker that found something. */
export function kindOf({ violations }: Verdict): string {
  return violations[0]!.checker;
}

/** Whether a history fails as another did. */
export function failsAs({ violations }: Verdict, kind: string): boolean {
  return violations.some(({ checker }) => checker === kind);
}
