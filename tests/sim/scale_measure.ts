/**
 * What is measured of gossip at scale, each a function of a seed: how soon a change of the ring is everywhere, and
 * what a stretch of a cluster's life is like.
 *
 * @module
 */

import { GossipCluster, type GossipClusterOptions, INTERVAL_MS } from "./scale_cluster.ts";

/** One measurement, as it is given to a worker. */
export interface Job extends Pick<GossipClusterOptions, "nodes" | "seed" | "loss"> {
  /** Which: {@link spread} or {@link live}. */
  readonly kind: "spread" | "life";
}

/** What came of a {@link Job}. */
export type Outcome = Job & ({ readonly spread: Spread } | { readonly life: Life });

/** Take one measurement. `onTime` hears now and then how far it is, in simulated milliseconds. */
export function measure(job: Job, onTime: (ms: number) => void): Outcome {
  const options = { ...job, onTime };
  return job.kind === "spread" ? { ...job, spread: spread(options) } : { ...job, life: live(options) };
}

/** How a change of the ring came to be everywhere. */
export interface Spread {
  /** Rounds (intervals, that is) until the first, second, … last node had it; infinite where one had not in time. */
  readonly rounds: readonly number[];
  /** Times that the ring was sent, per node. */
  readonly lessons: number;
}

/** Long enough for every node to have sent, and for rounds to be out of step. */
const SETTLE_MS = 2 * INTERVAL_MS;
const MOST_SPREAD_MS = 100 * INTERVAL_MS;

/** A ring changes at one node of a cluster that is well. */
export function spread(options: GossipClusterOptions): Spread {
  const cluster = new GossipCluster(options);
  cluster.run(SETTLE_MS + cluster.random.between(0, INTERVAL_MS));
  const changedMs = cluster.now;
  cluster.changeRing(cluster.random.integer(options.nodes));
  cluster.until(() => !cluster.learned(2).includes(null), MOST_SPREAD_MS);
  const rounds = cluster.learned(2).map((ms) => ms === null ? Infinity : (ms - changedMs) / INTERVAL_MS);
  return { rounds: rounds.sort((a, b) => a - b), lessons: cluster.lessons / options.nodes };
}

/** A stretch of a cluster's life: one node dies at its beginning, and one is suspected wrongly at its end. */
export interface Life {
  /** How long it was watched, over all nodes that lived. */
  readonly nodeHours: number;
  /** How often a node's own detector suspected one that lived. */
  readonly falseSuspicions: number;
  /** How often a node believed a rumour of such. */
  readonly falseBelieved: number;
  /** Until the node that died was suspected by the first, and by all, in milliseconds; infinite when not in time. */
  readonly suspectedMs: { readonly first: number; readonly all: number };
  /** Until nobody suspected any more the one that was suspected wrongly, in milliseconds, and how many had. */
  readonly refuted: { readonly ms: number; readonly doubters: number };
  /** Bytes a node sent per round on average, before that and from then on. */
  readonly bytesPerRound: { readonly early: number; readonly late: number };
  /** The most bytes that one node sent in one round's time. */
  readonly busiestBytes: number;
}

/** Times in a life, in milliseconds. */
export const LIFE = { warmUpMs: 20_000, watchMs: 30_000, mostSuspectMs: 180_000, mostRefuteMs: 60_000 };

/** Watch a cluster for a while. */
export function live(options: GossipClusterOptions, times: typeof LIFE = LIFE): Life {
  const cluster = new GossipCluster(options);
  const others = options.nodes - 1;
  pass(cluster, times.warmUpMs / 2);
  cluster.busiestBytes = 0;
  const early = bytesPerRound(cluster, options.nodes, times.warmUpMs / 2);
  const [dead, diedMs, before] = [
    cluster.random.integer(options.nodes),
    cluster.now,
    cluster.opinions.length,
  ];
  cluster.stop(dead);
  const late = bytesPerRound(cluster, others, times.watchMs);
  const news = cluster.opinions.slice(before);
  const wrong = news.filter(({ of, liveness }) => of !== dead && liveness === "suspect");
  cluster.until(() => cluster.doubters(dead).size === others, times.mostSuspectMs);
  const since = doubtedSince(cluster, dead).map((ms) => ms - diedMs);
  return {
    nodeHours: others * times.watchMs / 3_600_000,
    falseSuspicions: wrong.filter(({ isOwn }) => isOwn).length,
    falseBelieved: wrong.filter(({ isOwn }) => !isOwn).length,
    suspectedMs: {
      first: Math.min(...since),
      all: since.length < others ? Infinity : Math.max(...since),
    },
    bytesPerRound: { early, late },
    busiestBytes: cluster.busiestBytes,
    refuted: refute(cluster, (dead + 1) % options.nodes, (dead + 2) % options.nodes, times.mostRefuteMs),
  };
}

/** Let time pass; what each of so many nodes sent in a round of it. */
function bytesPerRound(cluster: GossipCluster, nodes: number, ms: number): number {
  const { bytes } = cluster;
  pass(cluster, ms);
  return (cluster.bytes - bytes) / nodes / (ms / INTERVAL_MS);
}

/** Let time pass, and tell of it every second. */
function pass(cluster: GossipCluster, ms: number): void {
  for (let leftMs = ms; leftMs > 0; leftMs -= 1_000) cluster.run(Math.min(leftMs, 1_000));
}

/** Since when each of those who doubt a member does so. */
function doubtedSince(cluster: GossipCluster, of: number): number[] {
  const since = new Map<number, number>();
  for (const { by, of: about, liveness, atMs } of cluster.opinions) {
    if (about !== of) continue;
    if (liveness === "alive") since.delete(by);
    else if (!since.has(by)) since.set(by, atMs);
  }
  return [...since.values()];
}

/** One node suspects another wrongly: how long until nobody does any more, and how many did. */
function refute(cluster: GossipCluster, by: number, of: number, mostMs: number): Life["refuted"] {
  const beganMs = cluster.now;
  const before = cluster.opinions.length;
  cluster.misjudge(by, of);
  const isOver = cluster.until(() => cluster.doubters(of).size === 0, mostMs);
  const doubts = cluster.opinions.slice(before).filter((opinion) => opinion.of === of);
  const doubters = new Set(doubts.filter(({ liveness }) => liveness !== "alive").map(({ by }) => by)).size;
  return { ms: isOver ? doubts.at(-1)!.atMs - beganMs : Infinity, doubters };
}
