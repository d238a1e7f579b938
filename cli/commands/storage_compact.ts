/**
 * `denamo storage compact`
 *
 * @module
 */

import { compactDirectory, type Compactions } from "../../net/offline/compact.ts";
import { answer, type Command, command, EXIT, JSON_FLAG } from "../command.ts";
import type { Flags } from "../flags.ts";
import { type Paint, paint, size } from "../paint.ts";
import { onFiles, showDamage, wantsJson } from "./storage.ts";

/** Rewrite a store without its dead bytes. */
export const storageCompact: Command<Flags> = command({
  name: "storage compact",
  summary: "Rewrite a stopped node's data without what was overwritten and removed",
  details:
    "A node does this by itself while it runs, but leaves a part. Exits 1 when something was found damaged:\n" +
    "it is cut out as when a node starts, which then fetches it from the other members.",
  examples: ["storage compact ./denamo-data/3001"],
  words: ["PATH"],
  flags: { ...JSON_FLAG },
  run: (flags, context, [path]) =>
    onFiles("storage compact", "compacting", context, async (show) => {
      const done = await compactDirectory(context.environment(), path!, show);
      show(1);
      if (wantsJson(flags, context)) answer(context, done);
      else context.terminal.out(showCompactions(done, paint(context.terminal.coloured)));
      return done.damage.length > 0 ? EXIT.failed : EXIT.done;
    }),
});

/** What was done, as people read it. */
export function showCompactions({ stores, damage }: Compactions, paint: Paint): string {
  const lines = stores.map(({ before, after }) =>
    `${after.engine}: ${size(before.diskBytes)} before, ${size(after.diskBytes)} now, ` +
    `${size(after.deadBytes)} of it dead\n`
  );
  return damage.length === 0 ? lines.join("") : `${showDamage(damage, paint)}nothing was changed\n`;
}
