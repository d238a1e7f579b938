/**
 * The one event heap: everything that happens in a simulation happens here, one thing at a time.
 *
 * Two events never run at once, so the only freedom left is their order. They are ordered by the time they are
 * due and, at the same time, by the order in which they were asked for; nothing else (no map's order, no real
 * clock) has a say. That makes a whole cluster a function of its seed, and a running checksum over what
 * happened, the trace hash, proves it: two runs with one seed must end with one hash.
 *
 * An event belongs to a process, or to nobody (the network and the harness). Those of a process that has ended
 * are forgotten when they come up; those of a paused one are put aside until it goes on; those of a slow one wait
 * for their turn.
 *
 * @module
 */

import type { Timer } from "../runtime/environment.ts";

/** One life of a node: from start to exit, kill or power cut. */
export class Process {
  /** Turns false once, for good. */
  alive = true;
  /** Whether its events are put aside. */
  paused = false;
  /** What was put aside, in order. */
  held: Scheduled[] = [];
  /** How long everything that happens in it keeps it busy, in milliseconds; what is due meanwhile waits. */
  busyMs = 0;
  /** Until when it is. */
  busyUntil = 0;

  /**
   * Make one.
   *
   * @param node the node's name
   * @param life 1 for its first process, then 2, and so on
   */
  constructor(readonly node: string, readonly life: number) {}
}

/** Something that will happen. */
export interface Scheduled {
  /** When; later, once its owner turned out to be busy. */
  at: number;
  /** Which comes first of two that are due at the same time. */
  readonly sequence: number;
  /** Whose it is. */
  readonly owner: Process | null;
  /** What the trace says. */
  readonly label: string;
  /** Null once cancelled. */
  task: (() => void) | null;
}

/** So many events at one instant mean that time stands still for good. */
const STANDSTILL = 100_000;

/** The heap, the time and the trace. */
export class Events {
  /** Milliseconds since the simulation began, as nobody in it can know them. */
  now = 0;
  /** Events run so far. */
  count = 0;
  /** Checksum over every event run so far: its time, its owner and its label. */
  traceHash = 0;
  /** How often each kind of fault was injected. */
  readonly injected: Map<string, number> = new Map();

  readonly #heap: Scheduled[] = [];
  readonly #trace: string[] = [];
  readonly #traceLines: number;
  #sequence = 0;
  #sinceAdvance = 0;

  /**
   * Make one.
   *
   * @param traceLines how many of the last events {@link Events.trace} shows
   */
  constructor(traceLines: number) {
    this.#traceLines = traceLines;
  }

  /** The last events, oldest first, one line each. */
  trace(): readonly string[] {
    const oldest = this.count % this.#traceLines;
    if (this.count <= this.#traceLines) return this.#trace.slice();
    return [...this.#trace.slice(oldest), ...this.#trace.slice(0, oldest)];
  }

  /** Run `task` in `delayMs`. The label goes into the trace: what happens, with sizes and checksums. */
  schedule(delayMs: number, owner: Process | null, label: string, task: () => void): Timer {
    const delay = delayMs > 0 ? delayMs : 0;
    const event: Scheduled = { at: this.now + delay, sequence: this.#sequence++, owner, label, task };
    this.#push(event);
    return { cancel: () => void (event.task = null) };
  }

  /** Run `task` now if its owner can run; later if that is paused; never if it has ended. */
  wake(owner: Process, label: string, task: () => void): void {
    if (!owner.alive) return;
    if (owner.busyMs > 0 && !owner.paused) return void this.schedule(0, owner, label, task);
    if (!owner.paused) return task();
    owner.held.push({ at: this.now, sequence: this.#sequence++, owner, label, task });
  }

  /** Let a paused process go on: what was put aside happens now, in the order in which it came up. */
  resume(process: Process): void {
    process.paused = false;
    for (const { label, task } of process.held.splice(0)) {
      if (task) this.schedule(0, process, label, task);
    }
  }

  /** A fault was injected. */
  inject(kind: string): void {
    this.injected.set(kind, (this.injected.get(kind) ?? 0) + 1);
  }

  /** When the next event is due, null when there is none. */
  nextAt(): number | null {
    for (;;) {
      const event = this.#heap[0];
      if (!event) return null;
      if (event.task && event.owner?.alive !== false) return event.at;
      this.#pop();
    }
  }

  /** Run the next event. Not to be called before the microtasks of the last one are drained. */
  step(): void {
    if (this.nextAt() === null) return;
    const event = this.#pop();
    if (event.at > this.now) this.#sinceAdvance = 0;
    else if (++this.#sinceAdvance > STANDSTILL) {
      throw new Error(`time stands still at ${this.now} ms: ${this.trace().slice(-5).join("; ")}`);
    }
    this.now = event.at;
    const { owner } = event;
    if (owner?.paused) return void owner.held.push(event);
    if (owner !== null && owner.busyMs > 0) {
      if (this.now < owner.busyUntil) {
        event.at = owner.busyUntil;
        return this.#push(event);
      }
      owner.busyUntil = this.now + owner.busyMs;
    }
    this.#record(event);
    event.task?.();
  }

  #record(event: Scheduled): void {
    const line = `${event.at} ${event.owner?.node ?? "-"} ${event.label}`;
    this.traceHash = hash(line, this.traceHash);
    if (this.#traceLines > 0) this.#trace[this.count % this.#traceLines] = line;
    this.count++;
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): Scheduled {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (before(last, heap[child]!)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}

/** FNV-1a (Fowler, Noll and Vo) of a text and all that came before: one is taken for every event, so it is cheap. */
function hash(text: string, before: number): number {
  let hash = before;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
