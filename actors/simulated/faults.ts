/**
 * Faults: what may go wrong in a simulated cluster, and a timetable of it drawn from a seed.
 *
 * Naive: give every fault its chance in every run. Then every run is the same mixture; a bug that needs many
 * pauses and no restart hides behind the restarts. Instead each run draws which kinds of fault it has at all,
 * and how often each of them comes: swarm testing (Groce, Zhang, Eide, Chen and Regehr 2012, "Swarm Testing").
 *
 * A timetable is plain data, made before the run. So it can be printed, cut down while a failure still shows,
 * and played again; a fault that is left out changes nothing about the others.
 *
 * @module
 */

import type { SimulatedRandom } from "./random.ts";

/** What a kind of fault is. */
export interface KindFacts {
  /** For people. */
  readonly what: string;
  /** Whom it befalls: so many nodes, or everything. */
  readonly on: "one" | "some" | "all";
  /** How bad it is, from and to: a rate, milliseconds, a factor; what is drawn lies between. */
  readonly amount: readonly [low: number, high: number];
  /** Shortest and longest stretch of it, in milliseconds. */
  readonly lastsMs: readonly [low: number, high: number];
  /**
   * Whether a node may lose what it made durable. Of the nodes that acknowledged a write fewer than W may lose
   * their disks (DESIGN, section 9), so all faults of these kinds in one run befall the same node.
   */
  readonly loses?: true;
}

const SECOND = 1_000;
/** Ten years: what an NTP server that has lost its mind can do. */
const DECADE_MS = 10 * 365 * 24 * 3_600 * SECOND;

/** A kind of fault; {@link FAULTS} says what each is. */
export type FaultKind =
  | "loss"
  | "delay"
  | "duplicate"
  | "reorder"
  | "reset"
  | "one-way"
  | "two-way"
  | "majority"
  | "ring"
  | "bridge"
  | "kill"
  | "power"
  | "all-power"
  | "pause"
  | "crash"
  | "slow-node"
  | "clock-skew"
  | "clock-jump"
  | "clock-drift"
  | "slow-disk"
  | "no-space"
  | "sync-error"
  | "write-error"
  | "short-write"
  | "read-error"
  | "bit-flip"
  | "misdirected-read"
  | "misdirected-write"
  | "bit-rot"
  | "wipe"
  | "restore"
  | "join"
  | "stop"
  | "leave"
  | "force-remove"
  | "replace"
  | "cancel"
  | "succeed";

