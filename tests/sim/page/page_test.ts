import fc from "fast-check";
import { assert, assertEquals, assertNotEquals } from "../../../actors/runtime/testing/assert.ts";
import { planOf } from "../plan.ts";
import { simulate } from "../scenario.ts";
import { timelineOf, watch } from "../timeline.ts";
import { drawTimeline } from "../timeline_html.ts";
import { drawScene, hitAt, ticksOf } from "./draw.js";
import { fit, indexOf, pan, placeLanes, rowsOf, ticks, timeAt, within, xOf, zoom } from "./scale.js";
import { sceneOf, start } from "./view.js";

const PLAN = planOf(3, { nodes: 4, ops: 40, faults: ["loss", "two-way", "kill", "pause", "delay"] });
const eyes = watch();
const report = await simulate(PLAN, eyes);
const VIOLATION = {
  checker: "lost write",
  key: "key0",
  detail: "#1 1.0..2.0 c0: put key0; missing from #5 2.0..3.0",
};
const events = timelineOf(eyes, { ...report, violations: [VIOLATION] });
const DATA = /id="data">(.*)<\/script>/.exec(drawTimeline(events, report))![1]!;

const SIZE = { width: 1500, height: 900 };

/** A canvas that only counts, and keeps the words. */
function countingContext() {
  const words: string[] = [];
  let calls = 0;
  const count = (name: string) => (...args: unknown[]) => {
    calls++;
    if (name === "fillText") words.push(String(args[0]));
    for (const arg of args) if (typeof arg === "number") assert(Number.isFinite(arg), `${name}(${args})`);
  };
  const context = new Proxy({} as Record<string, unknown>, {
    get: (target, name: string) => target[name] ??= count(name),
    set: (target, name: string, value) => (target[name] = value, true),
  });
  return { context, words, calls: () => calls };
}

function sceneAt(view: { fromMs: number; toMs: number }) {
  const scene = sceneOf(JSON.parse(DATA));
  scene.hidden.clear();
  const lanes = placeLanes(scene.lanes, 70, SIZE.height - 70);
  const ticks = ticksOf(view, SIZE.width);
  return { ...scene, ...SIZE, lanes, view, ticks, theme: (name: string) => name };
}

Deno.test("page: every event is drawn, and tells of itself when it is pointed at", () => {
  const scene = sceneAt({ fromMs: 0, toMs: 1 });
  const { context, words } = countingContext();
  for (const event of JSON.parse(DATA).events) {
    const view = { fromMs: event.atMs - 1, toMs: event.atMs + 1 };
    const hits = drawScene(context, { ...scene, view, ticks: [] });
    const told = hits.flatMap((hit: { events: { tip: string }[] }) => hit.events.map(({ tip }) => tip));
    assert(told.includes(event.tip), event.tip);
  }
  for (const { name } of scene.lanes) assert(words.includes(name), name);
  for (const word of ["put key0", "got key0"]) assert(words.includes(word), word);
});

Deno.test("page: pointing at the middle of an arrow or a bar finds it, pointing elsewhere does not", () => {
  const [call] = report.operations;
  const view = { fromMs: call!.startMs - 2, toMs: call!.startMs + 8 };
  const hits = drawScene(countingContext().context, sceneAt(view));
  assert(hits.length > 3);
  for (const { events, x1, y1, x2, y2 } of hits) {
    const found = hitAt([{ events, x1, y1, x2, y2, isArea: false }], (x1 + x2) / 2, (y1 + y2) / 2);
    assertEquals(found, events);
    assertEquals(hitAt([{ events, x1, y1, x2, y2, isArea: false }], x2 + 50, y2 + 50), null);
  }
});

Deno.test("page: from far away what covers itself is drawn once", () => {
  const near = countingContext();
  const far = countingContext();
  drawScene(near.context, sceneAt({ fromMs: 0, toMs: 50_000 }));
  const scene = sceneAt({ fromMs: 0, toMs: 50_000 });
  const hits = drawScene(far.context, scene);
  const arrows = hits.filter(({ isArea }: { isArea: boolean }) => !isArea);
  assert(arrows.length < scene.messages.events.length, `${arrows.length} of ${scene.messages.events.length}`);
  assertEquals(
    arrows.flatMap((arrow: { events: unknown[] }) => arrow.events).length,
    scene.messages.events.length,
  );
});

// --- time and place ------------------------------------------------------------------------------------------

const span = fc.tuple(
  fc.double({ min: 0, max: 9e4, noNaN: true }),
  fc.double({ min: 1, max: 9e4, noNaN: true }),
)
  .map(([fromMs, length]) => ({ fromMs, toMs: fromMs + length }));

