/**
 * The timeline of a simulated history: what clients called, what machines said to each other, what was logged
 * and what went wrong, in one order. Nothing but looking: the history is over, or goes on as if nobody looked.
 *
 * @module
 */

import type { FaultKind } from "../../actors/simulated/faults.ts";
import type { SeenMessage } from "../../actors/simulated/links.ts";
import type { LogLine } from "../../actors/simulated/log.ts";
import type { Violation } from "./checkers.ts";
import { convictionOf } from "./conviction.ts";
import type { Operation } from "./history.ts";
import type { Report } from "./scenario.ts";
import { READINGS, type Spoken, spokenIn } from "./tap.ts";
import type {
  CallMade,
  Effect,
  FaultBegun,
  Group,
  LineLogged,
  MessageSent,
  TimelineEvent,
  ViolationFound,
} from "./timeline_events.ts";

/** What is seen and heard while a history is made. */
export interface Watched {
  /** What travelled. */
  readonly messages: readonly SeenMessage[];
  /** What was logged. */
  readonly lines: readonly LogLine[];
}

/**
 * Eyes and ears for `simulate`, whose options they are.
 *
 * @example
 * ```ts
 * import { planOf } from "./plan.ts";
 * import { simulate } from "./scenario.ts";
 * import { timelineOf, watch } from "./timeline.ts";
 * import { printTimeline } from "./timeline_text.ts";
 *
 * const eyes = watch();
 * const report = await simulate(planOf(1, { nodes: 3, ops: 10, faults: ["loss"] }), eyes);
 * const events = timelineOf(eyes, report);
 * const text = printTimeline(events, { fromMs: 1_000, toMs: 2_000 });
 * ```
 */
export function watch(): Watched & {
  readonly onMessage: (message: SeenMessage) => void;
  readonly onLog: (line: LogLine) => void;
} {
  const messages: SeenMessage[] = [];
  const lines: LogLine[] = [];
  return {
    messages,
    lines,
    onMessage: (message) => void messages.push(message),
    onLog: (line) => void lines.push(line),
  };
}

/** What of a report is on the timeline; a history that broke off has none of it. */
export type Reported = Pick<Report, "operations" | "troubles" | "violations">;

/** Everything that happened, by its beginning. `readings`: for tests. */
export function timelineOf(
  { messages, lines }: Watched,
  { operations, troubles, violations }: Reported = { operations: [], troubles: [], violations: [] },
  readings: typeof READINGS = READINGS,
): TimelineEvent[] {
  const spoken = spokenIn(messages, readings);
  const nameOf = namesOf(spoken, operations);
  const machines = machinesOf(lines);
  const found = violations.map((violation) => violationFound(violation, operations));
  const named = new Set(found.flatMap(({ calls }) => calls));
  const events: TimelineEvent[] = [
    ...faultsBegun(troubles, signsOfLife(spoken, lines)),
    ...operations.map((operation) => callMade(operation, named.has(operation.id))),
    ...spoken.map((one) => messageSent(one, nameOf)),
    ...lines.map((line) => lineLogged(line, nameOf, machines)),
    ...found,
  ];
  return events.sort((a, b) => a.atMs - b.atMs);
}

// --- messages ------------------------------------------------------------------------------------------------

/** Those that are not about the connection. */
const GROUPS: Readonly<Record<string, Group>> = {
  ...{ get: "request", put: "request", got: "answer", done: "answer", failed: "answer" },
  ...{ read: "replica", write: "replica", "read-answer": "replica answer", "write-answer": "replica answer" },
  ...{ control: "control", "control-reply": "control", admin: "control", "admin-reply": "control" },
  ...{ ping: "gossip", pong: "gossip", bytes: "bytes" },
};

function messageSent(
  { sentMs, arrivedMs, ...spoken }: Spoken,
  nameOf: (machine: string) => string,
): MessageSent {
  const { from, to, message, text } = spoken;
  const group = text === "gossiper.gossip" ? "gossip" : GROUPS[message] ?? "connection";
  const names = { from: nameOf(from), to: nameOf(to) };
  return { type: "message", atMs: sentMs, endMs: arrivedMs, ...spoken, ...names, group };
}

/**
 * Clients go by the names they have in the history. Which machine is whose nobody says, but a client that calls
 * sends at once: whoever sent most of its calls when they were made is it.
 */
function namesOf(spoken: readonly Spoken[], operations: readonly Operation[]): (machine: string) => string {
  const callers = new Map<string, string[]>();
  const callOf = (kind: string, key: string | null, atMs: number) => `${kind} ${key} ${atMs}`;
  for (const { kind, key, startMs, client } of operations) {
    const call = callOf(kind === "get" ? "get" : "put", key, startMs);
    callers.set(call, [...callers.get(call) ?? [], client]);
  }
  const votes = new Map<string, number>();
  for (const { message, key, sentMs, from } of spoken) {
    for (const client of callers.get(callOf(message, key, sentMs)) ?? []) {
      const vote = JSON.stringify([client, from]);
      votes.set(vote, (votes.get(vote) ?? 0) + 1);
    }
  }
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const [vote] of [...votes].sort(([, a], [, b]) => b - a)) {
    const [client, machine] = JSON.parse(vote) as [string, string];
    if (!names.has(machine) && !taken.has(client)) names.set(machine, client), taken.add(client);
  }
  return (machine) => names.get(machine) ?? machine;
}

