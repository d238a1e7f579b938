/**
 * `denamo backup`
 *
 * @module
 */

import { resolve } from "node:path";
import type { BackupOutcome, Refusal } from "../../actors/operator/protocol.ts";
import {
  answer,
  type Command,
  command,
  type Context,
  type Door,
  EXIT,
  JSON_FLAG,
  reportFailure,
  WHERE,
  withDoor,
} from "../command.ts";
import type { Flags } from "../flags.ts";
import { sleep } from "../local_node.ts";
import { counted, type Paint, paint, size } from "../paint.ts";
import { Progress } from "../progress.ts";
import { wantsJson } from "./storage.ts";

/** How often the node is asked how far it is, in milliseconds. */
const POLL_MS = 100;

/** Have a node make a backup of itself. */
export const backup: Command<Flags> = command({
  name: "backup",
  summary: "Have a running node write a consistent copy of its data to a directory",
  details:
    "DIRECTORY is on the node's machine, and must be empty or not there. The node goes on serving. Files that\n" +
    "do not change any more are hard links where DIRECTORY is on the same file system as the data, and copies\n" +
    "elsewhere. Back up every member: each has its own part. denamo restore makes a data directory of it.",
  examples: ["backup /backups/n1 -p 3001"],
  words: ["DIRECTORY"],
  flags: { ...WHERE, ...JSON_FLAG },
  async run(flags, context, [directory]) {
    const outcome = await withDoor(flags, context, (door) => backUp(door, resolve(directory!), context));
    if (!outcome.ok) return reportFailure(context, { ...outcome, definite: true });
    if (wantsJson(flags, context)) answer(context, outcome);
    else context.terminal.out(showBackup(outcome, paint(context.terminal.coloured)));
    return EXIT.done;
  },
});

async function backUp(door: Door, directory: string, { terminal }: Context): Promise<BackupOutcome> {
  const begun = await door.admin("backup", { directory });
  if (!begun.ok) return begun;
  const progress = new Progress(terminal);
  while (true) {
    const state = await door.admin("backupProgress", { number: begun.number });
    const end: BackupOutcome | Refusal | null = state.ok ? state.outcome : state;
    if (end !== null) {
      progress.clear();
      return end;
    }
    if (state.ok) progress.show(state.fraction, `backing up ${Math.floor(state.fraction * 100)}%`);
    await sleep(POLL_MS);
  }
}

function showBackup(
  { directory, files, sizeBytes, keys }: Extract<BackupOutcome, { ok: true }>,
  paint: Paint,
): string {
  return `${paint.green("● backed up")} ${directory}: ${counted(keys, "key")}, ${size(sizeBytes)} in ` +
    `${counted(files, "file")}\n`;
}
