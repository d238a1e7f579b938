/**
 * A worker: makes one history after the other in a process of its own, for `pool.ts`. Plans come in, verdicts go
 * out, each a line of JSON behind a mark that nothing else prints.
 *
 * @module
 */

import { eachLine } from "../../cli/local_node.ts";
import { STOPS } from "../../cli/terminal.ts";
import { judge, VERDICT } from "./verdict.ts";

// Ctrl-C and SIGTERM are for the one who gave it the work, and who has it ended.
for (const signal of STOPS) Deno.addSignalListener(signal, () => {});

let turn = Promise.resolve();
await eachLine(Deno.stdin.readable, (line) => {
  turn = turn.then(async () => say(`${VERDICT}${JSON.stringify(await judge(JSON.parse(line)))}`));
});
await turn;

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}
