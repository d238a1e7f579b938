/**
 * A node from its options: it takes hold of its directory, learns from it who it is, binds its port and starts
 * its supervision tree (`actors/node.ts`).
 *
 * @module
 */

import type { CoordinatorProtocol } from "../actors/coordinator/protocol.ts";
import { COORDINATOR_CORE, type CoordinatorCore } from "../actors/coordinator/core.ts";
import { nodeTree } from "../actors/node.ts";
import type { RuntimeFigures } from "../actors/operator/operator.ts";
import {
  REPLICA_STORE_CORE,
  type ReplicaStoreCore,
  type ReplicaStoreOptions,
} from "../actors/replica_store/replica_store.ts";
import type { ReplicaStoreProtocol } from "../actors/replica_store/protocol.ts";
import { type Acceptor, acceptorOf } from "../actors/ring_manager/commit.ts";
import { decodeAcceptor, encodeAcceptor } from "../actors/ring_manager/commit_codec.ts";
import { RING_MANAGER_CORE, type RingManagerCore } from "../actors/ring_manager/ring_manager.ts";
import { createRing, type Member, type Ring } from "../actors/ring_manager/ring.ts";
import { fromHex, toHex } from "../actors/runtime/bytes.ts";
import type { Transport } from "../actors/runtime/protocol.ts";
import type { Endpoint, Environment, Listener } from "../actors/runtime/environment.ts";
import { ActorSystem } from "../actors/runtime/mod.ts";
import { realEnvironment } from "../actors/runtime/real/mod.ts";
import type { Engine, SyncPolicy } from "../storage/engine.ts";
import { openMemoryEngine } from "../storage/memory/engine.ts";
import { type CleanClose, type NodeJournal, openNodeJournal } from "../storage/node_journal.ts";
import { formatAddress } from "./address.ts";
import { CONTROL } from "./control.ts";
import { ControlCodec } from "./control_codec.ts";
import type { NodeFacts } from "./handshake.ts";
import { listener, type ListenerProtocol } from "./listener.ts";
import { peers, type PeersProtocol } from "./peers.ts";
import { administer } from "./administer.ts";

/** The release this is; the same as in deno.json. */
export const VERSION = "0.1.0";

/** How a node is configured. Everything has a default; see the README. */
export interface NodeOptions {
  /** Address to listen on. Only loopback addresses, until clusters have secrets. Default `127.0.0.1`. */
  readonly host?: string;
  /** Port of the native protocol; 0 takes a free one. Default 3001. */
  readonly port?: number;
  /** `host:port` where others reach this node. Default: where it listens. */
  readonly advertise?: string;
  /** The cluster's name; nodes of another name are refused. Default `denamo`. */
  readonly cluster?: string;
  /** `host:port` of members: a node that is alone joins the first that answers. Default none. */
  readonly seeds?: readonly string[];
  /** Failure zone; replicas go to distinct zones where there are enough. Default `default`. */
  readonly zone?: string;
  /** Share of the partitions relative to other nodes. Default 1. */
  readonly weight?: number;
  /** Partitions Q, fixed when the cluster is created. Default 256. */
  readonly partitions?: number;
  /** Replicas N, fixed when the cluster is created, and R and W of a request that names none. Default 3, 2, 2. */
  readonly quorum?: { readonly n?: number; readonly r?: number; readonly w?: number };
  /** Peers gossiped to per beat, and milliseconds between beats. Default 2 and 500. */
  readonly heartbeat?: { readonly fanout?: number; readonly interval?: number };
  /** Where and how records rest. */
  readonly storage?: {
    /** The engine. Default `memory`: records in memory, every write in a journal. */
    readonly engine?: "memory";
    /** Directory of this node alone. Default `./denamo-data/PORT`. */
    readonly path?: string;
    /** When a write counts as durable. Default `always`. */
    readonly sync?: SyncPolicy;
    /** False: records are in memory only and gone with the process. Default true. */
    readonly persist?: boolean;
  };
  /** How much is logged. Default `info`. */
  readonly logLevel?: "debug" | "info" | "warn" | "error" | "silent";
  /** Log to standard error in this format; absent: leave it to the application's LogTape configuration. */
  readonly logFormat?: "text" | "json";
}

/** How often a stopping node looks whether what was under way has ended. */
const DRAIN_POLL_MS = 20;

