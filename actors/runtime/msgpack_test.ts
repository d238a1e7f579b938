import fc from "fast-check";
import { LIMITS } from "./limits.ts";
import { decodeMsgpack, encodeMsgpack, MsgpackError, type MsgpackErrorCode } from "./msgpack.ts";
import { assert, assertEquals, assertThrows } from "./testing/assert.ts";

function refuses(bytes: number[] | Uint8Array, code: MsgpackErrorCode): void {
  const error = assertThrows(() => decodeMsgpack(Uint8Array.from(bytes)), MsgpackError);
  assertEquals(error.code, code, error.message);
}

function refusesValue(value: unknown, code: MsgpackErrorCode): void {
  assertEquals(assertThrows(() => encodeMsgpack(value), MsgpackError).code, code);
}

const text = fc.string({ unit: "binary" }).filter((s) => s.isWellFormed() && !s.startsWith("\ufeff"));
const number = fc.oneof(fc.maxSafeInteger(), fc.double({ min: -1e15, max: 1e15, noNaN: true }))
  .map((x) => x === 0 ? 0 : x);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, false),
    number,
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(text.filter((key) => key !== "__proto__"), tie("value"), { noNullPrototype: true }),
  ),
}));

Deno.test("msgpack: what is encoded decodes to the same", () => {
  fc.assert(fc.property(value, (value) => assertEquals(decodeMsgpack(encodeMsgpack(value)), value)));
});

Deno.test("msgpack: any bytes decode or are refused by a typed error, cut short always refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decodeMsgpack(bytes);
      } catch (error) {
        assert(error instanceof MsgpackError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(value, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (value, part) => {
      const bytes = encodeMsgpack(value);
      refuses(bytes.subarray(0, Math.floor(part * bytes.length)), "truncated");
    }),
  );
});

Deno.test("FAULTS 5: msgpack array32, map32, bin32 and str32 bombs: bounded error", () => {
  for (const type of [0xdd, 0xdf, 0xc6, 0xdb]) {
    refuses([type, 0xff, 0xff, 0xff, 0xff], "truncated");
    refuses([type, 0x7f, 0xff, 0xff, 0xff, 0xc0], "truncated");
  }
  const manySmall = new Uint8Array(LIMITS.msgpackItems + 5).fill(0xc0);
  manySmall.set([0xdd, 0, 0x10, 0, 0]);
  refuses(manySmall, "too-many");
  refuses([0xc0, 0xc0], "trailing");
  refuses([], "truncated");
});

Deno.test("FAULTS 6: msgpack nested 10^6 deep: refused at depth 32", () => {
  refuses(new Uint8Array(1_000_000).fill(0x91), "too-deep");
  const maps = Uint8Array.from({ length: 999_999 }, (_, i) => [0x81, 0xa1, 0x61][i % 3]!);
  refuses(maps, "too-deep");
  const nest = (depth: number): unknown => depth === 0 ? null : [nest(depth - 1)];
  assertEquals(decodeMsgpack(encodeMsgpack(nest(LIMITS.msgpackDepth))), nest(LIMITS.msgpackDepth));
  refusesValue(nest(LIMITS.msgpackDepth + 1), "too-deep");
  const cycle: unknown[] = [];
  cycle.push(cycle);
  refusesValue(cycle, "too-deep");
});

Deno.test("FAULTS 7: msgpack __proto__ and duplicate map keys: refused, nothing polluted", () => {
  const proto = [0xa9, ...new TextEncoder().encode("__proto__")];
  refuses([0x81, ...proto, 0x81, 0xa1, 0x78, 0x01], "forbidden-key");
  refuses([0x81, 0xd9, 9, ...proto.slice(1), 0x80], "forbidden-key");
  refuses([0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x02], "duplicate-key");
  refuses([0x82, 0xa1, 0x61, 0x01, 0xd9, 0x01, 0x61, 0x02], "duplicate-key");
  refuses([0x82, 0xa1, 0x31, 0x01, 0x01, 0x02], "type");
  assertEquals(({} as Record<string, unknown>)["x"], undefined);
  refusesValue(JSON.parse('{"__proto__": 1}'), "forbidden-key");
  const odd = decodeMsgpack(encodeMsgpack({ constructor: 1, toString: 2 })) as Record<string, unknown>;
  assertEquals(Object.keys(odd), ["constructor", "toString"]);
});

Deno.test("FAULTS 8: msgpack NaN, unknown extensions, integers past 2^53: typed error, never rounded", () => {
  refuses([0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], "number");
  refuses([0xca, 0x7f, 0xc0, 0, 0], "number");
  refuses([0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0], "number");
  refuses([0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0], "number");
  refuses([0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1], "number");
  refuses([0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "number");
  refuses([0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], "number");
  refuses([0xcb, 0x43, 0x40, 0, 0, 0, 0, 0, 0], "number");
  assertEquals(decodeMsgpack(Uint8Array.of(0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255)), 2 ** 53 - 1);
  assertEquals(decodeMsgpack(Uint8Array.of(0x92, 0xd3, 255, 255, 255, 255, 255, 255, 255, 255, 1)), [-1, 1]);
  for (const type of [0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8]) {
    refuses([type, 1, 1, 1, 1, 1, 1, 1, 1, 1], "type");
  }
  for (const wrong of [NaN, Infinity, 2 ** 53, -(2 ** 53), 1e300]) refusesValue([wrong], "number");
  refusesValue(1n, "type");
  refusesValue({ a: undefined }, "type");
  refusesValue(new Date(0), "type");
});

Deno.test("msgpack: text is byte-exact or refused", () => {
  refuses([0xa2, 0xc3, 0x28], "text");
  refuses([0xa3, 0xef, 0xbb, 0xbf], "text");
  refusesValue("\ud800", "text");
  refusesValue("\ufeffx", "text");
});
