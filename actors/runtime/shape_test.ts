import fc from "fast-check";
import {
  bytes,
  exact,
  flag,
  hexId,
  integer,
  list,
  nullable,
  oneOf,
  optional,
  real,
  record,
  type Shape,
  shape,
  type Shaped,
  ShapeError,
  tagged,
  text,
} from "./shape.ts";
import { assertEquals, assertThrows } from "./testing/assert.ts";

function refuses(expected: Shape<unknown>, value: unknown, path = ""): void {
  assertEquals(assertThrows(() => shape(expected, value), ShapeError).path, path);
}

Deno.test("shape: each leaf takes its own and refuses the rest", () => {
  const odd = [
    undefined,
    null,
    NaN,
    Infinity,
    -1,
    1.5,
    2 ** 53,
    "",
    "x",
    [],
    {},
    new Uint8Array(1),
    true,
    5n,
  ];
  const takes = (expected: Shape<unknown>) =>
    odd.filter((value) => {
      try {
        shape(expected, value);
        return true;
      } catch (error) {
        if (error instanceof ShapeError) return false;
        throw error;
      }
    });
  assertEquals(takes(integer()), [-1]);
  assertEquals(takes(integer(0)), []);
  assertEquals(takes(real(-2, 2)), [-1, 1.5]);
  assertEquals(takes(flag), [true]);
  assertEquals(takes(text(1)), ["", "x"]);
  assertEquals(takes(text(1, 1)), ["x"]);
  assertEquals(takes(bytes(1)), [new Uint8Array(1)]);
  assertEquals(takes(oneOf("x", "y")), ["x"]);
  assertEquals(takes(nullable(flag)), [null, true]);
  assertEquals(takes(list(flag, 1)), [[]]);
  assertEquals(takes(record({})), [{}]);
});

Deno.test("shape: text is measured in UTF-8", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (s) => {
    const sizeBytes = new TextEncoder().encode(s).length;
    assertEquals(shape(text(sizeBytes, sizeBytes), s), s);
    if (sizeBytes > 0) refuses(text(sizeBytes - 1), s);
  }));
});

Deno.test("shape: a wrong field is named, an unknown one left out", () => {
  const change = tagged("kind", {
    join: { member: record({ id: hexId(16), weight: optional(real(0, 100)) }) },
    leave: { id: hexId(16) },
  });
  const id = "0a".repeat(16);
  const known: Shaped<typeof change> = shape(change, { kind: "join", member: { id, x: 1 }, y: 2 });
  assertEquals(known, { kind: "join", member: { id } });
  assertEquals(shape(change, { kind: "leave", id }), { kind: "leave", id });
  refuses(change, { kind: "join", member: { id: id.toUpperCase() } }, "member.id");
  refuses(change, { kind: "join", member: { id, weight: "1" } }, "member.weight");
  refuses(change, { kind: "join" }, "member");
  refuses(change, { kind: "toString" }, "kind");
  refuses(change, Object.create({ kind: "leave", id }), "kind");
  refuses(list(change, 2), [{ kind: "leave", id }, { kind: "leave" }], "[1].id");
  refuses(list(flag, 1), [true, true], "");
});

Deno.test("shape: where a record is exact, an unknown field is refused by name", () => {
  const fault = exact({ at: integer(), who: exact({ node: integer() }) });
  const known = { at: 1, who: { node: 2 } };
  assertEquals(shape(fault, known), known);
  refuses(fault, { ...known, amuont: 1 }, "amuont");
  refuses(fault, { ...known, who: { node: 2, name: "n" } }, "who.name");
  refuses(fault, { at: 1 }, "who");
  refuses(fault, [], "");
});
