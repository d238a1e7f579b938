/**
 * A cluster in one process, from one seed.
 *
 * Bugs of distributed systems hide in orders of events that real machines produce once a year and never twice.
 * Here the real code runs against a clock, a network and disks that exist only in memory, and everything that
 * could be different from run to run (delays, losses, crashes, what a crash leaves on a disk) is drawn from one
 * seed. A bad order can be had a thousand times an hour, and again for as long as it takes to understand it.
 * (FoundationDB made this the way to build a database: Zhou et al., "FoundationDB: A Distributed Unbundled
 * Transactional Key Value Store", SIGMOD 2021, section 4.)
 *
 * One event runs at a time. After each, the promises it settled have their say (a macrotask of the real event
 * loop passes, no real time does), and only then the next event is due. What code under simulation must not do
 * is wait for anything outside of its Environment: that would let real time back in.
 *
 * @module
 */

import type { Environment } from "../runtime/environment.ts";
import { macrotask } from "../runtime/real/turn.ts";
import { SimulatedClock } from "./clock.ts";
import { healthyDisk, SimulatedDisk } from "./disk.ts";
import { Events, Process } from "./events.ts";
import type { SeenMessage } from "./links.ts";
import { type LogLine, simulatedLog } from "./log.ts";
import { SimulatedNetwork } from "./network.ts";
import { SimulatedRandom } from "./random.ts";

/** What a {@link Simulation} wants to know. */
export interface SimulationOptions {
  /** The same seed, the same history. */
  readonly seed: number;
  /** Hears every log line. Default: nobody does. */
  readonly onLog?: (line: LogLine) => void;
  /** Is told of everything that travels between machines, as it is sent. Default: nobody is. */
  readonly onMessage?: (message: SeenMessage) => void;
  /** How many of the last events {@link Simulation.trace} shows. Default 100. */
  readonly traceLines?: number;
}

/** A machine: what stays when the process on it ends. */
interface Machine {
  readonly clock: SimulatedClock;
  readonly disk: SimulatedDisk;
  lives: number;
  running: { readonly process: Process; readonly environment: Environment } | null;
}

/**
 * Machines, the network between them, and the time in which they live.
 *
 * @example
 * ```ts
 * import { Simulation } from "./simulation.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const simulation = new Simulation({ seed: 7 });
 * const { clock, disk } = simulation.environment("n1");
 * disk.open("greeting", { write: true, create: true }).write(Uint8Array.of(1), 0);
 * let fired = false;
 * clock.after(1000, () => fired = true);
 * await simulation.runFor(999);
 * assertEquals(fired, false);
 * simulation.crashNode("n1"); // nothing was synced, the timer dies with the process
 * await simulation.runFor(1000);
 * assertEquals(fired, false);
 * assertEquals(simulation.environment("n1").disk.exists("greeting"), false);
 * ```
 */
export class Simulation {
  /** What everything is drawn from. */
  readonly seed: number;
  /** What connects the machines, and how badly. */
  readonly network: SimulatedNetwork;
  /** For the harness's own decisions; independent of everything inside. */
  readonly random: SimulatedRandom;

  readonly #events: Events;
  readonly #root: SimulatedRandom;
  readonly #onLog: ((line: LogLine) => void) | null;
  readonly #machines = new Map<string, Machine>();
  #running = false;

