import fc from "fast-check";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "../runtime/testing/assert.ts";
import { encodeUtf8, toHex } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { type Clock, EMPTY_CLOCK } from "../replica_store/clock.ts";
import { includes, merge, mint, type StoredObject } from "../replica_store/object.ts";
import { decodeObject, encodeObject } from "../replica_store/object_codec.ts";
import { CORE, type Step, steps, stepsWithRetries, World } from "../replica_store/testing/history.ts";
import type { ReadAnswer } from "../replica_store/protocol.ts";
import { type QuorumOptions, ReadQuorum } from "./read_quorum.ts";

const REPLICAS = ["n0", "n1", "n2", "n3"];

/** How a replica answers, given that it holds some object or none. */
type Mood = "ok" | "not-whole" | "damaged" | "unreadable" | "wrong-epoch" | "overloaded" | "unavailable";
const mood: fc.Arbitrary<Mood> = fc.oneof(
  { weight: 4, arbitrary: fc.constant("ok" as const) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Mood>(
      "not-whole",
      "damaged",
      "unreadable",
      "wrong-epoch",
      "overloaded",
      "unavailable",
    ),
  },
);

function answerOf(object: StoredObject | null, mood: Mood): ReadAnswer {
  const bytes = object === null ? null : encodeObject(object);
  if (mood === "ok") return { ok: true, object: bytes };
  if (mood === "not-whole") return { ok: false, code: mood, object: bytes };
  if (mood === "damaged") return { ok: true, object: Uint8Array.of(9, 9) };
  return mood === "wrong-epoch" ? { ok: false, code: mood, epoch: 7 } : { ok: false, code: mood };
}

/** Who answers how, in what order; a replica may do so twice, or not at all. */
const answers = fc.array(fc.tuple(fc.nat({ max: 4 }), mood), { maxLength: 8 });

interface Case {
  readonly world: World;
  readonly needed: number;
  readonly answers: readonly (readonly [number, Mood])[];
}

const caseOf = (steps: fc.Arbitrary<Step[]>): fc.Arbitrary<Case> =>
  fc.tuple(steps, fc.integer({ min: 1, max: 4 }), answers).map(([history, needed, answers]) => {
    const world = new World(CORE);
    for (const step of history) world.step(step);
    return { world, needed, answers };
  });

type Quorum = Pick<
  ReadQuorum,
  "add" | "enough" | "impossible" | "settled" | "response" | "repairs" | "answered"
>;
type Make = (options: QuorumOptions) => Quorum;
const real: Make = (options) => new ReadQuorum(options);

/** After every answer the quorum says what a list of first answers says. */
function countsLikeTheTwin(make: Make) {
  return fc.property(caseOf(steps), ({ world, needed, answers }) => {
    const quorum = make({ needed, replicas: REPLICAS });
    const first = new Map<number, Mood>();
    for (const [index, mood] of answers) {
      const held = world.replicas[index]?.object ?? null;
      quorum.add(`n${index}`, answerOf(held, mood));
      if (index < REPLICAS.length && !first.has(index)) first.set(index, mood);
      const good = [...first.values()].filter((mood) => mood === "ok").length;
      assertEquals(quorum.answered, good);
      assertEquals(quorum.enough(), good >= needed);
      assertEquals(quorum.impossible(), good + (REPLICAS.length - first.size) < needed);
      assertEquals(quorum.settled(), first.size === REPLICAS.length);
      let known: ReadonlySet<string> = new Set();
      for (const [index, mood] of first) {
        if (mood === "ok" || mood === "not-whole") known = known.union(world.replicas[index]!.known);
      }
      const response = quorum.response()?.siblings.map((sibling) => sibling.requestId).sort() ?? [];
      assertEquals(response, world.current(known));
    }
  });
}

/**
 * Once repairs are carried out, all who answered hold the response; nobody is sent what he has. (Or know better:
 * one who holds a retried write under its first name may see in the response that it was replaced.)
 */
