/**
 * Marks on a canvas: faults, messages, calls, log lines, violations. Each pushes to `hits` where it stands.
 *
 * @module
 */

import { AXIS, FAULT_ROWS, GUTTER, OVERVIEW, within, xOf } from "./scale.js";

/** Arrows shorter than this are lines, in pixels. */
const ARROW_PX = 9;
/** Words stand beside messages once a millisecond is so wide. */
const WORDS_PX = 14;

/** A line. */
export function line(ctx, x1, y1, x2, y2) {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

// --- faults ------------------------------------------------------------------------------------------------

/** What of a fault darkens its whole lane. */
const SHADES = new Set(["down", "paused", "cut"]);

/** Those under way in the view. */
export function faultsIn({ faults, view }) {
  return faults.filter(({ stretch: { fromMs, toMs } }) => fromMs <= view.toMs && toMs >= view.fromMs);
}

/** Behind the messages: machines that are not there. */
export function drawShades(ctx, scene, faults) {
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
export function drawFaults(ctx, scene, faults, hits) {
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

/** Arrows from lane to lane. */
export function drawMessages(ctx, scene, hits) {
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

/** Bars on the lanes of clients. */
export function drawCalls(ctx, scene, hits) {
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

/** Dots under the line of a lane. */
export function drawLogs(ctx, scene, hits) {
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

/** Dotted lines across everything. */
export function drawViolations(ctx, scene, hits) {
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

/** A small triangle that points down. */
export function flag(ctx, x, y, colour) {
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.moveTo(x - 6, y);
  ctx.lineTo(x + 6, y);
  ctx.lineTo(x, y + 10);
  ctx.closePath();
  ctx.fill();
}
