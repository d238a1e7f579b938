/**
 * A timeline on a canvas. Nothing outside the view is drawn, and of what would cover itself only the top.
 *
 * @module
 */

import { FAULT_ROWS, GUTTER, ticks, within, xOf } from "./scale.js";

/** Heights from the top, in pixels: everything at a glance, then the time. */
export const OVERVIEW = 46;
export const AXIS = 22;

const FONT = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";
/** Arrows shorter than this are lines, in pixels. */
const ARROW_PX = 9;
/** Words stand beside messages once a millisecond is so wide. */
const WORDS_PX = 14;

/** Draw everything; gives what can be pointed at, the last on top. */
export function drawScene(ctx, scene) {
  const { width, height, theme } = scene;
  ctx.clearRect(0, 0, width, height);
  ctx.font = FONT;
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  const hits = [];
  drawLanes(ctx, scene);
  clipped(ctx, scene, () => {
    drawGrid(ctx, scene);
    const faults = faultsIn(scene);
    drawShades(ctx, scene, faults);
    drawMessages(ctx, scene, hits);
    drawFaults(ctx, scene, faults, hits);
    drawCalls(ctx, scene, hits);
    drawLogs(ctx, scene, hits);
    drawViolations(ctx, scene, hits);
    if (scene.pointed) outline(ctx, theme, hits.filter(({ events }) => events[0] === scene.pointed));
  });
  drawNames(ctx, scene);
  drawAxis(ctx, scene);
  drawOverview(ctx, scene);
  return hits;
}

function clipped(ctx, { width, height }, draw) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(GUTTER, OVERVIEW + AXIS, width - GUTTER, height - OVERVIEW - AXIS);
  ctx.clip();
  draw();
  ctx.restore();
}

