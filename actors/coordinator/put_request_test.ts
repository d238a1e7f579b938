import { createRing } from "../ring_manager/ring.ts";
import { assertEquals } from "../runtime/testing/assert.ts";
import type { MintAnswer } from "../replica_store/protocol.ts";
import { COORDINATOR_CORE } from "./core.ts";
import type { PutOutcome, PutRequest } from "./protocol.ts";
import { type PutDesk, PutUnderWay } from "./put_request.ts";

const SELF = "ab".repeat(16);

/** How a write ends that the only replica, the local one, would not mint. */
function outcomeOf(answer: MintAnswer): PutOutcome | null {
  let outcome: PutOutcome | null = null;
  const member = { id: SELF, address: "127.0.0.1:1", zone: "z", weight: 1 };
  const desk: PutDesk = {
    self: SELF,
    ring: createRing({ clusterId: "ef".repeat(16), cluster: "c", n: 1, partitions: 4, member }),
    core: COORDINATOR_CORE,
    now: () => 0,
    replicasOf: () => [SELF],
    fastestOf: () => undefined,
    sendMint: () => true,
    sendWrite: () => true,
    sendForward: () => true,
    observe: () => {},
    answer: (_, given) => outcome = given,
    countFailover: () => {},
  };
  const request = { key: Uint8Array.of(1), value: null, forwarded: false } as unknown as PutRequest;
  const put = new PutUnderWay(request, 1, 1, desk);
  put.start();
  put.onMinted(answer);
  return outcome;
}

Deno.test("put: a refused mint is definite only where the replica says that it did not hold the write before", () => {
  for (const definite of [true, false]) {
    const message = "the local store takes no writes";
    const outcome = outcomeOf({ ok: false, code: "unavailable", message, definite });
    assertEquals(outcome, { ok: false, code: "unavailable", message, definite });
  }
});
