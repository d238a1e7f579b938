/**
 * How a node is configured, and what holds where the options are silent.
 *
 * @module
 */

import type { ExpirerCore } from "../actors/repair/expirer.ts";
import type { ConflictPolicy } from "../actors/replica_store/conflicts.ts";
import type { BudgetCore } from "../actors/repair/budget.ts";
import type { CoordinatorCore } from "../actors/coordinator/core.ts";
import type { GossiperCore } from "../actors/gossiper/gossiper.ts";
import type { AntiEntropyCore } from "../actors/repair/anti_entropy.ts";
import type { HandoffCore } from "../actors/handoff/handoff.ts";
import type { HintStoreCore } from "../actors/handoff/hint_store.ts";
import type { CollectorCore } from "../actors/repair/collection_core.ts";
import type { MoverCore } from "../actors/repair/mover.ts";
import type { RefillerCore } from "../actors/repair/refiller.ts";
import type { ReplicaStoreCore } from "../actors/replica_store/options.ts";
import type { RingManagerCore } from "../actors/ring_manager/ring_manager.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import type { SyncPolicy } from "../storage/engine.ts";
import { DEFAULT_ENGINE, type EngineName } from "../storage/engines.ts";
import type { HintMemoryCore } from "./hint_memory.ts";
import type { ListenerCore } from "./listener.ts";
import type { NodeMemoryCore } from "./node_memory.ts";

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
  /** What becomes of concurrent writes, the same at every node. Default `siblings`. */
  readonly conflicts?: ConflictPolicy;
  /**
   * Replicas N, fixed when the cluster is created, R and W of a request that names none, and whether other nodes may
   * stand in for replicas that are away where a request does not say. Default 3, 2, 2, and they may.
   */
  readonly quorum?: {
    readonly n?: number;
    readonly r?: number;
    readonly w?: number;
    readonly sloppy?: boolean;
  };
  /** Peers gossiped to per beat, and milliseconds between beats. Default 2 and 500. */
  readonly heartbeat?: { readonly fanout?: number; readonly interval?: number };
  /** Where and how records rest. */
  readonly storage?: {
    /** The engine. Default `memory`: records in memory, every write in a journal. */
    readonly engine?: EngineName;
    /** Directory of this node alone. Default `./denamo-data/PORT`. */
    readonly path?: string;
    /** When a write counts as durable. Default `always`. */
    readonly sync?: SyncPolicy;
    /** False: records are in memory only (no other engine will do) and gone with the process. Default true. */
    readonly persist?: boolean;
    /** Put aside in the directory, for a full disk to restart and to vote with. Default 72 MiB; 0: nothing. */
    readonly reserveBytes?: number;
  };
  /** How much is logged. Default `info`. */
  readonly logLevel?: "debug" | "info" | "warn" | "error" | "silent";
  /** Log to standard error in this format; absent: leave it to the application's LogTape configuration. */
  readonly logFormat?: "text" | "json";
}

/** Pure decisions to substitute: how a test plants a bug in a whole node. */
export interface NodeCores {
  /** See `actors/coordinator/core.ts`. */
  readonly coordinator?: Partial<CoordinatorCore>;
  /** See `actors/ring_manager/ring_manager.ts`. */
  readonly ringManager?: Partial<RingManagerCore>;
  /** See `actors/replica_store/replica_store.ts`. */
  readonly replicaStore?: Partial<ReplicaStoreCore>;
  /** See `actors/gossiper/gossiper.ts`. */
  readonly gossiper?: Partial<GossiperCore>;
  /** See `actors/repair/refiller.ts`. */
  readonly refiller?: Partial<RefillerCore>;
  /** See `actors/repair/expirer.ts`. */
  readonly expirer?: Partial<ExpirerCore>;
  /** See `actors/repair/budget.ts`. */
  readonly budget?: Partial<BudgetCore>;
  /** See `actors/repair/anti_entropy.ts`. */
  readonly antiEntropy?: Partial<AntiEntropyCore>;
  /** See `actors/handoff/hint_store.ts`. */
  readonly hintStore?: Partial<HintStoreCore>;
  /** See `actors/handoff/handoff.ts`. */
  readonly handoff?: Partial<HandoffCore>;
  /** See `net/hint_memory.ts`. */
  readonly hints?: Partial<HintMemoryCore>;
  /** See `actors/repair/mover.ts`. */
  readonly mover?: Partial<MoverCore>;
  /** See `actors/repair/collection_core.ts`. */
  readonly collector?: Partial<CollectorCore>;
  /** See `net/node_memory.ts`. */
  readonly memory?: Partial<NodeMemoryCore>;
  /** See `net/listener.ts`. */
  readonly listener?: Partial<ListenerCore>;
}

/** The options, with what they lack filled in. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly advertise: string | undefined;
  readonly cluster: string;
  readonly seeds: readonly string[];
  readonly zone: string;
  readonly weight: number;
  readonly partitions: number;
  readonly conflicts: ConflictPolicy;
  readonly quorum: { readonly n: number; readonly r: number; readonly w: number; readonly sloppy: boolean };
  readonly heartbeat: { readonly fanout: number; readonly intervalMs: number };
  readonly engine: EngineName;
  readonly path: string;
  readonly sync: SyncPolicy;
  readonly persist: boolean;
  readonly reserveBytes: number;
}

/** The settings that options mean. Throws a `RangeError` that names what is wrong. */
export function settingsOf(options: NodeOptions): Settings {
  const port = options.port ?? 3001;
  const persist = options.storage?.persist ?? true;
  const settings: Settings = {
    host: options.host ?? "127.0.0.1",
    port,
    advertise: options.advertise,
    cluster: options.cluster ?? "denamo",
    seeds: options.seeds ?? [],
    zone: options.zone ?? "default",
    weight: options.weight ?? 1,
    partitions: options.partitions ?? 256,
    conflicts: options.conflicts ?? "siblings",
    quorum: {
      n: options.quorum?.n ?? 3,
      r: options.quorum?.r ?? 2,
      w: options.quorum?.w ?? 2,
      sloppy: options.quorum?.sloppy ?? true,
    },
    heartbeat: { fanout: options.heartbeat?.fanout ?? 2, intervalMs: options.heartbeat?.interval ?? 500 },
    engine: options.storage?.engine ?? (persist ? DEFAULT_ENGINE : "memory"),
    path: options.storage?.path ?? `./denamo-data/${port}`,
    sync: options.storage?.sync ?? "always",
    persist,
    reserveBytes: options.storage?.reserveBytes ?? LIMITS.reserveBytes,
  };
  const { n, r, w } = settings.quorum;
  if (r > n || w > n) throw new RangeError(`quorum: R = ${r} and W = ${w} must be at most N = ${n}`);
  if (!settings.persist && settings.engine !== "memory") {
    throw new RangeError(`storage: only the memory engine can do without files, ${settings.engine} cannot`);
  }
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
