/**
 * Colours, tables and bars for a terminal. Everything here returns text; nothing is written.
 *
 * @module
 */

import { stripVTControlCharacters } from "node:util";

/** Wraps text in a colour, or leaves it as it is. */
export interface Paint {
  /** For what is well. */
  green(text: string): string;
  /** For what needs a look. */
  yellow(text: string): string;
  /** For what is broken. */
  red(text: string): string;
  /** For headings. */
  bold(text: string): string;
  /** For what matters less. */
  dim(text: string): string;
  /** One of a few distinct colours, so that each node keeps its own. */
  nth(index: number, text: string): string;
}

const HUES = [36, 33, 35, 32, 34, 31] as const;

/** Paint that colours, or that does not. */
export function paint(coloured: boolean): Paint {
  const style = (code: number) => (text: string) =>
    coloured && text !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  return {
    green: style(32),
    yellow: style(33),
    red: style(31),
    bold: style(1),
    dim: style(2),
    nth: (index, text) => style(HUES[index % HUES.length]!)(text),
  };
}

/** How many columns a text takes, colours not counted. */
export function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/**
 * Rows under headings, columns aligned; a heading that opens with `>` aligns its column to the right.
 *
 * @example
 * ```ts
 * import { paint, table } from "./paint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const rows = [["a", "9"], ["bb", "10"]];
 * assertEquals(table(paint(false), ["node", ">owns"], rows), "node  owns\na        9\nbb      10\n");
 * ```
 */
export function table(
  paint: Paint,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const names = headings.map((heading) => heading.replace(/^>/, ""));
  const widths = names.map((name, column) =>
    Math.max(width(name), ...rows.map((row) => width(row[column] ?? "")))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => {
      const gap = " ".repeat(widths[column]! - width(cell));
      return headings[column]!.startsWith(">") ? gap + cell : cell + gap;
    }).join("  ").trimEnd();
  return [names.map(paint.dim), ...rows].map((cells) => line(cells) + "\n").join("");
}

/** A share from 0 to 1 as a bar of `columns` characters, in eighths. */
export function bar(share: number, columns: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * columns * 8);
  const rest = eighths % 8;
  return "█".repeat(Math.floor(eighths / 8)) + (rest > 0 ? "▏▎▍▌▋▊▉"[rest - 1] : "");
}

/** Milliseconds as people say them: `240 ms`, `3.2 s`, `5 min`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Bytes as people say them. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const rank = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** rank;
  return `${rank === 0 ? value : value.toFixed(1)} ${units[rank]}`;
}

/** `1 file`, `2 files`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The first 8 digits of an id: enough to tell nodes apart. */
export function brief(id: string): string {
  return id.slice(0, 8);
}
