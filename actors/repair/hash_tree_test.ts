import fc from "fast-check";
import { compareBytes, encodeUtf8 } from "../runtime/bytes.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import type { ObjectHash } from "../replica_store/object_hash.ts";
import { type Cut, type Digest, type HashedKey, HashTree, isCut } from "./hash_tree.ts";

/** What a store does to the tree beside it, and when the tree is surveyed. */
type Step =
  | { kind: "put"; key: number; value: number }
  | { kind: "remove"; key: number }
  | { kind: "survey"; page: number }
  | { kind: "doubt"; key: number };

const KEYS = 200;
const key = fc.nat({ max: KEYS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("put" as const), key, value: fc.nat({ max: 50 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("survey" as const), page: fc.integer({ min: 1, max: 60 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("doubt" as const), key }) },
);

const bytesOf = (n: number) => encodeUtf8(`key ${n}`);

function hashOf(key: number, value: number): ObjectHash {
  const mixed = Math.imul(key + 1, 0x9e3779b1) ^ Math.imul(value + 7, 0x85ebca6b);
  return { low: mixed >>> 0, high: Math.imul(mixed, 0xc2b2ae35) >>> 0 };
}

/** The dumb twin: a sorted map that is hashed from end to end whenever somebody asks. */
class Twin {
  readonly held = new Map<number, number>();

  sorted(): HashedKey[] {
    return [...this.held].map(([key, value]) => ({ key: bytesOf(key), hash: hashOf(key, value) }))
      .sort((a, b) => compareBytes(a.key, b.key));
  }

  digest(after: Cut = null, upTo: Cut = null): Digest {
    const inside = this.sorted().filter(({ key }) =>
      (after === null || compareBytes(key, after) > 0) && (upTo === null || compareBytes(key, upTo) <= 0)
    );
    return inside.reduce((sum, { hash }) => ({
      keys: sum.keys + 1,
      low: (sum.low + hash.low) % 2 ** 32,
      high: (sum.high + hash.high) % 2 ** 32,
    }), { keys: 0, low: 0, high: 0 });
  }

  cuts(): Cut[] {
    return [null, ...this.sorted().map(({ key }) => key).filter(isCut), null];
  }
}

/** What is judged; a test plants a bug by substituting a function. */
const CORE = {
  change: (tree: HashTree, ...change: Parameters<HashTree["change"]>) => tree.change(...change),
};

/** A store with its tree, and the twin of the tree. */
class Store {
  readonly twin = new Twin();
  readonly tree: HashTree;
  readonly #core: typeof CORE;

  constructor(held: readonly number[], core = CORE) {
    for (const key of held) this.twin.held.set(key, 0);
    this.tree = new HashTree(held.length === 0);
    this.#core = core;
  }

  play(step: Step): void {
    const { twin: { held }, tree } = this;
    if (step.kind === "survey") return void this.survey(step.page);
    if (step.kind === "doubt") return tree.doubt(bytesOf(step.key));
    const before = held.get(step.key);
    if (step.kind === "put") held.set(step.key, step.value);
    else held.delete(step.key);
    const after = held.get(step.key);
    const hashed = (value: number | undefined) => value === undefined ? null : hashOf(step.key, value);
    this.#core.change(tree, bytesOf(step.key), hashed(before), hashed(after));
  }

  /** One page of a survey; false when there is nothing to do. */
  survey(page: number): boolean {
    const place = this.tree.survey();
    if (place === null) return false;
    const all = this.twin.sorted().filter(({ key }) =>
      place.after === null || compareBytes(key, place.after) > 0
    );
    const isRight = this.tree.learn(place.after, all.slice(0, page), all.length <= page);
    assert(isRight, "the tree had gone wrong");
    return true;
  }

  settle(page: number): void {
    for (let pages = 0; this.survey(page); pages++) assert(pages < 10_000, "the survey does not end");
  }

  /** The tree is the twin's: as a whole, and in every leaf. */
  check(): void {
    const { tree, twin } = this;
    assertEquals(tree.digest(), twin.digest());
    const cuts = twin.cuts();
    assertEquals(tree.leaves, cuts.length - 1);
    const leaves = cuts.slice(1).map((cut, i) => twin.digest(cuts[i], cut));
    assertEquals(tree.digests(cuts), leaves);
    assertEquals(tree.pieces(null, null, KEYS), { cuts, digests: leaves });
    assertEquals(tree.verify(null, twin.sorted(), true), 0);
  }
}

const stories = fc.record({
  held: fc.uniqueArray(key, { maxLength: 200, size: "max" }),
  steps: fc.array(step, { maxLength: 300, size: "max" }),
  page: fc.integer({ min: 1, max: 60 }),
});

Deno.test("hash tree: changed and surveyed in any order it is that of a sorted map", () => {
  fc.assert(
    fc.property(stories, ({ held, steps, page }) => {
      const store = new Store(held);
      for (const one of steps) {
        store.play(one);
        const digest = store.tree.digest();
        if (digest !== null) assertEquals(digest, store.twin.digest());
      }
      store.settle(page);
      store.check();
    }),
    { numRuns: 60 },
  );
});

Deno.test("hash tree: what is asked of it while a survey goes on is right or not known", () => {
  fc.assert(
    fc.property(stories, ({ held, steps }) => {
      const store = new Store(held);
      for (const one of steps) {
        store.play(one);
        const cuts = store.twin.cuts();
        store.tree.digests(cuts).forEach((digest, i) => {
          if (digest !== null) assertEquals(digest, store.twin.digest(cuts[i], cuts[i + 1]));
        });
      }
    }),
    { numRuns: 15 },
  );
});

const PLANTED: Readonly<Record<string, Partial<typeof CORE>>> = {
  "an overwrite leaves it as it was": {
    change: (tree, key, before, after) => {
      if (before === null || after === null) tree.change(key, before, after);
    },
  },
  "a removal leaves it as it was": {
    change: (tree, key, before, after) => {
      if (after !== null) tree.change(key, before, after);
    },
  },
  "what was there is not taken out": { change: (tree, key, _, after) => tree.change(key, null, after) },
};

for (const [bug, core] of Object.entries(PLANTED)) {
  Deno.test(`hash tree, planted: ${bug}`, () => {
    const found = fc.check(
      fc.property(stories, ({ held, steps, page }) => {
        const store = new Store(held, { ...CORE, ...core });
        for (const one of steps) store.play(one);
        store.settle(page);
        store.check();
      }),
      { numRuns: 200 },
    );
    assert(found.failed);
  });
}

Deno.test("hash tree: a reading that differs from what it has is found in the leaf it belongs to, and mended", () => {
  const store = new Store([...Array(KEYS).keys()]);
  store.settle(50);
  store.twin.held.set(7, 1); // behind its back
  assertEquals(store.tree.verify(null, store.twin.sorted(), true), 1);
  assertEquals(store.tree.digest(), null);
  store.settle(50);
  store.check();
});

Deno.test("hash tree: a survey of a leaf that is known says when it was known wrongly", () => {
  const tree = new HashTree(true);
  const cut = [...Array(KEYS).keys()].find((n) => isCut(bytesOf(n)))!;
  tree.change(bytesOf(cut), null, hashOf(cut, 0));
  assertEquals(tree.survey(), { after: null, keys: 1 });
  assertEquals(tree.learn(null, [{ key: bytesOf(cut), hash: hashOf(cut, 1) }], true), false);
  assertEquals(tree.digest(), { keys: 1, ...hashOf(cut, 1) });
});
