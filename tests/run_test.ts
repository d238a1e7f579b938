import { assertEquals } from "../actors/runtime/testing/assert.ts";
import { countsLine, readSummary } from "./run.ts";

Deno.test("the counts are read from the summary, whatever its colours and additions", () => {
  const cases: [summary: string, counts: string | undefined][] = [
    ["ok | 3 passed | 0 failed (12ms)\n", "3 passed, 0 failed"],
    [
      "\n\x1b[0m\x1b[32mok\x1b[0m | 36 passed (2 steps) | 0 failed \x1b[38;5;245m(8ms)\x1b[0m\n",
      "36 passed, 0 failed",
    ],
    ["FAILED | 1 passed (1 step) | 2 failed (1 step) | 4 ignored (7ms)", "1 passed, 2 failed, 4 skipped"],
    ["ok | 5 passed | 0 failed | 1 ignored (1 step) | 3 filtered out (1s)", "5 passed, 0 failed, 1 skipped"],
    ["ok | 1 passed | 0 failed (1ms)\nok | 2 passed | 0 failed (1ms)", "2 passed, 0 failed"],
    ["error: Type checking failed.", undefined],
    ["x ok | 9 passed | 0 failed", undefined],
  ];
  for (const [summary, counts] of cases) {
    const found = readSummary(summary);
    assertEquals(found && countsLine(found), counts);
  }
});
