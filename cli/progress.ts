/**
 * How far a long run has come: a bar that draws itself anew where a person watches, a line now and then elsewhere.
 *
 * @module
 */

import { bar } from "./paint.ts";
import type { Terminal } from "./terminal.ts";

/** A line now and then. */
const LINE_EVERY_MS = 15_000;
const REDRAW_EVERY_MS = 100;
const BAR_COLUMNS = 30;
const CLEAR_LINE = "\r\x1b[K";

/** See the module. */
export class Progress {
  readonly #terminal: Pick<Terminal, "watched" | "columns" | "err">;
  readonly #now: () => number;
  #shownAt: number;

  /** @param terminal who watches @param now real time, in milliseconds */
  constructor(terminal: Pick<Terminal, "watched" | "columns" | "err">, now = () => performance.now()) {
    this.#terminal = terminal;
    this.#now = now;
    this.#shownAt = now();
  }

  /** This much is done, from 0 to 1; `text` says it in words. */
  show(share: number, text: string): void {
    const { watched, columns } = this.#terminal;
    const now = this.#now();
    if (now - this.#shownAt < (watched ? REDRAW_EVERY_MS : LINE_EVERY_MS)) return;
    this.#shownAt = now;
    const line = `${bar(share, BAR_COLUMNS).padEnd(BAR_COLUMNS, "·")} ${text}`;
    this.#terminal.err(watched ? `${CLEAR_LINE}${line.slice(0, columns - 1)}` : `${text}\n`);
  }

  /** Make room for other text. */
  clear(): void {
    if (this.#terminal.watched) this.#terminal.err(CLEAR_LINE);
  }
}
