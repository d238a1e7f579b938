/**
 * What many histories come down to: how much of everything there was, and whether there was enough of it. A run in
 * which no disk ever failed says nothing about disks that fail, so a kind of fault that never came fails the run.
 *
 * @module
 */

import { counted, duration } from "../../cli/paint.ts";
import { FAULT_KINDS, type FaultKind } from "../../actors/simulated/faults.ts";
import { type Figure, FIGURES, HINT_FIGURES } from "./scenario.ts";
import type { PlanOptions } from "./plan.ts";
import { LATE_RETRIES, type Verdict } from "./verdict.ts";

/** From so many histories on it is no accident that something never happened: the rarest come in one of thirty-five. */
export const ENOUGH = 400;

/** What power cuts do to bytes that were not synced. */
const UNSYNCED = ["unsynced-lost", "unsynced-torn", "unsynced-reordered"] as const;

/** Of honest nodes fewer than one history in fifty shows a late retry. */
const LATE_RETRY_EVERY = 20;

/** Where every node may be a replica of every key nobody can stand in for one, and nobody may go. */
const MOST_REPLICAS = 3;

const NEEDS_MORE: ReadonlySet<Figure> = new Set([...HINT_FIGURES, "leaves", "resumed moves"]);

/** A ring of three machines is whole: everyone is everyone's neighbour. */
const RING_NODES = 4;

/** Counts of several histories. */
export class Totals {
  /** Histories. */
  histories = 0;
  /** Those that failed. */
  failed = 0;
  /** Events in all of them. */
  events = 0;
  /** Simulated milliseconds of all of them. */
  simulatedMs = 0;
  #withLateRetries = 0;
  readonly #counts = new Map<string, number>();

  /** One more history. */
  add({ violations, counts, events, simulatedMs }: Verdict): void {
    this.histories++;
    if (violations.length > 0) this.failed++;
    if ((counts[LATE_RETRIES] ?? 0) > 0) this.#withLateRetries++;
    this.events += events;
    this.simulatedMs += simulatedMs;
    for (const [name, count] of Object.entries(counts)) this.#counts.set(name, this.of(name) + count);
  }

  /** How much there was of one thing. */
  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /**
   * Whether a retry came back late in more than one of so many histories: it may happen, for what a node remembers of
   * requests is bounded, but where it is not rare something has forgotten. Where it happens it may happen often.
   */
  get areRetriesLate(): boolean {
    return this.histories >= ENOUGH && this.#withLateRetries * LATE_RETRY_EVERY > this.histories;
  }

  /** What should have happened by now and never did; nothing before there were enough histories. */
  missing(options: PlanOptions): string[] {
    return this.histories < ENOUGH ? [] : expected(options).filter((name) => this.of(name) === 0);
  }
}

/** What can happen under these options: faults chosen by hand allow little else. */
function expected({ nodes, faults, except }: PlanOptions): string[] {
  const kinds = kindsOf({ ...(faults && { faults }), ...(except && { except }) });
  if (kinds.length === 0) return ["operations"];
  const possible = kinds.filter((kind) => kind !== "ring" || nodes === undefined || nodes >= RING_NODES);
  const cuts = kinds.includes("power") || kinds.includes("all-power");
  const figures: readonly Figure[] = faults
    ? ["operations"]
    : FIGURES.filter((figure) => figure !== "joins" || kinds.includes("join"))
      .filter((figure) => nodes === undefined || nodes > MOST_REPLICAS || !NEEDS_MORE.has(figure));
  return [...possible, ...(cuts ? UNSYNCED : []), ...figures];
}

/** The kinds of fault that there may be under these options. */
function kindsOf({ faults = FAULT_KINDS, except = [] }: PlanOptions): readonly FaultKind[] {
  return faults.filter((kind) => !except.includes(kind));
}

/** The table that a run ends with. */
export function summarize(totals: Totals, options: PlanOptions, elapsedMs: number): string {
  const { histories, failed, events, simulatedMs } = totals;
  const perSecond = histories / Math.max(elapsedMs, 1) * 1_000;
  const kinds = kindsOf(options).map((kind) => kind as string);
  return [
    `${number(histories)} ${histories === 1 ? "history" : "histories"} in ${duration(elapsedMs)}, ` +
    `${perSecond.toFixed(1)} per second: ${number(histories - failed)} green, ${number(failed)} failed`,
    `${number(events)} events in ${duration(simulatedMs)} of simulated time`,
    ...(kinds.length > 0 ? ["faults injected", ...columns([...kinds, ...UNSYNCED], totals)] : []),
    "what came of it",
    ...columns([...FIGURES, LATE_RETRIES], totals),
    ...(totals.areRetriesLate ? ["FAILED: late retries are not rare"] : []),
    enoughSaid(totals, options),
  ].join("\n") + "\n";
}

/** Whether there was enough of everything, in a line. */
function enoughSaid(totals: Totals, options: PlanOptions): string {
  const missing = totals.missing(options);
  if (missing.length > 0) {
    return `FAILED: there was no ${missing.join(", no ")}: the simulator went easy on ${
      counted(missing.length, "thing")
    }`;
  }
  if (kindsOf(options).length === 0) return "no faults are played: no kind of them is left to play";
  const all = options.faults ? "every kind of fault that was asked for" : "everything";
  return totals.histories < ENOUGH
    ? `(whether ${all} happened at least once is checked from ${ENOUGH} histories on)`
    : `${all} happened at least once`;
}

const COLUMNS = 4;

function columns(names: readonly string[], totals: Totals): string[] {
  const cells = names.map((name) => `${name.padEnd(18)} ${number(totals.of(name)).padStart(10)}`);
  return Array.from(
    { length: Math.ceil(cells.length / COLUMNS) },
    (_, row) => `  ${cells.slice(row * COLUMNS, (row + 1) * COLUMNS).join("   ")}`,
  );
}

function number(value: number): string {
  return value.toLocaleString("en");
}
