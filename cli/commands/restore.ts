/**
 * `denamo restore`
 *
 * @module
 */

import { type Restoration, restore as restoreBackup } from "../../net/offline/restore.ts";
import { answer, type Command, command, EXIT, JSON_FLAG } from "../command.ts";
import { type Flags, toggled } from "../flags.ts";
import * as kind from "../kinds.ts";
import { counted, type Paint, paint } from "../paint.ts";
import { onFiles, showDamage, wantsJson } from "./storage.ts";

/** Make a data directory from a backup. */
export const restore: Command<Flags> = command({
  name: "restore",
  summary: "Make a node's data directory from a backup",
  details:
    "Verifies the backup and copies it; PATH must be empty or not there. Start the node on PATH, at its old\n" +
    "address: it fetches what it has missed from the other members before its reads count, and, since it may have\n" +
    "forgotten a promise, does not vote on the ring. With --whole-cluster it does: say so only when every other\n" +
    "member is being restored too, or there is none. Exits 1 when the backup is damaged, 2 when there is none.",
  examples: ["restore /backups/n1 ./denamo-data/3001"],
  words: ["BACKUP", "PATH"],
  flags: {
    "whole-cluster": toggled(kind.toggle, "No member lives that was not restored from a backup itself"),
    ...JSON_FLAG,
  },
  run: (flags, context, words) =>
    onFiles("restore", "verifying and copying", context, async (show) => {
      const [backup, path] = words as [string, string];
      const options = { backup, path, wholeCluster: flags["whole-cluster"] };
      const restoration = await restoreBackup(context.environment(), options, show);
      show(1);
      const { damage, manifest: { files: _, ...manifest } } = restoration;
      if (wantsJson(flags, context)) {
        answer(context, { restored: damage.length === 0, path, damage, ...manifest });
      } else context.terminal.out(showRestoration(restoration, path, paint(context.terminal.coloured)));
      return damage.length === 0 ? EXIT.done : EXIT.failed;
    }),
});

function showRestoration({ manifest, damage }: Restoration, path: string, paint: Paint): string {
  if (damage.length > 0) {
    return `${showDamage(damage, paint)}the backup is damaged; nothing was written to ${path}\n`;
  }
  const { node, address, cluster, engine, keys, takenAt } = manifest;
  return [
    `${paint.green("● restored")} ${path}: node ${node} of ${cluster}, ${
      counted(keys, "key")
    }, as of ${takenAt}`,
    `start it at ${address} with --storage-engine ${engine} --storage-path ${path}`,
    "",
  ].join("\n");
}
