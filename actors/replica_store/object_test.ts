import fc from "fast-check";
import { assert, assertEquals, assertStrictEquals } from "../runtime/testing/assert.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { LIMITS } from "../runtime/limits.ts";
import { clockOf, type Dot, EMPTY_CLOCK } from "./clock.ts";
import { has, NONE } from "./replaced.ts";
import { includes, liveValues, merge, mint, type StoredObject, verifyValues, type Write } from "./object.ts";
import {
  CORE,
  type Core,
  objectsOfOneKey,
  SENDS_ONLY_THE_NEW_VERSION,
  type Step,
  steps,
  stepsWithRetries,
  World,
} from "./testing/history.ts";

const requestsOf = (object: StoredObject | null) =>
  (object?.siblings ?? []).map((sibling) => sibling.requestId).sort();

/** Whether a planted bug makes the property fail. The first failure ends it, so trying long costs little. */
function found<Ts>(property: fc.IProperty<Ts>): boolean {
  return fc.check(property, { numRuns: 100_000, endOnFailure: true }).failed;
}

/** A gossip order: pairs of replicas, to be gone through again and again. */
const gossip = fc.shuffledSubarray([0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].map((b) => [a, b] as const)), {
  minLength: 16,
});

/** Exchange until nothing changes. */
function converge(world: World, order: readonly (readonly [number, number])[]): void {
  for (let round = 0; round < 10; round++) {
    const before = world.replicas.map((replica) => replica.object);
    for (const [from, to] of order) world.sync(world.replicas[from]!, world.replicas[to]!);
    try {
      assertEquals(world.replicas.map((replica) => replica.object), before);
      return;
    } catch {
      // Not stable yet.
    }
  }
  throw new Error("the exchange never ends");
}

/** Siblings are exactly the concurrent writes: at every replica after every step, and when all have met. */
function exactSiblings(core: Core) {
  return fc.property(steps, gossip, (history: Step[], order) => {
    const world = new World(core);
    const check = () => {
      for (const replica of world.replicas) {
        assertEquals(requestsOf(replica.object), world.current(replica.known));
      }
    };
    for (const step of history) {
      world.step(step);
      check();
    }
    converge(world, order);
    check();
    for (const replica of world.replicas) assertEquals(replica.object, world.replicas[0]!.object);
  });
}

/** The third invariant of DESIGN section 9: a value that somebody has replaced or deleted does not return. */
function nothingReturns(core: Core) {
  return fc.property(steps, (history: Step[]) => {
    const world = new World(core);
    for (const step of history) {
      world.step(step);
      for (const { object, known } of world.replicas) {
        const live = (object?.siblings ?? []).filter((sibling) => !sibling.tombstone);
        const current = world.current(known);
        assert(live.every((sibling) => current.includes(sibling.requestId)), "a replaced value is back");
      }
    }
  });
}

/** With retries: all meet, no request is there twice or beside what replaced it, nothing current is gone. */
function retriesTakenOnce(core: Core) {
  return fc.property(stepsWithRetries, gossip, (history: Step[], order) => {
    const world = new World(core);
    const check = () => {
      for (const { object, known } of world.replicas) {
        const present = requestsOf(object);
        assertEquals(present.length, new Set(present).size, "a request twice");
        const isReplaced = (request: string) => object !== null && has(object.replaced, request);
        assert(!present.some(isReplaced), "a request that is known to be replaced");
        const current = world.current(known);
        assert(current.every((request) => present.includes(request)), "a current write is gone");
        const extra = present.filter((request) => !current.includes(request));
        assert(extra.every((request) => world.retried.has(request)), "a replaced write is back");
      }
    };
    for (const step of history) {
      world.step(step);
      check();
    }
    converge(world, order);
    check();
    for (const replica of world.replicas) assertEquals(replica.object, world.replicas[0]!.object);
  });
}

Deno.test("object: siblings are exactly the concurrent writes, and replicas that exchange all meet", () => {
  fc.assert(exactSiblings(CORE), { numRuns: 2000 });
});

Deno.test("object: a value once replaced or deleted never returns", () => {
  fc.assert(nothingReturns(CORE), { numRuns: 1000 });
});

Deno.test("object: a retried write is taken once", () => {
  fc.assert(retriesTakenOnce(CORE), { numRuns: 2000 });
});

