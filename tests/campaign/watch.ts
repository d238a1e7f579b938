/**
 * What is seen of a cluster while it changes: a line every few seconds, of what clients feel and what the nodes say.
 *
 * @module
 */

import type { NodeStatus } from "../../actors/operator/protocol.ts";
import { size } from "../../cli/paint.ts";
import { Progress } from "../../cli/progress.ts";
import type { Terminal } from "../../cli/terminal.ts";
import { sleep } from "../outside/harness.ts";
import type { Customers } from "./customers.ts";
import type { Fleet } from "./fleet.ts";
import type { RealRun } from "./real_run.ts";

/** How often nodes are asked. */
const LOOK_MS = 500;

const COLUMNS: readonly (readonly [heading: string, width: number])[] = [
  ["s", 6],
  ["requests/s", 10],
  ["p99 ms", 8],
  ["slowest", 8],
  ["failed", 6],
  ["retries", 7],
  ["missed", 6],
  ["budget/s", 10],
  ["copied", 10],
  ["left", 10],
  ["to copy", 7],
  ["hints", 7],
];

/** See the module. */
export class Watch {
  readonly #fleet: Fleet;
  readonly #customers: Customers;
  readonly #terminal: Terminal;
  readonly #progress: Progress;
  readonly #everyMs: number;
  readonly #startedAt = performance.now();
  #shownAt = performance.now();
  #hasHeadings = false;

  /** @param everyMs between two lines */
  constructor(fleet: Fleet, customers: Customers, terminal: Terminal, everyMs: number) {
    this.#fleet = fleet;
    this.#customers = customers;
    this.#terminal = terminal;
    this.#progress = new Progress(terminal);
    this.#everyMs = everyMs;
  }

  /** Say what comes now. */
  say(line: string): void {
    this.#progress.clear();
    this.#terminal.out(`${line}\n`);
  }

  /** How far something is that is no change of the cluster. */
  show(share: number, text: string): void {
    this.#progress.show(share, `${text}: ${Math.round(share * 100)} %`);
  }

  /** Look on for so long, or where it says so, for so many requests. */
  async calm({ calmMs, calmRequests, limitMs }: RealRun, text: string, forMs = calmMs): Promise<void> {
    const startedAt = performance.now();
    const { done } = this.#customers;
    const share = () =>
      calmRequests === undefined
        ? (performance.now() - startedAt) / forMs
        : (this.#customers.done - done) / calmRequests;
    await this.until(text, () => share() >= 1, forMs + limitMs, share);
  }

  /**
   * Look on until all that run answer, and what they say is `enough`; rejects after `limitMs`. `share` says how far
   * that is, from 0 to 1.
   */
  async until(
    text: string,
    enough: (all: readonly NodeStatus[]) => boolean | Promise<boolean>,
    limitMs: number,
    share: (all: readonly NodeStatus[]) => number = () => 0,
  ): Promise<void> {
    for (const startedAt = performance.now();; await sleep(LOOK_MS)) {
      const answers = await Promise.all(this.#fleet.places.map((place) => this.#fleet.status(place)));
      const all = answers.filter((status) => status !== null);
      this.#row(all);
      if (this.#terminal.watched) this.#progress.show(share(all), text); // elsewhere lines tell it
      if (all.length === answers.length && await enough(all)) break;
      if (performance.now() - startedAt < limitMs) continue;
      const said = all.map(({ address, state, moves, hints }) =>
        `${address} ${state}, ${moves?.copying ?? 0} to copy, ${hints.count} hints`
      );
      throw new Error(`waited ${Math.round(limitMs / 1000)} s for ${text}: ${said.join("; ")}`);
    }
    this.#progress.clear();
  }

  #row(all: readonly NodeStatus[]): void {
    const now = performance.now();
    if (now - this.#shownAt < this.#everyMs) return;
    this.#shownAt = now;
    const { perSecond, p99, slowest } = this.#customers.take();
    const { failed, retried, missed } = this.#customers;
    const sum = (of: (status: NodeStatus) => number) => all.reduce((total, one) => total + of(one), 0);
    const receivers = all.filter(({ store }) => store.awaited + store.notWhole > 0);
    const rates = (receivers.length > 0 ? receivers : all).map(({ background }) => background.bytesPerS);
    const moves = all.find((status) => status.moves !== null)?.moves ?? null;
    this.#line([
      ((now - this.#startedAt) / 1000).toFixed(0),
      String(perSecond),
      p99.toFixed(1),
      slowest.toFixed(0),
      ...[failed, retried, missed].map(String),
      rates.length === 0 ? "" : size(Math.min(...rates)),
      size(sum(({ copies }) => copies.fetchedBytes)),
      moves === null ? "" : size(moves.bytesLeft),
      moves === null ? "" : String(moves.copying),
      String(sum(({ hints }) => hints.count)),
    ]);
  }

  #line(cells: readonly string[]): void {
    this.#progress.clear();
    const line = (texts: readonly string[]) =>
      texts.map((text, column) => text.padStart(COLUMNS[column]![1])).join("  ") + "\n";
    if (!this.#hasHeadings) this.#terminal.out(line(COLUMNS.map(([heading]) => heading)));
    this.#hasHeadings = true;
    this.#terminal.out(line(cells));
  }
}
