/**
 * A timeline as text: one line for each thing that happens, in aligned columns.
 *
 * Faults are marked `!!`, messages that came to harm `!`, violations and the calls they name `XX`.
 *
 * @module
 */

import type { Group, MessageSent, TimelineEvent } from "./timeline_events.ts";

/** What of a timeline is printed. */
export interface PrintOptions {
  /** From when, in true simulated milliseconds, inclusive. Default: the beginning. */
  readonly fromMs?: number;
  /** Until when, inclusive. Default: the end. */
  readonly toMs?: number;
  /** Only messages and calls about this key; what went wrong is shown all the same. Default: every key. */
  readonly key?: string;
  /** Gossip, pings, connections that begin and end, and debug lines as well. Default false. */
  readonly all?: boolean;
}

/** One line. */
interface Line {
  readonly atMs: number;
  readonly mark: "" | "!" | "!!" | "XX";
  readonly who: string;
  readonly text: string;
}

const NOISE: ReadonlySet<Group> = new Set(["gossip", "connection"]);
/** No machine's name makes the column wider than this. */
const WIDEST = 24;

/** See the module. */
export function printTimeline(events: readonly TimelineEvent[], options: PrintOptions = {}): string {
  const { fromMs = -Infinity, toMs = Infinity, key, all = false } = options;
  const concerning = events.filter((event) => key === undefined || isAbout(event, key));
  const within = ({ atMs }: { readonly atMs: number }) => atMs >= fromMs && atMs <= toMs;
  const shown = concerning.filter((event) => all || !isNoise(event));
  const lines = shown.flatMap(linesOf).filter(within).sort((a, b) => a.atMs - b.atMs);
  const width = Math.min(WIDEST, Math.max(0, ...lines.map(({ who }) => who.length)));
  const text = lines.map(({ atMs, mark, who, text }) =>
    `${atMs.toFixed(3).padStart(10)} ${mark.padStart(2)} ${who.padEnd(width)}  ${text}`
  );
  const left = concerning.filter((event) => !all && isNoise(event) && within(event));
  return [...text, ...(left.length > 0 ? [leftOut(left)] : []), ""].join("\n");
}

function isAbout(event: TimelineEvent, key: string): boolean {
  switch (event.type) {
    case "message":
    case "call":
      return event.key === key;
    case "violation":
      return event.key === key || event.key === null;
    case "fault":
      return true;
    case "log":
      return event.level === "warn" || event.level === "error";
  }
}

function isNoise(event: TimelineEvent): boolean {
  return event.type === "message" ? NOISE.has(event.group) : event.type === "log" && event.level === "debug";
}

/** What was not printed, most of it first. */
function leftOut(events: readonly TimelineEvent[]): string {
  const nameOf = (event: TimelineEvent) =>
    event.type !== "message"
      ? "debug"
      : event.group === "gossip" && event.text !== ""
      ? "gossip"
      : event.message;
  const counts = [...Map.groupBy(events, nameOf)].map(([name, some]) => [name, some.length] as const);
  const parts = counts.sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} ${name}`);
  return `left out: ${parts.join(", ")}`;
}

function linesOf(event: TimelineEvent): Line[] {
  const { atMs } = event;
  switch (event.type) {
    case "message": {
      const isWell = event.fate === "arrived" && !event.held;
      return [{
        atMs,
        mark: isWell ? "" : "!",
        who: `${event.from} > ${event.to}`,
        text: describeMessage(event),
      }];
    }
    case "call": {
      const { id, who, text, result, endMs } = event;
      const mark = event.isViolated ? "XX" : "";
      const begins = { atMs, mark, who, text: `#${id} ${text}` } as const;
      if (endMs === null) return [begins];
      const [what] = text.split(", ");
      const ends = `#${id} ${what} -> ${result} (${ms(endMs - atMs)})`;
      return [begins, { atMs: endMs, mark, who, text: ends }];
    }
    case "fault":
      return [{
        atMs,
        mark: "!!",
        who: event.who.length === 1 ? event.who[0]!.machine : "",
        text: event.text,
      }];
    case "log":
      return [{ atMs, mark: "", who: event.who, text: `${event.level}: ${event.text}` }];
    case "violation":
      return [{ atMs, mark: "XX", who: "", text: `${event.checker}: ${event.text}` }];
  }
}

function ms(duration: number): string {
  return `${duration.toFixed(duration < 10 ? 1 : 0)} ms`;
}

/** One message in words: `write key3 (214 bytes, 0.4 ms)`. */
export function describeMessage(event: MessageSent): string {
  const { message, key, text, sizeBytes, atMs, endMs, fate, held } = event;
  const size = sizeBytes === 0 ? [] : [`${sizeBytes} bytes`];
  const took = endMs === null ? [] : [ms(endMs - atMs)];
  if (message === "bytes") return `(${[...size, ...took, ...fateOf(event)].join(", ")})`;
  const what = [message, key ?? "", text].filter((part) => part !== "").join(" ");
  const how = fate === "lost" ? size : [...size, ...took];
  return `${what} (${[...how, ...fateOf({ fate, held })].join(", ")})`;
}

function fateOf({ fate, held }: Pick<MessageSent, "fate" | "held">): string[] {
  const words = {
    arrived: [],
    "under way": ["never arrived"],
    lost: ["LOST"],
    stray: ["out of turn"],
    again: ["again"],
  };
  return [...words[fate], ...(held ? ["held by a partition"] : [])];
}
