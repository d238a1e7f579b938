/**
 * A node is away for a while, and returns; then its disk is lost, and an empty one takes its place under the same
 * address. Real processes, under load all the time.
 *
 * @module
 */

import type { NodeStatus } from "../../actors/operator/protocol.ts";
import { counted, duration, size } from "../../cli/paint.ts";
import type { Terminal } from "../../cli/terminal.ts";
import { until } from "../outside/harness.ts";
import { Customers } from "./customers.ts";
import { Fleet, type Place } from "./fleet.ts";
import { Ledger } from "./ledger.ts";
import { problemsOf, type RealRun } from "./real_run.ts";
import { Watch } from "./watch.ts";

const CLIENTS_PER_NODE = 4;

/** What a run is made of. */
export interface AbsenceRun extends RealRun {
  /** How many nodes there are; the last of them is the one that is away. */
  readonly nodes: number;
  /** How long the node is away. */
  readonly secondsAway: number;
}

/** What the steps of a run share. */
interface Stage {
  readonly run: AbsenceRun;
  readonly fleet: Fleet;
  readonly customers: Customers;
  readonly watch: Watch;
  /** Replicas of a key. */
  readonly n: number;
  /** Who is away: no founder. */
  readonly victim: Place;
}

/** Make one; what is wrong, a line each. */
export async function absenceRun(run: AbsenceRun, terminal: Terminal): Promise<string[]> {
  const ledger = new Ledger(run.keys, run.valueBytes);
  await using fleet = await Fleet.start(run.nodes, run.nodes, run.flags);
  await using customers = new Customers(ledger, run.perSecond);
  const watch = new Watch(fleet, customers, terminal, run.everyMs);
  const { quorum: { n } } = await (await fleet.door(0)).admin("clusterState", {});
  const stage = { run, fleet, customers, watch, n, victim: run.nodes - 1 };
  await customers.writeAll(fleet.addresses, (share) => watch.show(share, "keys are written"));
  watch.say(`${counted(run.keys, "key")} of ${counted(run.valueBytes, "byte")} written`);
  await open(stage);
  await watch.calm(run, "all are there");
  const problems = await absence(stage);
  await settle(stage, "after the absence");
  await open(stage);
  await replacement(stage);
  await watch.calm(run, "all are there again");
  await settle(stage, "after the replacement");
  watch.say(
    `${customers.done} requests, ${customers.failed} failed; tried again: ${customers.retriesInWords}`,
  );
  return [...problems, ...problemsOf(customers)];
}

/** A node is killed, is away for a while, and starts again: what is kept for it comes back to it. */
async function absence({ run, fleet, watch, n, victim }: Stage): Promise<string[]> {
  watch.say(`kill -9 of ${fleet.address(victim)}`);
  await fleet.kill(victim);
  await watch.calm(run, "one is away", run.secondsAway * 1000);
  const kept = await total(fleet, ({ hints }) => hints.count);
  watch.say(
    run.nodes > n
      ? `${counted(kept, "hint")} kept for it; it starts again`
      : "nobody can stand in where all are replicas: what it missed comes by the hash trees; it starts again",
  );
  await fleet.boot(victim);
  const isBack = (all: readonly NodeStatus[]) =>
    all.every(({ hints, alive }) => hints.count === 0 && alive === run.nodes);
  await watch.until("hints to flow back", isBack, run.limitMs);
  const delivered = await total(fleet, ({ hints }) => hints.delivered);
  watch.say(`it is back; ${counted(delivered, "hint")} delivered, none left`);
  return kept > 0 || run.nodes <= n ? [] : ["nobody kept a hint for the one that was away"];
}

/** Its disk is lost, and an empty one takes its place. */
async function replacement({ run, fleet, watch, victim }: Stage): Promise<void> {
  watch.say(`kill -9 of ${fleet.address(victim)}, whose disk is lost, too; an empty node takes its place`);
  await fleet.kill(victim);
  fleet.wipe(victim);
  await fleet.boot(victim);
  const startedAt = performance.now();
  const known = ["--known-cluster-node", fleet.address(0)];
  await fleet.command(victim, ["replace", fleet.address(victim), ...known]);
  await watch.until("the new node to be filled", (all) => all.every(isAtRest), run.limitMs);
  const took = duration(performance.now() - startedAt);
  const { copies, store: { engine } } = await until("its status", () => fleet.status(victim));
  const holds = `${counted(engine.keys, "key")}, ${size(engine.liveBytes)}`;
  watch.say(`filled in ${took}: it holds ${holds}; ${size(copies.fetchedBytes)} were fetched`);
}

/** Clients come to every node. */
async function open({ fleet, customers, run }: Stage): Promise<void> {
  const { addresses } = fleet;
  for (const [i, address] of addresses.entries()) {
    const others = [...addresses.slice(i + 1), ...addresses.slice(0, i)];
    await customers.come([address, ...others], CLIENTS_PER_NODE, run.nodes * CLIENTS_PER_NODE);
  }
}

/** Clients go, and the nodes have to say that all is whole, and hold the same; then every key is read. */
async function settle({ run, fleet, customers, watch, n, victim }: Stage, when: string): Promise<void> {
  await customers.stop();
  const agreed = async (all: readonly NodeStatus[]) => all.every(isWhole) && await agree(fleet, n);
  await watch.until("all trees to agree", agreed, run.limitMs);
  watch.say(`${when} all trees agree: ${await said(fleet)}`);
  const read = (share: number) => watch.show(share, "every key is read");
  await customers.readAll(fleet.addresses, read);
  await customers.readAll([fleet.address(victim)], read, n);
  watch.say(`every key was read with the usual R, and with R = ${n}`);
}

/** Nothing moves, nothing lacks. */
function isAtRest({ state, moves, store, members, alive }: NodeStatus): boolean {
  return state === "serving" && moves === null && store.notWhole === 0 && alive === members;
}

/** And it is known that replicas hold the same. */
function isWhole(status: NodeStatus): boolean {
  return isAtRest(status) && status.repair.unknown === 0 && status.hints.count === 0;
}

/** Whether the `n` owners of every partition hold the same of it. */
async function agree(fleet: Fleet, n: number): Promise<boolean> {
  const views = await Promise.all(fleet.places.map((place) => fleet.partitions(place)));
  const all = views.flatMap((view) => view?.partitions ?? []);
  return Map.groupBy(all, ({ partition }) => partition).values().every((owned) =>
    owned.length === n && owned[0]!.digest !== null &&
    owned.every(({ digest }) => digest === owned[0]!.digest)
  );
}

async function said(fleet: Fleet): Promise<string> {
  const all = await Promise.all(fleet.places.map((place) => fleet.status(place)));
  return all.map((status) => {
    const { partitions, unknown } = status?.repair ?? { partitions: 0, unknown: 0 };
    return `${status?.state}, ${partitions - unknown} of ${partitions} partitions known to be whole`;
  }).join("; ");
}

async function total(fleet: Fleet, of: (status: NodeStatus) => number): Promise<number> {
  const all = await Promise.all(
    fleet.places.map((place) => until("a status", () => fleet.status(place))),
  );
  return all.reduce((sum, status) => sum + of(status), 0);
}
