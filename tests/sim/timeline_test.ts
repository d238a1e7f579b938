import { assert, assertEquals, assertNotEquals } from "../../actors/runtime/testing/assert.ts";
import { MESSAGES } from "../../net/codec.ts";
import { planOf } from "./plan.ts";
import { type Report, simulate } from "./scenario.ts";
import { READINGS } from "./tap.ts";
import { timelineOf, watch, type Watched } from "./timeline.ts";
import type { TimelineEvent } from "./timeline_events.ts";
import { printTimeline } from "./timeline_text.ts";

const FAULTS = ["loss", "duplicate", "reorder", "reset", "two-way", "kill", "pause", "join"] as const;
const PLAN = planOf(2, { nodes: 4, ops: 60, engine: "memory", faults: FAULTS });
const eyes = watch();
const report = await simulate(PLAN, eyes);
const events = timelineOf(eyes, report);

function ofType<T extends TimelineEvent["type"]>(timeline: readonly TimelineEvent[], type: T) {
  return timeline.filter((event): event is Extract<TimelineEvent, { type: T }> => event.type === type);
}

/** Messages that a history has only when something is amiss with it. */
const RARE = ["refused", "failed", "keep", "read-hint"];

/** What of a history its timeline lacks. */
function lacking(timeline: readonly TimelineEvent[], { messages, lines }: Watched, of: Report): string[] {
  const calls = new Set(ofType(timeline, "call").map(({ id }) => id));
  const faults = new Set(ofType(timeline, "fault").map(({ atMs, text }) => `${atMs} ${text}`));
  const names = new Set(ofType(timeline, "message").map(({ message }) => message));
  const sizeOf = (sizes: readonly { readonly sizeBytes: number }[]) =>
    sizes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const sent = sizeOf(
    messages.filter(({ what }) => what !== "again").map(({ bytes }) => ({ sizeBytes: bytes.length })),
  );
  const told = sizeOf(ofType(timeline, "message").filter(({ fate }) => fate !== "again"));
  return [
    ...of.operations.filter(({ id }) => !calls.has(id)).map(({ id }) => `call #${id}`),
    ...of.troubles.filter(({ atMs, what }) => !faults.has(`${atMs} ${what}`)).map(({ what }) => what),
    ...MESSAGES.map(({ name }) => name).filter((name) => !names.has(name) && !RARE.includes(name)),
    ...["connect", "accept", "end", "reset"].filter((name) => !names.has(name)),
    ...(names.has("bytes") ? ["what some bytes mean"] : []),
    ...(sent === told ? [] : [`${sent - told} bytes`]),
    ...(ofType(timeline, "log").length === lines.length ? [] : ["log lines"]),
  ];
}

Deno.test("timeline: every call, every fault, every kind of message and every byte of a history is on it", () => {
  assert(report.operations.length >= 60 && report.troubles.length >= 5, "a history worth looking at");
  assertEquals(lacking(events, eyes, report), []);
  const fates = new Set(ofType(events, "message").map(({ fate }) => fate));
  for (const fate of ["arrived", "lost", "stray", "again"] as const) assert(fates.has(fate), fate);
});

Deno.test("timeline: planted: without the reading of a message, or without a call or fault, it lacks that", () => {
  for (const [number, { name }] of READINGS) {
    if (RARE.includes(name)) continue;
    const readings = new Map([...READINGS].filter(([other]) => other !== number));
    const lacks = lacking(timelineOf(eyes, report, readings), eyes, report);
    assert(lacks.includes(name) && lacks.includes("what some bytes mean"), `${name}: ${lacks}`);
  }
  const { operations, troubles } = report;
  assertEquals(lacking(timelineOf(eyes, { ...report, operations: operations.slice(1) }), eyes, report), [
    "call #0",
  ]);
  const [first] = troubles;
  assertEquals(lacking(timelineOf(eyes, { ...report, troubles: troubles.slice(1) }), eyes, report), [
    first!.what,
  ]);
});

Deno.test("timeline: it is in order, and who watches makes no difference", async () => {
  const times = events.map(({ atMs }) => atMs);
  assertEquals(times, times.toSorted((a, b) => a - b));
  assertEquals((await simulate(PLAN)).traceHash, report.traceHash);
  assertNotEquals((await simulate({ ...PLAN, seed: 3 })).traceHash, report.traceHash);
});

Deno.test("timeline: clients go by their names, and a call is next to what it sent", () => {
  const parties = new Set(ofType(events, "message").flatMap(({ from, to }) => [from, to]));
  for (const { client } of report.operations) assert(parties.has(client), client);
  const calls = ofType(events, "call");
  const sent = ofType(events, "message").filter(({ group }) => group === "request");
  const direct = calls.filter(({ who, key, atMs }) =>
    sent.some((event) => event.from === who && event.key === key && event.atMs === atMs)
  );
  assert(direct.length > calls.length / 2, `${direct.length} of ${calls.length}`);
});

