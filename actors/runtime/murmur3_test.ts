import fc from "fast-check";
import { assert, assertEquals } from "./testing/assert.ts";
import { murmur3 } from "./murmur3.ts";

const utf8 = new TextEncoder();

/** The reference, in 64-bit arithmetic and nothing shared with the module. */
function twin(bytes: Uint8Array, seed: number): number {
  const mask = 0xffffffffn;
  const rotate = (x: bigint, n: bigint) => (x << n | x >> (32n - n)) & mask;
  const scramble = (k: bigint) => rotate(k * 0xcc9e2d51n & mask, 15n) * 0x1b873593n & mask;
  let hash = BigInt(seed);
  for (let i = 0; i < bytes.length; i += 4) {
    const block = [...bytes.subarray(i, i + 4)].reduce(
      (sum, byte, j) => sum | BigInt(byte) << BigInt(8 * j),
      0n,
    );
    hash ^= scramble(block);
    if (i + 4 <= bytes.length) hash = rotate(hash, 13n) * 5n + 0xe6546b64n & mask;
  }
  hash ^= BigInt(bytes.length);
  hash = (hash ^ hash >> 16n) * 0x85ebca6bn & mask;
  hash = (hash ^ hash >> 13n) * 0xc2b2ae35n & mask;
  return Number(hash ^ hash >> 16n);
}

Deno.test("murmur3: known vectors", () => {
  const known: [string, number, number][] = [
    ["", 0, 0],
    ["", 1, 0x514e28b7],
    ["", 0xffffffff, 0x81f16f39],
    ["test", 0, 0xba6bd213],
    ["test", 0x9747b28c, 0x704b81dc],
    ["Hello, world!", 0, 0xc0363e43],
    ["Hello, world!", 0x9747b28c, 0x24884cba],
    ["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
    ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
  ];
  for (const [text, seed, hash] of known) assertEquals(murmur3(utf8.encode(text), seed), hash, text);
  assertEquals(murmur3(Uint8Array.of(0xff, 0xff, 0xff, 0xff)), 0x76293b50);
  assertEquals(murmur3(Uint8Array.of(0x21, 0x43, 0x65, 0x87), 0x5082edee), 0x2362f9de);
});

Deno.test("murmur3: equals its twin", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(0xffffffff), (bytes, seed) => {
    assertEquals(murmur3(bytes, seed), twin(bytes, seed));
  }));
});

Deno.test("murmur3: sequential keys fall evenly into 256 partitions", () => {
  const counts = new Array<number>(256).fill(0);
  for (let i = 0; i < 256_000; i++) counts[murmur3(utf8.encode(`key-${i}`)) >>> 24]!++;
  assert(Math.min(...counts) > 850 && Math.max(...counts) < 1150, "five standard deviations of 1000");
});