function repairsWhatIsStale(make: Make) {
  return fc.property(caseOf(fc.oneof(steps, stepsWithRetries)), ({ world, needed, answers }) => {
    const quorum = make({ needed, replicas: REPLICAS });
    const first = new Map<number, Mood>();
    for (const [index, mood] of answers) {
      quorum.add(`n${index}`, answerOf(world.replicas[index]?.object ?? null, mood));
      if (index < REPLICAS.length && !first.has(index)) first.set(index, mood);
    }
    const response = quorum.response();
    const assertHolds = (object: StoredObject | null, what: StoredObject | null) => {
      if (world.retried.size === 0 || object === null || what === null) assertEquals(object, what);
      else assert(includes(object, what), "lacks something of the response");
    };
    const repairs = new Map(quorum.repairs().map(({ replica, object }) => [replica, decodeObject(object)]));
    assertEquals(repairs.size, quorum.repairs().length);
    for (const [index, mood] of first) {
      const repair = repairs.get(`n${index}`);
      const held = mood === "ok" || mood === "not-whole" ? world.replicas[index]!.object : null;
      const answered = mood === "ok" || mood === "not-whole" || mood === "damaged" || mood === "unreadable";
      if (repair !== undefined) {
        assert(answered);
        const repaired = held === null ? repair : merge(held, repair);
        assertHolds(repaired, response);
        assert(
          held === null || toHex(encodeObject(held)) !== toHex(encodeObject(repaired)),
          "had it already",
        );
      } else if (answered && response !== null) assertHolds(held, response);
      repairs.delete(`n${index}`);
    }
    assertEquals(repairs.size, 0, "a repair for one who did not answer");
  });
}

Deno.test("read quorum: counts and merges as the dumb twin does", () => {
  fc.assert(countsLikeTheTwin(real), { numRuns: 3000 });
});

Deno.test("read quorum: repairs exactly what is stale", () => {
  fc.assert(repairsWhatIsStale(real), { numRuns: 3000 });
});

// --- planted ----------------------------------------------------------------------------------------------

/** Whether a planted bug makes the property fail. */
function found<Ts>(property: fc.IProperty<Ts>): boolean {
  return fc.check(property, { numRuns: 20_000, endOnFailure: true }).failed;
}

/** RLDB's: a read is good when as many as needed replied the same. */
class CountsIdenticalReplies extends ReadQuorum {
  readonly #replies = new Map<string, number>();
  readonly #needed: number;

  constructor(options: QuorumOptions) {
    super(options);
    this.#needed = options.needed;
  }

  override add(replica: string, answer: ReadAnswer): void {
    super.add(replica, answer);
    if (!answer.ok) return;
    const reply = answer.object === null ? "" : toHex(answer.object);
    this.#replies.set(reply, (this.#replies.get(reply) ?? 0) + 1);
  }

  override enough(): boolean {
    return Math.max(0, ...this.#replies.values()) >= this.#needed;
  }
}

class CountsNotWhole extends ReadQuorum {
  override add(replica: string, answer: ReadAnswer): void {
    const counted = !answer.ok && answer.code === "not-whole"
      ? { ok: true as const, object: answer.object }
      : answer;
    super.add(replica, counted);
  }
}

class IgnoresNotWhole extends ReadQuorum {
  override add(replica: string, answer: ReadAnswer): void {
    const silent = !answer.ok && answer.code === "not-whole"
      ? { ok: false, code: "unavailable" } as const
      : answer;
    super.add(replica, silent);
  }
}

class CountsTheDamaged extends ReadQuorum {
  override add(replica: string, answer: ReadAnswer): void {
    super.add(replica, answer.ok && answer.object?.length === 2 ? { ok: true, object: null } : answer);
  }
}

class CountsOneTwice extends ReadQuorum {
  #again = 0;
  #seen = new Set<string>();