/** Pure decisions to substitute: how a test plants a bug in a whole node. */
export interface NodeCores {
  /** See `actors/coordinator/core.ts`. */
  readonly coordinator?: Partial<CoordinatorCore>;
  /** See `actors/ring_manager/ring_manager.ts`. */
  readonly ringManager?: Partial<RingManagerCore>;
  /** See `actors/replica_store/replica_store.ts`. */
  readonly replicaStore?: Partial<ReplicaStoreCore>;
}

/** What the options lack is filled in. */
interface Settings {
  readonly host: string;
  readonly port: number;
  readonly advertise: string | undefined;
  readonly cluster: string;
  readonly seeds: readonly string[];
  readonly zone: string;
  readonly weight: number;
  readonly partitions: number;
  readonly quorum: { readonly n: number; readonly r: number; readonly w: number };
  readonly heartbeat: { readonly fanout: number; readonly intervalMs: number };
  readonly path: string;
  readonly sync: SyncPolicy;
  readonly persist: boolean;
}

function settingsOf(options: NodeOptions): Settings {
  const port = options.port ?? 3001;
  const settings: Settings = {
    host: options.host ?? "127.0.0.1",
    port,
    advertise: options.advertise,
    cluster: options.cluster ?? "denamo",
    seeds: options.seeds ?? [],
    zone: options.zone ?? "default",
    weight: options.weight ?? 1,
    partitions: options.partitions ?? 256,
    quorum: { n: options.quorum?.n ?? 3, r: options.quorum?.r ?? 2, w: options.quorum?.w ?? 2 },
    heartbeat: { fanout: options.heartbeat?.fanout ?? 2, intervalMs: options.heartbeat?.interval ?? 500 },
    path: options.storage?.path ?? `./denamo-data/${port}`,
    sync: options.storage?.sync ?? "always",
    persist: options.storage?.persist ?? true,
  };
  const { n, r, w } = settings.quorum;
  if (r > n || w > n) throw new RangeError(`quorum: R = ${r} and W = ${w} must be at most N = ${n}`);
  if (!isLoopback(settings.host)) {
    throw new RangeError(
      `host: ${settings.host} is not a loopback address; without a cluster secret and client credentials ` +
        `(not available yet) anyone who reaches it could read and write everything`,
    );
  }
  return settings;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

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
      await journal.close(cleanClose(life.clean));
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
    const socket = await env.network.listen({ host: settings.host, port: settings.port });
    let journal: NodeJournal | null = null;
    try {
      journal = await openNodeJournal({ ...env, directory: `${settings.path}/node` });
      return await Node.#compose(settings, env, cores, socket, journal);
    } catch (error) {
      socket.close();
      await journal?.close();
      throw error;
    }
  }

  static async #compose(
    settings: Settings,
    env: Environment,
    cores: NodeCores,
    socket: Listener,
    journal: NodeJournal,
  ): Promise<Node> {
    const address = settings.advertise ?? formatAddress(socket.endpoint);
    const ring = await ringOf(settings, env, journal, address);
    const life = new Life(settings, env, journal, address, ring);
    const { facts } = life;
    const system = new ActorSystem({ node: facts.nodeId, environment: env });
    const end = (reason: string) => {
      life.fenced = reason;
      env.log.error("this node is fenced and ends", { reason });
      void system.stop();
    };
    const control = new ControlCodec(CONTROL, () => env.clock.now());
    const spec = nodeTree({
      ringManager: {
        node: facts.nodeId,
        load: () => loadVote(journal),
        mayVote: await mayVote(journal),
        save: (vote) => journal.set(VOTE, vote),
        core: { ...RING_MANAGER_CORE, ...cores.ringManager },
        onRing: (ring) => life.ring = ring,
        onRemoved: () =>
          end("it was removed from the cluster; start it with an empty directory to join anew"),
      },
      replicaStore: {
        node: facts.nodeId,
        open: () => openStore(settings, env, journal),
        left: life.left,
        onWhole: () => void journal.set(NOT_WHOLE, NO_BYTES).catch(() => {}),
        core: { ...REPLICA_STORE_CORE, ...cores.replicaStore },
      },
      peers: peers({
        facts,
        control,
        currentRing: () => life.ring,
        setTransport: (transport) => {
          life.transport = transport;
          system.setTransport(transport);
        },
        onPeer: (node, event) => {
          if (event !== "connected") {
            system.ref<CoordinatorProtocol>("coordinator").tell("peerLost", { node });
          }
        },
      }),
      gossiper: {
        node: facts.nodeId,
        bootId: facts.bootId,
        incarnation: life.incarnation,
        heartbeat: settings.heartbeat,
        onDuplicate: () => end(`another process lives under the id ${facts.nodeId} of this node`),
      },
      refiller: { node: facts.nodeId },
      coordinator: {
        node: facts.nodeId,
        quorum: settings.quorum,
        core: { ...COORDINATOR_CORE, ...cores.coordinator },
      },
      operator: {
        node: facts.nodeId,
        version: VERSION,
        quorum: settings.quorum,
        // The first of the seeds is the one who waits to be joined.
        seeds: settings.seeds[0] === facts.address ? [] : settings.seeds,
        member: life.member,
        administer: administer(env),
        runtime: () => life.figures(system),
      },
      doors: [listener({
        facts,
        control,
        endpoint: socket.endpoint,
        socket,
        deliver: (envelope) => system.deliver(envelope),
        send: (envelope) => life.transport?.send(envelope) ?? false,
        onPeer: (node) => void system.ref<PeersProtocol>("peers").tell("heard", { node }),
        onDuplicate: (node, address) => env.log.error("two processes use one node id", { node, address }),
      })],
    });
    await system.start(spec);
    env.log.info("serving", { address: facts.address, node: facts.nodeId, epoch: life.ring.epoch });
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
  stop(drainMs = 5_000): Promise<void> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  async #stop(drainMs: number): Promise<void> {
    this.#life.condition = "draining";
    await this.#drain(drainMs);
    const store = this.#system.ref<ReplicaStoreProtocol>("replica_store");
    const closed = await store.ask("close", {}, { timeoutMs: 60_000 }).catch(() => null);
    this.#life.clean = closed?.clean ?? null;
    await this.#system.stop();
    await this.terminated;
  }

  /** Let what is under way end, for so long. */
  async #drain(drainMs: number): Promise<void> {
    const { clock } = this.#life.environment;
    const door = this.#system.ref<ListenerProtocol>("listener");
    const until = clock.now() + drainMs;
    while (clock.now() < until) {
      const drained = await door.ask("drain", {}, { timeoutMs: drainMs }).catch(() => null);
      if (drained === null || drained.waiting === 0) return;
      await new Promise<void>((resolve) => void clock.after(DRAIN_POLL_MS, resolve));
    }
  }

  /** See {@link Node.stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Who the node is in this life: what it read from its journal, and what has changed since. */
