/**
 * Whom to talk to in a round.
 *
 * # The problem
 *
 * Each message brings its sender's news to one member, and the answer brings that member's back. Where there are
 * more members than a message has room for, news of a member otherwise comes by chance, over others.
 *
 * # The naive attempt
 *
 * Members picked at random, all of them (Dynamo, section 4.8). That spreads a change as fast as can be. But among a
 * thousand members somebody is always unlucky: with 64 rumours in a message, one wait for news in 50,000 lasts ten
 * times as long as they do on average, and no detector can tell that from a failure.
 *
 * # The idea
 *
 * SWIM (Das, Gupta and Motivala, 2002, section 4.3) asks members in turn, so that nobody waits longer than one
 * turn. Here one of the members picked is the one of whom there was no news for the longest time; the others are
 * random. Who lives answers, and long waits end before they look like failures. Who does not answer is asked again
 * in the next rounds, for messages get lost; but only a few times, or the dead would take the turns of the living,
 * and a member that pauses would find a message of every round and member when it goes on.
 *
 * @module
 */

import type { Random } from "../runtime/environment.ts";
import type { FailureDetector } from "./failure_detector.ts";
import type { Rumour } from "./rumour.ts";

/** What a node keeps of another member. */
export interface Peer {
  /** The latest that is known of it. */
  rumour: Rumour;
  /** Judges its silence. */
  readonly detector: FailureDetector;
  /** When it became suspect, in attended time. */
  suspectMs: number;
  /** Times that its last change is still to be passed on. */
  retell: number;
  /** Messages to it since there was news of it. */
  asked: number;
}

/** Messages that a silent member is owed before it has to wait for its turn like all others. */
const MOST_ASKED = 3;

/** Members to send to: `fanout` that are not down, and now and then one that is. */
export function pickPeers(all: Iterable<Peer>, fanout: number, nowMs: number, random: Random): Peer[] {
  const up: Peer[] = [];
  const down: Peer[] = [];
  for (const peer of all) (peer.rumour.liveness === "down" ? down : up).push(peer);
  const picked: Peer[] = [];
  if (up.length > 0) picked.push(take(up, mostSilent(up, nowMs, random)));
  while (picked.length < fanout && up.length > 0) picked.push(take(up, random.integer(up.length)));
  // The fewer are left, the oftener are those that are gone tried; when nobody is left, always.
  if (down.length > 0 && random.next() < down.length / (down.length + up.length + picked.length)) {
    picked.push(take(down, random.integer(down.length)));
  }
  return picked;
}

/** Where the one is of `peers`, at least one, that is owed a message and silent longest; any when none is owed one. */
function mostSilent(peers: readonly Peer[], nowMs: number, random: Random): number {
  // Not from the first on: in a cluster that starts at once all are silent alike, and all would ask the first.
  const start = random.integer(peers.length);
  let [at, mostMs] = [start, -1];
  for (let i = 0; i < peers.length; i++) {
    const index = (start + i) % peers.length;
    const { asked, detector } = peers[index]!;
    const silentMs = detector.silentMs(nowMs);
    if (asked < MOST_ASKED && silentMs > mostMs) [at, mostMs] = [index, silentMs];
  }
  return at;
}

/** Remove and give the element at `index`; the order of the others is not kept. */
function take<T>(from: T[], index: number): T {
  const taken = from[index]!;
  const last = from.pop()!;
  if (index < from.length) from[index] = last;
  return taken;
}