  override add(replica: string, answer: ReadAnswer): void {
    super.add(replica, answer);
    if (this.#seen.has(replica) && answer.ok) this.#again++;
    this.#seen.add(replica);
  }

  override get answered(): number {
    return super.answered + this.#again;
  }
}

for (
  const [bug, make] of Object.entries<Make>({
    "counts only identical replies": (options) => new CountsIdenticalReplies(options),
    "counts a replica that may have lost data": (options) => new CountsNotWhole(options),
    "ignores what such a replica still holds": (options) => new IgnoresNotWhole(options),
    "takes damage for nothing": (options) => new CountsTheDamaged(options),
    "counts one replica twice": (options) => new CountsOneTwice(options),
  })
) {
  Deno.test(`read quorum: planted and found: ${bug}`, () => assert(found(countsLikeTheTwin(make))));
}

Deno.test("read quorum: planted and found: repairs sent to the stale of the counted only, or to all", () => {
  const onlyCounted: Make = (options) => new IgnoresNotWhole(options);
  assert(found(repairsWhatIsStale(onlyCounted)));
  class SendsToAll extends ReadQuorum {
    override repairs() {
      const merged = this.response();
      if (merged === null) return [];
      return REPLICAS.map((replica) => ({ replica, object: encodeObject(merged) }));
    }
  }
  assert(found(repairsWhatIsStale((options) => new SendsToAll(options))));
});

// --- by name ----------------------------------------------------------------------------------------------

function minted(local: StoredObject | null, text: string, counter: number, context: Clock = EMPTY_CLOCK) {
  const value = encodeUtf8(text);
  const requestId = counter.toString(16).padStart(32, "0");
  const dot = { actor: "a".repeat(32), counter };
  const outcome = mint(local, { context, value, crc32c: crc32c(value), requestId, wallMs: 0, dot });
  assert(outcome.ok);
  return outcome.object;
}

const v1 = minted(null, "v1", 1);
const v2 = minted(v1, "v2", 2, v1.clock);
const ok = (object: StoredObject | null): ReadAnswer => answerOf(object, "ok");

Deno.test("RLDB: v2, v1 and missing at R = 2 answer v2 (a quorum of identical replies never does)", () => {
  for (const order of [[v2, v1, null], [v1, null, v2], [null, v1, v2]]) {
    const quorum = new ReadQuorum({ needed: 2, replicas: ["a", "b", "c"] });
    const rldb = new CountsIdenticalReplies({ needed: 2, replicas: ["a", "b", "c"] });
    order.forEach((object, index) => {
      quorum.add("abc"[index]!, ok(object));
      rldb.add("abc"[index]!, ok(object));
      assertEquals(quorum.enough(), index >= 1);
    });
    assert(!rldb.enough());
    assertEquals(quorum.response(), v2);
    assertEquals(quorum.repairs().length, 2);
  }
});

Deno.test("FAULTS 37: a replica that cannot read its copy does not count, and is repaired", () => {
  const quorum = new ReadQuorum({ needed: 2, replicas: ["a", "b", "c"] });
  quorum.add("a", { ok: false, code: "unreadable" });
  quorum.add("b", ok(v2));
  assert(!quorum.enough() && !quorum.impossible());
  quorum.add("c", ok(v2));
  assert(quorum.enough());
  assertEquals(quorum.repairs(), [{ replica: "a", object: encodeObject(v2) }]);
});

Deno.test("read quorum: a value that does not match its CRC-32C is damage, whoever else is well", () => {
  const rotten = encodeObject(v2).slice();
  rotten[rotten.length - 1]! ^= 1;
  const quorum = new ReadQuorum({ needed: 1, replicas: ["a", "b"] });
  quorum.add("a", { ok: true, object: rotten });
  assert(!quorum.enough());
  assertStrictEquals(quorum.response(), null);
  quorum.add("b", ok(v2));
  assertEquals(quorum.response(), v2);
  assertEquals(quorum.repairs().map((repair) => repair.replica), ["a"]);
});

Deno.test("read quorum: a repair is the answer's own bytes where one answer had it all", () => {
  const quorum = new ReadQuorum({ needed: 2, replicas: ["a", "b", "c"] });
  const bytes = encodeObject(v2);
  quorum.add("a", ok(v1));
  quorum.add("b", { ok: true, object: bytes });
  assertStrictEquals(quorum.repairs()[0]!.object, bytes);
});

Deno.test("read quorum: a quorum of none is a programmer's error", () => {
  assertThrows(() => new ReadQuorum({ needed: 0, replicas: ["a"] }), RangeError);
  assert(new ReadQuorum({ needed: 2, replicas: ["a"] }).impossible());
});

Deno.test("stand-ins: a hint counts in the place of a replica that is away, nothing proves nothing", () => {
  const quorum = new ReadQuorum({ needed: 2, replicas: ["a", "b", "c"] });
  quorum.widen(["x", "y"]);
  quorum.add("a", { ok: true, object: null });
  quorum.add("x", { ok: true, object: null });
  for (const replica of ["b", "c"]) quorum.add(replica, { ok: false, code: "unavailable" });
  assert(!quorum.enough() && !quorum.impossible());
  assertEquals(quorum.silentFallbacks(), ["y"]);
  quorum.add("y", { ok: true, object: null });
  assert(quorum.impossible());
});

Deno.test("stand-ins: replicas that may yet answer come first, those that may well be away are not waited for", () => {
  const hint = { ok: true, object: stored() } as const;
  const quorum = new ReadQuorum({ needed: 2, replicas: ["a", "b", "c"] });
  quorum.widen(["x"]);
  quorum.add("a", { ok: true, object: null });
  quorum.add("x", hint);
  assert(!quorum.enough());
  quorum.doubt("b");
  assert(!quorum.enough());
  quorum.doubt("c");
  assert(quorum.enough());
  assertEquals(quorum.response(), decodeObject(hint.object));
  assertEquals(quorum.repairs().map(({ replica }) => replica), ["a"]);
});

/** One version of a key, encoded. */
function stored(): Uint8Array {
  const value = encodeUtf8("v");
  const dot = { actor: "12".repeat(16), counter: 1 };
  const minted = mint(null, {
    context: EMPTY_CLOCK,
    value,
    crc32c: crc32c(value),
    requestId: "34".repeat(16),
    wallMs: 1,
    dot,
  });
  assert(minted.ok);
  return encodeObject(minted.object);
}
