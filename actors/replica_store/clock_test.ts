import fc from "fast-check";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "../runtime/testing/assert.ts";
import {
  type Clock,
  clockOf,
  compare,
  compareDots,
  counterOf,
  covers,
  descends,
  type Dot,
  EMPTY_CLOCK,
  join,
  withDot,
} from "./clock.ts";

const ACTORS = ["0a", "0b", "1c", "2d"];
const dot = fc.record({ actor: fc.constantFrom(...ACTORS), counter: fc.integer({ min: 1, max: 4 }) });
const clock = fc.array(dot, { maxLength: 6 }).map((dots) => clockOf(...dots));

/** The dumb twin: a clock is the set of all the dots it has seen. */
function twin(clock: Clock): Set<string> {
  const seen = new Set<string>();
  for (const { actor, counter } of clock) for (let n = 1; n <= counter; n++) seen.add(`${actor}:${n}`);
  return seen;
}

const name = (dot: Dot) => `${dot.actor}:${dot.counter}`;

Deno.test("clock: every operation is the set operation it stands for", () => {
  fc.assert(
    fc.property(clock, clock, dot, (a, b, d) => {
      const [x, y] = [twin(a), twin(b)];
      assertEquals(twin(join(a, b)), x.union(y));
      assertEquals(covers(a, d), x.has(name(d)));
      assertEquals(twin(withDot(a, d)), x.union(twin([d])));
      assertEquals(descends(a, b), y.isSubsetOf(x));
      assertEquals(
        counterOf(a, d.actor),
        Math.max(0, ...a.filter((e) => e.actor === d.actor).map((e) => e.counter)),
      );
      const order = y.isSubsetOf(x) ? (x.isSubsetOf(y) ? "equal" : "after") : "before";
      assertEquals(compare(a, b), y.isSubsetOf(x) || x.isSubsetOf(y) ? order : "concurrent");
    }),
    { numRuns: 2000 },
  );
});

Deno.test("clock: results are sorted, without doubles, and an equal operand is returned itself", () => {
  fc.assert(
    fc.property(clock, clock, dot, (a, b, d) => {
      for (const result of [a, join(a, b), withDot(a, d)]) {
        for (let i = 1; i < result.length; i++) assert(result[i - 1]!.actor < result[i]!.actor);
      }
      if (descends(a, b)) assertStrictEquals(join(a, b), a);
      else if (descends(b, a)) assertStrictEquals(join(a, b), b);
      if (covers(a, d)) assertStrictEquals(withDot(a, d), a);
    }),
  );
});

Deno.test("clock: join is a least upper bound: commutative, associative, idempotent", () => {
  fc.assert(fc.property(clock, clock, clock, (a, b, c) => {
    assertEquals(join(a, b), join(b, a));
    assertEquals(join(join(a, b), c), join(a, join(b, c)));
    assertStrictEquals(join(a, a), a);
    assertStrictEquals(join(a, EMPTY_CLOCK), a);
  }));
});

Deno.test("clock: dots sort by actor, then by number", () => {
  const dots = [{ actor: "b", counter: 1 }, { actor: "a", counter: 10 }, { actor: "a", counter: 9 }];
  assertEquals(dots.toSorted(compareDots).map(name), ["a:9", "a:10", "b:1"]);
});

Deno.test("clock: a counter is a whole number from 1 to 2^53-1", () => {
  for (const counter of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => withDot(EMPTY_CLOCK, { actor: "a", counter }), RangeError);
  }
  assertEquals(counterOf(clockOf({ actor: "a", counter: 2 ** 53 - 1 }), "a"), 2 ** 53 - 1);
});
