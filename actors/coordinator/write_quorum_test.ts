import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "../runtime/testing/assert.ts";
import { encodeUtf8 } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { EMPTY_CLOCK } from "../replica_store/clock.ts";
import { mint } from "../replica_store/object.ts";
import { encodeObject } from "../replica_store/object_codec.ts";
import type { WriteAnswer, WriteRefusal } from "../replica_store/protocol.ts";
import { type QuorumOptions, ReadQuorum } from "./read_quorum.ts";
import { WriteQuorum } from "./write_quorum.ts";

const REPLICAS = ["n0", "n1", "n2", "n3"];

const refusal: fc.Arbitrary<WriteAnswer> = fc.record({
  ok: fc.constant(false as const),
  code: fc.constantFrom<WriteRefusal>("wrong-epoch", "overloaded", "unavailable", "corrupt", "ring-changing"),
  definite: fc.boolean(),
});
const answer = fc.oneof(fc.constant<WriteAnswer>({ ok: true }), refusal);
const answers = fc.array(fc.tuple(fc.nat({ max: 4 }), answer), { maxLength: 8 });

type Quorum = Pick<WriteQuorum, "add" | "enough" | "impossible" | "settled" | "failure" | "answered">;
type Make = (options: QuorumOptions) => Quorum;
const real: Make = (options) => new WriteQuorum(options);

/** After every answer the quorum says what a list of first answers says. */
function countsLikeTheTwin(make: Make) {
  return fc.property(fc.integer({ min: 1, max: 4 }), answers, (needed, answers) => {
    const quorum = make({ needed, replicas: REPLICAS });
    const first = new Map<number, WriteAnswer>();
    for (const [index, answer] of answers) {
      quorum.add(`n${index}`, answer);
      if (index < REPLICAS.length && !first.has(index)) first.set(index, answer);
      const all = [...first.values()];
      const good = all.filter((answer) => answer.ok).length;
      assertEquals(quorum.answered, good);
      assertEquals(quorum.enough(), good >= needed);
      assertEquals(quorum.impossible(), good + (REPLICAS.length - first.size) < needed);
      assertEquals(quorum.settled(), first.size === REPLICAS.length);
      if (quorum.enough()) continue;
      const failure = quorum.failure();
      const noneKept = all.length === REPLICAS.length && all.every((answer) => !answer.ok && answer.definite);
      assertEquals(failure.definite, noneKept);
      assertEquals([failure.answered, failure.needed], [good, needed]);
      assertEquals(failure.code === "timeout", !quorum.impossible());
      if (failure.code === "overloaded" || failure.code === "ring-changing") assert(failure.definite);
    }
  });
}

/** R + W > N: what was acknowledged is in every later read that met its quorum, whoever failed meanwhile. */
function acknowledgedIsRead(make: Make) {
  const some = fc.shuffledSubarray(["a", "b", "c"]);
  return fc.property(some, some, (keep, read) => {
    const value = encodeUtf8("bar");
    const dot = { actor: "a".repeat(32), counter: 1 };
    const requestId = "1".repeat(32);
    const outcome = mint(null, {
      context: EMPTY_CLOCK,
      value,
      crc32c: crc32c(value),
      requestId,
      wallMs: 0,
      dot,
    });
    assert(outcome.ok);
    const object = encodeObject(outcome.object);
    const write = make({ needed: 2, replicas: ["a", "b", "c"] });
    for (const replica of ["a", "b", "c"]) {
      const kept = keep.includes(replica);
      write.add(replica, kept ? { ok: true } : { ok: false, code: "unavailable", definite: true });
    }
    const reading = new ReadQuorum({ needed: 2, replicas: ["a", "b", "c"] });
    for (const replica of read) {
      reading.add(replica, { ok: true, object: keep.includes(replica) ? object : null });
    }
    if (write.enough() && reading.enough()) assertEquals(reading.response(), outcome.object);
    if (!write.enough() && write.failure().definite) assertEquals(reading.response(), null);
  });
}

Deno.test("write quorum: counts as the dumb twin does, definite only when nobody can have it", () => {
  fc.assert(countsLikeTheTwin(real), { numRuns: 5000 });
});