class Life {
  /** As the ring manager has it. */
  ring: Ring;
  /** The way to other nodes, once `peers` has started. */
  transport: Transport | null = null;
  /** What the store left when it closed; null until then, and when it did not close well. */
  clean: ReplicaStoreOptions["left"] = null;
  /** Why the node had to end itself. */
  fenced: string | null = null;
  /** What keeps it from simply serving. */
  condition: string | null = null;
  readonly environment: Environment;
  readonly incarnation: number;
  readonly left: ReplicaStoreOptions["left"];
  readonly facts: NodeFacts;
  readonly member: Member;
  readonly #startedAt: number;

  constructor(
    settings: Settings,
    environment: Environment,
    journal: NodeJournal,
    address: string,
    ring: Ring,
  ) {
    const { clock, random } = environment;
    this.environment = environment;
    this.ring = ring;
    this.incarnation = journal.incarnation;
    this.#startedAt = clock.now();
    const { cleanClose } = journal;
    this.left = cleanClose && { actorId: toHex(cleanClose.actor), counter: cleanClose.counter };
    this.member = { id: journal.identity, address, zone: settings.zone, weight: settings.weight };
    const current = () => this.ring;
    this.facts = {
      nodeId: journal.identity,
      bootId: toHex(random.bytes(8)),
      address,
      get cluster() {
        return current().cluster;
      },
      get clusterId() {
        return current().clusterId;
      },
      get partitions() {
        return current().partitions;
      },
      get n() {
        return current().n;
      },
      get epoch() {
        return current().epoch;
      },
      isRemoved: (id) => current().removed.includes(id),
    };
  }

