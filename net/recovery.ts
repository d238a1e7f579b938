/**
 * Waiting until a cluster has recovered: from whatever it was, everyone serves again.
 *
 * @module
 */

import type { Client } from "./client.ts";

/** A cluster, as far as it takes to wait for it. Nodes go by their indexes. */
export interface Patient {
  /** Which nodes run. */
  running(): readonly number[];
  /** Where a node is reached. */
  address(index: number): string;
  /** A client of one node. */
  connect(index: number): Promise<Client>;
  /** End a node and start it again. */
  restart(index: number): Promise<void>;
  /** Let time pass. */
  sleep(ms: number): Promise<void>;
}

/** States in which a node does all that it can do in its cluster. */
const SERVES: ReadonlySet<string> = new Set(["serving", "under-replicated"]);
const POLL_MS = 250;

/**
 * Resolves when every member serves and is connected to all others; rejects, with what each says of itself, when
 * that takes more than `limitMs`. A node whose store is poisoned is restarted: nothing else cures it.
 */
export async function untilServing(patient: Patient, limitMs: number): Promise<void> {
  for (let waitedMs = 0;; waitedMs += POLL_MS) {
    const running = patient.running();
    const states = await Promise.all(running.map((index) => stateOf(patient, index)));
    if (states.every((state) => SERVES.has(state))) return;
    await restart(patient, running, states);
    if (waitedMs >= limitMs) {
      if (await onlyStrangersWait(patient, running, states)) return;
      throw new Error(`not all nodes serve: ${states.join(", ")}`);
    }
    await patient.sleep(POLL_MS);
  }
}

/** Restart every node that says that it needs to be. */
export async function restartPoisoned(patient: Patient): Promise<void> {
  const running = patient.running();
  await restart(patient, running, await Promise.all(running.map((index) => stateOf(patient, index))));
}

async function restart(
  patient: Patient,
  running: readonly number[],
  states: readonly string[],
): Promise<void> {
  for (const [at, state] of states.entries()) {
    if (state.startsWith("poisoned")) await patient.restart(running[at]!);
  }
}

/** Whether only nodes do not serve that ask to be let in, and are not: a member that abstains keeps them out. */
async function onlyStrangersWait(
  patient: Patient,
  running: readonly number[],
  states: readonly string[],
): Promise<boolean> {
  const serving = running.find((_, at) => SERVES.has(states[at]!));
  if (serving === undefined) return false;
  const client = await patient.connect(serving);
  const { members } = await client.admin("clusterState", {});
  await client.close();
  const isMember = (index: number) => members.some(({ address }) => address === patient.address(index));
  return running.every((index, at) =>
    SERVES.has(states[at]!) || states[at] === "joining" && !isMember(index)
  );
}

/** What a node says of itself, or why it says nothing. */
async function stateOf(patient: Patient, index: number): Promise<string> {
  try {
    const client = await patient.connect(index);
    try {
      const { state, members, connections } = await client.admin("status", {});
      const isConnected = connections.peers === members - 1;
      return SERVES.has(state) && !isConnected ? "not connected to all members yet" : state;
    } finally {
      await client.close();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