Deno.test("write quorum: what is acknowledged is read, what definitely failed is not", () => {
  fc.assert(acknowledgedIsRead(real), { numRuns: 1000 });
});

/** Whether a planted bug makes the property fail. */
function found<Ts>(property: fc.IProperty<Ts>): boolean {
  return fc.check(property, { numRuns: 20_000, endOnFailure: true }).failed;
}

class AcknowledgesBeforeW extends WriteQuorum {
  readonly #enough: number;

  constructor(options: QuorumOptions) {
    super(options);
    this.#enough = options.needed - 1;
  }

  override enough(): boolean {
    return this.answered >= this.#enough;
  }
}

class SaysDefiniteAtOnce extends WriteQuorum {
  override failure() {
    return { ...super.failure(), definite: true };
  }
}

class CountsRefusals extends WriteQuorum {
  override add(replica: string, answer: WriteAnswer): void {
    super.add(replica, answer.ok || answer.definite ? answer : { ok: true });
  }
}

Deno.test("write quorum: planted and found: it acknowledges before W", () => {
  assert(found(countsLikeTheTwin((options) => new AcknowledgesBeforeW(options))));
  assert(found(acknowledgedIsRead((options) => new AcknowledgesBeforeW(options))));
});

Deno.test("write quorum: planted and found: a failure is definite though one kept the write", () => {
  assert(found(countsLikeTheTwin((options) => new SaysDefiniteAtOnce(options))));
  assert(found(acknowledgedIsRead((options) => new SaysDefiniteAtOnce(options))));
});

Deno.test("write quorum: planted and found: a maybe counts as an acknowledgement", () => {
  assert(found(countsLikeTheTwin((options) => new CountsRefusals(options))));
});

Deno.test("FAULTS 30: silence is a timeout and never definite", () => {
  const quorum = new WriteQuorum({ needed: 2, replicas: ["a", "b", "c"] });
  quorum.add("a", { ok: true });
  const { code, definite, message } = quorum.failure();
  assertEquals([code, definite], ["timeout", false]);
  assertEquals(
    message,
    "1 of the 2 replicas needed acknowledged the write (a ok, b not heard yet, c not heard yet)",
  );
});

Deno.test("write quorum: a failure that all share and that passes is named", () => {
  const failureOf = (...codes: WriteRefusal[]) => {
    const quorum = new WriteQuorum({ needed: 2, replicas: ["a", "b"] });
    codes.forEach((code, index) => quorum.add("ab"[index]!, { ok: false, code, definite: true }));
    return quorum.failure().code;
  };
  assertEquals(failureOf("overloaded", "overloaded"), "overloaded");
  assertEquals(failureOf("wrong-epoch", "ring-changing"), "ring-changing");
  assertEquals(failureOf("overloaded", "ring-changing"), "quorum-unmet");
  assertEquals(failureOf("unavailable", "unavailable"), "quorum-unmet");
  assertEquals(failureOf("overloaded"), "quorum-unmet");
});

Deno.test("write quorum: a quorum of none is a programmer's error", () => {
  assertThrows(() => new WriteQuorum({ needed: 0, replicas: ["a"] }), RangeError);
});

const OK: WriteAnswer = { ok: true };
const LOST: WriteAnswer = { ok: false, code: "unavailable", definite: false };
const REFUSED: WriteAnswer = { ok: false, code: "hints-full", definite: true };

Deno.test("stand-ins: as long as the replicas that are left can make W, only they count", () => {
  const quorum = new WriteQuorum({ needed: 2, replicas: ["a", "b", "c"], sloppy: true });
  quorum.add("c", LOST);
  quorum.doubt("c");
  assertEquals(quorum.wanting(), ["c"]);
  quorum.standIn("x", "c");
  assertEquals([quorum.wanting(), quorum.silentStandIns()], [[], [{ fallback: "x", replica: "c" }]]);
  quorum.add("a", OK);
  quorum.add("x", OK);
  assertEquals([quorum.enough(), quorum.impossible()], [false, false]);
  quorum.add("b", OK);
  assertEquals([quorum.enough(), quorum.isSloppy], [true, false]);
});

