/**
 * The campaigns of real processes under load: what their flags mean.
 *
 * @module
 */

import { defaulted, optional, type Values } from "../../cli/flags.ts";
import * as kind from "../../cli/kinds.ts";
import { Progress } from "../../cli/progress.ts";
import type { Terminal } from "../../cli/terminal.ts";
import { absenceRun } from "./absence_campaign.ts";
import { growRun } from "./grow_campaign.ts";
import type { RealRun } from "./real_run.ts";

/** Flags of both. */
export const REAL_FLAGS = {
  keys: optional(
    kind.integer(1, 100_000_000),
    "absence, grow: how many (default: 100,000; 1,000,000)",
  ),
  "value-bytes": defaulted(kind.integer(32, 1_000_000), 100, "absence, grow: bytes of each value"),
  rate: defaulted(kind.integer(1, 1_000_000), 1_000, "absence, grow: requests a second, of all clients"),
  every: defaulted(kind.integer(1, 3600), 10, "absence, grow: seconds between two lines"),
  "seconds-away": defaulted(kind.integer(1, 86_400), 60, "absence: how long a node is away"),
  from: defaulted(kind.integer(1, 9), 3, "grow: nodes at first and at last"),
  to: defaulted(kind.integer(2, 9), 5, "grow: nodes in between"),
};

type Flagged = Values<typeof REAL_FLAGS> & { readonly node: string; readonly nodes?: number | undefined };

/** Nothing happens for so long, before and after. */
const CALM_MS = 10_000;
/** The longest that a step may take. */
const LIMIT_MS = 30 * 60_000;

function runOf(flags: Flagged, keys: number): RealRun {
  return {
    keys: flags.keys ?? keys,
    valueBytes: flags["value-bytes"],
    perSecond: flags.rate,
    flags: flags.node.split(" ").filter((flag) => flag !== ""),
    everyMs: flags.every * 1000,
    calmMs: CALM_MS,
    limitMs: LIMIT_MS,
  };
}

/** A node is away, and then its disk is lost; what is wrong. */
export function absence(flags: Flagged, terminal: Terminal): Promise<string[]> {
  const { nodes = 3, "seconds-away": secondsAway } = flags;
  return told(terminal, absenceRun({ ...runOf(flags, 100_000), nodes, secondsAway }, terminal));
}

/** A cluster grows and shrinks; what is wrong. */
export function grow(flags: Flagged, terminal: Terminal): Promise<string[]> {
  const { from, to } = flags;
  if (to <= from) return Promise.resolve(["--to must be more than --from"]);
  return told(terminal, growRun({ ...runOf(flags, 1_000_000), from, to }, terminal));
}

/** A step that did not come to its end is what is wrong. */
async function told(terminal: Terminal, run: Promise<string[]>): Promise<string[]> {
  try {
    return await run;
  } catch (error) {
    new Progress(terminal).clear();
    return [error instanceof Error ? error.message : String(error)];
  }
}