// --- calls, logs, violations -----------------------------------------------------------------------------------

const SHOWN = 40;

function short(value: string): string {
  return value.length <= SHOWN ? value : `${value.slice(0, SHOWN)}… (${value.length})`;
}

function callMade(operation: Operation, isViolated: boolean): CallMade {
  const { id, client: who, kind, key, value, context, quorum, startMs, endMs, outcome, values, error } =
    operation;
  const seen = context === null ? "" : `, having read #${context}`;
  const text = `${kind} ${key}${kind === "put" ? ` = ${short(value ?? "")}` : ""}${seen}, ${
    kind === "get" ? "R" : "W"
  } ${quorum}`;
  const answer = kind === "get" && outcome === "ok" ? `[${values.map(short).join(", ")}]` : outcome;
  const result = error === null ? answer : `${outcome}: ${error}`;
  const end = endMs === Infinity ? null : endMs;
  return { type: "call", atMs: startMs, endMs: end, who, id, text, key, outcome, result, isViolated };
}

/** Node ids are long, and mean a machine: which, its log says when it starts to serve. */
function machinesOf(lines: readonly LogLine[]): ReadonlyMap<string, string> {
  return new Map(
    lines.flatMap(({ node, message, fields }) =>
      message === "serving" && typeof fields.node === "string" ? [[fields.node, node]] : []
    ),
  );
}

function lineLogged(
  { at, node, level, message, fields }: LogLine,
  nameOf: (machine: string) => string,
  machines: ReadonlyMap<string, string>,
): LineLogged {
  const values = Object.entries(fields).map(([name, value]) => {
    const text = value instanceof Error
      ? value.message
      : typeof value === "string"
      ? value
      : JSON.stringify(value);
    return `${name}=${text}`;
  });
  const text = [message, ...values].join(" ").replaceAll(/\b[0-9a-f]{32}\b/g, (id) => {
    const machine = machines.get(id);
    return machine === undefined || machine === node ? id.slice(0, 8) : machine;
  });
  return { type: "log", atMs: at, who: nameOf(node), level, text };
}

function violationFound(violation: Violation, operations: readonly Operation[]): ViolationFound {
  const { checker, detail, key } = violation;
  const { calls, atMs } = convictionOf(violation, operations);
  return {
    type: "violation",
    atMs,
    checker,
    text: detail,
    key: key ?? null,
    calls: calls.map(({ id }) => id),
  };
}

// --- faults ------------------------------------------------------------------------------------------------

const DOWN: ReadonlySet<FaultKind> = new Set(["kill", "power", "all-power", "wipe", "restore", "bit-rot"]);
const CUT: ReadonlySet<FaultKind> = new Set(["one-way", "two-way", "majority", "ring", "bridge"]);
const NETWORK: ReadonlySet<FaultKind> = new Set(["loss", "delay", "duplicate", "reorder", "reset"]);

function effectOf(kind: FaultKind): Effect {
  if (DOWN.has(kind)) return "down";
  if (CUT.has(kind)) return "cut";
  if (NETWORK.has(kind)) return "network";
  if (kind === "pause") return "paused";
  return kind === "crash" || kind === "join" ? "news" : kind.startsWith("clock-") ? "clock" : "harm";
}

/** When each machine's process did something: what says that it runs. */
function signsOfLife(
  spoken: readonly Spoken[],
  lines: readonly LogLine[],
): ReadonlyMap<string, readonly number[]> {
  const signs = new Map<string, number[]>();
  const add = (machine: string, atMs: number) => {
    const times = signs.get(machine) ?? [];
    signs.set(machine, times);
    times.push(atMs);
  };
  for (const { at, node } of lines) add(node, at);
  for (const { from, sentMs, message } of spoken) {
    if (!["reset", "end", "refuse", "accept"].includes(message)) add(from, sentMs);
  }
  for (const times of signs.values()) times.sort((a, b) => a - b);
  return signs;
}

function faultsBegun(
  troubles: Reported["troubles"],
  signs: ReadonlyMap<string, readonly number[]>,
): FaultBegun[] {
  const healedMs = troubles.find(({ what }) => what === "everything heals")?.atMs ?? Infinity;
  return troubles.map(({ atMs, nodes, what: text, fault }) => {
    const effect = fault ? effectOf(fault.kind) : "news";
    const plannedMs = fault && effect !== "news" ? Math.min(atMs + fault.lastsMs, healedMs) : atMs;
    const who = nodes.map((index) => {
      const machine = `node${index + 1}`;
      // Down until it is seen again: what holds it down may be another fault by then.
      const backMs = effect === "down" ? signs.get(machine)?.find((sign) => sign > atMs) : undefined;
      return { machine, untilMs: backMs ?? plannedMs };
    });
    const endMs = Math.max(plannedMs, ...who.map(({ untilMs }) => untilMs));
    return { type: "fault", atMs, endMs, who, text, effect };
  });
}
