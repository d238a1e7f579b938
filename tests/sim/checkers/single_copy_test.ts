/**
 * Checkers do not cry wolf: no history of a store that is trivially right is convicted. And the same scripts convict
 * one that is wrong in a single place, so that it is not for their tameness that they are acquitted.
 *
 * @module
 */

import * as fc from "fast-check";
import { assert, assertEquals } from "../../../actors/runtime/testing/assert.ts";
import { check, lateRetries } from "../checkers.ts";
import { type Apply, applyWrite, play, type ScriptedCall, type Temper } from "./testing/single_copy.ts";

const RUNS = 500;

const FATES = ["ok", "is tried twice", "failed", "happens", "does not happen", "happens later"] as const;

const call: fc.Arbitrary<ScriptedCall> = fc.record({
  client: fc.nat(3),
  kind: fc.constantFrom("get", "get", "put", "del"),
  key: fc.constantFrom(0, 0, 1),
  informed: fc.boolean(),
  pauseMs: fc.nat(20),
  lastsMs: fc.integer({ min: 1, max: 40 }),
  effect: fc.double({ min: 0, max: 1, noNaN: true }),
  fate: fc.oneof({ weight: 3, arbitrary: fc.constant("ok" as const) }, fc.constantFrom(...FATES)),
  quorum: fc.integer({ min: 1, max: 3 }),
  staleMs: fc.nat(100),
});

const scripts = fc.array(call, { minLength: 1, maxLength: 60, size: "max" });

const TEMPERS: Readonly<Record<string, Temper>> = {
  "strict": { loose: false, lossy: false },
  "asked with quorums of one": { loose: true, lossy: false },
  "with a disk that forgets": { loose: false, lossy: true },
  "with both": { loose: true, lossy: true },
};

for (const [name, temper] of Object.entries(TEMPERS)) {
  Deno.test(`never convicted: a single copy, ${name}`, () => {
    fc.assert(fc.property(scripts, (script) => assertEquals(check(play(script, temper)), [])), {
      numRuns: RUNS,
    });
  });
}

Deno.test("counted: a write that is made again, by its retry, when it has been replaced", () => {
  const isCalm = (script: ScriptedCall[]) => lateRetries(play(script, TEMPERS["strict"]!)) === 0;
  assert(fc.check(fc.property(scripts, isCalm), { numRuns: 10 * RUNS }).failed);
});

/** What a write must not do, and what clients see of it. */
const BUGS: Readonly<Record<string, { readonly apply: Apply; readonly seenAs: string }>> = {
  "a write replaces what it has not seen": {
    apply: (copy, write, value, context) =>
      applyWrite(copy, write, value, new Set([...copy.seen, ...context])),
    seenAs: "an acknowledged write is lost",
  },
  "a context is dropped": {
    apply: (copy, write, value) => applyWrite(copy, write, value, new Set()),
    seenAs: "a replaced value is a sibling",
  },
  "every third write is forgotten": {
    apply: (copy, write, value, context) => write % 3 === 0 ? copy : applyWrite(copy, write, value, context),
    seenAs: "an acknowledged write is lost",
  },
  "a delete forgets what it has seen": {
    apply: (copy, write, value, context) =>
      applyWrite(copy, write, value, value === null ? new Set() : context),
    seenAs: "a deleted value is back",
  },
};

for (const [name, { apply, seenAs }] of Object.entries(BUGS)) {
  Deno.test(`convicted: a single copy in which ${name}`, () => {
    const isAcquitted = (script: ScriptedCall[]) =>
      check(play(script, TEMPERS["strict"]!, apply)).every(({ checker }) => checker !== seenAs);
    const { failed, counterexample } = fc.check(fc.property(scripts, isAcquitted), { numRuns: RUNS });
    assert(failed, `${RUNS} scripts did not convict it`);
    assert(counterexample![0].length <= 6, "the smallest script that convicts it is short");
  });
}
