/**
 * One history alone, in this process: to be looked at.
 *
 * @module
 */

import { dirname } from "node:path";
import type { LogLine } from "../../actors/simulated/log.ts";
import type { Terminal } from "../../cli/terminal.ts";
import { isFair, type Plan } from "./plan.ts";
import { describePlan } from "./plan_file.ts";
import { timelineOf, watch } from "./timeline.ts";
import { drawTimeline } from "./timeline_html.ts";
import { printTimeline } from "./timeline_text.ts";
import { attempt, type Verdict } from "./verdict.ts";

/** What is said of a plan that is not fair. */
const UNFAIR =
  "  it asks for more than is promised: too many lose what they made durable; a violation need be no bug\n";

/** How a history is looked at. */
export interface Looks {
  /** Print what nodes log, from this level on. */
  readonly log?: "debug" | "info" | "warn" | "error" | undefined;
  /** The timeline as text, in this file; empty: on standard output. */
  readonly trace?: string | undefined;
  /** The timeline as a page, in this file. */
  readonly html?: string | undefined;
  /** Only what concerns this key, in the text. */
  readonly key?: string | undefined;
}

/** Make a history, show what was asked for, say how it went. */
export async function replay(plan: Plan, looks: Looks, terminal: Terminal): Promise<Verdict> {
  const { log, trace, html, key } = looks;
  const eyes = watch();
  const isWatched = trace !== undefined || html !== undefined;
  const onLog = (line: LogLine) => {
    if (log !== undefined) terminal.err(logLine(line));
    if (isWatched) eyes.onLog(line);
  };
  terminal.out(`${describePlan(plan)}\n`);
  if (!isFair(plan)) terminal.out(UNFAIR);
  const { verdict, report } = await attempt(plan, {
    ...(isWatched && { onMessage: eyes.onMessage }),
    ...((isWatched || log !== undefined) && { onLog, node: { logLevel: log ?? "info" } }),
  });
  if (isWatched) {
    const events = timelineOf(eyes, report ?? undefined);
    const text = () => printTimeline(events, key === undefined ? {} : { key });
    if (trace === "") terminal.out(text());
    else if (trace !== undefined) write(trace, text(), terminal);
    if (html !== undefined) write(html, drawTimeline(events, report), terminal);
  }
  const { explained, counts, events, simulatedMs } = verdict;
  if (explained !== "") terminal.out(`${explained}\n`);
  else {terminal.out(
      `green: ${counts["operations"]} operations, ${events} events, ${Math.round(simulatedMs)} ms\n`,
    );}
  return verdict;
}

function logLine({ at, node, level, message, fields }: LogLine): string {
  return `${at.toFixed(1).padStart(10)} ${node} ${level} ${message} ${JSON.stringify(fields)}\n`;
}

/** Why a file cannot be written, null when it can; it is there afterwards. */
export function faultOfFile(file: string): string | null {
  try {
    Deno.mkdirSync(dirname(file), { recursive: true });
    Deno.openSync(file, { write: true, create: true }).close();
    return null;
  } catch (error) {
    return `${file}: ${(error as Error).message}`;
  }
}

function write(file: string, text: string, terminal: Terminal): void {
  Deno.writeTextFileSync(file, text);
  terminal.err(`wrote ${file}\n`);
}
