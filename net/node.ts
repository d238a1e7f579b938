/**
 * A node from its options: it takes hold of its directory, learns from it who it is, binds its port and starts
 * its supervision tree (`actors/node.ts`).
 *
 * @module
 */

import { EXPIRER_CORE } from "../actors/repair/expirer.ts";
import { ClusterClock } from "../actors/gossiper/cluster_clock.ts";
import { Budget, BUDGET_CORE } from "../actors/repair/budget.ts";
import { COORDINATOR_CORE } from "../actors/coordinator/core.ts";
import type { CoordinatorProtocol } from "../actors/coordinator/protocol.ts";
import { GOSSIPER_CORE } from "../actors/gossiper/gossiper.ts";
import { type NodeParts, nodeTree } from "../actors/node.ts";
import type { OperatorActorProtocol } from "../actors/operator/protocol.ts";
import { HANDOFF_CORE } from "../actors/handoff/handoff.ts";
import { HINT_STORE_CORE } from "../actors/handoff/hint_store.ts";
import type { GossiperProtocol } from "../actors/gossiper/protocol.ts";
import type { ReplicaStoreProtocol } from "../actors/replica_store/protocol.ts";
import { ANTI_ENTROPY_CORE } from "../actors/repair/anti_entropy.ts";
import { holdsNothing, MOVER_CORE } from "../actors/repair/mover.ts";
import { COLLECTOR_CORE } from "../actors/repair/collection_core.ts";
import { Collection } from "../actors/replica_store/collection.ts";
import { REFILLER_CORE } from "../actors/repair/refiller.ts";
import { REPLICA_STORE_CORE } from "../actors/replica_store/options.ts";
import { isLeaving } from "../actors/ring_manager/moves.ts";
import { RING_MANAGER_CORE } from "../actors/ring_manager/ring_manager.ts";
import type { Endpoint, Environment, Listener } from "../actors/runtime/environment.ts";
import { ActorSystem, type AnyActorSpec } from "../actors/runtime/mod.ts";
import { realEnvironment } from "../actors/runtime/real/mod.ts";
import type { NodeJournal } from "../storage/node_journal.ts";
import { formatAddress } from "./address.ts";
import { administer } from "./administer.ts";
import { backUp, type BackupSource, clearSnapshot } from "./backup.ts";
import { CONTROL } from "./control.ts";
import { ControlCodec } from "./control_codec.ts";
import { HINT_MEMORY_CORE, openHintStore } from "./hint_memory.ts";
import { listen, listener, LISTENER_CORE, type ListenerProtocol } from "./listener.ts";
import type { ProcessLife } from "./lives.ts";
import { collectionOf, saveCollection, saveSuspects } from "./collection_memory.ts";
import { Life } from "./node_life.ts";
import {
  askedOf,
  loadVote,
  markNotWhole,
  markWhole,
  mayVote,
  NODE_MEMORY_CORE,
  openJournal,
  openStore,
  ringOf,
  saveVote,
} from "./node_memory.ts";
import type { EngineName } from "../storage/engines.ts";
import { type NodeCores, type NodeOptions, type Settings, settingsOf } from "./node_options.ts";
import { peers, type PeersProtocol } from "./peers.ts";
import { Reserve } from "./reserve.ts";
import { ReserveDisk } from "./reserve_disk.ts";

export type { EngineName, NodeCores, NodeOptions };

/** The release this is; the same as in deno.json. */
export const VERSION = "0.1.0";

/** Why a node ended that is no member any more. */
export const REMOVED = "it was removed from the cluster; start it with an empty directory to join anew";

/** Why a node ended that has left. */
export const LEFT = "it has left the cluster, and holds nothing any more";

/** How often a stopping node looks whether what was under way has ended. */
const DRAIN_POLL_MS = 20;
/** Requests that were under way are waited for so long. */
const DRAIN_MS = 5_000;

