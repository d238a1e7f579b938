/**
 * A replica store on its own: its engine is in memory and does what a test wants, its coordinator is a test's ears.
 *
 * @module
 */

import type { Engine, EngineError } from "../../../storage/engine.ts";
import { openMemoryEngine } from "../../../storage/memory/engine.ts";
import { createRing, type Ring } from "../../ring_manager/ring.ts";
import { encodeUtf8 } from "../../runtime/bytes.ts";
import { crc32c } from "../../runtime/crc32c.ts";
import type { ActorSpec, Ref } from "../../runtime/mod.ts";
import { assert } from "../../runtime/testing/assert.ts";
import { oneForOne, stage } from "../../runtime/testing/stage.ts";
import { Simulation } from "../../simulated/simulation.ts";
import { Collection, NO_EPOCHS } from "../collection.ts";
import { mint } from "../object.ts";
import { encodeObject } from "../object_codec.ts";
import type {
  EncodedObject,
  MintAnswer,
  ReadAnswer,
  ReplicaStoreProtocol,
  WriteAnswer,
} from "../protocol.ts";
import { REPLICA_STORE_CORE, type ReplicaStoreCore } from "../options.ts";
import { replicaStore } from "../replica_store.ts";

/** The store's node. */
export const NODE = "ab".repeat(16);
/** The key that everything is about, in partition 0. */
export const KEY = encodeUtf8("k");
/** The request that every {@link StoreStage.mint} is for. */
export const REQUEST = "02".repeat(16);

/** As much of the coordinator as the store speaks to. */
type Ears = {
  replicaWrote: [{ ticket: number; answer: WriteAnswer }, void];
  replicaRead: [{ ticket: number; answer: ReadAnswer }, void];
  minted: [{ ticket: number; answer: MintAnswer }, void];
};

/** What may differ between stages. */
export interface StageOptions {
  /** Other members; with them every partition has three owners. */
  readonly others?: readonly string[];
  /** Whether every start is lossy. */
  readonly lossy?: boolean;
  /** Partitions that may be older than they should be. */
  readonly suspects?: readonly number[];
  /** Planted bugs. */
  readonly core?: Partial<ReplicaStoreCore>;
  /** Remembers a loss. */
  readonly onNotWhole?: () => Promise<void>;
}

/** A store and what it takes to test it. */
export interface StoreStage {
  /** What the coordinator was told, in order. */
  readonly heard: string[];
  /** What it takes. */
  readonly collection: Collection;
  /** The store. */
  readonly store: Ref<ReplicaStoreProtocol>;
  /** Its engine, of the latest start. */
  readonly engine: () => Engine;
  /** How often it said that it is whole. */
  readonly wholes: () => number;
  /** From now on the engine refuses writes (null: takes them), and durability is had so. */
  fail(by: EngineError | null, next: () => Promise<void>): void;
  /** A coordinator sends an object. */
  write(object: EncodedObject, ticket: number, stamp?: number): Promise<void>;
  /** A coordinator reads. */
  read(deadline: number, ticket: number): Promise<void>;
  /** The coordinator has a version minted. */
  mint(deadline: number, ticket: number): Promise<void>;
  /** Another ring comes. */
  ring(epoch: number): Promise<void>;
  /** The store crashes and starts again. */
  crash(): Promise<void>;
  /** The stage's clock. */
  now(): number;
  /** Stop it. */
  stop(): Promise<void>;
}