Deno.test("stand-ins: where the replicas that are left cannot, they count, each for its own", () => {
  const quorum = new WriteQuorum({ needed: 2, replicas: ["a", "b", "c"], sloppy: true });
  for (const [replica, fallback] of [["b", "x"], ["c", "y"]] as const) quorum.standIn(fallback, replica);
  quorum.add("x", OK);
  assert(!quorum.enough());
  quorum.standIn("z", "b");
  quorum.add("z", OK); // for the same replica as x
  assert(!quorum.enough());
  quorum.add("a", OK);
  assert(quorum.enough() && quorum.isSloppy);
});

Deno.test("stand-ins: they do not count for a strict write, and one that refuses counts for none", () => {
  const strict = new WriteQuorum({ needed: 2, replicas: ["a", "b", "c"] });
  for (const [replica, fallback] of [["b", "x"], ["c", "y"]] as const) {
    strict.add(replica, LOST);
    strict.standIn(fallback, replica);
    strict.add(fallback, OK);
  }
  strict.add("a", OK);
  assert(!strict.enough() && strict.impossible());
  assertEquals([strict.failure().answered, strict.failure().definite], [1, false]);
  const sloppy = new WriteQuorum({ needed: 1, replicas: ["a"], sloppy: true });
  sloppy.add("a", { ok: false, code: "unavailable", definite: true });
  sloppy.standIn("x", "a");
  assert(!sloppy.impossible());
  sloppy.add("x", REFUSED);
  assert(sloppy.impossible() && sloppy.failure().definite);
  assertEquals(sloppy.wanting(), ["a"]);
});

Deno.test("stand-ins: the impatient look for another one where nobody has answered", () => {
  const quorum = new WriteQuorum({ needed: 1, replicas: ["a"], sloppy: true });
  quorum.standIn("x", "a");
  assertEquals([quorum.wanting(), quorum.wanting(true)], [[], ["a"]]);
  quorum.add("x", OK);
  assertEquals(quorum.wanting(true), []);
});

Deno.test("stand-ins: while a partition moves they never count", () => {
  const others = { needed: 2, replicas: ["b", "c", "d"] };
  const quorum = new WriteQuorum({ needed: 2, replicas: ["a", "b", "c"], others, sloppy: true });
  for (const [replica, fallback] of [["c", "x"], ["d", "y"]] as const) {
    quorum.add(replica, LOST);
    quorum.standIn(fallback, replica);
    quorum.add(fallback, OK);
  }
  for (const replica of ["a", "b"]) quorum.add(replica, OK);
  assert(!quorum.enough() && quorum.impossible());
});

Deno.test("write quorum: while a partition moves, W of both lists, by a slow count", () => {
  const names = ["a", "b", "c", "d", "e"];
  const list = fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 4 });
  const answers = fc.array(fc.tuple(fc.constantFrom(...names), fc.boolean()), { maxLength: 8 });
  fc.assert(fc.property(list, list, fc.integer({ min: 1, max: 3 }), answers, (before, after, w, said) => {
    const needing = (replicas: string[]) => ({ needed: Math.min(w, replicas.length), replicas });
    const quorum = new WriteQuorum({ ...needing(before), others: needing(after) });
    const first = new Map<string, boolean>();
    for (const [replica, ok] of said) {
      quorum.add(replica, ok ? { ok } : { ok, code: "unavailable", definite: true });
      if (!first.has(replica)) first.set(replica, ok);
    }
    const count = (replicas: string[], isGood: (ok: boolean | undefined) => boolean) =>
      replicas.filter((replica) => isGood(first.get(replica))).length;
    const lists = [before, after].map(needing);
    assertEquals(
      quorum.enough(),
      lists.every((one) => count(one.replicas, (ok) => ok === true) >= one.needed),
    );
    assertEquals(
      quorum.impossible(),
      lists.some((one) => count(one.replicas, (ok) => ok !== false) < one.needed),
    );
    const all = new Set([...before, ...after]);
    assertEquals(new Set(quorum.silent()), new Set([...all].filter((replica) => !first.has(replica))));
    assertEquals(quorum.settled(), quorum.silent().length === 0);
  }));
});
