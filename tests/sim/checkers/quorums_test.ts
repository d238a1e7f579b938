/**
 * The checker of availability on trial: what a call may fail of, and what not, while a quorum could be had.
 *
 * @module
 */

import { assertEquals } from "../../../actors/runtime/testing/assert.ts";
import type { Operation } from "../history.ts";
import { caseOf } from "./case.ts";
import { quorumsAreFound } from "./client_checkers.ts";
import type { Evidence } from "./evidence.ts";
import { Story } from "./testing/story.ts";

/** How many failed calls are convicted; all are like this but for what is said. */
function convicted(evidence: Pick<Evidence, "troubled">, call: Partial<Operation>): number {
  const told = new Story().evidence();
  const failed = new Story().put("a", { outcome: "unknown" });
  const operations = [{ ...failed, timeoutMs: 5_000, error: "quorum-unmet: 1 of 2", ...call }];
  return quorumsAreFound(caseOf({ ...told, ...evidence, operations })).length;
}

Deno.test("convicted: a call that found no quorum though one node of three was away, and had time to", () => {
  assertEquals(convicted({ troubled: 1 }, {}), 1);
  assertEquals(convicted({ troubled: 0 }, { quorum: 3 }), 1);
  for (const code of ["unavailable", "timeout", "connect", "lost"]) {
    assertEquals(convicted({ troubled: 1 }, { error: `${code}: why`, outcome: "failed" }), 1);
  }
});

Deno.test("not convicted: a call in no time, that needs whoever is away, that is refused, when more went wrong", () => {
  assertEquals(convicted({ troubled: 1 }, { timeoutMs: 1_000 }), 0);
  assertEquals(convicted({ troubled: 1 }, { quorum: 3 }), 0);
  assertEquals(convicted({ troubled: 2 }, {}), 0);
  assertEquals(convicted({}, {}), 0);
  assertEquals(convicted({ troubled: 1 }, { outcome: "ok", error: null }), 0);
  assertEquals(convicted({ troubled: 1 }, { outcome: "failed", error: "too-many-siblings: 100" }), 0);
});
