/**
 * One simulated run: a cluster, clients at work on it, faults; then everything heals, and every key is read from
 * every replica. What clients saw and what is left is for the checkers.
 *
 * @module
 */

import type { LogLine } from "../../actors/simulated/log.ts";
import type { Client } from "../../net/client.ts";
import { Cluster } from "../../net/cluster.ts";
import type { NodeCores, NodeOptions } from "../../net/node.ts";
import { check, type ReplicaState, type Violation } from "./checkers.ts";
import { type FaultOptions, FAULTS, Faults } from "./faults.ts";
import { describe, History, type Operation } from "./history.ts";
import { Caller, keysOf, work, WORKLOAD, type WorkloadOptions } from "./workload.ts";

/** What is run. */
export interface ScenarioOptions {
  /** How many nodes. Default 3. */
  readonly nodes?: number;
  /** What clients do. */
  readonly workload?: Partial<WorkloadOptions>;
  /** What goes wrong. */
  readonly faults?: Partial<FaultOptions>;
  /** Bugs to plant in every node. */
  readonly cores?: NodeCores;
  /** Options of every node. */
  readonly node?: Omit<NodeOptions, "host" | "port" | "advertise" | "seeds">;
  /** Hears what nodes log. */
  readonly onLog?: (line: LogLine) => void;
}

/** What came of it. */
export interface Report {
  /** The seed. */
  readonly seed: number;
  /** What was run, as far as it can be given on a command line. */
  readonly options: Pick<ScenarioOptions, "nodes" | "workload" | "faults" | "node">;
  /** What clients saw. */
  readonly operations: readonly Operation[];
  /** What went wrong. */
  readonly faults: readonly string[];
  /** What must not be. */
  readonly violations: readonly Violation[];
  /** Tells one run from another. */
  readonly traceHash: number;
  /** Events that happened. */
  readonly events: number;
  /** Simulated milliseconds. */
  readonly simulatedMs: number;
}

/** Keys are spread over few partitions: a run is about versions, and a small ring is quickly agreed on. */
const PARTITIONS = 16;
const FINAL_TIMEOUT_MS = 5_000;
/** Everything that was under way when the faults healed is over by then. */
const SETTLE_MS = 3_000;
/** A node that lost its memory has everything back by then. */
const SERVING_MS = 30_000;

/** Run one seed. */
export async function simulate(seed: number, options: ScenarioOptions = {}): Promise<Report> {
  const { nodes = 3, cores, node, onLog } = options;
  const cluster = await Cluster.inProcess({
    seed,
    nodes,
    node: { partitions: PARTITIONS, ...node },
    ...(cores && { cores }),
    ...(onLog && { onLog }),
  });
  const world = cluster.simulation!;
  const history = new History(() => world.now());
  const workload = { ...WORKLOAD, ...options.workload };
  const { clock } = world.environment("harness");
  const pause = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
  const faults = new Faults(
    cluster,
    Array.from({ length: workload.clients }, (_, index) => `c${index}`),
    { ...FAULTS, ...options.faults },
    world.random.fork("faults"),
  );
  let states: readonly ReplicaState[] = [];
  let unwell: readonly Violation[] = [];
  await cluster.run(async () => {
    const indexes = Array.from({ length: workload.clients }, (_, index) => index);
    const clients = await Promise.all(indexes.map((index) => {
      const environment = world.environment(`c${index}`);
      return cluster.connect({ to: rotated(nodes, index), environment });
    }));
    const failing = faults.run(pause);
    await Promise.all(clients.map(async (client, index) => {
      const name = `c${index}`;
      await work(new Caller(name, client, history), name, workload, world.random.fork(name), pause);
      await client.close();
    }));
    faults.stop();
    world.heal();
    await failing;
    await pause(SETTLE_MS);
    unwell = await untilServing(cluster, pause);
    states = await readEverything(cluster, history, keysOf(workload), pause);
  });
  const { cores: _cores, onLog: _onLog, ...plain } = options;
  const report = {
    seed,
    options: plain,
    operations: history.operations,
    faults: faults.log,
    traceHash: world.traceHash,
  };
  const violations = [...unwell, ...check(history.operations, states)];
  const { eventCount: events } = world;
  const simulatedMs = world.now();
  await cluster[Symbol.asyncDispose]();
  return { ...report, violations, events, simulatedMs };
}

/** The nodes, beginning with another one for each client. */
function rotated(nodes: number, first: number): number[] {
  return Array.from({ length: nodes }, (_, index) => (index + first) % nodes);
}

/** Wait until every node says that it serves; those that do not within a bounded time are violations. */
async function untilServing(cluster: Cluster, pause: (ms: number) => Promise<void>): Promise<Violation[]> {
  const clients = await Promise.all(cluster.nodes.map((_, index) => cluster.connect({ to: [index] })));
  const states = () => Promise.all(clients.map(async (client) => (await client.admin("status", {})).state));
  let now = await states();
  for (let waitedMs = 0; waitedMs < SERVING_MS && now.some((state) => state !== "serving"); waitedMs += 500) {
    await pause(500);
    now = await states();
  }
  await Promise.all(clients.map((client) => client.close()));
  return now.filter((state) => state !== "serving")
    .map((state) => ({ checker: "a node does not serve after healing", detail: state }));
}

/** Read every key from all replicas, through every node; then look at what the replicas hold. */
async function readEverything(
  cluster: Cluster,
  history: History,
  keys: readonly string[],
  pause: (ms: number) => Promise<void>,
): Promise<ReplicaState[]> {
  const clients = await Promise.all(cluster.nodes.map((_, index) => cluster.connect({ to: [index] })));
  const { quorum } = await clients[0]!.admin("clusterState", {});
  for (const [index, client] of clients.entries()) {
    const caller = new Caller(`final${index}`, client, history);
    for (const key of keys) await caller.get(key, FINAL_TIMEOUT_MS, quorum.n);
    await pause(500); // repairs arrive
  }
  const states = (await Promise.all(keys.map((key) => replicaStates(clients[0]!, key)))).flat();
  await Promise.all(clients.map((client) => client.close()));
  return states;
}

/** What each replica says that it holds of a key. */
export async function replicaStates(client: Client, key: string): Promise<ReplicaState[]> {
  const { replicas } = await client.admin("explain", {
    key: new TextEncoder().encode(key),
    timeoutMs: 1_000,
  });
  return replicas.map(({ node, answer, version, siblings }) => ({
    key,
    node: node.slice(0, 8),
    state: JSON.stringify({ answer, version, siblings }),
  }));
}

/** A failing run for people: what is wrong, what led to it, and how to see it again. */
export function explainRun({ seed, options, violations, faults, operations }: Report): string {
  const keys = new Set(violations.map(({ key }) => key));
  return [
    `seed ${seed}: ${violations.length} violations; again:`,
    `  deno run -A tests/sim/replay.ts ${seed} '${JSON.stringify(options)}'`,
    ...violations.slice(0, 10).map(({ checker, detail }) => `  ${checker}: ${detail}`),
    ...faults.map((line) => `  fault ${line}`),
    ...operations.filter(({ key }) => keys.has(key)).slice(-80).map((one) => `  ${describe(one)}`),
  ].join("\n");
}
