/**
 * A cluster with data gets nodes, one after the other, and then gives them up again. Real processes, under load all the
 * time: no request may fail, no write be lost, and no more bytes move than must.
 *
 * @module
 */

import type { NodeStatus, Preview } from "../../actors/operator/protocol.ts";
import { counted, duration, size } from "../../cli/paint.ts";
import type { Terminal } from "../../cli/terminal.ts";
import { Customers } from "./customers.ts";
import { Fleet, type Place } from "./fleet.ts";
import { Ledger } from "./ledger.ts";
import { problemsOf, type RealRun } from "./real_run.ts";
import { Watch } from "./watch.ts";

const CLIENTS_PER_NODE = 4;
/** More than this over the least that has to move is too much. */
const MOST_OVER = 0.05;
/** What a share of so few bytes is worth nothing for: pages that were under way twice, and the like. */
const NEXT_TO_NOTHING = 64 * 1024;
/** A leaver that has nothing left ends at once. */
const EXIT_MS = 30_000;

/** What a run is made of. */
export interface GrowRun extends RealRun {
  /** So many nodes there are at first, and at last. */
  readonly from: number;
  /** So many in between. */
  readonly to: number;
}

type Plan = Extract<Preview, { ok: true }>;

/** What the steps of a run share. */
interface Stage {
  readonly run: GrowRun;
  readonly fleet: Fleet;
  readonly customers: Customers;
  readonly watch: Watch;
}

/** Make one; what is wrong, a line each. */
export async function growRun(run: GrowRun, terminal: Terminal): Promise<string[]> {
  const ledger = new Ledger(run.keys, run.valueBytes);
  await using fleet = await Fleet.start(run.from, run.to, run.flags);
  await using customers = new Customers(ledger, run.perSecond);
  const watch = new Watch(fleet, customers, terminal, run.everyMs);
  const stage = { run, fleet, customers, watch };
  const startedAt = performance.now();
  await customers.writeAll(fleet.addresses, (share) => watch.show(share, "keys are written"));
  const took = duration(performance.now() - startedAt);
  watch.say(`${counted(run.keys, "key")} of ${counted(run.valueBytes, "byte")} written in ${took}`);
  for (let place = 0; place < run.from; place++) await come(stage, place);
  await watch.calm(run, `${run.from} nodes`);
  const problems: string[] = [];
  for (let place = run.from; place < run.to; place++) problems.push(...await grow(stage, place));
  await watch.calm(run, `${run.to} nodes`);
  for (let place = run.to - 1; place >= run.from; place--) problems.push(...await shrink(stage, place));
  await watch.calm(run, `${run.from} nodes again`);
  await customers.stop();
  await customers.readAll(fleet.addresses, (share) => watch.show(share, "every key is read"));
  watch.say(
    `every key was read back; ${customers.done} requests, ${customers.failed} failed; ` +
      `tried again: ${customers.retriesInWords}`,
  );
  return [...problems, ...problemsOf(customers)];
}

/** Clients come to a node. */
async function come({ run, fleet, customers }: Stage, place: Place): Promise<void> {
  const addresses = [place, ...fleet.places.filter((other) => other !== place)].map((one) =>
    fleet.address(one)
  );
  await customers.come(addresses, CLIENTS_PER_NODE, run.to * CLIENTS_PER_NODE);
}

async function grow(stage: Stage, place: Place): Promise<string[]> {
  const { fleet, watch } = stage;
  await fleet.boot(place);
  const words = ["join-cluster", "--known-cluster-node", fleet.address(0)];
  const plan = await fleet.plan(place, words);
  const { owners } = await (await fleet.door(0)).admin("ring", {});
  const copies = owners.reduce((sum, list) => sum + list.length, 0);
  // Everybody has an equal share in the end, and what the newcomer has must have moved.
  const least = Math.floor(copies / plan.members);
  watch.say(`${fleet.address(place)} joins: ${inWords(plan)}, at least ${least} must move`);
  const problems = countProblems(plan, least);
  const startedAt = performance.now();
  const [before, leastBytes] = [await copied(fleet), await bytesOf(stage, plan)];
  await fleet.command(place, words);
  await come(stage, place);
  await over(stage, plan);
  const moved = { bytes: await copied(fleet) - before, leastBytes, ms: performance.now() - startedAt };
  return [...problems, ...judge(stage, moved)];
}

