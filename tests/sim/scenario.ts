/**
 * One history: a cluster, clients at work on it, faults; then everything heals, and every key is read from every
 * replica, through every node. What clients saw and what is left is for the checkers.
 *
 * @module
 */

import type { SeenMessage } from "../../actors/simulated/links.ts";
import type { LogLine } from "../../actors/simulated/log.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { HINT_STORE_CORE } from "../../actors/handoff/hint_store.ts";
import { FAULTS, MEMBERSHIP } from "../../actors/simulated/faults.ts";
import type { Client } from "../../net/client.ts";
import { Cluster, type ClusterOptions } from "../../net/cluster.ts";
import type { NodeCores, NodeOptions } from "../../net/node.ts";
import { HINT_MEMORY_CORE } from "../../net/hint_memory.ts";
import { NODE_MEMORY_CORE } from "../../net/node_memory.ts";
import type { Engine } from "../../storage/engine.ts";
import type { EngineName } from "../../storage/engines.ts";
import {
  check,
  type Ending,
  type Evidence,
  lateRetries,
  type NodeView,
  type ReplicaState,
  type TreeState,
  type Violation,
} from "./checkers.ts";
import { resumedMoves } from "./census.ts";
import { leadingTo } from "./conviction.ts";
import { History, type Operation } from "./history.ts";
import type { Plan } from "./plan.ts";
import { withOneDown } from "./one_down.ts";
import { Caller, keysOf, work } from "./workload.ts";

/** What a plan does not say: how it is looked at, and what is wrong with the nodes on purpose. */
export interface SimulateOptions {
  /** Bugs to plant in the nodes. */
  readonly cores?: ClusterOptions["cores"];
  /** Bugs to plant in the clients. */
  readonly client?: ClusterOptions["client"];
  /** Whether hash trees are waited for and judged (default true); where anti-entropy is off they are not equal. */
  readonly judgesTrees?: boolean;
  /** Options of every node. */
  readonly node?: Omit<NodeOptions, "host" | "port" | "advertise" | "seeds" | "quorum">;
  /** Hears what nodes log. */
  readonly onLog?: (line: LogLine) => void;
  /** Is told of everything that travels between machines. */
  readonly onMessage?: (message: SeenMessage) => void;
}

/** What came of it. */
export interface Report {
  /** What was run. */
  readonly plan: Plan;
  /** What clients saw. */
  readonly operations: readonly Operation[];
  /** What went wrong, when, and whom it befell. */
  readonly troubles: Cluster["troubles"];
  /** What must not be. */
  readonly violations: readonly Violation[];
  /** How often each kind of fault was injected. */
  readonly injected: Readonly<Record<string, number>>;
  /** What else happened, by kind: see {@link FIGURES}. */
  readonly figures: Readonly<Record<Figure, number>>;
  /** Values that a retry made again after they had been replaced: see `lateRetries` in `checkers.ts`. */
  readonly lateRetries: number;
  /** Tells one history from another. */
  readonly traceHash: number;
  /** The last events. */
  readonly trace: readonly string[];
  /** Events that happened. */
  readonly events: number;
  /** Simulated milliseconds. */
  readonly simulatedMs: number;
}

/** Those that take nodes that are no replicas: objects kept for others, and what became of them. */
export const HINT_FIGURES = ["hints taken", "hints delivered", "hints refused", "sloppy writes"] as const;

/** What is counted of every history, besides faults: over many histories none of these may be zero. */
export const FIGURES = [
  "operations",
  "failovers",
  "siblings",
  "quorum failures",
  "repairs",
  "restarts",
  "joins",
  "leaves",
  "resumed moves",
  ...HINT_FIGURES,
] as const;

/** One of {@link FIGURES}. */
export type Figure = (typeof FIGURES)[number];

