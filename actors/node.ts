/**
 * A node, as its supervision tree. This page is the map of the house: who exists, in what order they start,
 * and what happens when one of them fails.
 *
 *     node                    one for one: an actor that crashes is restarted alone
 *     ├── ring_manager        the ring, its journal, and the vote on the next one
 *     ├── replica_store       this node's copy of its partitions, in front of the storage engine
 *     ├── hint_store          what it keeps for members that are away, in an engine of its own
 *     ├── peers               one connection to every other member            (net/peers.ts)
 *     ├── gossiper            rumours: who is alive, which ring is newest
 *     ├── refiller            fetches back what this node may have lost
 *     ├── expirer             deletes values whose time has come
 *     ├── anti_entropy        finds out where replicas differ, and makes it good
 *     ├── handoff             gives that back
 *     ├── mover               brings membership changes to their end
 *     ├── collector           has everybody forget what was deleted, once nobody can bring it back
 *     ├── coordinator         every client request, until it is answered
 *     ├── operator            status, explain, membership changes
 *     └── listener            the door: clients and peers come in here         (net/listener.ts)
 *
 * They start top to bottom and stop bottom to top. Each starts from what the ones above it can tell it and from
 * disk, not from what it was before it crashed (but for the gossiper, whose heartbeat must go on); so any of them
 * may be restarted at any time, alone. More than {@link INTENSITY} says is not bad luck any more: the tree gives
 * up, and the process ends.
 *
 * A request goes one way: listener, coordinator, replica stores, storage, and back as messages of its own.
 *
 * @module
 */

import type { AnyActorSpec, SupervisorSpec } from "./runtime/mod.ts";
import { coordinator, type CoordinatorOptions } from "./coordinator/coordinator.ts";
import { gossiper, type GossiperOptions } from "./gossiper/gossiper.ts";
import { handoff, type HandoffOptions } from "./handoff/handoff.ts";
import { hintStore, type HintStoreOptions } from "./handoff/hint_store.ts";
import { operator, type OperatorOptions } from "./operator/operator.ts";
import { collector, type CollectorOptions } from "./repair/collector.ts";
import { expirer, type ExpirerOptions } from "./repair/expirer.ts";
import { antiEntropy, type AntiEntropyOptions } from "./repair/anti_entropy.ts";
import { refiller, type RefillerOptions } from "./repair/refiller.ts";
import { mover, type MoverOptions } from "./repair/mover.ts";
import type { ReplicaStoreOptions } from "./replica_store/options.ts";
import { replicaStore } from "./replica_store/replica_store.ts";
import { ringManager, type RingManagerOptions } from "./ring_manager/ring_manager.ts";

/** Crashes within a stretch of time, in milliseconds, after which a node gives up. */
export const INTENSITY = { restarts: 10, withinMs: 30_000 } as const;

/** Everything a node is made of. */
export interface NodeParts {
  /** Options of the actor of this name. */
  readonly ringManager: RingManagerOptions;
  /** Options of the actor of this name. */
  readonly replicaStore: ReplicaStoreOptions;
  /** The actor that keeps the connections to other members. */
  readonly peers: AnyActorSpec;
  /** Options of the actor of this name. */
  readonly gossiper: GossiperOptions;
  /** Options of the actor of this name. */
  readonly refiller: RefillerOptions;
  /** Options of the actor of this name. */
  readonly expirer: ExpirerOptions;
  /** Options of the actor of this name. */
  readonly antiEntropy: AntiEntropyOptions;
  /** Options of the actor of this name. */
  readonly hintStore: HintStoreOptions;
  /** Options of the actor of this name. */
  readonly handoff: HandoffOptions;
  /** Options of the actor of this name. */
  readonly mover: MoverOptions;
  /** Options of the actor of this name. */
  readonly collector: CollectorOptions;
  /** Options of the actor of this name. */
  readonly coordinator: CoordinatorOptions;
  /** Options of the actor of this name. */
  readonly operator: OperatorOptions;
  /** The doors, each an actor. */
  readonly doors: readonly AnyActorSpec[];
}

/** The supervision tree of one node. */
export function nodeTree(parts: NodeParts): SupervisorSpec {
  return {
    name: "node",
    strategy: "one-for-one",
    intensity: INTENSITY,
    children: [
      ringManager(parts.ringManager),
      replicaStore(parts.replicaStore),
      hintStore(parts.hintStore),
      parts.peers,
      gossiper(parts.gossiper),
      refiller(parts.refiller),
      expirer(parts.expirer),
      antiEntropy(parts.antiEntropy),
      handoff(parts.handoff),
      mover(parts.mover),
      collector(parts.collector),
      coordinator(parts.coordinator),
      operator(parts.operator),
      ...parts.doors,
    ],
  };
}
