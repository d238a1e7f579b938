/**
 * The page of a timeline: what is shown of it, and what the hand does.
 *
 * @module
 */

import { drawScene, hitAt, ticksOf } from "./draw.js";
import {
  AXIS,
  fit,
  GUTTER,
  indexOf,
  lengthText,
  OVERVIEW,
  pan,
  placeLanes,
  rowsOf,
  timeAt,
  zoom,
} from "./scale.js";

/** What is not shown until it is asked for. */
const HIDDEN = ["gossip", "connection", "other lines"];

/** Everything about the history that does not change: see `timeline_html.ts` for what `data` is. */
export function sceneOf(data) {
  const { events, lanes, laneOf } = data;
  const of = (type) => events.filter((event) => event.type === type);
  const toMs = Math.max(1, ...events.map(({ atMs, endMs }) => Math.max(atMs, endMs ?? atMs)));
  const whole = { fromMs: 0, toMs: toMs * 1.01 };
  const scene = {
    ...{ lanes, laneOf, whole, view: whole, key: "", pointed: null },
    ...{ messages: indexOf(of("message")), calls: indexOf(of("call")), logs: indexOf(momentary(of("log"))) },
    ...{ violations: of("violation"), faults: stretchesOf(of("fault"), laneOf) },
    hidden: new Set(HIDDEN),
  };
  scene.isHidden = (group) => scene.hidden.has(group);
  return scene;
}

function momentary(events) {
  return events.map((event) => Object.assign(event, { endMs: event.atMs }));
}

/** Where each fault stands: one stretch for each lane that it befalls. */
function stretchesOf(faults, laneOf) {
  const stretches = faults.flatMap((event) => {
    const { atMs: fromMs, endMs, who, effect, label: short } = event;
    const on = who.length > 0 ? who : [{ machine: "network", untilMs: endMs }];
    return on.map(({ machine, untilMs: toMs }) => ({
      event,
      lane: laneOf[machine],
      stretch: { fromMs, toMs, effect, short },
    }));
  });
  const byLane = Map.groupBy(stretches, ({ lane }) => lane);
  return [...byLane.values()].flatMap((some) => {
    const rows = rowsOf(some.map(({ stretch }) => stretch));
    return some.map((one, index) => ({ ...one, row: rows[index] }));
  });
}

/** Bring a page to life. */
export function start(document, window) {
  const at = (id) => document.getElementById(id);
  const scene = sceneOf(JSON.parse(at("data").textContent));
  const canvas = at("canvas");
  const ctx = canvas.getContext("2d");
  let hits = [];
  let asked = false;
  let noting = 0;
  const colours = new Map();
  scene.theme = (name) => {
    if (!colours.has(name)) {
      colours.set(name, window.getComputedStyle(document.body).getPropertyValue(`--${name}`).trim());
    }
    return colours.get(name);
  };
  const draw = () => {
    asked = false;
    const { clientWidth: width, clientHeight: height } = canvas.parentElement;
    const ratio = window.devicePixelRatio || 1;
    const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== tall) Object.assign(canvas, { width: wide, height: tall });
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    const top = OVERVIEW + AXIS;
    const lanes = placeLanes(scene.lanes, top, height - top);
    hits = drawScene(ctx, { ...scene, lanes, width, height, ticks: ticksOf(scene.view, width) });
    const { fromMs, toMs } = scene.view;
    at("shown").textContent = `${lengthText(toMs - fromMs)} from ${fromMs.toFixed(1)} ms`;
  };
  const page = {
    ...{ document, window, at, scene, canvas },
    width: () => canvas.parentElement.clientWidth,
    hitAt: (x, y) => hitAt(hits, x, y),
    redraw() {
      if (asked) return;
      asked = true;
      window.requestAnimationFrame(draw);
    },
    look(view) {
      scene.view = fit(view, scene.whole);
      page.redraw();
      // Browsers take only so many of these.
      window.clearTimeout(noting);
      noting = window.setTimeout(() => window.history.replaceState(null, "", hashOf(scene)), 300);
    },
  };
  listen(page);
  const repaint = () => (colours.clear(), page.redraw());
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  window.addEventListener("resize", page.redraw);
  readHash(page);
  draw();
}

// --- what is in the address ----------------------------------------------------------------------------------

function hashOf({ view, key }) {
  const parts = [
    ["from", view.fromMs.toFixed(2)],
    ["to", view.toMs.toFixed(2)],
    ...(key ? [["key", key]] : []),
  ];
  return `#${new URLSearchParams(parts)}`;
}

function readHash(page) {
  const { scene, window, at } = page;
  const asked = new URLSearchParams(window.location.hash.slice(1));
  const number = (name, otherwise) => Number(asked.get(name) ?? otherwise);
  scene.key = at("key").value = asked.get("key") ?? "";
  for (const group of (asked.get("show") ?? "").split(",")) toggle(page, group, true);
  page.look({ fromMs: number("from", scene.whole.fromMs), toMs: number("to", scene.whole.toMs) });
}

// --- what the hand does --------------------------------------------------------------------------------------

function toggle({ document, scene, redraw }, group, isShown) {
  for (const button of document.querySelectorAll("button[data-group]")) {
    if (button.dataset.group !== group) continue;
    if (isShown) scene.hidden.delete(group);
    else scene.hidden.add(group);
    button.setAttribute("aria-pressed", String(isShown));
  }
  redraw();
}