/**
 * A running node.
 *
 * @example
 * ```ts
 * import { Client, Node } from "../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempDir();
 * await using node = await Node.start({ port: 0, storage: { path }, logLevel: "silent" });
 * await using client = await Client.connect(node.address);
 * await client.put("foo", "bar");
 * const { values } = await client.get("foo");
 * assertEquals(new TextDecoder().decode(values[0]), "bar");
 * ```
 */
export class Node implements AsyncDisposable {
  /** Its id, kept in its directory. */
  readonly id: string;
  /** Where it listens. */
  readonly endpoint: Endpoint;
  /** Where others reach it, `host:port`. */
  readonly address: string;
  /**
   * Resolves when the node has ended: `stopped`, or why it gave up, in words for a process's last line.
   */
  readonly terminated: Promise<{ reason: string }>;
  readonly #system: ActorSystem;
  readonly #life: Life;
  #stopping: Promise<void> | null = null;

  private constructor(system: ActorSystem, journal: NodeJournal, life: Life, endpoint: Endpoint) {
    this.#system = system;
    this.#life = life;
    this.id = life.facts.nodeId;
    this.endpoint = endpoint;
    this.address = life.facts.address;
    this.terminated = system.terminated.then(async ({ reason }) => {
      await journal.close().catch((error) =>
        life.environment.log.error("the journal did not close", { error })
      );
      return { reason: life.fenced ?? reason };
    });
  }

  /**
   * Start a node. The promise resolves when it serves.
   *
   * @throws {Error} with what is wrong and where: an option, the directory (locked, unreadable, written by a newer
   * release), the port (in use)
   */
  static async start(
    options: NodeOptions = {},
    environment?: Environment,
    cores: NodeCores = {},
  ): Promise<Node> {
    const settings = settingsOf(options);
    const env = environment ?? realEnvironment({
      node: options.advertise ?? `${settings.host}:${settings.port}`,
      ...(options.logLevel !== undefined && { logLevel: options.logLevel }),
      ...(options.logFormat !== undefined && { logFormat: options.logFormat }),
    });
    const socket = await listen(env.network, { host: settings.host, port: settings.port });
    let journal: NodeJournal | null = null;
    const reserve = new Reserve(env, settings.path, settings.reserveBytes);
    try {
      journal = await openJournal(settings, { ...env, disk: new ReserveDisk(env.disk, reserve) });
      clearSnapshot({ settings, environment: env });
      return await Node.#compose({ settings, env, cores, socket, journal, reserve });
    } catch (error) {
      socket.close();
      await journal?.close().catch(() => {}); // what came first is what there is to say
      throw error;
    }
  }

  static async #compose(given: Omit<Materials, "life" | "system" | "budget" | "collection">): Promise<Node> {
    const { settings, env, socket, journal, reserve } = given;
    const address = settings.advertise ?? formatAddress(socket.endpoint);
    const ring = await ringOf(settings, env, journal, address);
    const life = new Life(settings, env, journal, address, ring);
    const collection = new Collection({
      node: life.facts.nodeId,
      ...collectionOf(journal, ring),
      members: () => life.ring.members.map(({ id }) => id),
      save: (said) => saveCollection(journal, life.ring.clusterId, said),
    });
    const budget = new Budget(env.clock, { ...BUDGET_CORE, ...given.cores.budget });
    const system = new ActorSystem({ node: life.facts.nodeId, environment: env });
    await system.start(nodeTree(partsOf({ ...given, life, system, budget, collection })));
    reserve.keep();
    void system.terminated.then(() => reserve.stop());
    void system.terminated.then(() => budget.close());
    env.log.info("serving", { address, node: life.facts.nodeId, epoch: life.ring.epoch });
    return new Node(system, journal, life, socket.endpoint);
  }

  /** Make one of its actors crash, as if by a bug: what an operator or a test does to see it come back. */
  crash(actor: string): void {
    this.#system.crash(actor);
  }

  /**
   * Stop: requests under way are answered (for at most `drainMs`), everything acknowledged is on disk, the
   * directory is let go. Stopping twice does nothing.
   */
  stop(drainMs = DRAIN_MS): Promise<void> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  async #stop(drainMs: number): Promise<void> {
    await drain(this.#life, this.#system, drainMs);
    await this.#system.stop();
    await this.terminated;
  }

  /** See {@link Node.stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Let what is under way end, for so long. */
