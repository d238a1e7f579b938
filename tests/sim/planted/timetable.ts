/**
 * Timetables by hand, for bugs that need one thing to happen right after another: chance would get there, but not
 * within a few seeds. What clients do, and all that a plan leaves open, is drawn as ever.
 *
 * @module
 */

import type { Fault, FaultKind } from "../../../actors/simulated/faults.ts";
import type { Plan, PlannedCall } from "../plan.ts";

/** A fault of one node; `amount`: how bad it is. */
export function fault(kind: FaultKind, node: number, atMs: number, lastsMs: number, amount = 0): Fault {
  return { kind, nodes: [node], atMs, lastsMs, amount, draw: atMs };
}

/** A plan with more faults. */
export function withFaults(plan: Plan, more: readonly Fault[]): Plan {
  return { ...plan, faults: [...plan.faults, ...more].sort((a, b) => a.atMs - b.atMs) };
}

/** A node loses its store while nobody can give it back, and is restarted before anybody can. */
export function wipedAlone(plan: Plan): Plan {
  return withFaults(plan, [
    fault("kill", 1, 9_900, 4_000),
    fault("kill", 2, 9_900, 4_000),
    fault("wipe", 0, 10_000, 50),
    fault("kill", 0, 11_000, 50),
  ]);
}

/** A node loses its store, another one has missed the last writes, and the third, which has them, is away. */
export function wipedBesideStale(plan: Plan): Plan {
  return withFaults(plan, [
    fault("two-way", 2, 5_000, 5_000),
    fault("kill", 1, 9_900, 4_000),
    fault("wipe", 0, 9_900, 50),
  ]);
}

/** Clients begin so late that everybody can be a member by then. */
const FOUNDING_MS = 6_000;

/** A cluster of two, which all others want to join at the same moment; clients begin at `fromMs`. */
export function founded(plan: Plan, fromMs = FOUNDING_MS): Plan {
  const members = 2;
  const joins = Array.from({ length: plan.nodes - members }, (_, at) => fault("join", members + at, 0, 0));
  const clients = plan.clients.map((calls) =>
    calls.map((call) => ({ ...call, atMs: Math.max(call.atMs - FOUNDING_MS, 0) + fromMs }))
  );
  const others = plan.faults.filter(({ kind }) => kind !== "join");
  return withFaults({ ...plan, members, clients, faults: others }, joins);
}

/** A cluster that was founded, and later one of the two is put back to where it was at the beginning. */
export function putBack(plan: Plan): Plan {
  return withFaults(founded(plan), [fault("kill", 1, 20, 10), fault("restore", 1, 9_000, 100)]);
}

/** Whatever happens, it happens to one node; clients have time. */
export function oneVictim(plan: Plan): Plan {
  const faults = plan.faults.map((one) => ({ ...one, nodes: [plan.seed % plan.nodes] }));
  return { ...plan, faults, timeoutMs: 5_000 };
}

/** Connections break all the time. */
export function brittle(plan: Plan): Plan {
  return withFaults(plan, [{ ...fault("reset", 0, 0, plan.forMs, 0.02), nodes: [] }]);
}

/** A disk that rots fast. */
export function rotten(plan: Plan): Plan {
  return withFaults(plan, [1, 2, 3].map((turn) => fault("bit-rot", 0, 8_000 * turn, 50, 30)));
}

/**
 * Half of the nodes lie down by turns, so that many a key has no primary for a while; those that come back find that
 * their disks are full for a moment, and the others lose their power soon after.
 */
export function hintsAtRisk(plan: Plan): Plan {
  const halves = [[0, 1, 2], [3, 4, 5]];
  return withFaults(
    plan,
    [0, 1, 2, 3].flatMap((turn) => {
      const [down, up] = turn % 2 === 0 ? [halves[0]!, halves[1]!] : [halves[1]!, halves[0]!];
      const atMs = 500 + 7_000 * turn;
      return [
        ...down.map((node) => fault("kill", node, atMs, 4_000)),
        ...down.map((node) => fault("no-space", node, atMs + 3_900, 1_500, 0)),
        ...up.map((node) => fault("power", node, atMs + 5_000, 200)),
      ];
    }),
  );
}

