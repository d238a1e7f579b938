import fc from "fast-check";
import { assert, assertEquals } from "./testing/assert.ts";
import { Slab } from "./slab.ts";

Deno.test("slab: every piece is zero, has its size, and shares no byte with another", () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 40 })), (sizes) => {
    const slab = new Slab(64, 32);
    const pieces = sizes.map((size, index) => {
      const piece = slab.take(size);
      assert(piece.every((byte) => byte === 0));
      return piece.fill(index + 1);
    });
    assertEquals(pieces.map((piece) => piece.length), sizes);
    pieces.forEach((piece, index) => assert(piece.every((byte) => byte === ((index + 1) & 255))));
  }));
});
