import fc from "fast-check";
import { equalBytes, toHex } from "../runtime/bytes.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { decodeGossip, encodeGossip } from "./gossip_codec.ts";
import type { Gossip, Rumour } from "./rumour.ts";

const u32 = fc.nat(0xffffffff);
const id = (sizeBytes: number) => fc.uint8Array({ minLength: sizeBytes, maxLength: sizeBytes }).map(toHex);
const rumour: fc.Arbitrary<Rumour> = fc.record({
  node: id(16),
  life: fc.integer({ min: 1, max: 0xffffffff }),
  boot: id(8),
  incarnation: u32,
  heartbeat: fc.maxSafeNat(),
  liveness: fc.constantFrom("alive", "suspect", "down"),
});
const gossips: fc.Arbitrary<Gossip> = fc.record({
  digest: fc.record({ epoch: fc.maxSafeNat(), checksum: u32 }),
  isAnswer: fc.boolean(),
  rumours: fc.array(rumour, { maxLength: 64, size: "max" }),
});

Deno.test("gossip codec: a message decodes to itself, and any bytes to a message or null", () => {
  fc.assert(fc.property(gossips, fc.nat(), fc.integer({ min: 1, max: 255 }), (gossip, where, mask) => {
    const bytes = encodeGossip(gossip);
    assertEquals(decodeGossip(bytes), gossip);
    const at = where % bytes.length;
    assertEquals(decodeGossip(bytes.subarray(0, at)), null);
    bytes[at]! ^= mask;
    const other = decodeGossip(bytes);
    if (other !== null) assert(equalBytes(encodeGossip(other), bytes), "canonical");
  }));
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeGossip(bytes)));
});

Deno.test("gossip codec: more rumours than allowed are refused", () => {
  const rumours = Array.from({ length: 65 }, () => fc.sample(rumour, 1)[0]!);
  assertEquals(
    decodeGossip(encodeGossip({ digest: { epoch: 1, checksum: 1 }, isAnswer: false, rumours })),
    null,
  );
});
