/**
 * One short run of real processes whose wires are cut, and what becomes of elements, told apart.
 *
 * @module
 */

import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { countFates, type Element, type Fate, fateOf, newElement } from "./elements.ts";
import { setRun } from "./set_campaign.ts";

Deno.test("elements: every fate is told from the others", () => {
  const element = (part: Partial<Element>): Element => ({ ...newElement(), ...part });
  const cases: [Fate, Partial<Element>, boolean][] = [
    ["stable", { addedAt: 1 }, true],
    ["lost", { addedAt: 1 }, false],
    ["never read", {}, false],
    ["recovered", {}, true],
    ["stale", { addedAt: 1, wasMissed: true }, true],
    ["lost", { addedAt: 1, wasMissed: true }, false],
    ["removed", { addedAt: 1, removal: "acknowledged" }, false],
    ["resurrected", { addedAt: 1, removal: "acknowledged" }, true],
    ["in doubt", { addedAt: 1, removal: "begun" }, true],
  ];
  for (const [fate, part, isThere] of cases) assertEquals(fateOf(element(part), isThere), fate);
  const elements = new Map([["a", element({ addedAt: 1 })], ["b", element({ addedAt: 1 })]]);
  const fates = countFates(elements, (name) => name === "a");
  assertEquals([fates.stable, fates.lost], [1, 1]);
});

Deno.test("real processes: one cut off and let back while clients write: nothing lost, nothing resurrected", async () => {
  const { fates, requests, troubles } = await setRun({
    trouble: "one",
    nodes: 3,
    seconds: 0,
    requests: 2_000,
    flags: [],
    quorum: {},
  });
  assert(
    troubles === 1 && requests.done >= 6_000 && fates.stable > 10 && fates.removed > 10,
    JSON.stringify(fates),
  );
  assertEquals([fates.lost, fates.resurrected], [0, 0], JSON.stringify(fates));
});
