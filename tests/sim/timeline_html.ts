/**
 * A timeline as one HTML file that needs nothing else: a lane for each machine, messages as arrows from lane to
 * lane, calls as bars, faults as stretches. What the browser runs is in `page/`; here it is put together.
 *
 * The browser draws on a canvas, and only what is in view: twenty thousand messages are more than a page of
 * elements could bear. The files of `page/` are modules, for linters and tests; joined to one script they need
 * neither their imports nor their exports.
 *
 * @module
 */

import type { Report } from "./scenario.ts";
import type { TimelineEvent } from "./timeline_events.ts";
import { describeMessage } from "./timeline_text.ts";
import CSS from "./page/page.css" with { type: "text" };
import DRAW from "./page/draw.js" with { type: "text" };
import MARKS from "./page/marks.js" with { type: "text" };
import SCALE from "./page/scale.js" with { type: "text" };
import VIEW from "./page/view.js" with { type: "text" };

/** One row of the page. */
export interface PageLane {
  /** What stands beside it. */
  readonly name: string;
  /** What it is of: `others` are machines that only ask now and then, all in one lane. */
  readonly of: "network" | "client" | "node" | "others";
}

/** Draw a timeline; gives the text of an HTML file. `report`: null for a history that broke off. */
export function drawTimeline(events: readonly TimelineEvent[], report: Pick<Report, "plan"> | null): string {
  const { lanes, laneOf } = lanesOf(events);
  const data = { lanes, laneOf, events: events.map((event) => ({ ...event, ...wordsOf(event) })) };
  const title = report === null ? "a history that broke off" : `seed ${report.plan.seed}`;
  return [
    `<!DOCTYPE html>`,
    `<html lang="en">`,
    `<head>`,
    `<meta charset="utf-8">`,
    `<meta name="viewport" content="width=device-width">`,
    `<title>denamo: ${title}</title>`,
    `<style>\n${CSS}</style>`,
    `</head>`,
    `<body>`,
    headerOf(events, title, report?.plan ?? null),
    `<main><canvas id="canvas"></canvas><div id="tip" hidden></div></main>`,
    footerOf(events),
    // A value may say anything, also what would end the script.
    `<script type="application/json" id="data">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>`,
    `<script type="module">\n${scriptOf([SCALE, MARKS, DRAW, VIEW])}start(document, window);\n</script>`,
    `</body>`,
    `</html>`,
    ``,
  ].join("\n");
}

/** Modules as one script: in the order of what they need of each other. */
export function scriptOf(modules: readonly string[]): string {
  return modules.map((text) => text.replaceAll(/^import [^;]*;\n/gm, "").replaceAll(/^export /gm, "")).join(
    "",
  );
}

// --- lanes ---------------------------------------------------------------------------------------------------

/** A lane for the network, each client and each node; and in which lane each name stands. */
export function lanesOf(
  events: readonly TimelineEvent[],
): { readonly lanes: readonly PageLane[]; readonly laneOf: Readonly<Record<string, number>> } {
  const names = new Set(events.flatMap(namesOf));
  const callers = new Set(events.flatMap((event) => event.type === "call" ? [event.who] : []));
  const some = (pick: (name: string) => boolean) => [...names].filter(pick).sort(byNumber);
  const isNode = (name: string) => /^node\d+$/.test(name);
  const isFinal = (name: string) => name.startsWith("final");
  const nodes = some(isNode);
  const clients = some((name) => callers.has(name) && !isFinal(name));
  const finals = some((name) => callers.has(name) && isFinal(name));
  const others = some((name) => !isNode(name) && !callers.has(name));
  const rows: readonly (readonly [PageLane, readonly string[]])[] = [
    [{ name: "network", of: "network" }, ["network"]],
    ...clients.map((name) => [{ name, of: "client" }, [name]] as const),
    ...nodes.map((name) => [{ name, of: "node" }, [name]] as const),
    ...(finals.length > 0 ? [[{ name: "final reads", of: "client" }, finals] as const] : []),
    ...(others.length > 0 ? [[{ name: "others", of: "others" }, others] as const] : []),
  ];
  const laneOf = Object.fromEntries(rows.flatMap(([, who], lane) => who.map((name) => [name, lane])));
  return { lanes: rows.map(([lane]) => lane), laneOf };
}

