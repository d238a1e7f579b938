/**
 * Three coordinators with their replica stores in one process, no bytes between them: what a request costs in
 * decisions and actor hops alone, on all three nodes together.
 *
 * @module
 */

import { coordinator } from "../../actors/coordinator/coordinator.ts";
import { COORDINATOR_CORE } from "../../actors/coordinator/core.ts";
import type { CoordinatorProtocol, OriginProtocol } from "../../actors/coordinator/protocol.ts";
import { Collection, NO_EPOCHS } from "../../actors/replica_store/collection.ts";
import { REPLICA_STORE_CORE } from "../../actors/replica_store/options.ts";
import { replicaStore } from "../../actors/replica_store/replica_store.ts";
import type { Ring } from "../../actors/ring_manager/ring.ts";
import type { RingManagerProtocol } from "../../actors/ring_manager/protocol.ts";
import { crc32c } from "../../actors/runtime/crc32c.ts";
import type { Ref } from "../../actors/runtime/protocol.ts";
import { type ActorSpec, ActorSystem } from "../../actors/runtime/mod.ts";
import { realEnvironment } from "../../actors/runtime/real/mod.ts";
import { openMemoryEngine } from "../../storage/memory/engine.ts";

const IDS = ["01", "02", "03"].map((byte) => byte.repeat(16));

const RING: Ring = {
  clusterId: "c0".repeat(16),
  cluster: "bench",
  epoch: 1,
  n: 3,
  partitions: 256,
  members: IDS.map((id) => ({ id, address: "", zone: "", weight: 1 })),
  owners: Array.from({ length: 256 }, (_, p) => [p % 3, (p + 1) % 3, (p + 2) % 3]),
  removed: [],
  change: null,
};

/** Whoever measures requests lets nothing else wait. */
const FREE = { observe: () => {}, trySpend: () => true };

/** The rig. */
export class QuorumRig {
  readonly #coordinator: Ref<CoordinatorProtocol>;
  readonly #systems: readonly ActorSystem[];
  readonly #value = new Uint8Array(100).fill(7);
  readonly #crc = crc32c(this.#value);
  readonly #answers: Answers;
  #requests = 0;

  private constructor(systems: readonly ActorSystem[], answers: Answers) {
    this.#systems = systems;
    this.#answers = answers;
    this.#coordinator = systems[0]!.ref("coordinator");
  }

  /** Start all of it. */
  static async start(): Promise<QuorumRig> {
    const answers = new Answers();
    const systems = await Promise.all(IDS.map((node) => startNode(node, answers)));
    for (const system of systems) {
      system.setTransport({
        send: (envelope) => systems[IDS.indexOf(envelope.to.node)]!.deliver(envelope) === "sent",
      });
    }
    return new QuorumRig(systems, answers);
  }

  /** So many puts of new keys at once; resolves when all are answered. */
  put(count: number): Promise<void> {
    const answered = this.#answers.expect(count);
    for (let i = 0; i < count; i++) {
      const request = ++this.#requests;
      this.#coordinator.tell("put", {
        key: keyOf(request),
        value: this.#value,
        crc32c: this.#crc,
        context: null,
        w: 0,
        requestId: request.toString(16).padStart(32, "0"),
        forwarded: false,
        ...this.#origin(request),
      });
    }
    return answered;
  }

  /** So many gets of keys put before. */
  get(count: number): Promise<void> {
    const answered = this.#answers.expect(count);
    for (let i = 0; i < count; i++) {
      this.#coordinator.tell("get", { key: keyOf(1 + i % this.#requests), r: 0, ...this.#origin(i) });
    }
    return answered;
  }

  /** Stop it. */
  async stop(): Promise<void> {
    for (const system of this.#systems) await system.stop();
  }

  #origin(ticket: number) {
    return { origin: { node: IDS[0]!, actor: "listener" }, ticket, deadline: Infinity };
  }
}

/** Counts answers. */
class Answers {
  #left = 0;
  #resolve: () => void = () => {};

  expect(count: number): Promise<void> {
    this.#left = count;
    return new Promise((resolve) => this.#resolve = resolve);
  }

  readonly add = (): void => {
    if (--this.#left === 0) this.#resolve();
  };
}

function keyOf(request: number): Uint8Array {
  const key = new Uint8Array(12);
  new DataView(key.buffer).setUint32(0, request);
  return key;
}

async function startNode(node: string, answers: Answers): Promise<ActorSystem> {
  const environment = realEnvironment({ node, logLevel: "error" });
  const system = new ActorSystem({ node, environment });
  const manager: ActorSpec<Pick<RingManagerProtocol, "current">> = {
    name: "ring_manager",
    start: () => ({ current: () => ({ ring: RING, isFenced: false }) }),
  };
  const door: ActorSpec<OriginProtocol> = { name: "listener", start: () => ({ answer: answers.add }) };
  const collection = new Collection({
    node,
    known: NO_EPOCHS,
    trust: "sure",
    members: () => RING.members.map(({ id }) => id),
    save: () => Promise.resolve(),
  });
  const open = async () => {
    const options = { ...environment, directory: "unused", sync: "never" as const, persist: false };
    const engine = await openMemoryEngine(options);
    return { engine, lossy: false, isSerious: false, suspects: [] };
  };
  await system.start({
    name: "bench",
    strategy: "one-for-one",
    intensity: { restarts: 0, withinMs: 1000 },
    children: [
      manager,
      replicaStore({
        conflicts: "siblings",
        wallMs: () => null,
        node,
        open,
        isVouchedFor: () => true,
        collection,
        onSuspects: () => Promise.resolve(),
        current: () => ({ ring: RING, isFenced: false }),
        onWhole: () => {},
        onNotWhole: () => Promise.resolve(),
        core: REPLICA_STORE_CORE,
      }),
      coordinator({
        wallMs: () => null,
        node,
        collection,
        budget: FREE,
        conflicts: "siblings",
        quorum: { r: 2, w: 2, sloppy: false },
        core: COORDINATOR_CORE,
      }),
      door,
    ],
  });
  return system;
}
