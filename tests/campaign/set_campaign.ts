/**
 * Real processes, the wires between them in our hands: for a minute at a time nodes are cut off, paused and killed
 * while clients add and remove elements, and then every element is looked for.
 *
 * What it shows beyond the simulator: real sockets, real stops (SIGSTOP, SIGKILL), real time. Not power cuts.
 *
 * @module
 */

import { Client } from "../../mod.ts";
import { freePorts, joined, Scratch, Server, sleep, until } from "../outside/harness.ts";
import { FATES, type Fates } from "./elements.ts";
import { SetClients } from "./set_clients.ts";
import { type Place, Wires } from "./wires.ts";

/** Kinds of trouble, one of which befalls a run again and again. */
export const TROUBLES = ["one", "majority", "ring", "one-way", "pause", "kill"] as const;
/** One of {@link TROUBLES}. */
export type Trouble = typeof TROUBLES[number];

/** What a run is made of. */
export interface SetRun {
  /** What befalls it. */
  readonly trouble: Trouble;
  /** How many nodes. */
  readonly nodes: number;
  /** How long clients are at work. */
  readonly seconds: number;
  /** Instead: trouble once, each phase until so many more requests are answered. */
  readonly requests?: number;
  /** More flags of every node. */
  readonly flags: readonly string[];
  /** Quorums of each request; default: the cluster's. */
  readonly quorum: { readonly r?: number; readonly w?: number };
}

/** What came of a run. */
export interface SetOutcome {
  /** What became of the elements. */
  readonly fates: Fates;
  /** Requests answered, and failed. */
  readonly requests: { readonly done: number; readonly failed: number };
  /** How often trouble came. */
  readonly troubles: number;
}

const CLIENTS_PER_NODE = 2;
/** Trouble lasts so long, and comes again after half as long. */
const TROUBLE_MS = 6_000;

/** Make one run. */
export async function setRun(run: SetRun): Promise<SetOutcome> {
  const { nodes, seconds, quorum } = run;
  await using cluster = await Wired.start(run);
  const clients = new SetClients(
    Array.from({ length: nodes * CLIENTS_PER_NODE }, (_, i) => cluster.doors[i % nodes]!),
    quorum,
  );
  let troubles = 0;
  const trouble = async (phase: (ms: number) => Promise<void>) => {
    await phase(TROUBLE_MS / 2);
    await cluster.befall(run.trouble, troubles++);
    await phase(TROUBLE_MS);
    await cluster.heal();
  };
  if (run.requests !== undefined) {
    const enough = run.requests;
    await trouble(() => clients.progress(enough));
    await clients.progress(enough);
  } else for (const end = performance.now() + seconds * 1000; performance.now() < end;) await trouble(sleep);
  await clients.stop();
  await cluster.whole();
  const { requests } = clients;
  return { fates: await clients.fates(cluster.doors, Math.min(3, nodes)), requests, troubles };
}

/** Add up what became of elements. */
export function sumFates(all: readonly Fates[]): Fates {
  const sum = Object.fromEntries(FATES.map((fate) => [fate, 0])) as Record<keyof Fates, number>;
  for (const fates of all) for (const fate of FATES) sum[fate] += fates[fate];
  return sum;
}

/** Nodes with wires that can be cut. */
class Wired implements AsyncDisposable {
  /** Where clients reach the nodes. */
  readonly doors: readonly string[];
  readonly #servers: Server[] = [];
  readonly #ports: readonly number[];
  readonly #wires: Wires;
  readonly #scratch = new Scratch();
  readonly #run: SetRun;

  private constructor(run: SetRun) {
    this.#run = run;
    this.#ports = freePorts(run.nodes);
    this.doors = this.#ports.map((port) => `127.0.0.1:${port}`);
    this.#wires = new Wires(this.#ports);
  }

  static async start(run: SetRun): Promise<Wired> {
    const cluster = new Wired(run);
    try {
      await Promise.all(cluster.doors.map((_, place) => cluster.#restart(place)));
      for (const door of cluster.doors.slice(1)) {
        await using client = await Client.connect(door);
        await joined(client, cluster.#wires.addresses[0]!);
      }
      await cluster.whole();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #restart(place: Place): Promise<void> {
    const where = ["--port", String(this.#ports[place]), "--advertise", this.#wires.addresses[place]!];
    const store = ["--storage-path", `${this.#scratch.path}/n${place}`];
    const server = new Server([...where, ...store, ...this.#run.flags]);
    this.#servers[place] = server;
    await server.serving();
  }

  /** Trouble begins; `turn` decides whom it befalls. */
  async befall(trouble: Trouble, turn: number): Promise<void> {
    const places = this.doors.map((_, place) => place);
    const victim = turn % places.length;
    const apart = (some: readonly Place[]) => {
      for (const a of some) {
        for (const b of places.filter((place) => !some.includes(place))) {
          this.#wires.cut(a, b);
          this.#wires.cut(b, a);
        }
      }
    };
    switch (trouble) {
      case "one":
        return apart([victim]);
      case "majority":
        return apart(
          places.map((place) => (place + turn) % places.length).slice(0, Math.floor(places.length / 2)),
        );
      case "ring": // each sees its neighbours only
        for (const a of places) {
          for (const b of places) {
            const distance = Math.min(
              (a - b + places.length) % places.length,
              (b - a + places.length) % places.length,
            );
            if (distance > 1 || places.length < 4 && a === victim && b === (a + 1) % places.length) {
              this.#wires.cut(a, b);
            }
          }
        }
        return;
      case "one-way":
        return places.filter((place) => place !== victim).forEach((place) => this.#wires.cut(victim, place));
      case "pause":
        return this.#servers[victim]!.signal("SIGSTOP");
      case "kill":
        return await this.#servers[victim]!.kill();
    }
  }

  /** All trouble is over. */
  async heal(): Promise<void> {
    this.#wires.heal();
    for (const [place, server] of this.#servers.entries()) {
      if (server.alive) server.signal("SIGCONT");
      else await this.#restart(place);
    }
  }

  /** Resolves when every node sees all alive, and holds all of what it should. */
  async whole(): Promise<void> {
    await until("nodes that agree that all live and are whole", async () => {
      const views = await Promise.all(this.doors.map(async (door) => {
        await using client = await Client.connect(door);
        const [{ members }, { store }] = [
          await client.admin("clusterState", {}),
          await client.admin("status", {}),
        ];
        const alive = members.filter(({ liveness }) => liveness === "alive").length;
        return alive === this.doors.length && store.notWhole === 0;
      }));
      return views.every(Boolean);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.signal("SIGCONT");
      await server.kill();
    }
    this.#wires[Symbol.dispose]();
    this.#scratch[Symbol.dispose]();
  }
}
