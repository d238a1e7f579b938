/**
 * Faults: what goes wrong while a workload runs, drawn from the run's seed. At most `atOnce` nodes are down or
 * stopped at any time, so that there is something to expect of the rest.
 *
 * @module
 */

import type { Simulation } from "../../actors/simulated/simulation.ts";
import type { SimulatedRandom } from "../../actors/simulated/random.ts";
import type { Cluster } from "../../net/cluster.ts";
import { pick } from "./workload.ts";

/** Which faults there are, and how often. */
export interface FaultOptions {
  /** Longest pause between two faults. */
  readonly pauseMs: number;
  /** Longest time a node stays down, stopped or cut off. */
  readonly lastsMs: number;
  /** How many nodes may be in trouble at once. */
  readonly atOnce: number;
  /** What may happen to a node. */
  readonly kinds: readonly NodeFault[];
  /** Rates of what may happen to anything on the network. */
  readonly links: Partial<Simulation["network"]["faults"]>;
}

/**
 * `kill -9`; a power cut, of one node or all; an actor that crashes; SIGSTOP; nothing comes from or goes to
 * anyone (`isolate`), the other nodes (`split`); nothing comes, but everything goes (`deafen`).
 */
export type NodeFault = "kill" | "power" | "all-power" | "crash" | "pause" | "isolate" | "split" | "deafen";

/** Actors that crash. */
const ACTORS = [
  "ring_manager",
  "replica_store",
  "peers",
  "gossiper",
  "coordinator",
  "refiller",
  "operator",
  "listener",
];

/** Everything at once. */
export const FAULTS: FaultOptions = {
  pauseMs: 800,
  lastsMs: 2_500,
  atOnce: 1,
  kinds: ["kill", "power", "all-power", "crash", "pause", "isolate", "split", "deafen"],
  links: {
    lossRate: 0.002,
    duplicateRate: 0.002,
    reorderRate: 0.002,
    resetRate: 0.001,
    slowRate: 0.02,
    slowMs: 80,
  },
};

/** Nothing goes wrong. */
export const NO_FAULTS: FaultOptions = { ...FAULTS, kinds: [], links: {} };

/** Makes things go wrong until it is told to stop, and then leaves every node running. */
export class Faults {
  /** What was done, for people. */
  readonly log: string[] = [];
  readonly #cluster: Cluster;
  readonly #world: Simulation;
  readonly #options: FaultOptions;
  readonly #random: SimulatedRandom;
  readonly #count: number;
  readonly #machines: readonly string[];
  readonly #troubled = new Set<number>();
  #under: Promise<void>[] = [];
  #over = false;

  /** @param cluster simulated @param clients their machines @param options which faults @param random decides */
  constructor(
    cluster: Cluster,
    clients: readonly string[],
    options: FaultOptions,
    random: SimulatedRandom,
  ) {
    if (cluster.simulation === null) throw new TypeError("faults need a simulation");
    this.#cluster = cluster;
    this.#world = cluster.simulation;
    this.#options = options;
    this.#random = random;
    this.#count = cluster.nodes.length;
    this.#machines = [...cluster.nodes.map((_, index) => `node${index + 1}`), ...clients];
  }

  /** Resolves after {@link Faults.stop}, when all nodes run again. */
  async run(pause: (ms: number) => Promise<void>): Promise<void> {
    const { kinds, links, pauseMs, atOnce } = this.#options;
    Object.assign(this.#world.network.faults, links);
    while (!this.#over && kinds.length > 0) {
      await pause(this.#random.between(0, pauseMs));
      const healthy = Array.from({ length: this.#count }, (_, i) => i).filter((i) => !this.#troubled.has(i));
      if (this.#over || healthy.length + atOnce <= this.#count) continue;
      const kind = pick(this.#random, kinds);
      const victims = kind === "all-power" ? healthy : [pick(this.#random, healthy)];
      if (kind === "all-power" && healthy.length < this.#count) continue;
      for (const victim of victims) this.#under.push(this.#trouble(victim, kind, pause));
    }
    await Promise.all(this.#under);
  }

  /** No more of it. */
  stop(): void {
    this.#over = true;
  }

  async #trouble(index: number, kind: NodeFault, pause: (ms: number) => Promise<void>): Promise<void> {
    this.#troubled.add(index);
    const name = `node${index + 1}`;
    const lastsMs = this.#random.between(10, this.#options.lastsMs);
    this.log.push(`${this.#world.now().toFixed(1)} ${kind} ${name} for ${lastsMs.toFixed(0)} ms`);
    const others = this.#machines.filter((other) =>
      other !== name && (kind !== "split" || other.startsWith("node"))
    );
    if (kind === "crash") return this.#crash(index);
    if (kind === "pause") this.#world.pauseNode(name);
    else if (kind === "isolate" || kind === "split") this.#world.network.partition([name], others);
    else if (kind === "deafen") { for (const other of others) this.#world.network.cut(other, name); }
    else this.#cluster.kill(index, { power: kind !== "kill" });
    await pause(lastsMs);
    if (kind === "pause") this.#world.resumeNode(name);
    else if (kind === "isolate" || kind === "split" || kind === "deafen") {
      for (const other of others) {
        this.#world.network.mend(other, name), this.#world.network.mend(name, other);
      }
    } else await this.#restart(index, name, pause);
    this.#troubled.delete(index);
  }

  #crash(index: number): void {
    const actor = pick(this.#random, ACTORS);
    this.log.push(`  ${actor} crashes`);
    this.#cluster.node(index).crash(actor);
    this.#troubled.delete(index);
  }

  /** Start a node again; now and then the start itself is cut short once. */
  async #restart(index: number, name: string, pause: (ms: number) => Promise<void>): Promise<void> {
    if (this.#random.chance(0.3)) {
      void this.#cluster.start(index);
      await pause(this.#random.between(0, 5));
      this.log.push(`${this.#world.now().toFixed(1)} power ${name} while it starts`);
      this.#cluster.kill(index, { power: true });
      await pause(1);
    }
    await this.#cluster.start(index);
  }
}