/** The same half of the nodes lies down again and again; the others stand in for it, and give back what they took. */
export function halfAway(plan: Plan): Plan {
  const turns = [0, 1, 2, 3, 4].map((turn) => 500 + 6_000 * turn);
  return withFaults(plan, turns.flatMap((atMs) => [0, 1, 2].map((node) => fault("kill", node, atMs, 3_000))));
}

/** A cluster of three that a fourth node joins while clients write, and that the first one leaves later. */
export function changing(plan: Plan): Plan {
  const members = 3;
  const newcomers = Array.from(
    { length: plan.nodes - members },
    (_, at) => fault("join", members + at, 8_000, 1),
  );
  return withFaults({ ...plan, members }, [...newcomers, fault("leave", 0, 18_000, 1)]);
}

/** What happens to every key: what, when, and with how many replicas. */
type Script = readonly (readonly [kind: PlannedCall["kind"], atMs: number, quorum: number])[];

/** Keys one after the other, so soon. */
const STAGGER_MS = 30;

/** Clients that do the same to all keys, and nothing else; who deletes has read. */
function scripted(plan: Plan, script: Script, keys = 12): Plan {
  const clients = plan.clients.map((_, client) =>
    script.flatMap(([kind, atMs, quorum]) =>
      Array.from({ length: keys }, (_, key): PlannedCall => {
        const informed = kind === "del";
        return { kind, atMs: atMs + STAGGER_MS * key, key, quorum, informed, sizeBytes: 0 };
      }).filter(({ key }) => key % plan.clients.length === client)
    )
  );
  return { ...plan, clients, keys, timeoutMs: 1_000 };
}

/** A node is away while keys are deleted, and for longer than it takes to collect what all others have deleted. */
export function awayThroughCollection(plan: Plan): Plan {
  const script = [["put", 500, 3], ["get", 3_500, 0], ["del", 4_500, 0], ["get", 25_000, 0]] as const;
  return withFaults(scripted(plan, script), [fault("kill", 2, 2_500, 20_000)]);
}

/** A node is put back to where it was before keys were deleted, once that has been forgotten. */
export function putBackAfterCollection(plan: Plan): Plan {
  const script = [["put", 500, 3], ["get", 3_500, 0], ["del", 4_500, 3], ["get", 26_000, 0]] as const;
  const faults = [fault("kill", 1, 2_500, 100), fault("restore", 1, 20_000, 100)];
  return withFaults(scripted(plan, script), faults);
}

/** The same of one who has given back what it kept for another, and keeps it again. */
export function hintsPutBack(plan: Plan): Plan {
  const script = [["put", 1_500, 2], ["get", 7_000, 3], ["del", 8_000, 3], ["get", 27_000, 0]] as const;
  const faults = [
    fault("kill", 0, 1_000, 3_000),
    fault("kill", 1, 3_000, 100),
    fault("restore", 1, 22_000, 100),
  ];
  return withFaults(scripted(plan, script), faults);
}

/** Half of the nodes are down at times, so that the others keep what is for them, while keys are deleted elsewhere. */
export function hintsThroughCollection(plan: Plan): Plan {
  const turns = [0, 1, 2].map((turn) => 2_000 + 8_000 * turn);
  const script = turns.flatMap((atMs) =>
    [["put", atMs - 1_500, 1], ["get", atMs + 800, 1], ["del", atMs + 1_600, 1], [
      "put",
      atMs + 2_600,
      1,
    ]] as const
  );
  const kills = turns.flatMap((atMs) => [0, 1, 2].map((node) => fault("kill", node, atMs, 4_500)));
  // Clients of the nodes that stay up.
  const well = { ...plan, clients: [[], [], []] };
  const { clients, ...rest } = scripted(well, script, 24);
  // Every other key is deleted and stays so; the others are written again instead, and are not to be lost.
  const isMeant = ({ kind, key, atMs }: PlannedCall) =>
    key % 2 === 0 ? kind !== "del" : kind !== "put" || atMs < 2_000;
  const meant = clients.map((calls) => calls.filter(isMeant));
  return withFaults({ ...rest, clients: [[], [], [], ...meant] }, kills);
}