const PLANTED: Record<string, Core> = {
  "a coordinator sends only the new version (gap rule)": SENDS_ONLY_THE_NEW_VERSION,
  "a merge keeps its own clock": {
    ...CORE,
    merge: (a, b) => ({ ...merge(a, b), clock: a.clock }),
  },
  "a merge looks at no clock": {
    ...CORE,
    merge: (a, b) => merge({ ...a, clock: EMPTY_CLOCK }, { ...b, clock: EMPTY_CLOCK }),
  },
  "a write drops its context": {
    ...CORE,
    mint: (local, write) => mint(local, { ...write, context: EMPTY_CLOCK }),
  },
  "a write replaces all that is there, seen or not": {
    ...CORE,
    mint: (local, write) => mint(local, { ...write, context: local?.clock ?? EMPTY_CLOCK }),
  },
  "an actor id is used again after its counter was lost (kv679)": {
    ...CORE,
    actorAfterWipe: (actor) => actor,
  },
  "two live replicas mint under one actor id": {
    ...CORE,
    mint: (local, write) => mint(local, { ...write, dot: { ...write.dot, actor: "e".repeat(32) } }),
  },
};

for (const [bug, core] of Object.entries(PLANTED)) {
  Deno.test(`object: planted and found: ${bug}`, () => {
    assert(found(exactSiblings(core)));
  });
}

Deno.test("object: planted and found: a replica forgets tombstones, and the deleted value returns", () => {
  const keep = (object: StoredObject) => liveValues(object).length === 0 ? null : object;
  assert(found(nothingReturns({ ...CORE, keep })));
});

/** The object with other request ids, by which nobody knows a retry. */
function disguise(object: StoredObject, digit: string): StoredObject {
  const rename = (request: string) => digit + request.slice(1);
  const siblings = object.siblings.map((sibling) => ({ ...sibling, requestId: rename(sibling.requestId) }));
  return { ...object, siblings, replaced: NONE };
}

/** {@link disguise} undone. */
function reveal(object: StoredObject): StoredObject {
  return { ...disguise(object, "0"), replaced: NONE };
}

/** A retry of what is replaced is gone, with all its names, once all have met: where no disk is lost on the way. */
function retriesLeaveNothing(core: Core) {
  return fc.property(stepsWithRetries, gossip, (history: Step[], order) => {
    const world = new World(core);
    for (const step of history) if (step.kind !== "wipe") world.step(step);
    converge(world, order);
    for (const { object, known } of world.replicas) assertEquals(requestsOf(object), world.current(known));
  });
}

Deno.test("object: a retried write that was replaced is gone once all have met", () => {
  fc.assert(retriesLeaveNothing(CORE), { numRuns: 2000 });
});

Deno.test("object: planted and found: what was replaced is forgotten with what replaced it", () => {
  /** The list is the newest sibling's, as if it had replaced all that is in it. */
  const merged: Core["merge"] = (a, b) => {
    const object = merge(a, b);
    const keeps = (one: StoredObject) =>
      one.siblings.some(({ dot }) => object.siblings.some((s) => s.dot === dot));
    const [mine, theirs] = [keeps(a) ? a.replaced : NONE, keeps(b) ? b.replaced : NONE];
    return { ...object, replaced: merge({ ...a, replaced: mine }, { ...b, replaced: theirs }).replaced };
  };
  assert(found(retriesLeaveNothing({ ...CORE, merge: merged })));
});

Deno.test("object: planted and found: a retry is minted again", () => {
  const forgetful: Core = {
    ...CORE,
    mint: (local, write) => {
      const outcome = mint(local && disguise(local, "f"), write);
      return outcome.ok ? { ...outcome, object: reveal(outcome.object) } : outcome;
    },
  };
  assert(found(retriesTakenOnce(forgetful)));
});

Deno.test("object: planted and found: a merge keeps both copies of a retried write", () => {
  const plain: Core = { ...CORE, merge: (a, b) => reveal(merge(disguise(a, "e"), disguise(b, "f"))) };
  assert(found(retriesTakenOnce(plain)));
});

Deno.test("object: merge is commutative, associative and idempotent, includes() says when it changes nothing", () => {
  fc.assert(
    fc.property(objectsOfOneKey, fc.nat(), fc.nat(), fc.nat(), (objects, m, n, o) => {
      const [a, b, c] = [m, n, o].map((index) => objects[index % objects.length]!) as [
        StoredObject,
        StoredObject,
        StoredObject,
      ];
      const merged = merge(a, b);
      const [left, right] = [merge(merged, c), merge(a, merge(b, c))];
      assertEquals([left.clock, left.siblings], [right.clock, right.siblings]);
      assertEquals(merged, merge(b, a));
      assertEquals(merge({ ...a }, a), a);
      assertEquals(merge(merged, a), merged);
      assertEquals(merge(merged, b), merged);
      assert(includes(merged, a) && includes(merged, b) && includes(a, a));
      let same = true;
      try {
        assertEquals(merged, a);
      } catch {
        same = false;
      }
      assertEquals(includes(a, b), same);
      assert(merged.siblings.length > 0);
    }),
    { numRuns: 3000 },
  );
});

