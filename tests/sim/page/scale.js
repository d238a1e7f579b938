/**
 * Time and place on the page of a timeline: everything that needs no screen.
 *
 * @module
 */

/** Where the names of lanes stand, in pixels. */
export const GUTTER = 112;
/** Heights from the top, in pixels: everything at a glance, then the time. */
export const OVERVIEW = 46;
export const AXIS = 22;
/** Nobody can look closer than this, in milliseconds across the screen. */
const CLOSEST_MS = 0.5;

/** Where a moment is. */
export function xOf({ view, width }, atMs) {
  return GUTTER + (atMs - view.fromMs) / (view.toMs - view.fromMs) * (width - GUTTER);
}

/** Which moment is there. */
export function timeAt({ view, width }, x) {
  return view.fromMs + (x - GUTTER) / (width - GUTTER) * (view.toMs - view.fromMs);
}

/** A view of so many milliseconds from there, moved and cut to what there is. */
export function fit({ fromMs, toMs }, whole) {
  const most = whole.toMs - whole.fromMs;
  const length = Math.min(most, Math.max(CLOSEST_MS, toMs - fromMs));
  const from = Math.min(Math.max(whole.fromMs, fromMs), whole.toMs - length);
  return { fromMs: from, toMs: from + length };
}

/** Closer by a factor, around a moment that stays where it is. */
export function zoom(view, whole, factor, atMs) {
  const length = Math.max(CLOSEST_MS, (view.toMs - view.fromMs) / factor);
  const share = (atMs - view.fromMs) / (view.toMs - view.fromMs);
  const fromMs = atMs - share * length;
  return fit({ fromMs, toMs: fromMs + length }, whole);
}

/** Later by so much. */
export function pan(view, whole, ms) {
  return fit({ fromMs: view.fromMs + ms, toMs: view.toMs + ms }, whole);
}

/** Round moments within a view, at most so many, and how they are written. */
export function ticks({ fromMs, toMs }, most) {
  const rough = (toMs - fromMs) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const first = Math.ceil(fromMs / step);
  const count = Math.max(0, Math.floor(toMs / step) - first + 1);
  return Array.from({ length: count }, (_, index) => {
    const atMs = (first + index) * step;
    return { atMs, text: timeText(atMs, step) };
  });
}

/** A moment, as exactly as steps of `stepMs` need it. */
export function timeText(atMs, stepMs) {
  if (stepMs >= 1_000) return `${Math.round(atMs / 1_000)} s`;
  if (stepMs >= 100) return `${(atMs / 1_000).toFixed(1)} s`;
  return `${atMs.toFixed(Math.max(0, Math.ceil(-Math.log10(stepMs))))} ms`;
}

/** How long, for people. */
export function lengthText(ms) {
  return ms >= 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
}

/** Events that begin in order, so that those within a stretch of time are found without looking at all. */
export function indexOf(events) {
  let latest = -Infinity;
  const latestEnds = events.map(({ atMs, endMs }) => latest = Math.max(latest, atMs, endMs ?? Infinity));
  return { events, latestEnds };
}

/** Those that are under way at some moment of a stretch. */
export function within({ events, latestEnds }, { fromMs, toMs }) {
  const first = firstWhere(events.length, (index) => latestEnds[index] >= fromMs);
  const end = firstWhere(events.length, (index) => events[index].atMs > toMs);
  return events.slice(first, end).filter(({ atMs, endMs }) => Math.max(atMs, endMs ?? Infinity) >= fromMs);
}

/** The first of so many places at which something holds, which then holds of all later ones. */
function firstWhere(length, holds) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A row for each stretch, in order, so that no two of a row overlap: as few rows as will do. */
export function rowsOf(stretches) {
  const ends = [];
  return stretches.map(({ fromMs, toMs }) => {
    const row = ends.findIndex((end) => end <= fromMs);
    const place = row < 0 ? ends.length : row;
    ends[place] = toMs;
    return place;
  });
}

/** How tall a lane wants to be, in pixels, by what it is of. */
const HEIGHTS = { network: 34, client: 30, node: 64, others: 26 };
/** Rows of faults that a lane has room for. */
export const FAULT_ROWS = 3;

/** Lanes from the top down, as tall as they want to be, or as there is room for. */
export function placeLanes(lanes, top, height) {
  const wanted = lanes.reduce((sum, { of }) => sum + HEIGHTS[of], 0);
  const stretch = Math.min(1.8, Math.max(0.6, height / wanted));
  let at = top;
  return lanes.map((lane) => {
    const tall = HEIGHTS[lane.of] * stretch;
    // Messages meet a node under its faults, a client in the middle of its calls.
    const placed = { ...lane, top: at, height: tall, line: at + tall * (lane.of === "node" ? 0.78 : 0.5) };
    at += tall;
    return placed;
  });
}