async function shrink(stage: Stage, place: Place): Promise<string[]> {
  const { fleet, watch } = stage;
  const plan = await fleet.plan(place, ["leave"]);
  const { owners, members } = await (await fleet.door(place)).admin("ring", {});
  const self = members.findIndex(({ address }) => address === fleet.address(place));
  // There is one owner less of each of its partitions, and another one must come where there are enough.
  const isScarce = plan.members < (owners[0]?.length ?? 0);
  const least = isScarce ? 0 : owners.filter((list) => list.includes(self)).length;
  watch.say(`${fleet.address(place)} leaves: ${inWords(plan)}, at least ${least} must move`);
  const problems = countProblems(plan, least);
  const startedAt = performance.now();
  const others = fleet.places.filter((other) => other !== place);
  const [before, leastBytes] = [await copied(fleet, others), await bytesOf(stage, plan)];
  await fleet.command(place, ["leave"]);
  await over(stage, plan);
  const moved = {
    bytes: await copied(fleet, others) - before,
    leastBytes,
    ms: performance.now() - startedAt,
  };
  problems.push(...judge(stage, moved));
  const server = fleet.server(place);
  const code = await Promise.race([
    server.ended,
    new Promise<null>((resolve) => {
      const timer = setTimeout(() => resolve(null), EXIT_MS);
      server.ended.then(() => clearTimeout(timer));
    }),
  ]);
  watch.say(`${fleet.address(place)} has ended by itself: exit code ${code}; ${server.err.at(-1) ?? ""}`);
  if (code !== 0) {
    problems.push(`the leaver's exit code is ${code}, not 0: ${server.err.slice(-3).join("; ")}`);
  }
  return problems;
}

/** Look on until a change is over. */
async function over({ run, watch }: Stage, plan: Plan): Promise<void> {
  const isRest = ({ moves, members, state }: NodeStatus) =>
    moves === null && members === plan.members && (state === "serving" || state === "under-replicated");
  const share = (all: readonly NodeStatus[]) => {
    const moves = all.find((status) => status.moves !== null)?.moves ?? null;
    return moves === null ? 1 : 1 - (moves.copying + moves.settling) / Math.max(1, plan.moves.length);
  };
  await watch.until("partitions to move", (all) => all.every(isRest), run.limitMs, share);
}

/** Bytes that were received by copies, of all that run. */
async function copied(fleet: Fleet, places = fleet.places): Promise<number> {
  const all = await Promise.all(places.map((place) => fleet.status(place)));
  return all.reduce((sum, status) => sum + (status?.copies.fetchedBytes ?? 0), 0);
}

function inWords({ moves, bytes, estimateMs, members }: Plan): string {
  return `${counted(members, "member")}, ${counted(moves.length, "transfer")} to make, ` +
    `about ${size(bytes)}, about ${duration(estimateMs)}`;
}

function countProblems({ moves }: Plan, least: number): string[] {
  return moves.length === least ? [] : [`${moves.length} copies are to be made, and ${least} would do`];
}

/**
 * What has to be moved: as many keys as the hash trees count, of the mean size that the engines know. What engines say
 * of keys is an estimate, and grows with every key that is written again.
 */
async function bytesOf({ fleet, run, watch }: Stage, { moves }: Plan): Promise<number> {
  const keys = new Map<number, number>();
  let meanBytes = 0;
  await watch.until("trees that are known", async (all) => {
    const views = await Promise.all(fleet.places.map((place) => fleet.partitions(place)));
    const owned = views.flatMap((view) => view?.partitions ?? []);
    for (const one of owned) if (one.keys !== null) keys.set(one.partition, one.keys);
    const total = (of: (status: NodeStatus) => number) => all.reduce((sum, status) => sum + of(status), 0);
    meanBytes = total(({ store }) => store.engine.liveBytes) / total(({ store }) => store.engine.keys);
    return moves.every(({ partition }) => keys.has(partition));
  }, run.limitMs);
  return moves.reduce((sum, { partition }) => sum + keys.get(partition)! * meanBytes, 0);
}

/** What was moved, and what had to be. */
interface Moved {
  readonly bytes: number;
  readonly leastBytes: number;
  readonly ms: number;
}

function judge({ watch }: Stage, { bytes, leastBytes, ms }: Moved): string[] {
  const ratio = `${(bytes / leastBytes).toFixed(3)} of the minimum`;
  watch.say(`moved ${size(bytes)} where ${size(leastBytes)} had to be: ${ratio}, in ${duration(ms)}`);
  return bytes > leastBytes * (1 + MOST_OVER) + NEXT_TO_NOTHING ? [`moved ${ratio}`] : [];
}