/** Keys are spread over few partitions: a history is about versions, and a small ring is quickly agreed on. */
const PARTITIONS = 16;
const FINAL_TIMEOUT_MS = 10_000;
/** Everything that was under way when the faults healed is over by then. */
const SETTLE_MS = 3_000;
/** All hints are back by then. */
const HINTS_MS = 15_000;
const REPAIR_MS = 500;
/** All owners of a partition hold the same so long after that, and are asked so often. */
const TREES_MS = 30_000;
const LOOK_MS = 500;
const CONNECT_MS = 100;
/** A history writes little. With files so short, they end and are rewritten in it as in months of use. */
const STORE: Readonly<Record<EngineName, Readonly<Record<string, number>>>> = {
  memory: { segmentBytes: 16 * 1024, deadBytes: 8 * 1024 },
  bitcask: { segmentBytes: 16 * 1024, deadBytes: 8 * 1024 },
  lsm: {
    segmentBytes: 16 * 1024,
    memtableBytes: 8 * 1024,
    waitingBytes: 64 * 1024,
    blockBytes: 1024,
    tableBytes: 4 * 1024,
    levelBytes: 16 * 1024,
    level0Tables: 2,
    level0MaxTables: 8,
    cacheBytes: 16 * 1024,
    openTables: 4,
    compressFrom: 2,
    reserveBytes: 4 * 1024,
    sliceBytes: 2 * 1024,
  },
};

/** Make the history of a plan. */
export async function simulate(plan: Plan, options: SimulateOptions = {}): Promise<Report> {
  const { cores, client, node, onLog, onMessage, judgesTrees = true } = options;
  const crashes: Violation[] = [];
  const stores: Stores = new Map();
  const endsMs: number[] = [];
  let hintActors = 0;
  const cluster = await Cluster.inProcess({
    seed: plan.seed,
    nodes: plan.members,
    machines: plan.nodes,
    faults: plan.faults,
    node: {
      partitions: PARTITIONS,
      storage: { engine: plan.engine },
      ...node,
      quorum: { ...plan.quorum, sloppy: plan.sloppy },
    },
    cores: withSmallStore(plan, cores, stores, () => hintActors++),
    ...(client && { client }),
    onLog: (line) => {
      if (isCrash(line)) crashes.push(crashOf(line));
      if (isLastStep(line)) endsMs.push(line.at);
      onLog?.(line);
    },
    ...(onMessage && { onMessage }),
  });
  const world = cluster.simulation!;
  const history = new History(() => world.now());
  const violations: Violation[] = [];
  let ending: Ending = { nodes: [], replicas: [] };
  await cluster.run(async () => {
    await workAll(plan, cluster, history);
    await cluster.heal().catch((error: Error) => {
      violations.push({ checker: "a node does not serve after healing", detail: error.message });
    });
    await cluster.sleep(SETTLE_MS);
    ending = await endingOf(plan, cluster, history, stores, judgesTrees).catch((error: Error) => {
      violations.push({ checker: "the cluster cannot be asked after healing", detail: error.message });
      return { nodes: [], replicas: [] };
    });
    if (violations.length === 0) {
      violations.push(...await withOneDown(plan, cluster, membersOf(cluster, ending)));
    }
  });
  const losses = plan.faults.some(({ kind }) => FAULTS[kind].loses);
  const { operations } = history;
  const restores = plan.faults.some(({ kind }) => kind === "restore");
  const evidence = {
    n: plan.quorum.n,
    losses,
    restores,
    sloppy: plan.sloppy,
    starts: startsOf(plan, cluster) + handovers(plan) + hintActors,
    ...troubledOf(plan),
    operations,
    ending,
  };
  violations.push(...check(evidence), ...crashes);
  const report = {
    plan,
    operations,
    troubles: cluster.troubles,
    violations,
    lateRetries: lateRetries(evidence),
    injected: Object.fromEntries([...world.injected].sort(([a], [b]) => a < b ? -1 : 1)),
    figures: figuresOf(operations, cluster, ending, endsMs),
    traceHash: world.traceHash,
    trace: world.trace(),
    events: world.eventCount,
    simulatedMs: world.now(),
  };
  await cluster[Symbol.asyncDispose]();
  return report;
}

