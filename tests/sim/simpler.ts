/**
 * What makes a plan smaller: parts of it left out, and the rest made plainer. For `shrink.ts`.
 *
 * @module
 */

import { counted } from "../../cli/paint.ts";
import type { Fault } from "../../actors/simulated/faults.ts";
import { callsOf, type Plan, type PlannedCall } from "./plan.ts";

/** Indexes of the clients that make calls. */
export function busyClients({ clients }: Plan): number[] {
  return clients.flatMap((calls, index) => calls.length > 0 ? [index] : []);
}

/** The others are idle. They stay where they are: a client's place decides whom it connects to. */
export function withClients(plan: Plan, busy: ReadonlySet<number>): Plan {
  return { ...plan, clients: plan.clients.map((calls, index) => busy.has(index) ? calls : []) };
}

/** Some calls alone. */
export function withCalls(plan: Plan, kept: ReadonlySet<PlannedCall>): Plan {
  return { ...plan, clients: plan.clients.map((calls) => calls.filter((call) => kept.has(call))) };
}

function mapCalls(plan: Plan, change: (call: PlannedCall) => PlannedCall): Plan {
  return { ...plan, clients: plan.clients.map((calls) => calls.map(change)) };
}

const ENDS = [1 / 2, 3 / 4, 7 / 8] as const;

/** Only what comes before a moment. Everything that does goes on as it did, so what went wrong by then does again. */
export function earlierEnd(plan: Plan): Plan[] {
  return ENDS.map((share) => Math.round(plan.forMs * share)).filter((forMs) => forMs < plan.forMs).map((
    forMs,
  ) => ({
    ...plan,
    forMs,
    clients: plan.clients.map((calls) => calls.filter(({ atMs }) => atMs <= forMs)),
    faults: plan.faults.filter(({ atMs }) => atMs <= forMs),
  }));
}

/** The same in less time. Each gives plans that are simpler than the one it is given, the simplest first. */
export const QUICKER: readonly ((plan: Plan) => Plan[])[] = [shorter, denser];

/** Fewer of what is not left out one by one, and plainer. */
export const SIMPLER: readonly ((plan: Plan) => Plan[])[] = [
  fewerNodes,
  noJoins,
  plainEngine,
  simplerQuorum,
  fewerKeys,
  fewerClients,
  plainerCalls,
  shorterFaults,
];

/** What befell the nodes that are no more befalls nobody, or others. */
function fewerNodes(plan: Plan): Plan[] {
  return Array.from({ length: plan.nodes - 1 }, (_, index) => index + 1).flatMap((nodes) => {
    const spared = (fault: Fault) => ({ ...fault, nodes: fault.nodes.filter((node) => node < nodes) });
    const passedOn = (fault: Fault) => ({
      ...fault,
      nodes: [...new Set(fault.nodes.map((node) => node % nodes))],
    });
    const rest = plan.faults.filter(({ nodes: befell }) =>
      befell.length === 0 || befell.some((n) => n < nodes)
    );
    const members = Math.min(plan.members, nodes);
    return [rest.map(spared), plan.faults.map(passedOn)].map((faults) => ({
      ...plan,
      nodes,
      members,
      faults,
    }));
  });
}

/** Everyone is a member from the beginning. */
function noJoins(plan: Plan): Plan[] {
  if (plan.members === plan.nodes) return [];
  return [{
    ...plan,
    members: plan.nodes,
    faults: plan.faults.filter(({ kind }) => kind !== "join"),
  }];
}

/** Records in memory. */
function plainEngine(plan: Plan): Plan[] {
  return plan.engine === "memory" ? [] : [{ ...plan, engine: "memory" }];
}

const QUORUMS = [[1, 1, 1], [2, 1, 2], [2, 2, 1], [3, 2, 2]] as const;

function simplerQuorum(plan: Plan): Plan[] {
  const { n, r, w } = plan.quorum;
  const now = QUORUMS.findIndex((quorum) => quorum.join() === [n, r, w].join());
  return QUORUMS.slice(0, now < 0 ? undefined : now).map(([n, r, w]) => ({ ...plan, quorum: { n, r, w } }));
}

function fewerKeys(plan: Plan): Plan[] {
  const used = [...new Set(plan.clients.flat().map(({ key }) => key))].sort((a, b) => a - b);
  const most = Math.min(plan.keys - 1, Math.max(1, used.length));
  return Array.from({ length: most }, (_, index) => {
    const keys = index + 1;
    return { ...mapCalls(plan, (call) => ({ ...call, key: used.indexOf(call.key) % keys })), keys };
  });
}

function fewerClients(plan: Plan): Plan[] {
  const clients = plan.clients.filter((calls) => calls.length > 0);
  return clients.length < plan.clients.length ? [{ ...plan, clients }] : [];
}

/** Over when the last call and the last fault have begun, or soon after. */
function shorter(plan: Plan): Plan[] {
  const begun = Math.max(
    0,
    ...plan.faults.map(({ atMs }) => atMs),
    ...plan.clients.flat().map((c) => c.atMs),
  );
  const over = Math.max(begun, ...plan.faults.map(({ atMs, lastsMs }) => atMs + lastsMs));
  return [begun, over].filter((forMs) => forMs < plan.forMs).map((forMs) => ({ ...plan, forMs }));
}

/** Everything in half the time. */
function denser(plan: Plan): Plan[] {
  const sooner = <T extends { readonly atMs: number }>(one: T) => ({
    ...one,
    atMs: Math.floor(one.atMs / 2),
  });
  if (plan.forMs < 100) return [];
  const forMs = Math.floor(plan.forMs / 2);
  return [{ ...mapCalls(plan, sooner), faults: plan.faults.map(sooner), forMs }];
}

function plainerCalls(plan: Plan): Plan[] {
  const calls = plan.clients.flat();
  return [
    ...calls.some(({ sizeBytes }) => sizeBytes > 0) ? [mapCalls(plan, (c) => ({ ...c, sizeBytes: 0 }))] : [],
    ...calls.some(({ quorum }) => quorum > 0) ? [mapCalls(plan, (c) => ({ ...c, quorum: 0 }))] : [],
    ...calls.some(({ informed }) => informed) ? [mapCalls(plan, (c) => ({ ...c, informed: false }))] : [],
  ];
}

const SHORT_MS = 20;

function shorterFaults(plan: Plan): Plan[] {
  const withFault = (at: number, fault: Fault) => ({ ...plan, faults: plan.faults.with(at, fault) });
  return plan.faults.flatMap((fault, at) => [
    ...fault.nodes.length > 1
      ? fault.nodes.map((node) =>
        withFault(at, { ...fault, nodes: fault.nodes.filter((other) => other !== node) })
      )
      : [],
    ...fault.lastsMs > SHORT_MS ? [withFault(at, { ...fault, lastsMs: Math.floor(fault.lastsMs / 2) })] : [],
  ]);
}

/** How large a plan is, in a few words. */
export function sizeOf(plan: Plan): string {
  const { faults, nodes } = plan;
  return [counted(callsOf(plan), "call"), counted(faults.length, "fault"), counted(nodes, "node")].join(", ");
}
