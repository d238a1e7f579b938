/**
 * A plan: all that one history is made of, as plain data. A plan is drawn from a seed, a history is made from a
 * plan, and both are functions: the same in, the same out. What is left out of a plan changes nothing about the
 * rest of it, so a failing one can be cut down (`shrink.ts`), written to a file and played again.
 *
 * @module
 */

import {
  drawFaults,
  type Fault,
  FAULT_KINDS,
  type FaultKind,
  FAULTS,
  losersOf,
  MEMBERSHIP,
} from "../../actors/simulated/faults.ts";
import { SimulatedRandom } from "../../actors/simulated/random.ts";
import { DEFAULT_ENGINE, type EngineName } from "../../storage/engines.ts";

/** One call a client will make. */
export interface PlannedCall {
  /** When, in milliseconds after the start; later when the call before it has not ended by then. */
  readonly atMs: number;
  /** What. */
  readonly kind: "get" | "put" | "del";
  /** Of which key, by index. */
  readonly key: number;
  /** Whether it takes the context of this client's last read of the key along. */
  readonly informed: boolean;
  /** R or W of this call; 0 for the cluster's. */
  readonly quorum: number;
  /** How large the value is, in bytes. */
  readonly sizeBytes: number;
}

/** See the module. */
export interface Plan {
  /** Where it comes from; also decides everything that is not planned: delays, ids, what a crash leaves. */
  readonly seed: number;
  /** Machines. */
  readonly nodes: number;
  /** How many of them are members when the clients begin; the others ask to be, where there is a `join`. */
  readonly members: number;
  /** What records rest in. */
  readonly engine: EngineName;
  /** Replicas, and R and W of a call that names none. */
  readonly quorum: { readonly n: number; readonly r: number; readonly w: number };
  /** Whether nodes may stand in for replicas that are away. */
  readonly sloppy: boolean;
  /** How much each node may keep for others, in bytes; 0 for as much as there is room for in real ones. */
  readonly hintBytes: number;
  /** How many keys there are. */
  readonly keys: number;
  /** What clients allow for a call, in milliseconds. */
  readonly timeoutMs: number;
  /** What each client does, in order. */
  readonly clients: readonly (readonly PlannedCall[])[];
  /** What goes wrong. */
  readonly faults: readonly Fault[];
  /** How long clients and faults go on at least, in simulated milliseconds. */
  readonly forMs: number;
}

/** What can be asked of a plan; what is not, the seed decides. */
export interface PlanOptions {
  /** Machines. */
  readonly nodes?: number;
  /** Calls of all clients together, at least. */
  readonly ops?: number;
  /** What records rest in. */
  readonly engine?: EngineName;
  /** Kinds of fault: all of these, and no others. */
  readonly faults?: readonly FaultKind[];
  /** Kinds of fault: none of these. */
  readonly except?: readonly FaultKind[];
}

const FEWEST_NODES = 3;
const MOST_NODES = 7;
const OPS = 200;
const FOR_MS = 30_000;
/** One history in so many has members join while everything else goes on. */
const JOIN_EVERY = 2;
/** One history in so many has nodes stopped in order. */
const STOP_EVERY = 3;
/**
 * One of so many members may lose its disk. Of fewer, W is not more than one; and a member that lost what it had
 * promised votes no more, so that no vote of two ever ends.
 */
const FEWEST_TO_LOSE = 3;
/** Joining ends with the first write; until then clients of such a history mostly wait. */
const FOUNDING_MS = 6_000;

/** One history in so many has strict quorums. */
const STRICT_EVERY = 2;
/** One history in so many has hint stores that are soon full, of so many bytes. */
const SMALL_HINTS_EVERY = 4;
const SMALL_HINTS = 600;

/** Drawn on their own, so that plans without them are what they were. */
const DRAWN_APART: ReadonlySet<FaultKind> = new Set([...MEMBERSHIP, "stop"]);
/** So many histories of those in which nobody joins at the beginning have their members change under load. */
const CHANGES = 0.75;
/** Of those, so many have machines die while partitions move to or from them. */
const INTERRUPTIONS = 0.5;
/** One history in so many has a member away for long. */
const ABSENCE_EVERY = 4;

