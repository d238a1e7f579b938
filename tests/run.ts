/**
 * `deno task test`: every test and every example in the documentation, as many files at once as there are cores, and
 * at the end the counts in one line. Arguments go to `deno test`.
 *
 * @module
 */

import { stripVTControlCharacters } from "node:util";
import { PERMISSIONS } from "../cli/permissions.ts";

/** What ran. */
export interface Counts {
  /** Tests that passed. */
  readonly passed: number;
  /** Tests that failed; 1 when the run broke off before there were counts. */
  readonly failed: number;
  /** Tests that were left out. */
  readonly skipped: number;
}

/** The counts in the summary that `deno test` ends with, undefined when there is none. */
export function readSummary(output: string): Counts | undefined {
  const summaries = stripVTControlCharacters(output)
    .matchAll(/^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?:.*? \| (\d+) ignored)?/gm);
  const last = [...summaries].at(-1);
  return last && { passed: Number(last[1]), failed: Number(last[2]), skipped: Number(last[3] ?? 0) };
}

/** `3 passed, 0 failed`, and what was skipped when something was. */
export function countsLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

if (import.meta.main) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--doc", "--parallel", ...PERMISSIONS, ...Deno.args],
    env: { DENO_NO_UPDATE_CHECK: "1", ...(Deno.stdout.isTerminal() && { FORCE_COLOR: "1" }) },
    stdout: "piped",
  }).spawn();
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    for (let written = 0; written < chunk.length;) written += Deno.stdout.writeSync(chunk.subarray(written));
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4096);
  }
  const { code } = await child.status;
  const found = readSummary(tail) ?? { passed: 0, failed: 0, skipped: 0 };
  // A red run with no failed test (types, a leak, a crash of the runner) counts as one failure.
  const counts = code !== 0 && found.failed === 0 ? { ...found, failed: 1 } : found;
  Deno.stdout.writeSync(new TextEncoder().encode(`${countsLine(counts)}\n`));
  Deno.exit(code);
}
