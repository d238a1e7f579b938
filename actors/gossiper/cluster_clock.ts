/**
 * What time it is, as most members have it.
 *
 * Values that expire do so by the wall's time, and one clock that is wrong must neither take a value before its time
 * nor keep it for ever (FAULTS 34). Naive: go by one's own clock. So every message of gossip carries its sender's
 * time; what is kept of it is how far that was from the receiver's monotonic clock, which nobody sets and which never
 * jumps. The time is then the median of all members' clocks, one's own among them: with three members or more, any one
 * of them may be ten years off, or jump, and nothing changes. Of two that differ the earlier is believed: rather late
 * than early.
 *
 * A message that was long under way makes its sender's clock look slow. Of the last few of a sender the one that was
 * quickest counts (Cristian 1989, "Probabilistic clock synchronization", section 4, in one direction).
 *
 * Pure: every call says what time it is.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";

/** Messages of a member that count. */
const SAMPLES = 4;

/**
 * The members' clocks as one of them knows them.
 *
 * @example
 * ```ts
 * import { ClusterClock } from "./cluster_clock.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = new ClusterClock("a");
 * clock.setMembers(["a", "b", "c"]);
 * assertEquals(clock.wallMs(1_000_000, 5), null); // nobody was heard yet
 * clock.hear("b", 1_000_010, 5);
 * clock.hear("c", 9_999_999, 5); // far ahead
 * assertEquals(clock.wallMs(1_000_000, 5), 1_000_010);
 * ```
 */
export class ClusterClock {
  readonly #self: NodeId;
  #members: readonly NodeId[] = [];
  /** By member: how far its clock was from the monotonic one here, the latest last. */
  readonly #offsets = new Map<NodeId, number[]>();

  /** @param self this node */
  constructor(self: NodeId) {
    this.#self = self;
  }

  /** Who is a member now. */
  setMembers(members: readonly NodeId[]): void {
    this.#members = members;
    for (const node of this.#offsets.keys()) if (!members.includes(node)) this.#offsets.delete(node);
  }

  /** A member says that its clock shows this. @param nowMs on the monotonic clock here */
  hear(node: NodeId, wallMs: number, nowMs: number): void {
    if (node === this.#self || !this.#members.includes(node)) return;
    const offsets = [...this.#offsets.get(node) ?? [], wallMs - nowMs];
    this.#offsets.set(node, offsets.slice(-SAMPLES));
  }

  /**
   * Milliseconds since the Unix epoch by the median of the clocks; null while those of fewer than most members are
   * known. @param ownMs by the clock here @param nowMs on the monotonic clock here
   */
  wallMs(ownMs: number, nowMs: number): number | null {
    const known = [...this.#offsets.values()].map((offsets) => Math.max(...offsets));
    known.push(ownMs - nowMs);
    if (known.length <= this.#members.length / 2) return null;
    known.sort((a, b) => a - b);
    return known[(known.length - 1) >> 1]! + nowMs;
  }
}