/** Every kind of fault there is. */
export const FAULTS: Readonly<Record<FaultKind, KindFacts>> = {
  // The network, for as long as it lasts.
  "loss": { what: "units vanish", on: "all", amount: [0.001, 0.03], lastsMs: [200, 6_000] },
  "delay": { what: "units come late", on: "all", amount: [20, 400], lastsMs: [200, 8_000] },
  "duplicate": { what: "units arrive twice", on: "all", amount: [0.001, 0.05], lastsMs: [200, 6_000] },
  "reorder": { what: "units overtake each other", on: "all", amount: [0.001, 0.05], lastsMs: [200, 6_000] },
  "reset": { what: "connections break", on: "all", amount: [0.001, 0.02], lastsMs: [200, 6_000] },
  // Partitions.
  "one-way": {
    what: "a node hears nobody, or nobody hears it",
    on: "one",
    amount: [0, 1],
    lastsMs: [100, 6_000],
  },
  "two-way": {
    what: "a node is cut off, from the others or from everyone",
    on: "one",
    amount: [0, 1],
    lastsMs: [100, 6_000],
  },
  "majority": { what: "two groups of nodes", on: "some", amount: [0, 1], lastsMs: [100, 6_000] },
  "ring": {
    what: "a node reaches its two neighbours only",
    on: "all",
    amount: [0, 1],
    lastsMs: [100, 6_000],
  },
  "bridge": { what: "two halves, and one node in both", on: "some", amount: [0, 1], lastsMs: [100, 6_000] },
  // Processes and machines.
  "kill": { what: "kill -9, then a restart", on: "one", amount: [0, 1], lastsMs: [10, 5_000] },
  "power": { what: "a power cut", on: "one", amount: [0, 1], lastsMs: [10, 5_000] },
  "all-power": { what: "a power cut of every node at once", on: "all", amount: [0, 1], lastsMs: [10, 2_000] },
  "pause": { what: "SIGSTOP, then SIGCONT", on: "one", amount: [0, 1], lastsMs: [10, 5_000] },
  "crash": { what: "an actor throws", on: "one", amount: [0, 1], lastsMs: [1, 2] },
  "slow-node": {
    what: "every event takes so many ms of its time",
    on: "one",
    amount: [0.1, 2],
    lastsMs: [200, 5_000],
  },
  // Clocks.
  "clock-skew": {
    what: "wall time is wrong by up to five minutes",
    on: "one",
    amount: [-300 * SECOND, 300 * SECOND],
    lastsMs: [500, 20_000],
  },
  "clock-jump": {
    what: "wall time jumps by up to ten years, and back",
    on: "one",
    amount: [-DECADE_MS, DECADE_MS],
    lastsMs: [10, 5_000],
  },
  "clock-drift": {
    what: "time runs fast or slow",
    on: "one",
    amount: [0.8, 1.25],
    lastsMs: [500, 20_000],
  },
  // Disks.
  "slow-disk": { what: "a sync takes so many ms", on: "one", amount: [20, 1_500], lastsMs: [200, 6_000] },
  "no-space": { what: "the disk is full", on: "one", amount: [0, 600], lastsMs: [200, 5_000] },
  "sync-error": { what: "syncs fail", on: "one", amount: [0.02, 1], lastsMs: [50, 3_000] },
  "write-error": { what: "writes fail with EIO", on: "one", amount: [0.02, 1], lastsMs: [50, 3_000] },
  "short-write": {
    what: "writes take a part of their bytes",
    on: "one",
    amount: [0.1, 1],
    lastsMs: [200, 6_000],
  },
  "read-error": {
    what: "a restart under reads that fail",
    on: "one",
    amount: [0.02, 0.5],
    lastsMs: [50, 3_000],
  },
  "bit-flip": {
    what: "a restart under reads with a bit flipped",
    on: "one",
    amount: [0.01, 0.3],
    lastsMs: [50, 2_000],
    loses: true,
  },
  "misdirected-read": {
    what: "a restart under reads from another place",
    on: "one",
    amount: [0.01, 0.3],
    lastsMs: [50, 2_000],
    loses: true,
  },
  "misdirected-write": {
    what: "writes land in another place, then a restart",
    on: "one",
    amount: [0.02, 0.5],
    lastsMs: [50, 2_000],
    loses: true,
  },
  "bit-rot": {
    what: "bits flip on the medium, then a restart",
    on: "one",
    amount: [1, 5],
    lastsMs: [10, 1_000],
    loses: true,
  },
  "wipe": {
    what: "the store is gone, then a restart",
    on: "one",
    amount: [0, 1],
    lastsMs: [10, 2_000],
    loses: true,
  },
  "restore": {
    what: "an older copy of the disk is put back, then a restart",
    on: "one",
    amount: [0, 1],
    lastsMs: [10, 2_000],
    loses: true,
  },
  // Membership.
  "join": { what: "a node asks to be a member", on: "one", amount: [0, 1], lastsMs: [1, 2] },
  // An operator.
  "stop": { what: "SIGTERM, then a restart", on: "one", amount: [0, 1], lastsMs: [10, 5_000] },
  "leave": { what: "a member hands over what it has, and goes", on: "one", amount: [0, 1], lastsMs: [1, 2] },
  "force-remove": {
    what: "a machine is lost, and removed by force",
    on: "one",
    amount: [0, 1],
    lastsMs: [1, 2],
    loses: true,
  },
  "replace": {
    what: "a machine is lost, and the second node takes its place",
    on: "one",
    amount: [0, 1],
    lastsMs: [1, 2],
    loses: true,
  },
  "cancel": { what: "a membership change is given up", on: "one", amount: [0, 1], lastsMs: [1, 2] },
  "succeed": {
    what: "a member hands all it has to the second node, and goes",
    on: "one",
    amount: [0, 1],
    lastsMs: [1, 2],
    loses: true, // should it be away when it is asked for, it counts as lost
  },
};

/** Kinds that change who is a member. */
export const MEMBERSHIP: ReadonlySet<FaultKind> = new Set([
  "join",
  "leave",
  "force-remove",
  "replace",
  "cancel",
  "succeed",
]);

