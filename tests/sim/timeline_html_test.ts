import { assert, assertEquals, assertThrows } from "../../actors/runtime/testing/assert.ts";
import { planOf } from "./plan.ts";
import { simulate } from "./scenario.ts";
import { timelineOf, watch } from "./timeline.ts";
import type { TimelineEvent } from "./timeline_events.ts";
import { drawTimeline, lanesOf, scriptOf } from "./timeline_html.ts";

const PLAN = planOf(2, { nodes: 4, ops: 40, faults: ["loss", "two-way", "kill", "pause"] });
const eyes = watch();
const report = await simulate(PLAN, eyes);
const HOSTILE = `</script><script>alert("&amp;")</script><!-- `;
const VIOLATION = { checker: "lost write", key: "key0", detail: `#1 1.0..2.0 c0: ${HOSTILE}` };
const events = timelineOf(eyes, { ...report, violations: [VIOLATION] });
const html = drawTimeline(events, report);

/** The texts of a page's elements of one name. */
function contentsOf(page: string, name: string): string[] {
  return [...page.matchAll(new RegExp(`<${name}\\b[^>]*>([^]*?)</${name}>`, "g"))].map(([, text]) => text!);
}

/** Elements that never end. */
const VOID = new Set(["meta", "!doctype"]);

/** What is wrong with the nesting of a page; scripts and styles are not looked into. */
function nestingProblems(page: string): string[] {
  const open: string[] = [];
  const problems: string[] = [];
  const bare = page.replaceAll(/(<(script|style)\b[^>]*>)[^]*?(<\/\2>)/g, "$1$3");
  for (const [, slash, name] of bare.matchAll(/<(\/?)([a-z!][\w]*)\b[^>]*>/gi)) {
    const tag = name!.toLowerCase();
    if (VOID.has(tag)) continue;
    if (slash === "") open.push(tag);
    else if (open.pop() !== tag) problems.push(`</${tag}>`);
  }
  return [...problems, ...open.map((tag) => `<${tag}>`)];
}

/** Whatever a browser would fetch. */
const REFERENCES = /\b(?:src|href|srcset)\s*=|url\(|@import|\bimport\b|\bfetch\b|https?:|\/\/[a-z]+\./i;

Deno.test("html: every event of the timeline is in it, with words for when it is pointed at", () => {
  const [data] = contentsOf(html, "script");
  const page: { events: (TimelineEvent & { label?: string; long?: string; tip?: string })[] } = JSON.parse(
    data!,
  );
  assert(page.events.every(({ tip }) => tip !== undefined && tip.length > 10));
  const bare = page.events.map(({ label: _label, long: _long, tip: _tip, ...event }) => event);
  assertEquals(bare, JSON.parse(JSON.stringify(events)));
});

Deno.test("html: it is one well-formed page that refers to nothing outside itself", () => {
  assertEquals(nestingProblems(html), []);
  assertEquals(nestingProblems(html.replace("</main>", "")).length > 0, true); // planted
  const page = html.replace(contentsOf(html, "script")[0]!, "");
  assertEquals(REFERENCES.exec(page)?.[0], undefined);
  for (const planted of [`<img src="x">`, `<style>a { background: url(x) }</style>`, `import "./x.js";`]) {
    assert(REFERENCES.test(page + planted), planted);
  }
});

Deno.test("html: its script is one that a browser can read", () => {
  const [, script] = contentsOf(html, "script");
  assert(script!.length > 10_000);
  new Function(script!); // only reads it
  assertThrows(() => new Function(`${script}}`), SyntaxError);
  const names = [...script!.matchAll(/^(?:function|const|let) (\w+)/gm)].map(([, name]) => name!);
  assert(names.includes("drawScene") && names.includes("xOf"));
  assertEquals(new Set(names).size, names.length, "a module may not declare a name twice");
  assertEquals(scriptOf([`import { a } from "./a.js";\n\nexport const b = a;\n`]), "\nconst b = a;\n");
});

Deno.test("html: what values say stays words", () => {
  assertEquals(contentsOf(html, "script").length, 2);
  assert(!html.includes(HOSTILE));
  assert(html.includes("&lt;/script&gt;&lt;script&gt;alert(&quot;&amp;amp;&quot;)"));
});

Deno.test("html: each party has a lane, nodes in the order of their numbers", () => {
  const at = (machine: string, atMs: number): TimelineEvent => ({
    ...{ type: "fault", atMs, endMs: atMs, who: [{ machine, untilMs: atMs }], text: "x", effect: "news" },
  });
  const { lanes } = lanesOf([at("node10", 1), at("node9", 2), at("nobody", 3)]);
  assertEquals(lanes.map(({ name }) => name), ["network", "node9", "node10", "others"]);
  const { lanes: all, laneOf } = lanesOf(events);
  const parties = events.flatMap((event) =>
    event.type === "message"
      ? [event.from, event.to]
      : event.type === "call" || event.type === "log"
      ? [event.who]
      : []
  );
  for (const party of parties) assert(all[laneOf[party]!], party);
  for (const { client } of report.operations.filter(({ isFinal }) => !isFinal)) {
    assertEquals(all[laneOf[client]!], { name: client, of: "client" });
  }
});

Deno.test("html: a history that broke off is drawn as far as it went", () => {
  const broken = drawTimeline(timelineOf(eyes), null);
  assertEquals(nestingProblems(broken), []);
  assert(broken.includes("a history that broke off"));
});
