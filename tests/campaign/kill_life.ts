/**
 * One life of a victim, and its end.
 *
 * @module
 */

import type { Orders } from "./kill_victim.ts";
import { type Call, counting, killing } from "./strace.ts";

/** How a life is to end: instead of which call. Null: in order, its calls written to a file. */
export type Fate = { readonly call: Call; readonly n: number } | { readonly countIn: string };

/** What became of a victim. */
export interface Life {
  /** Whether it was killed; else it has come to the end of its orders. */
  readonly wasKilled: boolean;
  /** Whether it had got as far as to open the engine. */
  readonly hadBegun: boolean;
  /** The numbers of what it said it had done. */
  readonly done: readonly number[];
}

const VICTIM = new URL("./kill_victim.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** Run a victim to its end. Throws what it said when that was of its own making. */
export async function runVictim(orders: Orders, fate: Fate): Promise<Life> {
  const victim = [
    Deno.execPath(),
    ...["run", "--quiet", "--no-check", "--no-prompt", "--config", CONFIG],
    ...[`--allow-read`, `--allow-write=${orders.directory}`],
    ...[VICTIM, JSON.stringify(orders)],
  ];
  const args = "call" in fate ? killing(fate.call, fate.n, victim) : counting(fate.countIn, victim);
  const { success, signal, stdout, stderr } = await new Deno.Command("strace", {
    args,
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stdout).split("\n");
  const wasKilled = signal === "SIGKILL";
  if (!success && !wasKilled) {
    throw new Error(`the victim ended by itself: ${new TextDecoder().decode(stderr).trim()}`);
  }
  return {
    wasKilled,
    hadBegun: said.includes("begun"),
    done: said.filter((line) => /^\d+$/.test(line)).map(Number),
  };
}