// --- by name ----------------------------------------------------------------------------------------------

const A = "a".repeat(32);
const B = "b".repeat(32);
const C = "c".repeat(32);
const at = (actor: string, counter: number): Dot => ({ actor, counter });
const request = (n: number) => `${n}`.padStart(32, "0");

function write(n: number, dot: Dot, over: Partial<Write> = {}): Write {
  const value = over.value === undefined ? new TextEncoder().encode(`bar${n}`) : over.value;
  const crc = value === null ? 0 : crc32c(value);
  return { context: EMPTY_CLOCK, value, crc32c: crc, requestId: request(n), wallMs: n, dot, ...over };
}

function minted(local: StoredObject | null, write: Write): StoredObject {
  const outcome = mint(local, write);
  assert(outcome.ok && outcome.applied);
  return outcome.object;
}

const dotsOf = (object: StoredObject) => object.siblings.map(({ dot }) => `${dot.actor[0]}${dot.counter}`);

Deno.test("FAULTS 29: a stale context after a delete makes a sibling, nothing is resurrected", () => {
  const one = minted(null, write(1, at(A, 1)));
  const deleted = minted(one, write(2, at(A, 2), { value: null, context: one.clock }));
  assertEquals(liveValues(deleted), []);
  const stale = minted(deleted, write(3, at(A, 3), { context: one.clock }));
  assertEquals(dotsOf(stale), ["a2", "a3"]);
  assertEquals(liveValues(stale).map((live) => new TextDecoder().decode(live.value)), ["bar3"]);
  assertEquals(merge(stale, one), stale);
});

Deno.test("FAULTS 31: a retry through another coordinator leaves one sibling, whoever meets whom", () => {
  const first = minted(null, write(1, at(B, 1)));
  const again = minted(null, write(1, at(A, 9)));
  assertEquals(dotsOf(merge(first, again)), ["a9"], "the smallest dot stays");
  const known = mint(first, write(1, at(C, 1)));
  assert(known.ok && !known.applied);
  assertStrictEquals(known.object, first);
  const next = minted(first, write(2, at(B, 2), { context: first.clock }));
  assertEquals(dotsOf(merge(next, again)), ["b2"], "a retry of what was replaced");
  const retried = mint(next, write(1, at(C, 1)));
  assert(retried.ok && !retried.applied);
});

Deno.test("FAULTS 31: who replaces a retried write under one of its names, replaces it under all", () => {
  const first = minted(null, write(1, at(B, 1)));
  const again = minted(null, write(1, at(A, 9)));
  const both = merge(first, again);
  assertEquals(both.siblings[0]!.also, [at(B, 1)]);
  assertEquals(merge(again, first), both);
  // The reader met it as b1 only; where he deletes it, it is known as a9.
  const deleted = minted(both, write(2, at(C, 1), { value: null, context: first.clock }));
  assertEquals(liveValues(deleted), []);
  assertEquals(liveValues(merge(deleted, again)), []);
  // The replica he deletes it at knows nothing of b1, and can only tell when it meets one that does.
  const blind = minted(again, write(3, at(C, 2), { value: null, context: first.clock }));
  assertEquals(liveValues(merge(blind, both)), []);
  assertEquals(liveValues(merge(first, blind)), []);
  assert(!includes(blind, both) && includes(merge(blind, both), blind));
});

Deno.test("FAULTS 31: what replaced a retried write is replaced by one who never met it, and the retry is still known", () => {
  // Seed 915992275: b1 was read, replaced and deleted while the first try, a1, lay on a node that was cut off.
  const first = minted(null, write(1, at(A, 1)));
  const retried = minted(null, write(1, at(B, 1)));
  const deleted = minted(retried, write(2, at(B, 2), { value: null, context: retried.clock }));
  // On that node somebody writes who has read the delete.
  const later = minted(first, write(3, at(A, 2), { context: deleted.clock }));
  assertEquals(dotsOf(later), ["a1", "a2"]);
  assertEquals(dotsOf(merge(later, deleted)), ["a2"]);
  assertEquals(dotsOf(merge(deleted, later)), ["a2"]);
});