function namesOf(event: TimelineEvent): string[] {
  switch (event.type) {
    case "message":
      return [event.from, event.to];
    case "fault":
      return event.who.map(({ machine }) => machine);
    case "violation":
      return [];
    default:
      return [event.who];
  }
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

// --- words ---------------------------------------------------------------------------------------------------

/** What stands beside an event when it is small, when there is room, and when it is pointed at. */
function wordsOf(
  event: TimelineEvent,
): { readonly label: string; readonly long: string; readonly tip: string } {
  const at = `${event.atMs.toFixed(3)} ms`;
  switch (event.type) {
    case "message": {
      const { from, to, message, key, text } = event;
      const long = describeMessage(event);
      const isControl = key === null && text !== "";
      const label = key !== null ? `${message} ${key}` : isControl && message !== "bytes" ? text : message;
      return { label, long, tip: `${at}  ${from} > ${to}\n${long}` };
    }
    case "call": {
      const { id, who, text, result, endMs } = event;
      const took = endMs === null ? "" : ` (${(endMs - event.atMs).toFixed(1)} ms)`;
      const long = `#${id} ${text} -> ${result}`;
      return { label: text.split(",")[0]!, long, tip: `${at}  ${who} #${id}\n${text}\n-> ${result}${took}` };
    }
    case "fault": {
      const label = event.text.replace(/ node\d+(, node\d+)*/, "");
      return { label, long: event.text, tip: `${at}  fault\n${event.text}` };
    }
    case "log":
      return { label: "", long: event.text, tip: `${at}  ${event.who} ${event.level}\n${event.text}` };
    case "violation":
      return { label: "", long: event.text, tip: `${at}  VIOLATION ${event.checker}\n${event.text}` };
  }
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}

// --- around the canvas -----------------------------------------------------------------------------------------

const GROUPS = [
  ...["request", "answer", "replica", "replica answer", "control", "gossip", "connection", "bytes"],
  ...["warnings", "other lines"],
];

/** The button that shows and hides an event; null for what is always there. */
function groupOf(event: TimelineEvent): string | null {
  if (event.type === "message") return event.group;
  if (event.type !== "log") return null;
  return event.level === "warn" || event.level === "error" ? "warnings" : "other lines";
}

function swatch(colour: string): string {
  return `<span class="swatch" style="background: var(--${colour})"></span>`;
}

function headerOf(events: readonly TimelineEvent[], title: string, plan: Report["plan"] | null): string {
  const count = (type: TimelineEvent["type"]) => events.filter((event) => event.type === type).length;
  const violations = count("violation");
  const facts = [
    ...(plan ? [`${plan.nodes} nodes, N ${plan.quorum.n}, R ${plan.quorum.r}, W ${plan.quorum.w}`] : []),
    `${count("call")} calls`,
    `${count("message")} messages`,
    `${count("fault")} faults`,
    violations === 0 ? "no violations" : `violations: ${violations}`,
  ];
  const counts = Map.groupBy(events, groupOf);
  const buttons = GROUPS.filter((group) => counts.has(group)).map((group) => {
    const colour = { warnings: "log-warn", "other lines": "log-info" }[group] ?? group.replace(" ", "-");
    return `<button data-group="${group}">${swatch(colour)}${group} ${counts.get(group)!.length}</button>`;
  });
  const keys = [...new Set(events.flatMap((event) => event.type === "call" ? [event.key] : []))].sort(
    byNumber,
  );
  const options = keys.map((key) => `<option value="${escape(key)}">${escape(key)}</option>`);
  return [
    `<header>`,
    `<div><h1>${title}</h1><span class="facts">${facts.join(" · ")}</span></div>`,
    `<div class="row"><select id="key" aria-label="key"><option value="">every key</option>${
      options.join("")
    }</select>`,
    `<button id="closer" aria-label="closer">+</button><button id="wider" aria-label="wider">&minus;</button>`,
    `<button id="fit">all</button><span id="shown"></span><span class="gap"></span>${buttons.join("")}</div>`,
    legend(),
    `</header>`,
  ].join("\n");
}

function legend(): string {
  const colours = {
    "calls:": ["ok", "failed", "unknown", "open", "violation"],
    "faults:": ["down", "paused", "cut", "network", "clock", "harm"],
  };
  const parts = Object.entries(colours).map(([what, names]) =>
    `<span class="key">${what}</span>${
      names.map((name) => `<span class="key">${swatch(name)}${name}</span>`).join("")
    }<span class="gap"></span>`
  );
  const lines = "arrows: dashed, held by a partition; dotted, out of turn or again; cross, lost";
  const hands = "wheel: zoom; drag: move; click: keep the words; keys: + - 0 and arrows";
  return `<div class="row">${parts.join("")}<span class="key">${lines}. ${hands}</span></div>`;
}

function footerOf(events: readonly TimelineEvent[]): string {
  const violations = events.filter((event) => event.type === "violation");
  const buttons = violations.map((event, index) => {
    const words = event.type === "violation" ? `${event.checker}: ${event.text}` : "";
    return `<button data-violation="${index}" title="${escape(words)}">${escape(words)}</button>`;
  });
  return `<footer><div id="said"></div>${buttons.join("")}</footer>`;
}
