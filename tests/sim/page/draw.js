/**
 * A timeline on a canvas. Nothing outside the view is drawn, and of what would cover itself only the top.
 *
 * @module
 */

import {
  drawCalls,
  drawFaults,
  drawLogs,
  drawMessages,
  drawShades,
  drawViolations,
  faultsIn,
  flag,
  line,
} from "./marks.js";
import { AXIS, GUTTER, OVERVIEW, ticks, xOf } from "./scale.js";

const FONT = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";

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

// --- what is pointed at ---------------------------------------------------------------------------------------

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