Deno.test("page: what is found within a stretch of time is what a look at everything finds", () => {
  const some = fc.array(fc.tuple(fc.nat(50), fc.option(fc.nat(20))), { maxLength: 30 });
  fc.assert(fc.property(some, fc.nat(60), fc.nat(20), (pairs, fromMs, length) => {
    const events = pairs.map(([atMs, took]) => ({ atMs, endMs: took === null ? null : atMs + took }))
      .sort((a, b) => a.atMs - b.atMs);
    const view = { fromMs, toMs: fromMs + length };
    const expected = events.filter(({ atMs, endMs }) => atMs <= view.toMs && (endMs ?? Infinity) >= fromMs);
    assertEquals(within(indexOf(events), view), expected);
  }));
});

Deno.test("page: views stay within the whole, zooming keeps the moment under the hand", () => {
  const whole = { fromMs: 0, toMs: 100_000 };
  fc.assert(
    fc.property(span, fc.double({ min: 0.01, max: 100, noNaN: true }), fc.nat(1500), (asked, factor, x) => {
      const view = fit(asked, whole);
      const closer = zoom(view, whole, factor, timeAt({ view, width: 1500 }, x));
      for (const { fromMs, toMs } of [view, closer, pan(view, whole, 1e5), pan(view, whole, -1e5)]) {
        assert(fromMs >= 0 && toMs <= whole.toMs + 1e-6 && toMs > fromMs);
      }
      const atMs = timeAt({ view, width: 1500 }, x);
      assert(Math.abs(xOf({ view, width: 1500 }, atMs) - x) < 1e-6);
      const isCut = closer.fromMs === 0 || closer.toMs > whole.toMs - 1e-6;
      if (!isCut) {
        assert(Math.abs(timeAt({ view: closer, width: 1500 }, x) - atMs) < 1e-3 * (view.toMs - view.fromMs));
      }
    }),
  );
});

Deno.test("page: the time axis has round moments, not too many", () => {
  fc.assert(fc.property(span, fc.integer({ min: 1, max: 20 }), (view, most) => {
    const marks = ticks(view, most);
    assert(marks.length <= most + 1, `${marks.length} of ${most}`);
    for (const { atMs } of marks) assert(atMs >= view.fromMs - 1e-6 && atMs <= view.toMs + 1e-6);
    assertEquals(new Set(marks.map(({ text }: { text: string }) => text)).size, marks.length);
  }));
});

Deno.test("page: faults of one row do not overlap", () => {
  const stretches = fc.array(fc.tuple(fc.nat(50), fc.nat(20)), { maxLength: 20 }).map((pairs) =>
    pairs.map(([fromMs, length]) => ({ fromMs, toMs: fromMs + length })).sort((a, b) => a.fromMs - b.fromMs)
  );
  fc.assert(fc.property(stretches, (some) => {
    const rows: number[] = rowsOf(some);
    some.forEach((a, i) =>
      some.slice(i + 1).forEach((b, j) => {
        if (rows[i] === rows[i + 1 + j]) assert(a.toMs <= b.fromMs);
      })
    );
    const most = Math.max(
      0,
      ...some.map((a) => some.filter((b) => b === a || (b.fromMs <= a.fromMs && a.fromMs < b.toMs)).length),
    );
    assert(Math.max(-1, ...rows) < Math.max(1, most), "no more rows than overlap at once");
  }));
});

// --- the hand ------------------------------------------------------------------------------------------------

type Listener = (event: Record<string, unknown>) => void;

/** As much of an element as the page touches. */
class FakeElement {
  readonly dataset: Record<string, string> = {};
  readonly style: Record<string, string> = {};
  readonly attributes = new Map<string, string>();
  readonly clientWidth = SIZE.width;
  readonly clientHeight = SIZE.height;
  readonly offsetWidth = 100;
  readonly offsetHeight = 20;
  readonly tagName = "DIV";
  textContent = "";
  value = "";
  hidden = false;
  readonly #listeners = new Map<string, Listener>();

  get parentElement() {
    return this;
  }
  getContext() {
    return countingContext().context;
  }
  getBoundingClientRect() {
    return { left: 0, top: 0 };
  }
  setPointerCapture() {}
  setAttribute(name: string, value: string) {
    this.attributes.set(name, value);
  }
  addEventListener(kind: string, listener: Listener) {
    this.#listeners.set(kind, listener);
  }
  fire(kind: string, event: Record<string, unknown> = {}) {
    const listener = this.#listeners.get(kind);
    assert(listener, `nobody listens to ${kind}`);
    listener({ target: this, preventDefault() {}, ...event });
  }
}

