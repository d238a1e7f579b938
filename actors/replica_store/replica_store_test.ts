import { EngineError } from "../../storage/engine.ts";
import { openMemoryEngine } from "../../storage/memory/engine.ts";
import { createRing } from "../ring_manager/ring.ts";
import { encodeUtf8 } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import type { ActorSpec } from "../runtime/mod.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { oneForOne, stage } from "../runtime/testing/stage.ts";
import { Simulation } from "../simulated/simulation.ts";
import { mint } from "./object.ts";
import { encodeObject } from "./object_codec.ts";
import type { EncodedObject, MintAnswer, ReadAnswer, ReplicaStoreProtocol, WriteAnswer } from "./protocol.ts";
import { REPLICA_STORE_CORE, replicaStore } from "./replica_store.ts";

const NODE = "ab".repeat(16);
const KEY = encodeUtf8("k");

/** As much of the coordinator as the store speaks to. */
type Ears = {
  replicaWrote: [{ ticket: number; answer: WriteAnswer }, void];
  replicaRead: [{ ticket: number; answer: ReadAnswer }, void];
  minted: [{ ticket: number; answer: MintAnswer }, void];
};

/** A store of one node over a memory engine whose syncs the test decides. */
async function open() {
  const heard: string[] = [];
  let durability: () => Promise<void> = () => Promise.resolve();
  let refusal: EngineError | null = null;
  const ring = createRing({
    clusterId: "ef".repeat(16),
    cluster: "c",
    n: 1,
    partitions: 4,
    member: { id: NODE, address: "127.0.0.1:1", zone: "z", weight: 1 },
  });
  const say = (answer: WriteAnswer | MintAnswer | ReadAnswer) => answer.ok ? "ok" : `${answer.code}`;
  const coordinator: ActorSpec<Ears> = {
    name: "coordinator",
    start: () => ({
      replicaWrote: ({ ticket, answer }) =>
        void heard.push(`${ticket} wrote ${say(answer)}${answer.ok || answer.definite ? "" : ", in doubt"}`),
      replicaRead: ({ ticket, answer }) => void heard.push(`${ticket} read ${say(answer)}`),
      minted: ({ ticket, answer }) => void heard.push(`${ticket} minted ${say(answer)}`),
    }),
  };
  const store = replicaStore({
    node: NODE,
    current: () => ({ ring, isFenced: false }),
    onWhole: () => {},
    core: REPLICA_STORE_CORE,
    async open() {
      const engine = await openMemoryEngine({
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
      return { engine, lossy: false };
    },
  });
  const started = await stage(oneForOne(store, coordinator), NODE);
  const ref = started.system.ref<ReplicaStoreProtocol>("replica_store");
  const placed = { key: KEY, partition: 0, epoch: ring.epoch };
  return {
    heard,
    fail: (by: EngineError | null, next: () => Promise<void>) => {
      refusal = by;
      durability = next;
    },
    write: async (object: EncodedObject, ticket: number) => {
      ref.tell("write", { ...placed, object, ticket, from: NODE });
      await settled();
    },
    read: async (deadline: number, ticket: number) => {
      ref.tell("read", { ...placed, ticket, from: NODE, deadline });
      await settled();
    },
    mint: async (deadline: number, ticket: number) => {
      const value = encodeUtf8("v");
      const write = { value, crc32c: crc32c(value), context: null, requestId: "02".repeat(16) };
      ref.tell("mint", { ...placed, ...write, ticket, deadline });
      await settled();
    },
    now: () => started.environment.clock.now(),
    stop: () => started.system.stop(),
  };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await undefined;
}

function object(text: string): EncodedObject {
  const value = encodeUtf8(text);
  const dot = { actor: "cd".repeat(16), counter: 1 };
  const requestId = "01".repeat(16);
  const outcome = mint(null, { context: [], value, crc32c: crc32c(value), requestId, wallMs: 1, dot });
  assert(outcome.ok);
  return encodeObject(outcome.object);
}

for (
  const [trouble, error] of [
    ["a full disk", new EngineError("full", "full: no space")],
    ["a failed sync", new EngineError("poisoned", "poisoned: sync")],
  ] as const
) {
  Deno.test(`replica store: what ${trouble} left in doubt is not acknowledged when it comes a second time`, async () => {
    const store = await open();
    store.fail(null, () => Promise.reject(error));
    await store.write(object("v"), 1);
    store.fail(error, () => Promise.reject(error));
    await store.write(object("v"), 2);
    store.fail(null, () => Promise.resolve());
    await store.write(object("v"), 3);
    await store.write(object("v"), 4);
    assertEquals(store.heard, [
      "1 wrote unavailable, in doubt",
      "2 wrote unavailable, in doubt",
      "3 wrote ok",
      "4 wrote ok",
    ]);
    await store.stop();
  });
}

Deno.test("replica store: a write that comes a second time is acknowledged with the group that stores it", async () => {
  const store = await open();
  const { promise, resolve } = Promise.withResolvers<void>();
  store.fail(null, () => promise);
  await store.write(object("v"), 1);
  await store.write(object("v"), 2);
  assertEquals(store.heard, []);
  resolve();
  await settled();
  assertEquals(store.heard, ["1 wrote ok", "2 wrote ok"]);
  await store.stop();
});

Deno.test("replica store: past its deadline a read is not answered and a write not minted", async () => {
  const store = await open();
  await store.read(store.now(), 1);
  await store.mint(store.now(), 2);
  await store.read(store.now() + 1, 3);
  await store.mint(store.now() + 1, 4);
  assertEquals(store.heard, ["2 minted unavailable", "3 read ok", "4 minted ok", "4 wrote ok"]);
  await store.stop();
});