/** The store of each node, as it was opened last. */
type Stores = Map<number, Engine>;

function withSmallStore(
  { hintBytes }: Plan,
  cores: ClusterOptions["cores"] = {},
  stores: Stores,
  onHintActor: () => void,
): (index: number) => NodeCores {
  return (index) => {
    const own = typeof cores === "function" ? cores(index) : cores;
    const { openEngine } = { ...NODE_MEMORY_CORE, ...own.memory };
    const { openHints } = { ...HINT_MEMORY_CORE, ...own.hints };
    return {
      ...own,
      hints: { openHints: (engine, options) => openHints(engine, { ...options, ...STORE[engine] }) },
      hintStore: {
        ...(hintBytes > 0 && {
          hasRoom: ({ totalBytes, addedBytes }) => addedBytes <= 0 || totalBytes + addedBytes <= hintBytes,
        }),
        ...own.hintStore,
        newActorId: (random) => {
          onHintActor();
          return HINT_STORE_CORE.newActorId(random);
        },
      },
      memory: {
        ...own.memory,
        openEngine: async (engine, options) => {
          const store = await openEngine(engine, { ...options, ...STORE[engine] });
          stores.set(index, store);
          return store;
        },
      },
    };
  };
}

/** Whether a line tells of an actor that no fault made crash: supervisors hide such bugs. */
function isCrash({ message, fields }: LogLine): boolean {
  return message === "actor crashed" && fields["error"] !== "crashed on request";
}

/** Whether the last ring of a change of members was agreed to. */
function isLastStep({ message, fields }: LogLine): boolean {
  return message === "a membership change goes on" && fields["outcome"] === "committed" &&
    fields["left"] === 0;
}

function crashOf({ at, node, fields }: LogLine): Violation {
  const detail = `${at.toFixed(1)} ${node}: ${fields["actor"]}: ${fields["error"]}`;
  return { checker: "an actor crashed by itself", detail };
}

/** Every client, from its first call to its last, and time until the plan is over. */
async function workAll(plan: Plan, cluster: Cluster, history: History): Promise<void> {
  const world = cluster.simulation!;
  const startMs = world.now();
  const sleepUntil = (atMs: number) => cluster.sleep(startMs + atMs - world.now());
  await Promise.all(plan.clients.map(async (calls, index) => {
    const name = `c${index}`;
    const to = Array.from({ length: plan.members }, (_, at) => (index + at) % plan.members);
    const client = await connect(cluster, to);
    await work(new Caller(name, client, history, plan.quorum), name, calls, plan.timeoutMs, sleepUntil);
    await client.close();
  }));
  await sleepUntil(plan.forMs);
}

/** Connect to the first of these that runs, as soon as one does. */
async function connect(cluster: Cluster, to: readonly number[]): Promise<Client> {
  while (true) {
    try {
      return await cluster.connect({ to });
    } catch {
      await cluster.sleep(CONNECT_MS);
    }
  }
}

/** Read every key from all replicas, through every member; then look at what nodes and replicas say. */
export async function endingOf(
  plan: Plan,
  cluster: Cluster,
  history: History,
  stores: ReadonlyMap<number, Engine> = new Map(),
  judgesTrees = true,
): Promise<Ending> {
  const clients = await connectToMembers(cluster);
  await untilHintsAreBack(cluster, clients);
  const { quorum: { n } } = await clients[0]!.admin("clusterState", {});
  const trees = judgesTrees && await treesOf(clients, (ms) => cluster.sleep(ms));
  // First a write through each, to all replicas: who only reads well has not healed.
  for (const [index, client] of clients.entries()) {
    const caller = new Caller(`final${index}`, client, history, plan.quorum);
    const asked = { timeoutMs: FINAL_TIMEOUT_MS, quorum: n, informed: false, isFinal: true };
    await caller.write("last", `final${index}`, asked);
  }
  for (const [index, client] of clients.entries()) {
    const caller = new Caller(`final${index}`, client, history, plan.quorum);
    for (const key of [...keysOf(plan), "last"]) {
      await caller.get(key, { timeoutMs: FINAL_TIMEOUT_MS, quorum: n, isFinal: true });
    }
    await cluster.sleep(REPAIR_MS);
  }
  const replicas =
    (await Promise.all([...keysOf(plan), "last"].map((key) => replicaStates(clients[0]!, key)))).flat();
  const nodes = await Promise.all(
    clients.map((client) => viewOf(client, stores.get(indexOf(client.address)))),
  );
  await Promise.all(clients.map((client) => client.close()));
  return { nodes, replicas, ...(trees && { trees }) };
}