async function drain(life: Life, system: ActorSystem, drainMs: number): Promise<void> {
  life.condition = "draining";
  const { clock } = life.environment;
  const door = system.ref<ListenerProtocol>("listener");
  const until = clock.now() + drainMs;
  while (clock.now() < until) {
    const drained = await door.ask("drain", {}, { timeoutMs: drainMs }).catch(() => null);
    if (drained === null || drained.waiting === 0) return;
    await new Promise<void>((resolve) => void clock.after(DRAIN_POLL_MS, resolve));
  }
}

/**
 * The ring has this node no more. If it was leaving and holds nothing, that was its own wish, and nobody who talks to
 * it need notice; if it holds something yet, somebody has removed it by force.
 */
async function depart({ env, life, system }: Materials): Promise<void> {
  if (life.isDeparting) return;
  life.isDeparting = true;
  const isEmpty = await holdsNothing(system, null, 0);
  life.fenced = isEmpty ? LEFT : REMOVED;
  if (isEmpty) env.log.info("this node has left the cluster and ends");
  else env.log.error("this node is fenced and ends", { reason: REMOVED });
  if (isEmpty) await drain(life, system, DRAIN_MS);
  await system.stop();
}

/** What there is when the tree is put together. */
interface Materials {
  readonly settings: Settings;
  readonly env: Environment;
  readonly cores: NodeCores;
  readonly socket: Listener;
  readonly journal: NodeJournal;
  readonly reserve: Reserve;
  readonly budget: Budget;
  readonly collection: Collection;
  readonly life: Life;
  readonly system: ActorSystem;
}

/** Everything the tree is made of. */
function partsOf(materials: Materials): NodeParts {
  const { settings, env, cores, journal, budget, collection, life, system } = materials;
  const { facts: { nodeId: node, bootId } } = life;
  const { conflicts } = settings;
  const clocks = new ClusterClock(node);
  const wallMs = () => clocks.wallMs(env.clock.wall(), env.clock.now());
  const end = (reason: string) => {
    life.fenced = reason;
    env.log.error("this node is fenced and ends", { reason });
    void system.stop();
  };
  const onRemoved = (wasLeaving: boolean) => wasLeaving ? void depart(materials) : end(REMOVED);
  const twin = `another process lives under the id ${node} of this node`;
  const onForgotten = (known: ProcessLife) => void outlive(materials, known);
  const canVote = () => !life.isOlderCopy && !journal.isCopy && mayVote(journal);
  return {
    ringManager: {
      node,
      load: () => loadVote(journal),
      mayVote: canVote,
      save: (vote) => saveVote(journal, vote),
      core: { ...RING_MANAGER_CORE, ...cores.ringManager },
      onCurrent: (current) => {
        const isOther = current.ring.clusterId !== life.ring.clusterId;
        life.current = current;
        if (isOther) collection.enter();
      },
      onRemoved,
    },
    replicaStore: {
      node,
      conflicts,
      wallMs,
      open: () => openReservedStore(materials),
      isVouchedFor: () => life.isVouchedFor,
      onSuspects: (partitions) => saveSuspects(journal, partitions),
      collection,
      current: () => life.current,
      onWhole: () => markWhole(journal),
      onNotWhole: () => markNotWhole(journal),
      core: { ...REPLICA_STORE_CORE, ...cores.replicaStore },
    },
    ...socketsOf(materials, {
      onRemoved,
      onForgotten,
      onTwin: (member) => end(`${twin}: ${member} says so`),
    }),
    gossiper: {
      silentMs: (member) => life.silentMs(member),
      clocks,
      collection,
      node,
      bootId,
      incarnation: journal.incarnation,
      heartbeat: settings.heartbeat,
      onLife: (member, seen) => {
        if (member !== node && life.facts.isMember(member)) life.lives.onHeard(member, seen);
      },
      onForgotten,
      onDuplicate: () => end(twin),
      core: { ...GOSSIPER_CORE, ...cores.gossiper },
    },
    mover: { node, core: { ...MOVER_CORE, ...cores.mover } },
    ...repairOf(materials, wallMs),
    collector: { node, collection, core: { ...COLLECTOR_CORE, ...cores.collector } },
    ...hintsOf(materials, wallMs),
    coordinator: {
      node,
      conflicts,
      wallMs,
      budget,
      collection,
      quorum: settings.quorum,
      core: { ...COORDINATOR_CORE, ...cores.coordinator },
    },
    operator: {
      node,
      version: VERSION,
      collection,
      quorum: settings.quorum,
      seeds: settings.seeds,
      member: life.member,
      conflicts,
      asked: askedOf(journal),
      administer: administer(env),
      backUp: (directory, onProgress) => backUp(backupSourceOf(materials), directory, onProgress),
      budget,
      mayVote: canVote,
      runtime: () => life.figures(system),
    },
  };
}

