/**
 * `denamo storage verify`
 *
 * @module
 */

import { type Verification, verifyDirectory } from "../../net/offline/verify.ts";
import { answer, type Command, command, EXIT, JSON_FLAG } from "../command.ts";
import type { Flags } from "../flags.ts";
import { counted, type Paint, paint, size } from "../paint.ts";
import { onFiles, showDamage, wantsJson } from "./storage.ts";

/** Read everything and say what is damaged. */
export const storageVerify: Command<Flags> = command({
  name: "storage verify",
  summary: "Read all of a stopped node's data, or a backup's, and report what is damaged",
  details:
    "Changes nothing. Exits 0 when all is whole, 1 when something is damaged, 2 when it cannot be read:\n" +
    "a node runs on it, it is no data directory. What is damaged a node finds and cuts out when it starts, and\n" +
    "fetches from the other members. Kinds: corrupt, something that was durable is gone; torn-tail, what a power\n" +
    "cut leaves of writes that were not acknowledged, or damage to the very last that were; rebuilt, a file that\n" +
    "only saves time.",
  examples: ["storage verify ./denamo-data/3001", "storage verify ./denamo-data/3001 --json"],
  words: ["PATH"],
  flags: { ...JSON_FLAG },
  run: (flags, context, [path]) =>
    onFiles("storage verify", "verifying", context, async (show) => {
      const verification = await verifyDirectory(context.environment(), path!, show);
      show(1);
      if (wantsJson(flags, context)) answer(context, verification);
      else context.terminal.out(showVerification(verification, paint(context.terminal.coloured)));
      return verification.whole ? EXIT.done : EXIT.failed;
    }),
});

/** What was found, as people read it. */
export function showVerification({ whole, damage, stores }: Verification, paint: Paint): string {
  const lines = stores.map(({ engine, keys, diskBytes, files }) =>
    `${engine}: ${counted(keys, "key")}, ${size(diskBytes)} in ${counted(files, "file")}\n`
  );
  return lines.join("") + (whole ? `${paint.green("● whole")}\n` : showDamage(damage, paint));
}