/** Start one. */
export async function storeStage(options: StageOptions = {}): Promise<StoreStage> {
  const heard: string[] = [];
  let durability: () => Promise<void> = () => Promise.resolve();
  let refusal: EngineError | null = null;
  let wholes = 0;
  let engine!: Engine;
  const ring = ringOf(options.others ?? []);
  const collection = new Collection({
    node: NODE,
    known: NO_EPOCHS,
    trust: "sure",
    members: () => ring.members.map(({ id }) => id),
    save: () => Promise.resolve(),
  });
  const store = replicaStore({
    conflicts: "siblings",
    wallMs: () => null,
    node: NODE,
    isVouchedFor: () => true,
    collection,
    onSuspects: () => Promise.resolve(),
    current: () => ({ ring, isFenced: false }),
    onWhole: () => wholes++,
    onNotWhole: options.onNotWhole ?? (() => Promise.resolve()),
    core: { ...REPLICA_STORE_CORE, ...options.core },
    async open() {
      engine = await openMemoryEngine({
        ...new Simulation({ seed: 1 }).environment("n"),
        directory: "d",
        persist: false,
        sync: "always",
      });
      const write = engine.write.bind(engine);
      engine.write = (changes) => {
        if (refusal !== null) throw refusal;
        void write(changes);
        return durability();
      };
      return { engine, lossy: options.lossy ?? false, isSerious: false, suspects: options.suspects ?? [] };
    },
  });
  const started = await stage(oneForOne(store, ears(heard)), NODE);
  const ref = started.system.ref<ReplicaStoreProtocol>("replica_store");
  const placed = { key: KEY, partition: 0, epoch: ring.epoch };
  return {
    heard,
    collection,
    store: ref,
    engine: () => engine,
    wholes: () => wholes,
    fail(by, next) {
      refusal = by;
      durability = next;
    },
    write(object, ticket, stamp = 0) {
      ref.tell("write", { ...placed, object, stamp, ticket, from: NODE });
      return settled();
    },
    read(deadline, ticket) {
      ref.tell("read", { ...placed, ticket, from: NODE, deadline });
      return settled();
    },
    mint(deadline, ticket) {
      const value = encodeUtf8("v");
      const write = { value, crc32c: crc32c(value), context: null, requestId: REQUEST };
      ref.tell("mint", { ...placed, ...write, ticket, deadline, caughtUp: false });
      return settled();
    },
    ring(epoch) {
      ref.tell("ring", { ring: { ...ring, epoch } });
      return settled();
    },
    async crash() {
      started.system.crash("replica_store", new Error("the test says so"));
      await started.clock.advance(1_000);
    },
    now: () => started.environment.clock.now(),
    stop: () => started.system.stop(),
  };
}

function ringOf(others: readonly string[]): Ring {
  const member = (id: string) => ({ id, address: "127.0.0.1:1", zone: "z", weight: 1 });
  const alone = createRing({
    clusterId: "ef".repeat(16),
    cluster: "c",
    n: 1 + others.length,
    partitions: 4,
    member: member(NODE),
  });
  const members = [NODE, ...others].map(member);
  return { ...alone, members, owners: alone.owners.map(() => members.map((_, index) => index)) };
}

function ears(heard: string[]): ActorSpec<Ears> {
  const say = (answer: WriteAnswer | MintAnswer | ReadAnswer) => answer.ok ? "ok" : `${answer.code}`;
  const doubt = (answer: WriteAnswer | MintAnswer) => answer.ok || answer.definite ? "" : ", in doubt";
  return {
    name: "coordinator",
    start: () => ({
      replicaWrote: ({ ticket, answer }) => void heard.push(`${ticket} wrote ${say(answer)}${doubt(answer)}`),
      replicaRead: ({ ticket, answer }) => void heard.push(`${ticket} read ${say(answer)}`),
      minted: ({ ticket, answer }) => void heard.push(`${ticket} minted ${say(answer)}${doubt(answer)}`),
    }),
  };
}

/** Let everything happen that needs no time. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await undefined;
}

/** An object of one version. */
export function objectOf(text: string, requestId = "01".repeat(16)): EncodedObject {
  const value = encodeUtf8(text);
  const dot = { actor: "cd".repeat(16), counter: 1 };
  const outcome = mint(null, { context: [], value, crc32c: crc32c(value), requestId, wallMs: 1, dot });
  assert(outcome.ok);
  return encodeObject(outcome.object);
}