function listen(page) {
  const { document, scene, at, look, redraw } = page;
  for (const button of document.querySelectorAll("button[data-group]")) {
    const { group } = button.dataset;
    button.setAttribute("aria-pressed", String(!scene.hidden.has(group)));
    button.addEventListener("click", () => toggle(page, group, scene.hidden.has(group)));
  }
  for (const button of document.querySelectorAll("button[data-violation]")) {
    button.addEventListener("click", () => lookAt(page, scene.violations[Number(button.dataset.violation)]));
  }
  at("key").addEventListener("change", ({ target }) => (scene.key = target.value, look(scene.view)));
  const middle = () => (scene.view.fromMs + scene.view.toMs) / 2;
  const closer = (factor) => look(zoom(scene.view, scene.whole, factor, middle()));
  const move = (share) => look(pan(scene.view, scene.whole, share * (scene.view.toMs - scene.view.fromMs)));
  at("closer").addEventListener("click", () => closer(2));
  at("wider").addEventListener("click", () => closer(0.5));
  at("fit").addEventListener("click", () => look(scene.whole));
  document.addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey) return;
    const action = {
      ...{ "+": () => closer(2), "=": () => closer(2), "-": () => closer(0.5), "0": () => look(scene.whole) },
      ...{ ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), ArrowUp: () => closer(1.5) },
      ArrowDown: () => closer(1 / 1.5),
      Escape: () => point(page, null),
    }[event.key];
    if (!action) return;
    action();
    event.preventDefault();
    redraw();
  });
  listenToPointer(page);
}

/** Every call that a violation names, and nothing of other keys. */
function lookAt({ scene, at, look }, { calls, key, atMs }) {
  const named = scene.calls.events.filter(({ id }) => calls.includes(id));
  const fromMs = Math.min(atMs, ...named.map((call) => call.atMs));
  const toMs = Math.max(atMs, ...named.map((call) => call.endMs ?? call.atMs));
  const margin = Math.max(5, (toMs - fromMs) * 0.15);
  scene.key = at("key").value = key ?? "";
  look({ fromMs: fromMs - margin, toMs: toMs + margin });
}

/** So many of the messages that are in one place are told. */
const TOLD = 12;

function tipOf(events) {
  const told = events.slice(0, TOLD).map(({ tip }) => tip);
  return [...told, ...(events.length > TOLD ? [`and ${events.length - TOLD} more`] : [])].join("\n");
}

function point({ scene, at, redraw }, events, x = 0, y = 0) {
  const tip = at("tip");
  const pointed = events?.[0] ?? null;
  if (scene.pointed !== pointed) redraw();
  scene.pointed = pointed;
  tip.hidden = events === null;
  if (events === null) return;
  tip.textContent = tipOf(events);
  const { clientWidth, clientHeight } = tip.parentElement;
  tip.style.left = `${Math.max(4, Math.min(x + 14, clientWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 16, clientHeight - tip.offsetHeight - 8))}px`;
}

function listenToPointer(page) {
  const { scene, canvas, look, at, hitAt, width } = page;
  /** Where a drag began, and what was in view then. */
  let drag = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  /** Put the middle of the view where the overview is touched. */
  const jump = (x) => {
    const atMs = timeAt({ view: scene.whole, width: width() }, x);
    const half = (scene.view.toMs - scene.view.fromMs) / 2;
    look({ fromMs: atMs - half, toMs: atMs + half });
  };
  canvas.addEventListener("pointerdown", (event) => {
    const { x, y } = place(event);
    drag = { x, view: scene.view, isJump: y < OVERVIEW, isMoved: false };
    canvas.setPointerCapture(event.pointerId);
    if (drag.isJump) jump(x);
  });
  canvas.addEventListener("pointermove", (event) => {
    const { x, y } = place(event);
    if (drag === null) return point(page, x < GUTTER ? null : hitAt(x, y), x, y);
    drag.isMoved ||= Math.abs(x - drag.x) > 3;
    if (drag.isJump) return jump(x);
    const perPx = (drag.view.toMs - drag.view.fromMs) / (width() - GUTTER);
    look(pan(drag.view, scene.whole, (drag.x - x) * perPx));
  });
  canvas.addEventListener("pointerup", (event) => {
    const { x, y } = place(event);
    const found = drag !== null && !drag.isMoved && !drag.isJump ? hitAt(x, y) : null;
    drag = null;
    if (found) at("said").textContent = tipOf(found);
  });
  canvas.addEventListener("pointerleave", () => point(page, null));
  canvas.addEventListener("dblclick", (event) => {
    const { x } = place(event);
    look(zoom(scene.view, scene.whole, 4, timeAt({ view: scene.view, width: width() }, x)));
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x } = place(event);
    const length = scene.view.toMs - scene.view.fromMs;
    const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (isSideways) {
      return look(pan(scene.view, scene.whole, (event.deltaX || event.deltaY) / width() * length));
    }
    const factor = Math.exp(-event.deltaY * 0.0022);
    look(
      zoom(
        scene.view,
        scene.whole,
        factor,
        timeAt({ view: scene.view, width: width() }, Math.max(x, GUTTER)),
      ),
    );
  }, { passive: false });
}
