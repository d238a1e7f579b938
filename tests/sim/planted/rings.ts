/**
 * Bugs in agreeing on the ring, in telling of it, and in telling who is alive.
 *
 * @module
 */

import {
  type Acceptor,
  acceptorOf,
  isSameCluster,
  onAccept,
  onPrepare,
} from "../../../actors/ring_manager/commit.ts";
import { Membership } from "../../../actors/gossiper/membership.ts";
import type { Gossip } from "../../../actors/gossiper/rumour.ts";
import type { NodeId } from "../../../actors/replica_store/protocol.ts";
import { mayDrop } from "../../../actors/replica_store/ownership.ts";
import { type Bug, ONE_OF_TWO } from "./bug.ts";
import { changing, founded, putBack } from "./timetable.ts";

/** Listens to no rumour about who has ever been silent. */
class Grudge extends Membership {
  override onGossip(from: NodeId, gossip: Gossip, nowMs: number): ReturnType<Membership["onGossip"]> {
    const rumours = gossip.rumours.filter(({ node }) => this.liveness(node) === "alive");
    return super.onGossip(from, { ...gossip, rumours }, nowMs);
  }
}

/** An acceptor without a memory. */
function forgotten(acceptor: Acceptor): Acceptor {
  return { ...acceptor, promised: null, accepted: null };
}

/** Members change while clients write. */
const CHANGING: Bug["plan"] = { faults: ["delay"], nodes: 4, quorum: ONE_OF_TWO, adjust: changing };

/** A bug: what is only to be handed over is dropped at once. */
export const dropsEarly: typeof mayDrop = (ring, partition, node) =>
  mayDrop(ring, partition, node) ||
  (ring.change?.motions ?? []).some((motion) =>
    motion.partition === partition && motion.phase === "copying" &&
    !motion.others.some((index) => ring.members[index]!.id === node)
  );

/** See the module. */
export const RING_BUGS: readonly Bug[] = [
  {
    name: "an older ring is accepted",
    breaks:
      "rings are what was heard last, not what was agreed on last (riak_core merged them by the second)",
    plan: { faults: ["join"], nodes: 4, adjust: putBack },
    plant: () => ({
      cores: {
        gossiper: { isBehind: (theirs, own) => theirs.epoch > own.epoch },
        ringManager: {
          learnRing: (acceptor, ring) =>
            isSameCluster(acceptor.ring, ring) && ring.epoch !== acceptor.ring.epoch
              ? acceptorOf(ring)
              : acceptor,
        },
      },
    }),
  },
  {
    name: "a partition flips to owners that have no copy",
    breaks:
      "what was acknowledged by the old owners is not with the new ones (Riak's join plus leave under load)",
    plan: CHANGING,
    plant: () => ({ cores: { refiller: { sourcesOf: () => [] } } }),
  },
  {
    name: "a put asks only the old owners of a partition that moves",
    breaks: "what was written after the copy was made is not with the new ones",
    plan: CHANGING,
    plant: () => ({ cores: { coordinator: { othersOf: () => [] } } }),
  },
  {
    name: "an old owner drops its copy when it hears of the move",
    breaks: "it serves what it has no more, and is copied from",
    plan: CHANGING,
    plant: () => ({
      cores: {
        replicaStore: { mayDrop: dropsEarly },
      },
    }),
  },
  {
    name: "an acceptor forgets what it promised and accepted",
    breaks: "two rings are chosen for one epoch",
    plan: { faults: ["join"], nodes: 5, adjust: founded },
    plant: () => ({
      cores: {
        ringManager: {
          onPrepare: (acceptor, ...of) => ({ ...onPrepare(forgotten(acceptor), ...of), acceptor }),
          onAccept: (acceptor, ...of) => onAccept(forgotten(acceptor), ...of),
        },
      },
    }),
  },
  {
    name: "a suspicion is never taken back",
    breaks: "a node that came back is alive in nobody's eyes",
    plan: { faults: ["two-way", "majority"] },
    plant: () => ({ cores: { gossiper: { membership: (...known) => new Grudge(...known) } } }),
  },
];
