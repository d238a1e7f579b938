/**
 * `denamo storage stats`
 *
 * @module
 */

import { describeDirectory, type DirectorySummary } from "../../net/offline/describe.ts";
import { answer, type Command, command, EXIT, JSON_FLAG } from "../command.ts";
import type { Flags } from "../flags.ts";
import { counted, type Paint, paint, size } from "../paint.ts";
import { disk } from "./status.ts";
import { onFiles, wantsJson } from "./storage.ts";

/** Show what is in a data directory. */
export const storageStats: Command<Flags> = command({
  name: "storage stats",
  summary: "Show whose data a stopped node's directory holds, and how much",
  details: "Changes nothing. Of a node that runs, denamo status tells the same.",
  examples: ["storage stats ./denamo-data/3001"],
  words: ["PATH"],
  flags: { ...JSON_FLAG },
  run: (flags, context, [path]) =>
    onFiles("storage stats", "reading", context, async () => {
      const summary = await describeDirectory(context.environment(), path!);
      if (wantsJson(flags, context)) answer(context, summary);
      else context.terminal.out(showSummary(summary, paint(context.terminal.coloured)));
      return EXIT.done;
    }),
});

/** The summary as people read it. */
export function showSummary({ node, stores }: DirectorySummary, paint: Paint): string {
  const rows: [name: string, text: string][] = [];
  if (node === null) {
    rows.push(["node", paint.red("its own journal cannot be read; denamo storage verify tells more")]);
  } else {
    const notes = [
      ...node.whole ? [] : ["not whole: fetches from the other members when it starts"],
      ...node.votes ? [] : ["does not vote on rings"],
      ...node.moved ? ["moved or put back since it last ran"] : [],
    ];
    rows.push(
      ["node", `${node.node}, ${counted(node.starts, "start")}`],
      ["cluster", `${node.cluster}, ring epoch ${node.epoch}, ${counted(node.members, "member")}`],
      ...notes.map((note): [string, string] => ["", paint.yellow(note)]),
    );
  }
  for (const store of stores) {
    rows.push(
      ["store", `${store.engine}, ${counted(store.keys, "key")}, ${size(store.liveBytes)} live`],
      ["disk", disk(store)],
    );
  }
  return rows.map(([name, text]) => `${paint.dim(name.padEnd(9))}${text}\n`).join("");
}