Deno.test("timeline: a node that was killed is down until it is seen again", () => {
  const kills = ofType(events, "fault").filter(({ effect }) => effect === "down");
  assert(kills.length > 0);
  for (const { atMs, who } of kills) {
    for (const { machine, untilMs } of who) {
      const words = ofType(events, "message").filter((event) =>
        event.from === machine && event.group !== "connection" && event.atMs > atMs && event.atMs < untilMs
      );
      assertEquals(words, []);
      assert(untilMs > atMs);
    }
  }
});

Deno.test("timeline: as text each call has two lines, each fault one, and what is left out is counted", () => {
  const all = printTimeline(events, { all: true }).trimEnd().split("\n");
  const calls = ofType(events, "call");
  assertEquals(all.length, events.length + calls.filter(({ endMs }) => endMs !== null).length);
  const text = printTimeline(events).trimEnd().split("\n");
  const left = [...text.at(-1)!.matchAll(/(\d+) /g)].reduce((sum, [, count]) => sum + Number(count), 0);
  assertEquals(text.length - 1 + left, all.length);
  for (const { id } of calls) {
    assertEquals(text.filter((line) => line.includes(` #${id} `)).length, 2, `#${id}`);
  }
  assertEquals(text.filter((line) => line.slice(11, 13) === "!!").length, report.troubles.length);
  assertEquals(text.filter((line) => line.includes("gossiper.gossip")), []);
});

Deno.test("timeline: a window and a key leave the rest out", () => {
  const timeOf = (line: string) => Number(line.slice(0, 10));
  const lines = printTimeline(events, { fromMs: 5_000, toMs: 9_000, all: true }).trimEnd().split("\n");
  assert(lines.length > 10 && lines.every((line) => timeOf(line) >= 5_000 && timeOf(line) <= 9_000));
  const keys = new Set(report.operations.map(({ key }) => key));
  const { key } = ofType(events, "message").find(({ message }) => message === "write")!;
  assert(key !== null && keys.size > 1);
  const about = printTimeline(events, { key });
  assert(about.includes(` write ${key} `) && about.includes(" !! "));
  for (const other of keys) assertEquals(about.includes(` ${other} `), other === key, other);
});

const VIOLATED = {
  checker: "lost write",
  key: report.operations[3]!.key,
  detail: "#3 1.0..2.0 c0: put key0 = c0.1 -> ok; missing from #5 3.0..4.0 c1: get key0 -> []",
};

Deno.test("timeline: a violation stands at the end of the last call that it names, and those are marked", () => {
  const timeline = timelineOf(eyes, { ...report, violations: [VIOLATED] });
  const violation = ofType(timeline, "violation")[0]!;
  const ends = [3, 5].map((id) => report.operations[id]!.endMs);
  assertEquals([violation.calls, violation.atMs], [[3, 5], Math.max(...ends)]);
  const marked = printTimeline(timeline).split("\n").filter((line) => line.slice(11, 13) === "XX");
  assertEquals(marked.length, 5);
  assert(marked.some((line) => line.includes("lost write: #3")));
});

Deno.test("timeline: lines are aligned, one for each thing", () => {
  const shown: TimelineEvent[] = [
    {
      type: "fault",
      atMs: 5,
      endMs: 9,
      who: [{ machine: "node3", untilMs: 9 }],
      text: "pause node3",
      effect: "paused",
    },
    {
      ...{ type: "call", atMs: 12.5, endMs: 20, who: "c1", id: 4, text: "put key0 = c1.7, W 2", key: "key0" },
      ...{ outcome: "ok", result: "ok", isViolated: false },
    },
    {
      ...{
        type: "message",
        atMs: 13,
        endMs: 13.4,
        from: "node2",
        to: "node3",
        connection: 1,
        group: "replica",
      },
      ...{ message: "write", text: "", key: "key3", sizeBytes: 214, fate: "arrived", held: false },
    },
    {
      ...{
        type: "message",
        atMs: 14,
        endMs: 14.4,
        from: "node2",
        to: "node1",
        connection: 2,
        group: "replica",
      },
      ...{ message: "write", text: "", key: "key3", sizeBytes: 214, fate: "lost", held: false },
    },
    { type: "log", atMs: 15, who: "node1", level: "warn", text: "a peer left" },
  ];
  assertEquals(
    printTimeline(shown),
    [
      "     5.000 !! node3          pause node3",
      "    12.500    c1             #4 put key0 = c1.7, W 2",
      "    13.000    node2 > node3  write key3 (214 bytes, 0.4 ms)",
      "    14.000  ! node2 > node1  write key3 (214 bytes, LOST)",
      "    15.000    node1          warn: a peer left",
      "    20.000    c1             #4 put key0 = c1.7 -> ok (7.5 ms)",
      "",
    ].join("\n"),
  );
});