  /**
   * Make one.
   *
   * @param options the seed, and what to watch
   */
  constructor(options: SimulationOptions) {
    this.seed = options.seed;
    this.#root = new SimulatedRandom(String(options.seed));
    this.#onLog = options.onLog ?? null;
    this.#events = new Events(options.traceLines ?? 100);
    this.random = this.#root.fork("harness");
    this.network = new SimulatedNetwork(this.#events, this.#root.fork("network"), options.onMessage);
  }

  /** True milliseconds since the simulation began. */
  now(): number {
    return this.#events.now;
  }

  /** A checksum over everything that has happened. Equal seeds and equal code give equal hashes. */
  get traceHash(): number {
    return this.#events.traceHash;
  }

  /** How many events have happened. */
  get eventCount(): number {
    return this.#events.count;
  }

  /** How often each kind of fault was injected so far. */
  get injected(): ReadonlyMap<string, number> {
    return this.#events.injected;
  }

  /** A fault from outside is to be counted with those that the network and the disks inject. */
  countFault(kind: string): void {
    this.#events.inject(kind);
  }

  /** The last things that happened, oldest first. */
  trace(): readonly string[] {
    return this.#events.trace();
  }

  /** The environment of the process on this machine; one is started when none runs. */
  environment(node: string): Environment {
    const machine = this.#machine(node);
    machine.running ??= this.#start(node, machine);
    return machine.running.environment;
  }

  /** Whether a process runs on this machine. */
  isAlive(node: string): boolean {
    return this.#machine(node).running !== null;
  }

  /** The machine's disk: its faults, crash, wipe, snapshot. */
  disk(node: string): SimulatedDisk {
    return this.#machine(node).disk;
  }

  /** The machine's clock: its skew and its rate. */
  clock(node: string): SimulatedClock {
    return this.#machine(node).clock;
  }

  /**
   * `kill -9`: the process ends in the middle of whatever it does. Its timers never fire, what it waits for
   * never comes, its connections are reset; what it wrote is still there for the next one.
   */
  killNode(node: string): void {
    const { running } = this.#machine(node);
    if (!running) return;
    this.#machine(node).running = null;
    running.process.alive = false;
    running.process.held = [];
    this.network.endProcess(running.process);
  }

  /** A power cut: {@link Simulation.killNode}, and of what was not synced chance decides what is left. */
  crashNode(node: string): void {
    this.killNode(node);
    this.#machine(node).disk.crash();
  }

  /** SIGSTOP: nothing happens in the process until it goes on; then everything that was due does. */
  pauseNode(node: string): void {
    const { running } = this.#machine(node);
    if (running) running.process.paused = true;
  }

  /**
   * A slow machine: everything that happens in the process keeps it busy for so long, and what comes meanwhile
   * waits its turn. 0: no time at all, as everywhere else.
   */
  slowNode(node: string, busyMs: number): void {
    const { running } = this.#machine(node);
    if (running) running.process.busyMs = busyMs;
  }

  /** SIGCONT. */
  resumeNode(node: string): void {
    const { running } = this.#machine(node);
    if (running?.process.paused) this.#events.resume(running.process);
  }

  /**
   * The second phase of a run: no more faults. Links, disks and clocks are as good as new, partitions mended,
   * paused processes go on. Damage done stays done; ended processes stay ended.
   */
  heal(): void {
    this.network.heal();
    for (const [node, machine] of this.#machines) {
      Object.assign(machine.disk.faults, healthyDisk());
      machine.disk.beforeEach = null;
      machine.clock.skewMs = 0;
      machine.clock.rate = 1;
      this.slowNode(node, 0);
      this.resumeNode(node);
    }
  }

  /** Let `ms` milliseconds pass. */
  async runFor(ms: number): Promise<void> {
    const end = this.#events.now + ms;
    await this.#run(end, () => false);
    this.#events.now = end;
  }

  /** Run until `predicate` holds (true) or `limitMs` have passed or nothing is left to happen (false). */
  async runUntil(predicate: () => boolean, limitMs: number): Promise<boolean> {
    return await this.#run(this.#events.now + limitMs, predicate);
  }

  /** Run until nothing is left to happen (true) or `limitMs` have passed (false). */
  async runUntilIdle(limitMs: number): Promise<boolean> {
    await this.#run(this.#events.now + limitMs, () => false);
    return this.#events.nextAt() === null;
  }

  /** Run until `promise` settles and give what it gives; throws when it does not within `limitMs`. */
  async complete<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let settled = false;
    const note = () => void (settled = true);
    promise.then(note, note);
    if (await this.runUntil(() => settled, limitMs)) return await promise;
    throw new Error(
      `seed ${this.seed}: not settled within ${limitMs} ms; last: ${this.trace().slice(-3).join("; ")}`,
    );
  }

  /** The loop. Whether `predicate` came to hold by `end`. */
  async #run(end: number, predicate: () => boolean): Promise<boolean> {
    if (this.#running) throw new Error("a simulation runs once at a time: await the last run first");
    this.#running = true;
    try {
      for (;;) {
        await macrotask();
        if (predicate()) return true;
        const next = this.#events.nextAt();
        if (next === null) return false;
        if (next > end) {
          this.#events.now = end;
          return false;
        }
        this.#events.step();
      }
    } finally {
      this.#running = false;
    }
  }

  #machine(node: string): Machine {
    let machine = this.#machines.get(node);
    if (!machine) {
      const disk = new SimulatedDisk(this.#events, this.#root.fork(`disk/${node}`));
      machine = { clock: new SimulatedClock(this.#events), disk, lives: 0, running: null };
      this.#machines.set(node, machine);
    }
    return machine;
  }

  #start(node: string, machine: Machine): { process: Process; environment: Environment } {
    const process = new Process(node, ++machine.lives);
    const random = this.#root.fork(`node/${node}/${process.life}`);
    const stamp = () => ({ at: this.#events.now, node });
    const listen = this.#onLog && ((line: LogLine) => process.alive && this.#onLog?.(line));
    const environment: Environment = {
      clock: machine.clock.forProcess(process, random.fork("clock").integer(1_000_000)),
      random: random.fork("random"),
      disk: machine.disk.forProcess(process),
      network: this.network.forProcess(process),
      log: simulatedLog(stamp, listen),
    };
    return { process, environment };
  }
}