/** The kinds, in the order of {@link FAULTS}. */
export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

/** One thing that goes wrong. */
export interface Fault {
  /** What. */
  readonly kind: FaultKind;
  /** When, in milliseconds after the first. */
  readonly atMs: number;
  /** For how long. */
  readonly lastsMs: number;
  /** Whom it befalls, by index from 0; empty where that goes without saying. */
  readonly nodes: readonly number[];
  /** How bad it is; see {@link FAULTS}. */
  readonly amount: number;
  /** Names the stream of chance for all that it leaves open, so that it is the same whatever else happens. */
  readonly draw: number;
}

/** Who loses what it had, of those whom a fault befalls: the second node of `replace` and `succeed` is who comes. */
export function losersOf({ kind, nodes }: Pick<Fault, "kind" | "nodes">): readonly number[] {
  return kind === "replace" || kind === "succeed" ? nodes.slice(0, 1) : nodes;
}

/** What a timetable is drawn from. */
export interface DrawOptions {
  /** How many nodes there are. */
  readonly nodes: number;
  /** For how long. */
  readonly forMs: number;
  /** Kinds to draw from. Default: all but those of {@link MEMBERSHIP}. */
  readonly kinds?: readonly FaultKind[];
  /** Draw all of `kinds` (a choice made by hand), not some of them. Default false. */
  readonly all?: boolean;
}

/** At least so many kinds in a run, where so many are to be had. */
const FEWEST_KINDS = 3;
/** Faults of one kind within ten seconds, from and to. */
const PER_TEN_SECONDS = [0.4, 4] as const;

/** A timetable, ordered by time. */
export function drawFaults(random: SimulatedRandom, options: DrawOptions): Fault[] {
  const { nodes, forMs, kinds = FAULT_KINDS.filter((kind) => !MEMBERSHIP.has(kind)), all = false } = options;
  const loser = random.integer(nodes);
  const chosen = all ? kinds : some(random, kinds);
  const faults = chosen.flatMap((kind) => {
    const own = random.fork(`kind/${kind}`);
    const [low, high] = PER_TEN_SECONDS;
    const everyMs = 10 * SECOND / (low * (high / low) ** own.next()); // as often small as large
    const stretch: Fault[] = [];
    for (let atMs = own.between(0, everyMs); atMs < forMs; atMs += own.between(0, 2 * everyMs)) {
      stretch.push(drawFault(own, kind, Math.round(atMs), nodes, loser));
    }
    return stretch;
  });
  return faults.sort((a, b) => a.atMs - b.atMs || FAULT_KINDS.indexOf(a.kind) - FAULT_KINDS.indexOf(b.kind));
}

function drawFault(
  random: SimulatedRandom,
  kind: FaultKind,
  atMs: number,
  nodes: number,
  loser: number,
): Fault {
  const { on, amount: [low, high], lastsMs: [shortest, longest], loses } = FAULTS[kind];
  const victim = random.integer(nodes);
  const who = on === "all" ? [] : on === "some" ? some(random, indexes(nodes), 1, nodes - 1) : [victim];
  // Short ones are as likely as long ones: a node is back before, or long after, the others have noticed.
  const lastsMs = Math.round(shortest * (longest / shortest) ** random.next());
  const rounded = Number(random.between(low, high).toPrecision(4));
  const amount = Math.min(high, Math.max(low, rounded)); // rounding may leave the range
  const draw = random.integer(2 ** 31);
  return { kind, atMs, lastsMs, nodes: loses ? [loser] : who, amount, draw };
}

/** Some of several, in their order: at least `fewest`. */
function some<T>(random: SimulatedRandom, of: readonly T[], fewest = FEWEST_KINDS, most = of.length): T[] {
  const count = Math.min(of.length, fewest + random.integer(Math.max(1, most - fewest + 1)));
  const left = indexes(of.length);
  const taken = Array.from({ length: count }, () => left.splice(random.integer(left.length), 1)[0]!);
  return taken.sort((a, b) => a - b).map((index) => of[index]!);
}

function indexes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** One line for people. */
export function describeFault({ kind, nodes, lastsMs, amount }: Fault): string {
  const who = nodes.length === 0 ? "" : ` node${nodes.map((index) => index + 1).join(", node")}`;
  return `${kind}${who} (${amount}) for ${lastsMs} ms`;
}