function line(ctx, x1, y1, x2, y2) {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

// --- lanes and time ----------------------------------------------------------------------------------------

function drawLanes(ctx, { lanes, width, theme }) {
  for (const [index, { top, height, line: y, of }] of lanes.entries()) {
    ctx.fillStyle = index % 2 === 0 ? theme("lane") : theme("lane-other");
    ctx.fillRect(0, top, width, height);
    if (of === "network") continue;
    ctx.strokeStyle = theme("rule");
    ctx.lineWidth = 1;
    line(ctx, GUTTER, y, width, y);
  }
}

function drawNames(ctx, { lanes, theme }) {
  ctx.textAlign = "right";
  for (const { name, of, line: y, top, height } of lanes) {
    ctx.fillStyle = theme(of === "others" || of === "network" ? "faint" : "ink");
    ctx.fillText(name, GUTTER - 12, of === "node" ? top + height / 2 : y, GUTTER - 16);
  }
  ctx.textAlign = "left";
}

function drawGrid(ctx, scene) {
  ctx.strokeStyle = scene.theme("grid");
  ctx.lineWidth = 1;
  for (const { atMs } of scene.ticks) {
    line(ctx, xOf(scene, atMs), OVERVIEW + AXIS, xOf(scene, atMs), scene.height);
  }
}

function drawAxis(ctx, scene) {
  const { theme, width } = scene;
  ctx.fillStyle = theme("page");
  ctx.fillRect(0, OVERVIEW, width, AXIS);
  ctx.fillStyle = theme("faint");
  ctx.textAlign = "center";
  for (const { atMs, text } of scene.ticks) ctx.fillText(text, xOf(scene, atMs), OVERVIEW + AXIS / 2);
  ctx.textAlign = "left";
}

/** The whole run, and which part of it is below. */
function drawOverview(ctx, { whole, view, width, theme, faults, calls, violations }) {
  const at = { view: whole, width };
  const x = (atMs) => xOf(at, atMs);
  ctx.fillStyle = theme("page");
  ctx.fillRect(0, 0, width, OVERVIEW);
  ctx.fillStyle = theme("lane-other");
  ctx.fillRect(GUTTER, 4, width - GUTTER, OVERVIEW - 8);
  ctx.globalAlpha = 0.3;
  for (const { stretch } of faults) {
    ctx.fillStyle = theme(stretch.effect);
    ctx.fillRect(x(stretch.fromMs), 6, Math.max(1, x(stretch.toMs) - x(stretch.fromMs)), 12);
  }
  ctx.globalAlpha = 1;
  for (const { atMs, outcome } of calls.events) {
    const isWell = outcome === "ok";
    ctx.fillStyle = theme(outcome);
    ctx.fillRect(x(atMs), isWell ? 28 : 22, 1.5, isWell ? 8 : 14);
  }
  for (const { atMs } of violations) flag(ctx, x(atMs), 4, theme("violation"));
  ctx.fillStyle = theme("shade");
  ctx.fillRect(GUTTER, 4, x(view.fromMs) - GUTTER, OVERVIEW - 8);
  ctx.fillRect(x(view.toMs), 4, width - x(view.toMs), OVERVIEW - 8);
  ctx.strokeStyle = theme("accent");
  ctx.lineWidth = 1.5;
  ctx.strokeRect(x(view.fromMs), 4, Math.max(2, x(view.toMs) - x(view.fromMs)), OVERVIEW - 8);
  ctx.fillStyle = theme("faint");
  ctx.textAlign = "right";
  ctx.fillText("all of it", GUTTER - 12, OVERVIEW / 2);
  ctx.textAlign = "left";
}

// --- faults ------------------------------------------------------------------------------------------------

/** What of a fault darkens its whole lane. */
const SHADES = new Set(["down", "paused", "cut"]);

function faultsIn({ faults, view }) {
  return faults.filter(({ stretch: { fromMs, toMs } }) => fromMs <= view.toMs && toMs >= view.fromMs);
}

function drawShades(ctx, scene, faults) {
  for (const { stretch: { fromMs, toMs, effect }, lane } of faults) {
    if (!SHADES.has(effect)) continue;
    const { top, height } = scene.lanes[lane];
    const x = xOf(scene, fromMs);
    ctx.fillStyle = scene.theme(effect);
    ctx.globalAlpha = effect === "down" ? 0.3 : 0.16;
    ctx.fillRect(x, top, Math.max(1, xOf(scene, toMs) - x), height);
  }
  ctx.globalAlpha = 1;
}

/** A strip for each, with its words where there is room, in the rows at the top of its lane. */
function drawFaults(ctx, scene, faults, hits) {
  const { lanes, theme, width } = scene;
  for (const { stretch, lane, row, event } of faults) {
    const { top, height, of } = lanes[lane];
    const tall = height * (of === "node" ? 0.62 : 0.9) / FAULT_ROWS;
    const y = top + 1 + (row % FAULT_ROWS) * tall;
    const x = xOf(scene, stretch.fromMs);
    const wide = Math.max(3, xOf(scene, stretch.toMs) - x);
    ctx.fillStyle = theme("paper");
    ctx.fillRect(x, y, wide, tall - 2);
    ctx.fillStyle = theme(stretch.effect);
    ctx.globalAlpha = 0.5;
    ctx.fillRect(x, y, wide, tall - 2);
    ctx.globalAlpha = 1;
    ctx.fillRect(x, y, 2, tall - 2);
    hits.push({ events: [event], x1: x, y1: y, x2: x + wide, y2: y + tall - 2, isArea: true });
    if (tall < 10) continue;
    const from = Math.max(x, GUTTER) + 4;
    ctx.fillStyle = theme("ink");
    words(ctx, stretch.short, from, y + tall / 2 - 0.5, Math.min(x + wide, width) - from);
  }
}

/** Words in no more room than that, or none. */
function words(ctx, text, x, y, room) {
  const letter = 6.7;
  const most = Math.floor(room / letter);
  if (most < 3) return;
  ctx.fillText(text.length <= most ? text : `${text.slice(0, most - 1)}…`, x, y);
}

// --- messages ----------------------------------------------------------------------------------------------

function drawMessages(ctx, scene, hits) {
  const { theme, view, width } = scene;
  const pxPerMs = (width - GUTTER) / (view.toMs - view.fromMs);
  const arrows = arrowsIn(scene);
  // Lines of one look are one stroke: strokes are what takes time.
  for (const [look, some] of Map.groupBy(arrows, ({ look }) => look)) {
    const [group, dashes, isWell] = JSON.parse(look);
    ctx.strokeStyle = theme(group);
    ctx.globalAlpha = isWell ? Math.min(1, 0.3 + pxPerMs / 4) : 1;
    ctx.lineWidth = isWell ? 1.1 : 1.7;
    ctx.setLineDash(dashes);
    ctx.beginPath();
    for (const { x1, y1, x2, y2 } of some) {
      ctx.moveTo(x1, y1);
      ctx.lineTo(x2, y2);
    }
    ctx.stroke();
  }
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
  for (const arrow of arrows) drawTip(ctx, theme, arrow, pxPerMs);
  const rights = new Map();
  if (pxPerMs >= WORDS_PX) { for (const arrow of arrows) label(ctx, theme, arrow, rights); }
  hits.push(...arrows);
}

/** What is to be seen of the messages in view: one arrow for all that would cover each other. */
function arrowsIn(scene) {
  const { messages, lanes, laneOf, view, key, isHidden } = scene;
  const arrows = new Map();
  for (const event of within(messages, view)) {
    if (isHidden(event.group) || (key !== "" && event.key !== key)) continue;
    const [from, to] = [lanes[laneOf[event.from]], lanes[laneOf[event.to]]];
    const x1 = xOf(scene, event.atMs);
    const x2 = event.endMs === null ? x1 + 24 : xOf(scene, event.endMs);
    const dashes = event.held ? [7, 4] : event.fate === "arrived" ? [] : [3, 3];
    const look = JSON.stringify([
      event.group.replace(" ", "-"),
      dashes,
      event.fate === "arrived" && !event.held,
    ]);
    const pixel = `${Math.round(x1)} ${Math.round(x2)} ${from.line} ${to.line} ${look} ${event.fate}`;
    const arrow = arrows.get(pixel);
    if (arrow) arrow.events.push(event);
    else {arrows.set(pixel, {
        events: [event],
        look,
        isArea: false,
        ...ends(event, x1, from.line, x2, to.line),
      });}
  }
  return [...arrows.values()];
}

/** From where to where: what never arrives ends half way. */
function ends(event, x1, y1, x2, y2) {
  return arrives(event) ? { x1, y1, x2, y2 } : { x1, y1, x2: (x1 + x2) / 2, y2: (y1 + y2) / 2 };
}

function arrives({ fate }) {
  return fate !== "lost" && fate !== "under way";
}

function drawTip(ctx, theme, { events: [event], x1, y1, x2, y2 }, pxPerMs) {
  if (!arrives(event)) {
    ctx.strokeStyle = theme("violation");
    ctx.lineWidth = 2;
    line(ctx, x2 - 4, y2 - 4, x2 + 4, y2 + 4);
    line(ctx, x2 - 4, y2 + 4, x2 + 4, y2 - 4);
    return;
  }
  if (pxPerMs * 0.5 < ARROW_PX) return;
  ctx.fillStyle = theme(event.group.replace(" ", "-"));
  const angle = Math.atan2(y2 - y1, x2 - x1);
  ctx.beginPath();
  ctx.moveTo(x2, y2);
  for (const turn of [0.42, -0.42]) {
    ctx.lineTo(x2 - ARROW_PX * Math.cos(angle + turn), y2 - ARROW_PX * Math.sin(angle + turn));
  }
  ctx.closePath();
  ctx.fill();
}

/** What a message says, beside its beginning, where no other stands. */
function label(ctx, theme, { events, x1, y1, x2, y2 }, rights) {
  const [event] = events;
  const text = events.length === 1 ? event.label : `${event.label} +${events.length - 1}`;
  const x = x1 + (x2 - x1) * 0.3 + 6;
  const row = Math.round((y1 + (y2 - y1) * 0.3) / 13);
  const room = text.length * 6.7 + 8;
  if (x < (rights.get(row) ?? 0)) return;
  rights.set(row, x + room);
  ctx.fillStyle = theme("paper");
  ctx.globalAlpha = 0.75;
  ctx.fillRect(x - 2, row * 13 - 6, room - 4, 12);
  ctx.globalAlpha = 1;
  ctx.fillStyle = theme(event.group.replace(" ", "-"));
  ctx.fillText(text, x, row * 13);
}

// --- calls, logs, violations -------------------------------------------------------------------------------

function drawCalls(ctx, scene, hits) {
  const { calls, lanes, laneOf, theme, view, key } = scene;
  for (const event of within(calls, view)) {
    const { line: y, height } = lanes[laneOf[event.who]];
    const tall = Math.min(18, height * 0.6);
    const x = xOf(scene, event.atMs);
    const wide = Math.max(2.5, xOf(scene, event.endMs ?? view.toMs) - x);
    ctx.globalAlpha = key === "" || key === event.key ? 0.92 : 0.15;
    ctx.fillStyle = theme(event.outcome);
    ctx.fillRect(x, y - tall / 2, wide, tall);
    if (event.isViolated) {
      ctx.strokeStyle = theme("violation");
      ctx.lineWidth = 2.5;
      ctx.strokeRect(x - 1, y - tall / 2 - 1, wide + 2, tall + 2);
    }
    const from = Math.max(x, GUTTER) + 4;
    const room = wide - (from - x) - 2;
    ctx.fillStyle = theme("on-bar");
    words(ctx, room > 150 ? event.long : event.label, from, y, room);
    ctx.globalAlpha = 1;
    hits.push({ events: [event], x1: x, y1: y - tall / 2, x2: x + wide, y2: y + tall / 2, isArea: true });
  }
}

function drawLogs(ctx, scene, hits) {
  const { logs, lanes, laneOf, theme, view, isHidden } = scene;
  for (const event of within(logs, view)) {
    const isGrave = event.level === "warn" || event.level === "error";
    const lane = lanes[laneOf[event.who]];
    if (!lane || isHidden(isGrave ? "warnings" : "other lines")) continue;
    const x = xOf(scene, event.atMs);
    const y = lane.line + lane.height * 0.12;
    ctx.fillStyle = theme(`log-${event.level}`);
    ctx.beginPath();
    ctx.arc(x, y, isGrave ? 3.2 : 2.2, 0, 7);
    ctx.fill();
    hits.push({ events: [event], x1: x - 3, y1: y - 3, x2: x + 3, y2: y + 3, isArea: true });
  }
}

function drawViolations(ctx, scene, hits) {
  const { violations, theme, height, key } = scene;
  for (const event of violations) {
    const x = xOf(scene, event.atMs);
    ctx.globalAlpha = key === "" || event.key === null || key === event.key ? 1 : 0.25;
    ctx.strokeStyle = theme("violation");
    ctx.lineWidth = 1.5;
    ctx.setLineDash([2, 3]);
    line(ctx, x, OVERVIEW + AXIS, x, height);
    ctx.setLineDash([]);
    flag(ctx, x, OVERVIEW + AXIS, theme("violation"));
    ctx.globalAlpha = 1;
    hits.push({
      events: [event],
      x1: x - 7,
      y1: OVERVIEW + AXIS,
      x2: x + 7,
      y2: OVERVIEW + AXIS + 11,
      isArea: true,
    });
  }
}

function flag(ctx, x, y, colour) {
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.moveTo(x - 6, y);
  ctx.lineTo(x + 6, y);
  ctx.lineTo(x, y + 10);
  ctx.closePath();
  ctx.fill();
}

/** What is pointed at. */
function outline(ctx, theme, hits) {
  ctx.strokeStyle = theme("ink");
  ctx.lineWidth = 2.5;
  for (const { x1, y1, x2, y2, isArea } of hits) {
    if (isArea) ctx.strokeRect(x1 - 1, y1 - 1, x2 - x1 + 2, y2 - y1 + 2);
    else line(ctx, x1, y1, x2, y2);
  }
}

/** The time axis of a view, as dense as its width allows. */
export function ticksOf(view, width) {
  return ticks(view, (width - GUTTER) / 110);
}

/** The events at a point: the last drawn of what is near enough; null for none. */
export function hitAt(hits, x, y) {
  for (let index = hits.length - 1; index >= 0; index--) {
    if (distance(hits[index], x, y) <= (hits[index].isArea ? 2 : 5)) return hits[index].events;
  }
  return null;
}

function distance({ x1, y1, x2, y2, isArea }, x, y) {
  if (isArea) return Math.hypot(Math.max(x1 - x, 0, x - x2), Math.max(y1 - y, 0, y - y2));
  const [dx, dy] = [x2 - x1, y2 - y1];
  const share = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x1 + share * dx - x, y1 + share * dy - y);
}