  /** Figures for `status` that no actor keeps. */
  figures(system: ActorSystem): RuntimeFigures {
    const stats = system.stats();
    return {
      uptimeMs: Math.round(this.environment.clock.now() - this.#startedAt),
      condition: this.condition,
      messages: { deadLetters: stats.deadLetters, lostToPeers: stats.remoteLost },
      actors: stats.perActor.map(({ name, restarts, mailboxDepth, handled, overloaded }) => ({
        name,
        restarts,
        waiting: mailboxDepth,
        handled,
        refused: overloaded,
      })),
    };
  }
}

/** The facts of the node's journal that are this file's. */
const VOTE = "vote";
const STORE_OPENED = "store-opened";
const NOT_WHOLE = "not-whole";
const ABSTAINS = "abstains";
const NO_BYTES = new Uint8Array(0);
const YES = Uint8Array.of(1);

/** Whether this node still knows everything it promised; once in doubt, always in doubt. */
async function mayVote(journal: NodeJournal): Promise<boolean> {
  if (journal.get(ABSTAINS) !== null) return false;
  if (!journal.damageAtOpen.some(({ kind }) => kind === "corrupt")) return true;
  await journal.set(ABSTAINS, YES);
  return false;
}

function loadVote(journal: NodeJournal): Acceptor {
  const kept = journal.get(VOTE);
  if (kept === null) throw new Error("the node's journal has lost its ring");
  const decoded = decodeAcceptor(kept);
  if (!decoded.ok) throw new Error(`the ring in the node's journal: ${decoded.message}`);
  return decoded.acceptor;
}

/** The ring this node belongs to: from its journal, or a new one with itself as the only member. */
async function ringOf(
  settings: Settings,
  environment: Environment,
  journal: NodeJournal,
  address: string,
): Promise<Ring> {
  if (journal.get(VOTE) !== null) {
    const vote = loadVote(journal);
    const ring = checkKept(vote.ring, settings, journal, address);
    if (ring !== vote.ring) await journal.set(VOTE, encodeAcceptor(acceptorOf(ring)));
    return ring;
  }
  const ring = createRing({
    clusterId: toHex(environment.random.bytes(16)),
    cluster: settings.cluster,
    n: settings.quorum.n,
    partitions: settings.partitions,
    member: { id: journal.identity, address, zone: settings.zone, weight: settings.weight },
  });
  await journal.set(VOTE, encodeAcceptor(acceptorOf(ring)));
  return ring;
}

/** A cluster's name, N and Q are what they were when it was created; a node's address is what its ring says. */
function checkKept(ring: Ring, settings: Settings, journal: NodeJournal, address: string): Ring {
  const differs = (what: string, configured: unknown, was: unknown) =>
    new Error(
      `${settings.path} belongs to a cluster created with ${what} ${was}, but the configuration says ${configured}`,
    );
  if (ring.cluster !== settings.cluster) throw differs("the name", settings.cluster, ring.cluster);
  if (ring.n !== settings.quorum.n) throw differs("N =", settings.quorum.n, ring.n);
  if (ring.partitions !== settings.partitions) {
    throw differs("partitions =", settings.partitions, ring.partitions);
  }
  const self = ring.members.find((member) => member.id === journal.identity);
  if (self === undefined || self.address === address) return ring;
  if (ring.members.length > 1) {
    throw new Error(
      `${settings.path} belongs to the member at ${self.address}, but this process would be at ${address}; ` +
        `start it there, or with \`advertise\` set to ${self.address}`,
    );
  }
  // Nobody else knows the old address yet.
  return { ...ring, epoch: ring.epoch + 1, members: [{ ...self, address }] };
}

async function openStore(
  settings: Settings,
  environment: Environment,
  journal: NodeJournal,
): Promise<{ engine: Engine; lossy: boolean }> {
  const { sync, persist } = settings;
  const directory = `${settings.path}/memory`;
  const isThere = persist && environment.disk.exists(directory);
  const engine = await openMemoryEngine({ ...environment, directory, sync, persist });
  const wasOpened = journal.get(STORE_OPENED) !== null;
  if (!wasOpened) await journal.set(STORE_OPENED, YES);
  const isDamaged = engine.damageAtOpen.some(({ kind }) => kind === "corrupt");
  const wasNotWhole = (journal.get(NOT_WHOLE)?.length ?? 0) > 0;
  const lossy = isDamaged || wasNotWhole || (wasOpened && !isThere);
  // Remembered until everything has been fetched back, whatever happens to this process before.
  if (lossy && !wasNotWhole) await journal.set(NOT_WHOLE, YES);
  return { engine, lossy };
}

function cleanClose(clean: { actorId: string; counter: number } | null): CleanClose | undefined {
  if (clean === null) return undefined;
  return { actor: fromHex(clean.actorId) ?? new Uint8Array(16), counter: clean.counter };
}
