import { createRing } from "../ring_manager/ring.ts";
import { mint } from "../replica_store/object.ts";
import { decodeObject, encodeObject } from "../replica_store/object_codec.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { encodeUtf8 } from "../runtime/bytes.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import type { EncodedObject, NodeId } from "../replica_store/protocol.ts";
import { COORDINATOR_CORE } from "./core.ts";
import type { PutOutcome, PutRequest } from "./protocol.ts";
import { type PutDesk, PutUnderWay } from "./put_request.ts";

const SELF = "ab".repeat(16);
const OTHERS = ["cd".repeat(16), "ef".repeat(16)];

/** A write that this node coordinates, and what it has said so far. */
function begin(replicas: readonly NodeId[]) {
  const said: string[] = [];
  const stored: EncodedObject[] = [];
  const world = { now: 0, outcome: null as PutOutcome | null };
  const member = { id: SELF, address: "127.0.0.1:1", zone: "z", weight: 1 };
  const desk: PutDesk = {
    self: SELF,
    ring: createRing({ clusterId: "ef".repeat(16), cluster: "c", n: 1, partitions: 4, member }),
    core: COORDINATOR_CORE,
    now: () => world.now,
    othersOf: () => [],
    teach: () => {},
    replicasOf: () => replicas,
    fallbacksOf: () => [],
    keepersOf: () => [],
    isDown: () => false,
    zoneOf: () => "z",
    sendHintMint: () => false,
    sendHintRead: () => false,
    sendHint: () => false,
    countSloppy: () => {},
    fastestOf: () => undefined,
    sendMint: (_, _ticket, _partition, caughtUp) => said.push(caughtUp ? "mint, caught up" : "mint") > 0,
    sendRead: (replica) => said.push(`read ${replica.slice(0, 2)}`) > 0,
    sendWrite: (replica, { object, ticket }) => {
      if (replica === SELF) stored.push(object);
      return said.push(`write ${replica.slice(0, 2)}${ticket === 0 ? ", no answer wanted" : ""}`) > 0;
    },
    sendForward: () => true,
    observe: () => {},
    answer: (_, given) => world.outcome = given,
    countFailover: () => {},
  };
  const request = { key: Uint8Array.of(1), value: null, forwarded: false } as unknown as PutRequest;
  const put = new PutUnderWay(request, { needed: 1, sloppy: false }, 1, desk);
  put.start();
  return { put, said, stored, world };
}

function object(text: string): EncodedObject {
  const value = encodeUtf8(text);
  const dot = { actor: "12".repeat(16), counter: 1 };
  const write = { context: [], value, crc32c: crc32c(value), requestId: "34".repeat(16), wallMs: 1, dot };
  const minted = mint(null, write);
  assert(minted.ok);
  return encodeObject(minted.object);
}

const BEHIND = { ok: false, code: "behind", message: "", definite: true } as const;

Deno.test("put: a refused mint is definite only where the replica says that it did not hold the write before", () => {
  for (const definite of [true, false]) {
    const message = "the local store takes no writes";
    const { put, world } = begin([SELF]);
    put.onMinted({ ok: false, code: "unavailable", message, definite });
    assertEquals(world.outcome, { ok: false, code: "unavailable", message, definite });
  }
});

Deno.test("put: a replica that is behind the context takes in what the others hold, and then mints", () => {
  const { put, said, stored } = begin([SELF, ...OTHERS]);
  put.onMinted(BEHIND);
  assertEquals(said, ["mint", "read cd", "read ef"]);
  put.onReplicaRead(OTHERS[0]!, { ok: true, object: null });
  put.onReplicaRead(OTHERS[1]!, { ok: true, object: object("seen") });
  assertEquals(said.slice(3), ["write ab, no answer wanted", "mint, caught up"]);
  assertEquals(decodeObject(stored[0]!), decodeObject(object("seen")));
});

Deno.test("put: others that are lost or slow are not waited for", () => {
  const { put, said, world } = begin([SELF, ...OTHERS]);
  put.onMinted(BEHIND);
  put.onPeerLost(OTHERS[0]!);
  world.now = 50;
  put.onSweep(world.now);
  assertEquals(said.slice(3), []);
  world.now = 150;
  put.onSweep(world.now);
  assertEquals(said.slice(3), ["mint, caught up"]);
});