/** What owners say of their hash trees, once they say the same or have had the time to. */
async function treesOf(
  clients: readonly Client[],
  sleep: (ms: number) => Promise<void>,
): Promise<TreeState[]> {
  for (let waitedMs = 0;; waitedMs += LOOK_MS) {
    const trees: TreeState[] = [];
    for (const client of clients) {
      const [{ node }, { partitions }] = await Promise.all([
        client.admin("status", {}),
        client.admin("partitions", {}),
      ]);
      trees.push(...partitions.map(({ partition, keys, digest }) => ({ node, partition, keys, digest })));
    }
    const isKnown = trees.every(({ digest }) => digest !== null);
    const owners = Map.groupBy(trees, ({ partition }) => partition).values();
    const isOne = (some: readonly TreeState[]) => new Set(some.map(({ digest }) => digest)).size === 1;
    if (isKnown && owners.every(isOne) || waitedMs >= TREES_MS) return trees;
    await sleep(LOOK_MS);
  }
}

/** After healing members are heard of again, and hints are given back; both within a bound. */
async function untilHintsAreBack(cluster: Cluster, clients: readonly Client[]): Promise<void> {
  for (let waitedMs = 0; waitedMs < HINTS_MS; waitedMs += CONNECT_MS) {
    const statuses = await Promise.all(clients.map((client) => client.admin("status", {})));
    if (statuses.every(({ hints }) => hints.count === 0)) return;
    await cluster.sleep(CONNECT_MS);
  }
}

/** A client for each node that says it belongs to the first one's cluster. One that was not let in is on its own. */
async function connectToMembers(cluster: Cluster): Promise<Client[]> {
  const all = await Promise.all(
    cluster.addresses.map((address) => cluster.connect({ to: [indexOf(address)] })),
  );
  const states = await Promise.all(all.map((client) => client.admin("clusterState", {})));
  const isMember = (_: unknown, index: number) => states[index]!.clusterId === states[0]!.clusterId;
  const clients = all.filter(isMember);
  await Promise.all(all.filter((client) => !clients.includes(client)).map((client) => client.close()));
  return clients;
}

/** Indexes of the nodes that belong to the first one's cluster. */
function membersOf(cluster: Cluster, { nodes }: Ending): number[] {
  const ids = new Set(nodes.map(({ status }) => status.node));
  return cluster.addresses.map(indexOf).filter((index) => ids.has(cluster.node(index).id));
}

function indexOf(address: string): number {
  return Number(address.split(":")[1]) - 3001;
}

/** What a node says of itself and its cluster. */
async function viewOf(client: Client, store: Engine | undefined): Promise<NodeView> {
  const [status, state, ring] = await Promise.all([
    client.admin("status", {}),
    client.admin("clusterState", {}),
    client.admin("ring", {}),
  ]);
  if (store === undefined) return { status, state, ring };
  // Counted one by one: an engine may count a key once for each file that holds it.
  const engine = { ...status.store.engine, keys: await keysIn(store) };
  return { status: { ...status, store: { ...status.store, engine } }, state, ring };
}