/** Open the store: what that has to mend may take what is kept for a full disk; what clients write later may not. */
async function openReservedStore({ settings, env, cores, journal, reserve, budget }: Materials) {
  const disk = new ReserveDisk(env.disk, reserve);
  const opened = await openStore(settings, { ...env, disk, pace: budget.asker() }, journal, {
    ...NODE_MEMORY_CORE,
    ...cores.memory,
  });
  disk.isForLogs = false;
  reserve.refill();
  return opened;
}

/** The actors that put right what this node lacks, or has too long. */
function repairOf(
  { cores, life, budget }: Materials,
  wallMs: () => number | null,
): Pick<NodeParts, "expirer" | "refiller" | "antiEntropy"> {
  const node = life.facts.nodeId;
  const ring = () => life.ring;
  return {
    expirer: { node, wallMs, budget, core: { ...EXPIRER_CORE, ...cores.expirer } },
    refiller: { node, budget, core: { ...REFILLER_CORE, ...cores.refiller } },
    antiEntropy: { node, ring, budget, core: { ...ANTI_ENTROPY_CORE, ...cores.antiEntropy } },
  };
}

/** The actors that keep what others are to have, and give it back. */
function hintsOf(
  materials: Materials,
  wallMs: () => number | null,
): Pick<NodeParts, "hintStore" | "handoff"> {
  const { cores, life, budget, collection, settings: { conflicts } } = materials;
  return {
    hintStore: {
      node: life.facts.nodeId,
      open: () => openReservedHints(materials),
      current: () => life.current,
      isVouchedFor: () => life.isVouchedFor,
      collection,
      conflicts,
      wallMs,
      core: { ...HINT_STORE_CORE, ...cores.hintStore },
    },
    handoff: { node: life.facts.nodeId, budget, core: { ...HANDOFF_CORE, ...cores.handoff } },
  };
}

/** Open the hints, as the store is opened. */
async function openReservedHints({ settings, env, cores, journal, reserve, budget }: Materials) {
  const disk = new ReserveDisk(env.disk, reserve);
  const core = { ...HINT_MEMORY_CORE, ...cores.hints };
  const opened = await openHintStore(settings, { ...env, disk, pace: budget.asker() }, journal, core);
  disk.isForLogs = false;
  return opened;
}