/** Draw a plan. */
export function planOf(seed: number, options: PlanOptions = {}): Plan {
  const random = new SimulatedRandom(`plan/${seed}`);
  const nodes = options.nodes ?? FEWEST_NODES + random.integer(MOST_NODES - FEWEST_NODES + 1);
  const { except = [] } = options;
  const asked = options.faults?.filter((kind) => !except.includes(kind));
  const draws = !except.includes("join") && random.fork("joins").integer(JOIN_EVERY) === 0;
  const joins = asked ? asked.includes("join") : draws;
  const work = drawWorkload(random.fork("workload"), options.ops ?? OPS, joins);
  const loser = random.fork("faults").integer(nodes); // as `drawFaults` draws it
  const isChanging = !joins && asked
    ? asked.some((kind) => MEMBERSHIP.has(kind))
    : !joins && random.fork("changing").next() < CHANGES;
  const changes = isChanging
    ? drawChanges(random.fork("changes"), {
      nodes,
      n: work.quorum.n,
      loser,
      kinds: (asked ?? [...MEMBERSHIP]).filter((kind) => !except.includes(kind)),
    })
    : { members: nodes, faults: [] };
  const members = joins ? 1 + random.fork("members").integer(nodes - 1) : changes.members;
  const joining = joins ? drawJoins(random.fork("join"), members, nodes) : [];
  const kinds = (asked ?? FAULT_KINDS).filter((kind) =>
    !DRAWN_APART.has(kind) && !except.includes(kind) && !(FAULTS[kind].loses && members < FEWEST_TO_LOSE)
  );
  const others = drawFaults(random.fork("faults"), { nodes, forMs: FOR_MS, kinds, all: asked !== undefined });
  const isStopped = asked
    ? asked.includes("stop")
    : !except.includes("stop") && random.fork("stops").integer(STOP_EVERY) === 0;
  const stops = isStopped
    ? drawFaults(random.fork("stop"), { nodes, forMs: FOR_MS, kinds: ["stop"], all: true })
    : [];
  const kills = asked === undefined && !except.includes("kill");
  const apart = kills
    ? [
      ...drawInterruptions(random.fork("interruptions"), changes.faults, nodes),
      ...drawAbsence(random.fork("absence"), members),
    ]
    : [];
  return {
    seed,
    nodes,
    members,
    engine: options.engine ?? DEFAULT_ENGINE,
    sloppy: random.fork("sloppy").integer(STRICT_EVERY) > 0,
    hintBytes: random.fork("hints").integer(SMALL_HINTS_EVERY) === 0 ? SMALL_HINTS : 0,
    ...work,
    faults: [...others, ...stops, ...joining, ...changes.faults, ...apart].sort((a, b) => a.atMs - b.atMs),
    forMs: FOR_MS,
  };
}

function drawJoins(random: SimulatedRandom, members: number, nodes: number): Fault[] {
  const together = random.chance(0.5);
  return Array.from({ length: nodes - members }, (_, index) => ({
    kind: "join",
    atMs: together ? 0 : random.integer(FOUNDING_MS / 2),
    lastsMs: 0,
    nodes: [members + index],
    amount: 0,
    draw: random.integer(2 ** 31),
  }));
}

/** What changes of members are drawn from. */
interface ChangeOptions {
  readonly nodes: number;
  readonly n: number;
  /** The one node that may lose its disk. */
  readonly loser: number;
  readonly kinds: readonly FaultKind[];
}

/** Changes begin between so many milliseconds after each other. */
const CHANGE_MS = [2_000, 9_000] as const;

/**
 * Some changes of members, one after the other; there are never fewer members than replicas. No change is given up
 * where a machine is lost: it would have to be removed again.
 */
function drawChanges(
  random: SimulatedRandom,
  { nodes, n, loser, kinds }: ChangeOptions,
): { readonly members: number; readonly faults: readonly Fault[] } {
  if (nodes <= n) return { members: nodes, faults: [] };
  const members = Math.max(FEWEST_TO_LOSE, n) >= nodes
    ? nodes
    : Math.max(FEWEST_TO_LOSE, n) + random.integer(nodes - Math.max(FEWEST_TO_LOSE, n));
  const present = Array.from({ length: members }, (_, index) => index);
  const spare = Array.from({ length: nodes - members }, (_, index) => members + index);
  const faults: Fault[] = [];
  const push = (kind: FaultKind, atMs: number, ...of: readonly number[]) =>
    faults.push({
      kind,
      atMs: Math.round(atMs),
      lastsMs: 1,
      nodes: of,
      amount: 0,
      draw: random.integer(2 ** 31),
    });
  const isLossy = random.chance(0.5) && kinds.some((kind) => FAULTS[kind].loses);
  let atMs = random.between(...CHANGE_MS);
  for (let left = 1 + random.integer(3); left > 0; left--, atMs += random.between(...CHANGE_MS)) {
    const canLose = isLossy && present.includes(loser) && members > 2;
    const possible = kinds.filter((kind) =>
      kind === "join"
        ? spare.length > 0
        : kind === "replace" || kind === "succeed"
        ? canLose && spare.length > 0
        : kind === "leave"
        ? present.length > n
        : kind === "force-remove" && canLose && present.length > n
    );
    if (possible.length === 0) break;
    const losing = possible.filter((kind) => FAULTS[kind].loses);
    const kind = random.pick(losing.length > 0 && random.chance(0.7) ? losing : possible);
    const isCancelled = !isLossy && kinds.includes("cancel") && random.chance(0.3);
    const goes = FAULTS[kind].loses ? loser : random.pick(present);
    if (kind === "join" || kind === "replace" || kind === "succeed") {
      const comes = spare.shift()!;
      if (kind === "join") push(kind, atMs, comes);
      else push(kind, atMs, goes, comes);
      if (!isCancelled) present.push(comes);
    } else push(kind, atMs, goes);
    if (kind !== "join") present.splice(present.indexOf(goes), 1);
    if (isCancelled) push("cancel", atMs + random.between(100, 2_000), random.pick(present));
  }
  return { members, faults };
}

