/**
 * @module
 */

import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import { FAULT_KINDS } from "../../actors/simulated/faults.ts";
import { planOf } from "./plan.ts";
import { FIGURES } from "./scenario.ts";
import { ENOUGH, summarize, Totals } from "./summary.ts";
import { LATE_RETRIES, type Verdict } from "./verdict.ts";

const UNSYNCED = ["unsynced-lost", "unsynced-torn", "unsynced-reordered"];
const EVERYTHING: readonly string[] = [...FAULT_KINDS, ...UNSYNCED, ...FIGURES];

/** So many histories in which one thing each happened of all this. */
function totalsOf(histories: number, names: readonly string[]): Totals {
  const totals = new Totals();
  const counts = Object.fromEntries(names.map((name) => [name, 1]));
  const verdict: Verdict = {
    seed: 1,
    violations: [],
    explained: "",
    counts,
    traceHash: 0,
    events: 10,
    simulatedMs: 1_000,
  };
  for (let n = 0; n < histories; n++) totals.add(verdict);
  return totals;
}

Deno.test("a run in which something never happened fails, whatever it is", () => {
  assertEquals(totalsOf(ENOUGH, EVERYTHING).missing({}), []);
  for (const name of EVERYTHING) {
    const totals = totalsOf(ENOUGH, EVERYTHING.filter((other) => other !== name));
    assertEquals(totals.missing({}), [name]);
    assertMatch(
      summarize(totals, {}, 1_000),
      new RegExp(`^FAILED: .* ${name}: the simulator went easy`, "m"),
    );
  }
});

Deno.test("few histories prove nothing, and say so", () => {
  const totals = totalsOf(ENOUGH - 1, []);
  assertEquals(totals.missing({}), []);
  assertMatch(summarize(totals, {}, 1_000), new RegExp(`is checked from ${ENOUGH} histories on`));
});

Deno.test("of faults chosen by hand those are asked for that can be", () => {
  const none = totalsOf(ENOUGH, []);
  assertEquals(none.missing({ faults: ["loss"] }), ["loss", "operations"]);
  assertEquals(none.missing({ faults: ["power"] }), ["power", ...UNSYNCED, "operations"]);
  assertEquals(none.missing({ faults: ["ring", "two-way"], nodes: 3 }), ["two-way", "operations"]);
});

Deno.test("without faults none is asked for, and that there are none is said", () => {
  for (
    const options of [{ faults: [] }, { except: FAULT_KINDS }, {
      faults: ["loss"],
      except: ["loss"],
    }] as const
  ) {
    assertEquals(totalsOf(ENOUGH, []).missing(options), ["operations"]);
    const summary = summarize(totalsOf(ENOUGH, ["operations"]), options, 1_000);
    assertMatch(summary, /^no faults are played/m);
    assert(!/at least once|faults injected/.test(summary), summary);
  }
});

Deno.test("with faults chosen by hand no more than those is said to have happened", () => {
  const options = { faults: ["loss"] } as const;
  const said = (histories: number) => summarize(totalsOf(histories, ["loss", "operations"]), options, 1_000);
  assertMatch(said(ENOUGH), /^every kind of fault that was asked for happened at least once$/m);
  assertMatch(
    said(1),
    /^\(whether every kind of fault that was asked for happened at least once is checked/m,
  );
  assertMatch(summarize(totalsOf(ENOUGH, ["operations"]), options, 1_000), /^FAILED: there was no loss: /m);
});

Deno.test("what is left out is not asked for, and planned nowhere", () => {
  const except = ["wipe", "join"] as const;
  const possible = EVERYTHING.filter((name) => !/^(wipe|joins?)$/.test(name));
  assertEquals(totalsOf(ENOUGH, possible).missing({ except }), []);
  assertEquals(totalsOf(ENOUGH, []).missing({ except }), possible);
  for (let seed = 1; seed <= 100; seed++) {
    assert(planOf(seed, { except }).faults.every(({ kind }) => kind !== "wipe" && kind !== "join"));
  }
});

Deno.test("the summary counts", () => {
  const totals = totalsOf(1_200, ["loss", "operations"]);
  const summary = summarize(totals, {}, 60_000);
  assertMatch(
    summary,
    /^1,200 histories in 1 min, 20.0 per second: 1,200 green, 0 failed\n12,000 events in 20 min/,
  );
  assertMatch(summary, /^ {2}loss +1,200 {3}delay +0 /m);
  assert(EVERYTHING.every((name) => new RegExp(` ${name} +[\\d,]+`).test(summary)));
});

Deno.test("late retries may happen, and fail a run in which they are not rare", () => {
  const rare = totalsOf(ENOUGH, EVERYTHING);
  assert(!rare.areRetriesLate);
  const often = totalsOf(ENOUGH, [...EVERYTHING, LATE_RETRIES]);
  assert(often.areRetriesLate);
  assertMatch(summarize(often, {}, 1_000), /^FAILED: late retries are not rare$/m);
});

Deno.test("late retries of a single history are rare, however many (seeds 28990744 to 28991561)", () => {
  const totals = totalsOf(ENOUGH - 1, EVERYTHING);
  const counts = { [LATE_RETRIES]: ENOUGH };
  totals.add({
    seed: 1,
    violations: [],
    explained: "",
    counts,
    traceHash: 0,
    events: 10,
    simulatedMs: 1_000,
  });
  assert(!totals.areRetriesLate);
});
