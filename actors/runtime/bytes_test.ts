import fc from "fast-check";
import { assertEquals } from "./testing/assert.ts";
import {
  compareBytes,
  concatBytes,
  decodeUtf8,
  decodeUtf8Strict,
  encodeUtf8,
  equalBytes,
  fromHex,
  toHex,
} from "./bytes.ts";

const bytes = fc.uint8Array({ maxLength: 20 });

Deno.test("bytes: the order is that of the hex texts, and equality agrees with it", () => {
  fc.assert(fc.property(bytes, bytes, fc.boolean(), (a, other, same) => {
    const b = same ? a.slice() : other;
    const [x, y] = [toHex(a), toHex(b)];
    assertEquals(Math.sign(compareBytes(a, b)), x < y ? -1 : x > y ? 1 : 0);
    assertEquals(equalBytes(a, b), x === y);
  }));
});

Deno.test("bytes: hex there and back; what is not hex is null", () => {
  fc.assert(fc.property(bytes, (a) => {
    const hex = Array.from(a, (byte) => byte.toString(16).padStart(2, "0")).join("");
    assertEquals(toHex(a), hex);
    assertEquals(fromHex(hex), a);
    assertEquals(fromHex(hex.toUpperCase()), a);
  }));
  for (const wrong of ["0", "0g", " 00", "00 ", "0x00", "é0"]) assertEquals(fromHex(wrong), null, wrong);
});

Deno.test("bytes: joining equals joining arrays", () => {
  fc.assert(fc.property(fc.array(bytes), (parts) => {
    assertEquals([...concatBytes(...parts)], parts.flatMap((part) => [...part]));
  }));
});

Deno.test("bytes: text there and back, a byte order mark included; invalid UTF-8 is told apart", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assertEquals(decodeUtf8(encodeUtf8(text)), text);
    assertEquals(decodeUtf8Strict(encodeUtf8(text)), text);
  }));
  assertEquals(decodeUtf8Strict(Uint8Array.of(0xef, 0xbb, 0xbf, 65)), "\ufeffA");
  assertEquals(decodeUtf8Strict(Uint8Array.of(0xff)), null);
  assertEquals(decodeUtf8(Uint8Array.of(0xff)), "\ufffd");
});
