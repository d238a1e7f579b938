/**
 * What the commands on a data directory have in common.
 *
 * @module
 */

import { DiskError } from "../../actors/runtime/environment.ts";
import { Refused } from "../../net/offline/directory.ts";
import type { Damage } from "../../storage/engine.ts";
import { EngineError } from "../../storage/engine.ts";
import { type Context, EXIT } from "../command.ts";
import { counted, type Paint } from "../paint.ts";
import { Progress } from "../progress.ts";

/** Hears how far a task has come, from 0 to 1. */
export type Show = (fraction: number) => void;

/**
 * Do something to files and show how far it has come; the result is the exit code. What cannot be begun is one line
 * on standard error and exit 2, what fails on the way one line and exit 1.
 */
export async function onFiles(
  name: string,
  doing: string,
  context: Context,
  task: (show: Show) => Promise<number>,
): Promise<number> {
  const { terminal } = context;
  const progress = new Progress(terminal);
  try {
    return await task((fraction) => {
      if (fraction < 1) progress.show(fraction, `${doing} ${Math.floor(fraction * 100)}%`);
      else progress.clear();
    });
  } catch (error) {
    if (!(error instanceof Refused || error instanceof EngineError || error instanceof DiskError)) {
      throw error;
    }
    progress.clear();
    terminal.err(`denamo ${name}: ${error.message}\n`);
    return error instanceof Refused ? EXIT.usage : EXIT.failed;
  }
}

/** Whether JSON is wanted rather than text for people. */
export function wantsJson(flags: { readonly json: boolean }, { terminal }: Context): boolean {
  return flags.json || !terminal.interactive;
}

/** Damaged places, one line each. */
export function showDamage(damage: readonly Damage[], paint: Paint): string {
  const lines = damage.map(({ kind, path, offset, detail }) =>
    `${paint.red("✗")} ${kind.padEnd(9)}  ${path} at ${offset}: ${detail}\n`
  );
  return lines.join("") + (damage.length > 0 ? `${counted(damage.length, "damaged place")}\n` : "");
}