Deno.test("object: no clock that runs wild makes the youngest the first to be forgotten", () => {
  let object = minted(null, write(1, at(A, 1), { wallMs: Number.MAX_SAFE_INTEGER - 1000 }));
  for (let n = 2; n <= 3 * LIMITS.replacedRequests; n++) {
    object = minted(object, write(n, at(A, n), { context: object.clock, wallMs: n }));
    assert(has(object.replaced, request(n - 1)));
  }
});

Deno.test("FAULTS 31: a retry is known for replacedRequests overwrites, and then a sibling", () => {
  let object = minted(null, write(1, at(A, 1)));
  const late = minted(null, write(1, at(B, 1)));
  for (let n = 2; n <= 1 + LIMITS.replacedRequests; n++) {
    object = minted(object, write(n, at(A, n), { context: object.clock }));
    assertEquals(merge(object, late).siblings.length, 1, `overwritten ${n - 1} times`);
  }
  object = minted(object, write(99, at(A, 99), { context: object.clock }));
  assertEquals(object.replaced.length, 24 * LIMITS.replacedRequests);
  assertEquals(dotsOf(merge(object, late)), ["a99", "b1"]);
});

Deno.test("FAULTS 32: one context used twice at one coordinator makes two siblings, two versions", () => {
  const one = minted(null, write(1, at(A, 1)));
  const two = minted(one, write(2, at(A, 2), { context: one.clock }));
  const three = minted(two, write(3, at(A, 3), { context: one.clock }));
  assertEquals(dotsOf(three), ["a2", "a3"]);
  assert(verifyValues(three));
});

Deno.test("FAULTS 26: a dot that the object or the context knows already is not minted", () => {
  const five = minted(null, write(1, at(A, 5)));
  for (const dot of [at(A, 5), at(A, 4)]) {
    const refused = mint(five, write(2, dot));
    assert(!refused.ok && refused.code === "future-dot");
    const byContext = mint(null, write(2, dot, { context: five.clock }));
    assert(!byContext.ok && byContext.code === "future-dot");
  }
});

Deno.test("FAULTS 28: past the sibling limit a blind write is refused, resolving and merging never", () => {
  let full: StoredObject | null = null;
  for (let n = 1; n <= LIMITS.siblings; n++) full = minted(full, write(n, at(A, n)));
  assert(full !== null);
  const refused = mint(full, write(999, at(A, 999)));
  assert(!refused.ok && refused.code === "too-many-siblings");
  let other: StoredObject | null = null;
  for (let n = 1; n <= LIMITS.siblings; n++) other = minted(other, write(1000 + n, at(B, n)));
  assert(other !== null);
  const over = merge(full, other);
  assertEquals(over.siblings.length, 2 * LIMITS.siblings);
  const half = minted(over, write(5000, at(A, 5000), { context: clockOf(at(A, 50)) }));
  assertEquals(half.siblings.length, 2 * LIMITS.siblings - 49, "fewer than before is never refused");
  const resolved = minted(half, write(5001, at(A, 5001), { context: half.clock }));
  assertEquals(resolved.siblings.length, 1);
});

Deno.test("limits: an object over objectBytes is refused where it is minted, its delete is not", () => {
  const value = new Uint8Array(LIMITS.valueBytes);
  const one = minted(null, write(1, at(A, 1), { value, crc32c: 0 }));
  const refused = mint(one, write(2, at(A, 2), { value, crc32c: 0 }));
  assert(!refused.ok && refused.code === "too-large");
  const over = merge(one, minted(null, write(2, at(B, 2), { value, crc32c: 0 })));
  assertEquals(liveValues(minted(over, write(3, at(B, 3), { value: null, context: over.clock }))), []);
});

Deno.test("limits: a clock over mintClockEntries is refused where a write would make it longer", () => {
  const actors = Array.from({ length: LIMITS.mintClockEntries }, (_, n) => at(`${n}`.padStart(32, "0"), 1));
  const refused = mint(null, write(1, at(A, 1), { context: actors }));
  assert(!refused.ok && refused.code === "too-large");
  const { object } = { object: minted(null, write(1, at(A, 1), { context: actors.slice(1) })) };
  assertEquals(minted(object, write(2, at(A, 2))).siblings.length, 2);
});

Deno.test("object: a value that is not what its writer sent is seen", () => {
  const one = minted(null, write(1, at(A, 1)));
  assert(verifyValues(one));
  const [sibling] = one.siblings;
  assert(!verifyValues({ ...one, siblings: [{ ...sibling!, value: new TextEncoder().encode("baz1") }] }));
});