/** From the beginning of a change on a machine may die for so long: partitions move in the first second or two. */
const INTERRUPTED_MS = [50, 2_500] as const;
/** A process is back after so long: before the others have noticed, or long after. */
const BACK_MS = [10, 4_000] as const;

/** Machines that die while partitions move: those that give, those that take, and bystanders. */
function drawInterruptions(random: SimulatedRandom, changes: readonly Fault[], nodes: number): Fault[] {
  if (!random.chance(INTERRUPTIONS)) return [];
  return changes.filter(({ kind }) => kind !== "cancel").map((change) => {
    const { kind, atMs } = change;
    // Who is lost cannot die again.
    const sides = kind === "replace" ? change.nodes.slice(1) : kind === "force-remove" ? [] : change.nodes;
    const victim = sides.length > 0 && random.chance(0.7) ? random.pick(sides) : random.integer(nodes);
    const [shortest, longest] = BACK_MS;
    return {
      kind: random.chance(0.5) ? "kill" : "power",
      atMs: Math.round(atMs + random.between(...INTERRUPTED_MS)),
      lastsMs: Math.round(shortest * (longest / shortest) ** random.next()),
      nodes: [victim],
      amount: 0,
      draw: random.integer(2 ** 31),
    };
  });
}

/** Long enough for anything that is bounded to fill up, and for whoever waits to give up. */
const ABSENCE_MS = [12_000, 22_000] as const;

function drawAbsence(random: SimulatedRandom, members: number): Fault[] {
  if (random.integer(ABSENCE_EVERY) > 0) return [];
  const lastsMs = Math.round(random.between(...ABSENCE_MS));
  return [{
    kind: random.chance(0.5) ? "kill" : "power",
    atMs: Math.round(random.between(0, FOR_MS - lastsMs)),
    lastsMs,
    nodes: [random.integer(members)],
    amount: 0,
    draw: random.integer(2 ** 31),
  }];
}

/** Quorums that overlap, some of them not the default. */
const QUORUMS = [
  { n: 3, r: 2, w: 2 },
  { n: 3, r: 2, w: 2 },
  { n: 3, r: 2, w: 2 },
  { n: 3, r: 1, w: 3 },
  { n: 3, r: 3, w: 1 },
  { n: 5, r: 3, w: 3 },
  { n: 2, r: 1, w: 2 },
] as const;

function drawWorkload(
  random: SimulatedRandom,
  ops: number,
  joins: boolean,
): Pick<Plan, "quorum" | "keys" | "timeoutMs" | "clients"> {
  const count = 3 + random.integer(4);
  const keys = 5 + random.integer(4);
  const quorum = random.pick(QUORUMS);
  const mix = {
    reads: random.between(0.25, 0.6),
    deletes: random.between(0.02, 0.2),
    informed: random.between(0.5, 1),
    // Contention: how much of the work goes to the first key, and how much of it comes in bursts.
    hot: random.between(0, 0.6),
    burst: random.between(0, 0.9),
    large: random.chance(0.2) ? 0.05 : 0,
    odd: random.chance(0.3) ? 0.2 : 0,
  };
  const clients = Array.from({ length: count }, (_, index) => {
    const own = random.fork(`client${index}`);
    const length = Math.ceil(ops / count);
    const first = joins && !own.chance(0.2) ? FOUNDING_MS : 0;
    const calls: PlannedCall[] = [];
    let atMs = first;
    for (let call = 0; call < length; call++) {
      const pause = 2 * (FOR_MS - first) / length;
      atMs += own.chance(mix.burst) ? own.between(0, 5) : own.between(0, pause / (1.001 - mix.burst));
      calls.push(drawCall(own, Math.min(FOR_MS, Math.round(atMs)), keys, quorum.n, mix));
    }
    return calls;
  });
  return { quorum, keys, timeoutMs: random.pick([500, 1_000, 1_000, 2_000, 5_000]), clients };
}

function drawCall(
  random: SimulatedRandom,
  atMs: number,
  keys: number,
  n: number,
  mix: Readonly<Record<"reads" | "deletes" | "informed" | "hot" | "large" | "odd", number>>,
): PlannedCall {
  const dice = random.next();
  const kind = dice < mix.reads ? "get" : dice < 1 - mix.deletes ? "put" : "del";
  return {
    atMs,
    kind,
    key: random.chance(mix.hot) ? 0 : random.integer(keys),
    informed: random.chance(mix.informed),
    quorum: random.chance(mix.odd) ? 1 + random.integer(n) : 0,
    sizeBytes: random.chance(mix.large) ? 1 + random.integer(200_000) : 0,
  };
}

/** Whether a plan asks for no more than is promised, as every one that is drawn: see {@link FEWEST_TO_LOSE}. */
export function isFair({ members, faults }: Plan): boolean {
  const losers = new Set(faults.filter(({ kind }) => FAULTS[kind].loses).flatMap(losersOf));
  return losers.size === 0 || (losers.size === 1 && members >= FEWEST_TO_LOSE);
}

/** How many calls a plan has. */
export function callsOf({ clients }: Plan): number {
  return clients.reduce((sum, calls) => sum + calls.length, 0);
}
