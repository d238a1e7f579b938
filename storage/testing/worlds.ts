/**
 * The machines on which engines are judged: this one, and simulated ones.
 *
 * @module
 */

import { realEnvironment } from "../../actors/runtime/real/mod.ts";
import { Simulation } from "../../actors/simulated/simulation.ts";
import type { FaultyWorld, Missed, Place, World } from "./subject.ts";

const NODE = "n1";
const LIMIT_MS = 200_000;

/** Operations that change nothing. */
const LOOKING = new Set(["read", "list", "exists"]);

/** A machine in a simulation. */
export class SimulatedWorld implements FaultyWorld {
  readonly #simulation: Simulation;
  #changes = 0;
  #crashAt = Infinity;
  #missed: Missed | null = null;

  /** @param seed decides everything that chance decides */
  constructor(seed: number) {
    this.#simulation = new Simulation({ seed });
    this.disk.beforeEach = (operation, path) => {
      if (LOOKING.has(operation) || ++this.#changes < this.#crashAt) return;
      this.#missed = { operation, path };
      this.crash();
    };
  }

  get disk() {
    return this.#simulation.disk(NODE);
  }

  get faults() {
    return this.disk.faults;
  }

  place(): Place {
    return { ...this.#simulation.environment(NODE), directory: "data/store" };
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.#simulation.complete(promise, LIMIT_MS);
  }

  async survives(promise: Promise<void>): Promise<boolean> {
    let settled = false;
    const note = () => void (settled = true);
    promise.then(note, note);
    const isAlive = () => this.#simulation.isAlive(NODE);
    if (!await this.#simulation.runUntil(() => settled || !isAlive(), LIMIT_MS)) {
      throw new Error(`seed ${this.#simulation.seed}: not settled; ${this.#simulation.trace().slice(-3)}`);
    }
    if (isAlive()) await promise;
    return isAlive();
  }

  runFor(ms: number): Promise<void> {
    return this.#simulation.runFor(ms);
  }

  crashAt(count: number): void {
    this.#crashAt = this.#changes + count;
  }

  changes(): number {
    return this.#changes;
  }

  missed(): Missed | null {
    return this.#missed;
  }

  kill(): void {
    this.#crashAt = Infinity;
    this.#simulation.killNode(NODE);
  }

  crash(): void {
    this.#crashAt = Infinity;
    this.#simulation.crashNode(NODE);
  }

  usedBytes(): number {
    let sizeBytes = 0;
    for (const bytes of this.disk.snapshot().values()) sizeBytes += bytes?.length ?? 0;
    return sizeBytes;
  }
}

/** A simulated machine. */
export function simulatedWorld(seed: number): SimulatedWorld {
  return new SimulatedWorld(seed);
}

/** This machine, in temporary directories that go when the check is over. */
export async function onRealDisk(check: (newWorld: () => World) => Promise<void>): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "denamo-" });
  let count = 0;
  const newWorld = () => {
    const directory = `${root}/${++count}/store`;
    return {
      place: () => ({ ...realEnvironment({ node: "test", logLevel: "error" }), directory }),
      settle: <T>(promise: Promise<T>) => promise,
      survives: async (promise: Promise<void>) => {
        await promise;
        return true;
      },
    };
  };
  try {
    await check(newWorld);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}
