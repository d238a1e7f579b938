/**
 * A census of plans: which troubles meet in one history. A simulator that plays every kind of fault may still never
 * play two of them at once; what is never drawn is never survived.
 *
 * @module
 */

import { type Fault, type FaultKind, MEMBERSHIP } from "../../actors/simulated/faults.ts";
import type { Trouble } from "../../actors/simulated/nemesis.ts";
import type { Plan } from "./plan.ts";

/** What may go wrong while members change, by what it is about. */
export const GROUPS: Readonly<Record<string, readonly FaultKind[]>> = {
  "a bad network": ["loss", "delay", "duplicate", "reorder", "reset"],
  "a partition": ["one-way", "two-way", "majority", "ring", "bridge"],
  "a kill": ["kill", "power", "all-power", "stop"],
  "a crash": ["crash"],
  "a pause": ["pause", "slow-node"],
  "clock trouble": ["clock-skew", "clock-jump", "clock-drift"],
  "a disk fault": ["slow-disk", "no-space", "sync-error", "write-error", "short-write", "read-error"],
  "a lying disk": ["bit-flip", "misdirected-read", "misdirected-write", "bit-rot", "wipe", "restore"],
};

/** Kinds that take their node away for as long as they last. */
const AWAY: ReadonlySet<FaultKind> = new Set(["kill", "power", "stop", "wipe", "restore", "bit-rot"]);
/** A change takes about so long, where nothing is in its way. */
const CHANGE_MS = 3_000;
/** Who joins before then joins a cluster without data. */
const FOUNDED_MS = 3_000;
/** So long an absence is long. */
const LONG_MS = 10_000;
/** Whoever is away for so long is held to be down, and others keep hints for it. */
const NOTICED_MS = 3_000;

/** Every trait that some history should have. */
export const TRAITS: readonly string[] = [
  ...[...MEMBERSHIP].flatMap((kind) => Object.keys(GROUPS).map((group) => `${kind} during ${group}`)),
  "a newcomer dies while it copies",
  "a member dies while it hands over",
  "a bystander dies while partitions move",
  "another change is asked for while one is under way",
  "a long absence",
  "a long absence while members change",
  "hint stores that are soon full",
  "hint stores that are soon full while members change",
];

/** Those of {@link TRAITS} that a plan has. */
export function traitsOf(plan: Plan): Set<string> {
  const traits = new Set<string>();
  const changes = plan.faults.filter(({ kind, atMs }) =>
    MEMBERSHIP.has(kind) && (kind !== "join" || atMs >= FOUNDED_MS)
  );
  for (const change of changes) {
    for (const [group, kinds] of Object.entries(GROUPS)) {
      const meets = plan.faults.some((fault) => kinds.includes(fault.kind) && overlaps(change, fault));
      if (meets) traits.add(`${change.kind} during ${group}`);
    }
    for (const death of deathsIn(plan, change)) traits.add(roleOf(change, death));
    if (changes.some((one) => one.atMs > change.atMs && one.atMs < change.atMs + CHANGE_MS)) {
      traits.add("another change is asked for while one is under way");
    }
  }
  const during = (what: string) => {
    traits.add(what);
    if (changes.length > 0) traits.add(`${what} while members change`);
  };
  if (plan.faults.some(({ kind, lastsMs }) => AWAY.has(kind) && lastsMs >= LONG_MS)) during("a long absence");
  const isNoticed = plan.faults.some(({ kind, lastsMs }) => AWAY.has(kind) && lastsMs >= NOTICED_MS);
  const canFill = plan.hintBytes > 0 && plan.members > plan.quorum.n && isNoticed;
  if (canFill) during("hint stores that are soon full");
  return traits;
}

function overlaps({ atMs }: Fault, other: Fault): boolean {
  return other.atMs < atMs + CHANGE_MS && other.atMs + other.lastsMs > atMs;
}

/** Machines that die after a change began, and before it can have ended. */
function deathsIn({ faults }: Plan, change: Fault): number[] {
  return faults
    .filter(({ kind, atMs }) => AWAY.has(kind) && atMs > change.atMs && atMs < change.atMs + CHANGE_MS)
    .flatMap(({ nodes }) => nodes);
}

function roleOf({ kind, nodes }: Fault, death: number): string {
  const newcomer = kind === "join" ? nodes[0] : nodes[1];
  if (death === newcomer) return "a newcomer dies while it copies";
  return (kind === "leave" || kind === "succeed") && death === nodes[0]
    ? "a member dies while it hands over"
    : "a bystander dies while partitions move";
}

/** How many of these plans have each trait, in the order of {@link TRAITS}. */
export function census(plans: Iterable<Plan>): Map<string, number> {
  const counts = new Map(TRAITS.map((trait) => [trait, 0]));
  for (const plan of plans) {
    for (const trait of traitsOf(plan)) counts.set(trait, (counts.get(trait) ?? 0) + 1);
  }
  return counts;
}

/** What the nemesis says when a change of members has been agreed to. */
const BEGINS: ReadonlySet<string> = new Set(["is a member", "leaves", "is removed"]);
/** Later than so long after it began a death has little to do with a change. */
const UNDER_WAY_MS = 10_000;

/** Deaths in the middle of a change that came to its end all the same; `endsMs`: when changes did. */
export function resumedMoves(troubles: readonly Trouble[], endsMs: readonly number[]): number {
  const begins = troubles.filter(({ what, atMs }) => BEGINS.has(what) && atMs >= FOUNDED_MS);
  const isUnderWay = (atMs: number) =>
    begins.some((begun) =>
      begun.atMs < atMs && atMs < begun.atMs + UNDER_WAY_MS &&
      !endsMs.some((endMs) => begun.atMs < endMs && endMs < atMs)
    );
  return troubles.filter(({ fault, atMs }) =>
    fault !== undefined && (AWAY.has(fault.kind) || fault.kind === "all-power") && isUnderWay(atMs) &&
    endsMs.some((endMs) => endMs > atMs)
  ).length;
}
