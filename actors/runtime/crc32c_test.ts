import fc from "fast-check";
import { assertEquals, assertNotEquals } from "./testing/assert.ts";
import { crc32c } from "./crc32c.ts";

/** The definition, bit by bit. */
function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const carry = (crc ^ (byte >>> bit)) & 1;
      crc = crc >>> 1 ^ (carry ? 0x82f63b78 : 0);
    }
  }
  return ~crc >>> 0;
}

const utf8 = new TextEncoder();

Deno.test("crc32c: the vectors of RFC 3720 B.4 and of the RLDB transcript", () => {
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  assertEquals(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c);
  const known: Record<string, number> = {
    "": 0,
    "123456789": 0xe3069283,
    bar: 179770161,
    bar1: 1383588930,
    bar2: 1093081014,
    bar3: 3008140469,
    conflicts_resolved: 3289643150,
  };
  for (const [text, crc] of Object.entries(known)) assertEquals(crc32c(utf8.encode(text)), crc, text);
});

const bytes = fc.uint8Array({ maxLength: 200 });

Deno.test("crc32c: equals its bitwise twin, in one piece or in two", () => {
  fc.assert(fc.property(bytes, bytes, (head, tail) => {
    const whole = Uint8Array.of(...head, ...tail);
    assertEquals(crc32c(whole), bitwise(whole));
    assertEquals(crc32c(tail, crc32c(head)), bitwise(whole));
  }));
});

Deno.test("crc32c: every single flipped bit is seen", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(), (message, at) => {
    const damaged = message.slice();
    const bit = at % (message.length * 8);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    assertNotEquals(crc32c(damaged), crc32c(message));
  }));
});