/** The page in a browser that draws at once. */
function open(hash = "") {
  const elements = new Map<string, FakeElement>();
  const at = (id: string) => elements.get(id) ?? elements.set(id, new FakeElement()).get(id)!;
  at("data").textContent = DATA;
  const groups = ["request", "gossip"].map((group) =>
    Object.assign(new FakeElement(), { dataset: { group } })
  );
  const violation = Object.assign(new FakeElement(), { dataset: { violation: "0" } });
  const page = new FakeElement();
  const addresses: string[] = [];
  const document = Object.assign(page, {
    ...{ body: page, getElementById: at },
    querySelectorAll: (selector: string) => selector.includes("violation") ? [violation] : groups,
  });
  const window = Object.assign(new FakeElement(), {
    devicePixelRatio: 2,
    requestAnimationFrame: (draw: () => void) => draw(),
    getComputedStyle: () => ({ getPropertyValue: () => "#000" }),
    matchMedia: () => new FakeElement(),
    setTimeout: (task: () => void) => (task(), 1),
    clearTimeout: () => {},
    location: { hash },
    history: { replaceState: (_: unknown, __: string, address: string) => void addresses.push(address) },
  });
  start(document, window);
  return { at, groups, violation, document, window, addresses, shown: () => at("shown").textContent };
}

Deno.test("page: it opens where its address says, and writes there where it is", () => {
  const { shown, addresses, at } = open("#from=1000&to=3000&key=key0");
  assertEquals(shown(), "2.00 s from 1000.0 ms");
  assertEquals(at("key").value, "key0");
  assertEquals(addresses.at(-1), "#from=1000.00&to=3000.00&key=key0");
});

Deno.test("page: wheel, drag, keys and buttons move it", () => {
  const { shown, at, document, addresses } = open("#from=1000&to=3000");
  const canvas = at("canvas");
  const moves: [string, () => void][] = [
    ["wheel", () => canvas.fire("wheel", { deltaY: -100, deltaX: 0, clientX: 800, clientY: 300 })],
    ["wheel sideways", () => canvas.fire("wheel", { deltaY: 0, deltaX: 100, clientX: 800, clientY: 300 })],
    ["drag", () => {
      canvas.fire("pointerdown", { clientX: 800, clientY: 300, pointerId: 1 });
      canvas.fire("pointermove", { clientX: 700, clientY: 300 });
      canvas.fire("pointerup", { clientX: 700, clientY: 300 });
    }],
    ["overview", () => {
      canvas.fire("pointerdown", { clientX: 900, clientY: 10, pointerId: 1 });
      canvas.fire("pointerup", { clientX: 900, clientY: 10 });
    }],
    ["double click", () => canvas.fire("dblclick", { clientX: 800, clientY: 300 })],
    ...["+", "-", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((key): [string, () => void] => [
      key,
      () => document.fire("keydown", { key }),
    ]),
    ["closer", () => at("closer").fire("click")],
    ["wider", () => at("wider").fire("click")],
    ["fit", () => at("fit").fire("click")],
  ];
  for (const [name, move] of moves) {
    const before = addresses.at(-1);
    move();
    assertNotEquals(addresses.at(-1), before, name);
  }
  assert(shown().endsWith("from 0.0 ms"));
});

Deno.test("page: a violation is looked at with all the calls it names, and nothing of other keys", () => {
  const { at, violation, addresses } = open();
  violation.fire("click");
  assertEquals(at("key").value, "key0");
  const { 1: from, 2: to } = /from=([\d.]+)&to=([\d.]+)/.exec(addresses.at(-1)!)!;
  for (const id of [1, 5]) {
    const { startMs, endMs } = report.operations[id]!;
    assert(Number(from) < startMs && Number(to) > endMs);
  }
});

Deno.test("page: groups can be shown and hidden, and what is pointed at tells of itself", () => {
  const { groups, at } = open();
  const pressed = () => groups.map(({ attributes }) => attributes.get("aria-pressed"));
  assertEquals(pressed(), ["true", "false"]);
  for (const button of groups) button.fire("click");
  assertEquals(pressed(), ["false", "true"]);
  const canvas = at("canvas");
  for (let y = 70; y < SIZE.height && at("tip").textContent === ""; y++) {
    for (let x = 112; x < SIZE.width; x += 3) canvas.fire("pointermove", { clientX: x, clientY: y });
  }
  assertNotEquals(at("tip").textContent, "");
  canvas.fire("pointerleave");
  assertEquals(at("tip").hidden, true);
});