async function keysIn(store: Engine): Promise<number> {
  let keys = 0;
  for (const partition of store.partitions()) {
    let after: Uint8Array | undefined;
    for (let done = false; !done;) {
      const bounds = { partition, limit: 100, limitBytes: 1 << 20, ...(after && { after }) };
      const page = await store.scan({ ...bounds, onDamaged: () => {} }); // what cannot be read is not held
      keys += page.entries.length;
      after = page.entries.at(-1)?.key;
      done = page.done || after === undefined;
    }
  }
  return keys;
}

/** What each replica says that it holds of a key. */
async function replicaStates(client: Client, key: string): Promise<ReplicaState[]> {
  const { replicas } = await client.admin("explain", { key: encodeUtf8(key), timeoutMs: 5_000 });
  return replicas.map(({ node, answer, version, siblings }) => ({ key, node, answer, version, siblings }));
}

/** After a crash callers hear at once that nothing is known; a node that is cut off from the others still answers. */
const NOT_SILENT: ReadonlySet<string> = new Set(["crash", "one-way", "two-way", ...MEMBERSHIP]);

/** How many nodes are away or slow at times, where nothing else goes wrong. */
function troubledOf({ faults }: Plan): Pick<Evidence, "troubled"> {
  if (faults.some(({ kind }) => FAULTS[kind].on !== "one" || NOT_SILENT.has(kind))) return {};
  return { troubled: new Set(faults.flatMap(({ nodes }) => nodes)).size };
}

/** Starts of replica stores, at most: of every node at first, by faults, by crashes, and by an operator who heals. */
function startsOf({ nodes }: Plan, { restarts, troubles }: Cluster): number {
  return nodes + restarts + troubles.filter(({ what }) => what.endsWith(" crashes")).length + nodes;
}

/** How often nodes that hand over partitions take a new actor id, at most: once for each, in each change. */
function handovers({ nodes, faults }: Plan): number {
  return faults.filter(({ kind }) => MEMBERSHIP.has(kind)).length * nodes * PARTITIONS;
}

const QUORUM_FAILURES = /quorum-unmet|unavailable|timeout/;

/** Nodes count since their last start: what those counted that were killed is missing. */
function figuresOf(
  operations: readonly Operation[],
  cluster: Cluster,
  { nodes }: Ending,
  endsMs: readonly number[],
): Report["figures"] {
  const sum = (of: (view: NodeView) => number) => nodes.reduce((total, view) => total + of(view), 0);
  return {
    operations: operations.filter(({ outcome }) => outcome === "ok").length,
    failovers: sum(({ status }) => status.coordinator.failovers),
    siblings: operations.filter(({ values }) => values.length > 1).length,
    "quorum failures": sum(({ status: { coordinator: { failures } } }) =>
      Object.entries(failures).reduce((total, [code, n]) => total + (QUORUM_FAILURES.test(code) ? n : 0), 0)
    ),
    repairs: sum(({ status }) => status.coordinator.readRepairs),
    restarts: cluster.restarts,
    "hints taken": sum(({ status }) => status.hints.taken),
    "hints delivered": sum(({ status }) => status.hints.delivered),
    "hints refused": sum(({ status }) => status.hints.refused),
    "sloppy writes": sum(({ status }) => status.coordinator.sloppyPuts),
    joins: cluster.troubles.filter(({ what }) => what === "is a member").length,
    leaves: cluster.troubles.filter(({ what }) => what === "leaves" || what === "is removed").length,
    "resumed moves": resumedMoves(cluster.troubles, endsMs),
  };
}

/** A failing history for people: what is wrong, and what led to the first of it. */
export function explainRun(report: Report): string {
  const { plan, violations, trace } = report;
  return [
    `seed ${plan.seed}: ${violations.length} violations`,
    ...violations.slice(0, 10).map(({ checker, detail }) => `  ${checker}: ${detail}`),
    ...violations.slice(0, 1).flatMap((first) => leadingTo(first, report)).map((line) => `  ${line}`),
    `  the last events: ${trace.slice(-5).map((line) => line.replace(/(?<=^\d+\.\d)\d+/, "")).join("; ")}`,
  ].join("\n");
}
