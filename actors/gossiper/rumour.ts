/**
 * Rumours: what nodes say about one another, and which of two rumours is the later one. What is made of them
 * is in `membership.ts`.
 *
 * @module
 */

import type { Liveness } from "../coordinator/protocol.ts";
import type { NodeId } from "../replica_store/protocol.ts";

/** Rumours in one message: bounds the work of a round. */
export const MOST_RUMOURS = 64;

/** What is said about one member. */
export interface Rumour {
  /** The member. */
  readonly node: NodeId;
  /** The durable number of its process's start, at least 1. */
  readonly life: number;
  /** 8 random bytes of its process, as 16 hex digits. */
  readonly boot: string;
  /** Raised by the member itself to refute a suspicion. */
  readonly incarnation: number;
  /** Raised by the member itself every round. */
  readonly heartbeat: number;
  /** What it is thought to be. */
  readonly liveness: Liveness;
}

/** Tells which ring a node has; nothing here looks into it. */
export interface Digest {
  /** The ring's epoch. */
  readonly epoch: number;
  /** Its checksum. */
  readonly checksum: number;
}

/** Whether somebody with the ring of `theirs` has to be taught the one of `own`. */
export function isBehind(theirs: Digest, own: Digest): boolean {
  return theirs.epoch < own.epoch;
}

/** One message of a round. */
export interface Gossip {
  /** The sender's ring. */
  readonly digest: Digest;
  /** Whether this answers a message; answers are not answered. */
  readonly isAnswer: boolean;
  /** The sender's own rumour first; at most {@link MOST_RUMOURS}. */
  readonly rumours: readonly Rumour[];
}

const BADNESS: Readonly<Record<Liveness, number>> = { alive: 0, suspect: 1, down: 2 };

/** Negative, zero or positive: which of two rumours about one member is the later one. */
export function compareRumours(a: Rumour, b: Rumour): number {
  if (a.life !== b.life) return a.life - b.life;
  if (a.boot !== b.boot) return a.boot < b.boot ? -1 : 1;
  return a.incarnation - b.incarnation || a.heartbeat - b.heartbeat ||
    BADNESS[a.liveness] - BADNESS[b.liveness];
}
