/**
 * A whole cluster in one process: for anyone's tests, and for denamo's own.
 *
 * Without a seed the nodes run on the real clock, talk over loopback sockets and keep their files in a
 * temporary directory. With a seed they run, the same code, in a simulation: time passes only while
 * {@link Cluster.run} waits, machines can be killed and links cut, and the same seed gives the same history.
 *
 * @module
 */

import type { Environment } from "../actors/runtime/environment.ts";
import { realEnvironment, removeDirectory, temporaryDirectory } from "../actors/runtime/real/mod.ts";
import type { LogLine } from "../actors/simulated/log.ts";
import { Simulation } from "../actors/simulated/simulation.ts";
import { Client, type ConnectOptions } from "./client.ts";
import { Node, type NodeCores, type NodeOptions } from "./node.ts";

/** What {@link Cluster.inProcess} is made of. */
export interface ClusterOptions {
  /** How many nodes. Default 3. */
  readonly nodes?: number;
  /** Run in a simulation drawn from this seed; absent: on the real clock and loopback sockets. */
  readonly seed?: number;
  /** Options of every node; ports and paths are the cluster's own. */
  readonly node?: Omit<NodeOptions, "host" | "port" | "advertise" | "seeds">;
  /** Bugs to plant in every node. */
  readonly cores?: NodeCores;
  /** Hears what simulated nodes log. */
  readonly onLog?: (line: LogLine) => void;
}

/** The first simulated node's port; the others follow. */
const FIRST_PORT = 3001;

/** Simulated milliseconds that {@link Cluster.run} lets pass before it gives up. */
const RUN_LIMIT_MS = 120_000;

/**
 * Nodes that know each other.
 *
 * @example
 * ```ts
 * import { Cluster } from "../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * // Three nodes, a write, a machine lost, a read: in a simulation, in milliseconds.
 * await using cluster = await Cluster.inProcess({ nodes: 3, seed: 7 });
 * await cluster.run(async () => {
 *   const client = await cluster.connect();
 *   await client.put("foo", "bar");
 *   cluster.kill(2);
 *   const { values } = await client.get("foo");
 *   assertEquals(new TextDecoder().decode(values[0]), "bar");
 * });
 * ```
 */
export class Cluster implements AsyncDisposable {
  /** The world of a simulated cluster: faults, time, traces. Null on the real clock. */
  readonly simulation: Simulation | null;
  readonly #options: ClusterOptions;
  readonly #directory: string | null;
  readonly #nodes: (Node | null)[] = [];
  readonly #ports: number[] = [];
  #clients = 0;

  private constructor(options: ClusterOptions, directory: string | null) {
    const { seed, onLog } = options;
    this.#options = options;
    this.#directory = directory;
    this.simulation = seed === undefined ? null : new Simulation({ seed, ...(onLog && { onLog }) });
  }

  /** Start the nodes and join them; resolves when every one of them is a member. */
  static async inProcess(options: ClusterOptions = {}): Promise<Cluster> {
    const directory = options.seed === undefined ? await temporaryDirectory("denamo-cluster-") : null;
    const cluster = new Cluster(options, directory);
    await cluster.run(async () => {
      const count = options.nodes ?? 3;
      for (let index = 0; index < count; index++) await cluster.start(index);
      const first = await cluster.connect({ to: [0] });
      for (let index = 1; index < count; index++) {
        const client = await cluster.connect({ to: [index] });
        const joined = await client.admin("join", { known: cluster.node(0).address });
        await client.close();
        if (!joined.ok) throw new Error(`node ${index} could not join: ${joined.message}`);
      }
      await cluster.#agree(count);
      await first.close();
    });
    return cluster;
  }

  /** The nodes that run, in order. */
  get nodes(): readonly Node[] {
    return this.#nodes.filter((node) => node !== null);
  }

  /** Where the running nodes are reached, `host:port` each. */
  get addresses(): readonly string[] {
    return this.nodes.map((node) => node.address);
  }

  /** A node by its index, 0 the first. Throws when it does not run. */
  node(index: number): Node {
    const node = this.#nodes[index];
    if (!node) throw new Error(`node ${index} does not run`);
    return node;
  }

  /** A client of the nodes with these indexes, in this order; of all that run when none are named. */
  connect(options: ConnectOptions & { readonly to?: readonly number[] } = {}): Promise<Client> {
    const { to, ...rest } = options;
    const addresses = to ? to.map((index) => this.node(index).address) : this.addresses;
    const environment = this.simulation?.environment(`client${++this.#clients}`);
    return Client.connect([...addresses], { ...(environment && { environment }), ...rest });
  }

  /** Start the node with this index, for the first time or again, on what its directory holds. */
  async start(index: number): Promise<Node> {
    if (this.#nodes[index]) throw new Error(`node ${index} runs already`);
    const port = this.simulation ? FIRST_PORT + index : this.#ports[index] ?? 0;
    const path = this.simulation ? "data" : `${this.#directory}/node_${index + 1}`;
    const { node = {}, cores = {} } = this.#options;
    const options: NodeOptions = {
      logLevel: "silent",
      ...node,
      host: "127.0.0.1",
      port,
      storage: { ...node.storage, path },
    };
    const environment = this.#environment(index, options);
    const started = await Node.start(options, environment, cores);
    this.#nodes[index] = started;
    this.#ports[index] = started.endpoint.port;
    return started;
  }

  #environment(index: number, { logLevel }: NodeOptions): Environment {
    const name = `node${index + 1}`;
    return this.simulation?.environment(name) ??
      realEnvironment({ node: name, ...(logLevel !== undefined && { logLevel }) });
  }

  /**
   * `kill -9`, or with `power` a power cut, which loses what was not synced; of a node that is just starting too.
   * Simulated clusters only.
   */
  kill(index: number, { power = false }: { readonly power?: boolean } = {}): void {
    if (this.simulation === null) throw new Error("only a simulated node can be killed; use stop()");
    const machine = `node${index + 1}`;
    if (!this.simulation.isAlive(machine)) throw new Error(`node ${index} does not run`);
    this.#nodes[index] = null;
    if (power) this.simulation.crashNode(machine);
    else this.simulation.killNode(machine);
  }

  /** Stop one node as SIGTERM would. */
  async stop(index: number): Promise<void> {
    const node = this.node(index);
    this.#nodes[index] = null;
    await node.stop();
  }

  /**
   * Do something with the cluster and give what it gives. In a simulation this is where time passes: everything
   * that `task` waits for must be of the simulation, and it may take two simulated minutes.
   */
  run<T>(task: () => Promise<T>): Promise<T> {
    return this.simulation === null ? task() : this.simulation.complete(task(), RUN_LIMIT_MS);
  }

  /** Resolves when every node has the ring with `count` members. */
  async #agree(count: number): Promise<void> {
    const { clock } = this.#environment(0, {});
    const clients = await Promise.all(this.#nodes.map((_, index) => this.connect({ to: [index] })));
    for (;;) {
      const states = await Promise.all(clients.map((client) => client.admin("status", {})));
      if (states.every(({ members, alive }) => members === count && alive === count)) break;
      await new Promise<void>((resolve) => void clock.after(20, resolve));
    }
    await Promise.all(clients.map((client) => client.close()));
  }

  /** Stop every node; a temporary directory is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(async () => {
      await Promise.all(this.#nodes.map((node, index) => node && this.stop(index)));
    });
    if (this.#directory !== null) await removeDirectory(this.#directory);
  }
}