/** What a backup is made of. */
function backupSourceOf({ settings, env, journal, life, system }: Materials): BackupSource {
  return {
    settings,
    environment: env,
    journal,
    async copyStore(directory, onProgress) {
      const store = system.ref<ReplicaStoreProtocol>("replica_store");
      const { copied } = await store.ask("copyStore", { directory, onProgress }, { timeoutMs: 5_000 });
      return await copied;
    },
    describe: () => {
      const { nodeId: node, address, cluster } = life.facts;
      return { denamo: VERSION, node, address, cluster };
    },
  };
}

/**
 * Members know a life of this node that the directory does not know of: it is an older copy than that.
 * Whatever was acknowledged since it was made may be missing, and any promise forgotten; the rest can be made good.
 */
async function outlive(
  { env, journal, collection, life, system }: Materials,
  known: ProcessLife,
): Promise<void> {
  // Heard of twice; unless that life was itself an older copy, and had been told to outlive another.
  if (journal.pastBootIds.includes(known.bootId) && journal.incarnation > known.life) return;
  life.isOlderCopy = true;
  collection.doubt();
  env.log.error("the directory is an older copy: everything is fetched anew, and this node votes no more", {
    life: journal.incarnation,
    known: known.life,
  });
  system.ref<ReplicaStoreProtocol>("replica_store").tell("loseAll", {});
  try {
    await journal.outlive(known);
    system.ref<GossiperProtocol>("gossiper").tell("outlive", { life: journal.incarnation });
    for (const { id } of life.ring.members) system.ref<PeersProtocol>("peers").tell("heard", { node: id });
  } catch (error) {
    // Nobody who knows better lets this node in before it is done, and so it is tried again.
    env.log.error("it cannot be remembered that the directory is an older copy", { error: String(error) });
  }
}

/** What sockets tell of this node. */
interface SocketEvents {
  readonly onRemoved: (wasLeaving: boolean) => void;
  readonly onForgotten: (known: ProcessLife) => void;
  readonly onTwin: (member: string) => void;
}

/** The actors that hold sockets: the connections to members, and the door. */
function socketsOf(
  { env, cores, socket, life, system }: Materials,
  { onRemoved, onForgotten, onTwin }: SocketEvents,
): { readonly peers: AnyActorSpec; readonly doors: readonly AnyActorSpec[] } {
  const { facts } = life;
  const control = new ControlCodec(CONTROL, () => env.clock.now());
  return {
    peers: peers({
      facts,
      control,
      currentRing: () => life.ring,
      setTransport: (transport) => {
        life.transport = transport;
        system.setTransport(transport);
      },
      onPeer: (member, event, code, forgotten = null) => {
        if (life.isTwin(member, code)) onTwin(member);
        if (forgotten !== null) onForgotten(forgotten);
        // Nobody sends a new ring to one who is not in it: a member that was removed while away hears it here.
        if (code === "removed") onRemoved(isLeaving(life.ring, facts.nodeId));
        if (event === "connected") return life.onLetIn(member);
        system.ref<CoordinatorProtocol>("coordinator").tell("peerLost", { node: member });
      },
    }),
    doors: [listener({
      facts,
      control,
      endpoint: socket.endpoint,
      socket,
      deliver: (envelope) => system.deliver(envelope),
      send: (envelope) => life.transport?.send(envelope) ?? false,
      onIntroduced: (peer) => facts.isMember(peer.nodeId) ? life.lives.onIntroduced(peer) : Promise.resolve(),
      onPeer: (member) => void system.ref<PeersProtocol>("peers").tell("heard", { node: member }),
      onOtherCluster: (known) => {
        if (life.ring.members.length === 1) {
          system.ref<OperatorActorProtocol>("operator").tell("courted", { known });
        }
      },
      onDuplicate: (member, at) => env.log.error("two processes use one node id", { member, at }),
      setHearing: (silentMs) => life.silentMs = silentMs,
      core: { ...LISTENER_CORE, ...cores.listener },
    })],
  };
}
