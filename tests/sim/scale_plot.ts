/**
 * Curves, drawn with braille for a terminal and as SVG for a page.
 *
 * @module
 */

import type { Paint } from "../../cli/paint.ts";

/** A curve. */
export interface Curve {
  /** What it is called. */
  readonly name: string;
  /** From left to right. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Curves over the same axes. */
export interface Chart {
  /** What is to be seen. */
  readonly title: string;
  /** What is on the axes. */
  readonly axes: readonly [x: string, y: string];
  /** Whether x grows by factors. */
  readonly logarithmic: boolean;
  /** The greatest y; the least is 0. */
  readonly mostY: number;
  /** Marks on the axes. */
  readonly marks: readonly [x: readonly number[], y: readonly number[]];
  /** What is drawn. */
  readonly curves: readonly Curve[];
}

/** Where a point is, both coordinates from 0 to 1, upwards. */
function placer({ logarithmic, marks: [xs], mostY }: Chart): (x: number, y: number) => [number, number] {
  const scale = (x: number) => logarithmic ? Math.log(x) : x;
  const [low, high] = [scale(xs[0]!), scale(xs.at(-1)!)];
  const clip = (share: number) => Math.min(1, Math.max(0, share));
  return (x, y) => [clip(high > low ? (scale(x) - low) / (high - low) : 0.5), clip(y / mostY)];
}

const COLUMNS = 64;
const ROWS = 12;
/** The bits of a braille character, by row and column of its dots. */
const DOTS = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]] as const;

/**
 * The chart as lines of text, each curve in a colour of its own. Where curves cross, the later one is seen.
 *
 * @example
 * ```ts
 * import { drawChart } from "./scale_plot.ts";
 * import { paint } from "../../cli/paint.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const curves = [{ name: "square", points: [[0, 0], [1, 1], [2, 4]] as const }];
 * const marks = [[0, 2], [0, 4]] as const;
 * const chart = { title: "Squares", axes: ["x", "y"], logarithmic: false, mostY: 4, marks, curves } as const;
 * assertStringIncludes(drawChart(chart, paint(false)), "Squares");
 * ```
 */
export function drawChart(chart: Chart, paint: Paint): string {
  const place = placer(chart);
  const cells = Array.from(
    { length: ROWS },
    () => Array.from({ length: COLUMNS }, () => ({ dots: 0, curve: 0 })),
  );
  chart.curves.forEach(({ points }, curve) => {
    for (const [x, y] of dense(points.map(([x, y]) => place(x, y)))) {
      const [column, row] = [Math.round(x * (2 * COLUMNS - 1)), Math.round((1 - y) * (4 * ROWS - 1))];
      const cell = cells[row >> 2]![column >> 1]!;
      cell.dots |= DOTS[row & 3]![column & 1]!;
      cell.curve = curve;
    }
  });
  const label = (row: number) => {
    const mark = chart.marks[1].find((y) =>
      Math.round((1 - place(chart.marks[0][0]!, y)[1]) * (ROWS - 1)) === row
    );
    return mark === undefined ? "" : short(mark);
  };
  const lines = cells.map((row, index) => {
    const drawn = row.map(({ dots, curve }) => {
      return dots === 0 ? " " : paint.nth(curve, String.fromCharCode(0x2800 + dots));
    }).join("");
    return `${label(index).padStart(8)} ${paint.dim("┤")}${drawn}`;
  });
  const below = Array<string>(COLUMNS + 6).fill(" ");
  for (const x of chart.marks[0]) {
    const text = short(x);
    const at = Math.max(0, Math.round(place(x, 0)[0] * (COLUMNS - 1)) - (text.length >> 1));
    below.splice(at, text.length, ...text);
  }
  const legend = chart.curves.map(({ name }, curve) => `${paint.nth(curve, "━━")} ${name}`).join("   ");
  return [
    paint.bold(chart.title),
    paint.dim(`${chart.axes[1].padStart(8)}`),
    ...lines,
    `${" ".repeat(9)}${paint.dim(`└${"─".repeat(COLUMNS)}`)}`,
    `${" ".repeat(10)}${below.join("").trimEnd()}  ${paint.dim(chart.axes[0])}`,
    `${" ".repeat(10)}${legend}`,
    "",
  ].join("\n");
}

/** The points and what is between them, so close together that no dot is left out. */
function* dense(points: readonly [number, number][]): Generator<[number, number]> {
  for (let i = 0; i < points.length; i++) {
    const [[x, y], [nextX, nextY]] = [points[i]!, points[i + 1] ?? points[i]!];
    const steps = Math.ceil(Math.max(1, Math.abs(nextX - x) * 2 * COLUMNS, Math.abs(nextY - y) * 4 * ROWS));
    for (let step = 0; step < steps; step++) {
      yield [x + (nextX - x) * step / steps, y + (nextY - y) * step / steps];
    }
  }
}

function short(value: number): string {
  return value >= 1_000 ? `${value / 1_000}k` : String(value);
}

const SVG = { width: 640, height: 360, left: 64, right: 120, top: 40, bottom: 44 };
const HUES = ["#2a78d6", "#d1495b", "#2e933c", "#edae49", "#8e5bd0", "#00798c"];

/** Charts as one SVG, one below the other. */
export function svgOf(charts: readonly Chart[]): string {
  const panels = charts.map((chart, i) =>
    `<g transform="translate(0 ${i * SVG.height})">${panelOf(chart)}</g>`
  );
  const size = `width="${SVG.width}" height="${SVG.height * charts.length}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">` +
    `<rect width="100%" height="100%" fill="white"/>\n${panels.join("\n")}\n</svg>\n`;
}

function panelOf(chart: Chart): string {
  const place = placer(chart);
  const { width, height, left, right, top, bottom } = SVG;
  const at = (x: number, y: number) => {
    const [across, up] = place(x, y);
    return [left + across * (width - left - right), height - bottom - up * (height - top - bottom)] as const;
  };
  const text = (x: number, y: number, words: string, more = "") =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(words)}</text>`;
  const line = (x1: number, y1: number, x2: number, y2: number) =>
    `<path d="M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}" stroke="#ddd"/>`;
  const [xs, ys] = chart.marks;
  const grid = [
    ...xs.map((x) => {
      const [across] = at(x, 0);
      return line(across, top, across, height - bottom) +
        text(across, height - bottom + 16, short(x), 'text-anchor="middle"');
    }),
    ...ys.map((y) => {
      const [, down] = at(xs[0]!, y);
      return line(left, down, width - right, down) + text(left - 6, down + 4, short(y), 'text-anchor="end"');
    }),
  ];
  const curves = chart.curves.map(({ name, points }, i) => {
    const path = points.map(([x, y]) => at(x, y).map((n) => n.toFixed(1)).join(" ")).join("L");
    const hue = HUES[i % HUES.length]!;
    return `<path d="M${path}" fill="none" stroke="${hue}" stroke-width="2"/>` +
      text(width - right + 12, top + 12 + 18 * i, name, `fill="${hue}"`);
  });
  return [
    text(left, 16, chart.title, 'font-weight="bold" font-size="14"'),
    ...grid,
    ...curves,
    text(left, top - 6, chart.axes[1], 'fill="#555"'),
    text(width - right, height - 8, chart.axes[0], 'fill="#555" text-anchor="end"'),
  ].join("");
}

function escape(words: string): string {
  return words.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
