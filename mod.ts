/**
 * denamo: a leaderless, replicated, always-writeable key-value store, after Amazon's Dynamo (DeCandia et al.,
 * SOSP 2007).
 *
 * {@link Node} runs a node, {@link Client} talks to a cluster, {@link Cluster} runs a whole one inside a test,
 * on the real clock or in a simulation; and the actor library underneath is here too, worth importing alone.
 *
 * @example
 * ```ts
 * import { Client, Cluster } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using cluster = await Cluster.inProcess({ nodes: 3 });
 * await using client = await Client.connect([...cluster.addresses]);
 * await client.put("greeting", "hello");
 * const { values } = await client.get("greeting");
 * assertEquals(new TextDecoder().decode(values[0]), "hello");
 * ```
 *
 * @module
 */

// The actor library.
export * from "./actors/runtime/mod.ts";

// Nodes, clients, clusters.
export { Node, type NodeCores, type NodeOptions, VERSION } from "./net/node.ts";
export {
  type Bytes,
  type CallOptions,
  Client,
  type ClientEnvironment,
  type ClientErrorCode,
  type ConnectOptions,
  DenamoError,
  type GetOptions,
  GetResult,
  type PutOptions,
  type UpdateOptions,
} from "./net/client.ts";
export { CLIENT_CORE, type ClientCore } from "./net/client_calls.ts";
export type { ClientFailure } from "./net/client_errors.ts";
export { Arrivals } from "./net/arrivals.ts";
export { LISTENER_CORE, type ListenerCore } from "./net/listener.ts";
export { Window } from "./net/window.ts";
export { HINT_MEMORY_CORE, type HintMemoryCore } from "./net/hint_memory.ts";
export { NODE_MEMORY_CORE, type NodeMemoryCore } from "./net/node_memory.ts";
export { Cluster, type ClusterOptions } from "./net/cluster.ts";
export type { EngineStats, SyncPolicy } from "./storage/engine.ts";
export { type EngineName, ENGINES } from "./storage/engines.ts";

// What nodes answer.
export type {
  CoordinatorStatus,
  Explanation,
  Failure,
  FailureCode,
  GetSuccess,
  Liveness,
  PutSuccess,
  ReplicaExplanation,
  SiblingValue,
} from "./actors/coordinator/protocol.ts";
export type {
  ActorStatus,
  AdmitOutcome,
  BackupBegun,
  BackupOutcome,
  BackupProgress,
  Candidate,
  ChangeOutcome,
  ClusterState,
  JoinOutcome,
  MemberState,
  MovesView,
  NodeStatus,
  OperatorProtocol,
  PartitionState,
  PartitionsView,
  Preview,
  PreviewRequest,
  Refusal,
  RingView,
} from "./actors/operator/protocol.ts";
export {
  BUDGET_CORE,
  type BudgetCore,
  type BudgetSettings,
  type BudgetStatus,
} from "./actors/repair/budget.ts";
export { CONFLICT_POLICIES, type ConflictPolicy } from "./actors/replica_store/conflicts.ts";
export { EXPIRER_CORE, type ExpirerCore } from "./actors/repair/expirer.ts";
export type { Clock as VersionClock, Dot } from "./actors/replica_store/clock.ts";
export type { ExpiredKey } from "./actors/replica_store/expiry.ts";
export type { PaceSettings } from "./actors/repair/pace.ts";

export type { HintStoreStatus, HintTarget } from "./actors/handoff/protocol.ts";
export type { ActorId, NodeId, ReplicaStoreStatus } from "./actors/replica_store/protocol.ts";
export type { TreeStatus } from "./actors/replica_store/tree_protocol.ts";
export type { PartitionHealth, RepairStatus } from "./actors/repair/anti_entropy.ts";
export type { CopyStatus } from "./actors/repair/refiller.ts";
export { MOVER_CORE, type MoverCore } from "./actors/repair/mover.ts";
export {
  COLLECTOR_CORE,
  type CollectorCore,
  type Report as CollectionReport,
} from "./actors/repair/collection_core.ts";
export type { CollectionStatus } from "./actors/repair/collection_protocol.ts";
export type { Epochs, Said } from "./actors/replica_store/collection.ts";
export type { MoveReport, MoveReports, MovesCore } from "./actors/ring_manager/moves.ts";
export type { Move } from "./actors/ring_manager/plan.ts";
export type { Member, Motion, Ring, RingChange } from "./actors/ring_manager/ring.ts";

// The simulated world, and the decisions that a test may replace in it.
export { COORDINATOR_CORE, type CoordinatorCore } from "./actors/coordinator/core.ts";
export { GOSSIPER_CORE, type GossiperCore } from "./actors/gossiper/gossiper.ts";
export { ANTI_ENTROPY_CORE, type AntiEntropyCore } from "./actors/repair/anti_entropy.ts";
export { HANDOFF_CORE, type HandoffCore } from "./actors/handoff/handoff.ts";
export { HINT_STORE_CORE, type HintStoreCore } from "./actors/handoff/hint_store.ts";
export { REFILLER_CORE, type RefillerCore } from "./actors/repair/refiller.ts";
export { REPLICA_STORE_CORE, type ReplicaStoreCore } from "./actors/replica_store/options.ts";
export { RING_MANAGER_CORE, type RingManagerCore } from "./actors/ring_manager/ring_manager.ts";
export type { SimulatedClock } from "./actors/simulated/clock.ts";
export type { DiskFaults, DiskOperation, DiskSnapshot, SimulatedDisk } from "./actors/simulated/disk.ts";
export type { Process, Scheduled } from "./actors/simulated/events.ts";
export type { LinkFaults, SeenMessage, Travelling } from "./actors/simulated/links.ts";
export {
  type Fault,
  FAULT_KINDS,
  type FaultKind,
  FAULTS,
  type KindFacts,
} from "./actors/simulated/faults.ts";
export type { LogLine } from "./actors/simulated/log.ts";
export type { Trouble } from "./actors/simulated/nemesis.ts";
export type { SimulatedNetwork } from "./actors/simulated/network.ts";
export type { SimulatedRandom } from "./actors/simulated/random.ts";
export { Simulation, type SimulationOptions } from "./actors/simulated/simulation.ts";
