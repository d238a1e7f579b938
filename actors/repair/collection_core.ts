/**
 * What a round of collection decides; why, is told in `collector.ts`. Pure.
 *
 * @module
 */

import type { Grave, Hashes } from "../replica_store/reaper_protocol.ts";
import type { NodeId } from "../replica_store/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { equalBytes } from "../runtime/bytes.ts";
import { LIMITS } from "../runtime/limits.ts";

/** What a member answers before a round begins. */
export interface Report {
  /** The epoch of the ring it goes by. */
  readonly ring: number;
  /** Whether that ring is at rest, everything it holds is whole, and it is sure of its epochs. */
  readonly isWell: boolean;
  /** The collection epoch that it has announced. */
  readonly announced: number;
  /** Another one after every start and every loss of its store. */
  readonly life: string;
  /** Keys it has listed. */
  readonly listed: number;
}

/** Who leads: the first member; null while members change. */
export function leaderOf(ring: Ring): NodeId | null {
  if (ring.change !== null) return null;
  return ring.members.reduce<NodeId | null>(
    (first, { id }) => first === null || id < first ? id : first,
    null,
  );
}

/** Members that keep a round from beginning: they have not answered, are not well, or go by another ring. */
export function waitedFor(ring: Ring, reports: ReadonlyMap<NodeId, Report>): NodeId[] {
  return ring.members.map(({ id }) => id).filter((id) => {
    const report = reports.get(id);
    return report === undefined || !report.isWell || report.ring !== ring.epoch;
  });
}

/** An epoch that nobody has announced. */
export function nextEpoch(reports: Iterable<Report>): number {
  let last = 0;
  for (const { announced } of reports) last = Math.max(last, announced);
  return last + 1;
}

/** Those keys under which every owner durably holds the same tombstones. An owner that did not answer holds nothing. */
export function agreed(keys: readonly Uint8Array[], owners: readonly Hashes[]): Grave[] {
  return keys.flatMap((key, at) => {
    const [first, ...others] = owners.map(({ ok, hashes }) => ok ? hashes[at] ?? null : null);
    if (first === undefined || first === null) return [];
    return others.every((hash) => hash !== null && equalBytes(hash, first)) ? [{ key, hash: first }] : [];
  });
}

/** Whether a member may take a step of a round: it lives the life in which it answered, by the same ring. */
export function isSameLife(
  before: { ring: number; life: string },
  now: { ring: number; life: string },
): boolean {
  return before.ring === now.ring && before.life === now.life;
}

/** How long after a round, or after looking in vain, the next one begins. */
const EVERY_MS = 60_000;
/**
 * What was sent is not on its way for longer: no request outlives its deadline, and a connection on which nothing comes
 * is cut; a retry, which an object knows by what it has replaced, begins within the first try's deadline.
 */
const WAIT_MS = 2 * LIMITS.deadlineMs + 2 * LIMITS.peerSilentMs;

/** The collector's decisions that are pure functions; a test plants a bug, or is less patient, by substituting one. */
export const COLLECTOR_CORE = {
  leaderOf,
  waitedFor,
  nextEpoch,
  agreed,
  isSameLife,
  everyMs: (): number => EVERY_MS,
  waitMs: (): number => WAIT_MS,
};

/** See {@link COLLECTOR_CORE}. */
export type CollectorCore = typeof COLLECTOR_CORE;
