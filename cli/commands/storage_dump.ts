/**
 * `denamo storage dump`
 *
 * @module
 */

import type { Sibling } from "../../actors/replica_store/object.ts";
import { dumpDirectory, type DumpedKey } from "../../net/offline/dump.ts";
import { type Command, command, EXIT, JSON_FLAG } from "../command.ts";
import { type Flags, optional } from "../flags.ts";
import * as kind from "../kinds.ts";
import { brief, counted, type Paint, paint, size } from "../paint.ts";
import { onFiles, wantsJson } from "./storage.ts";
import { shownBytes } from "./get.ts";

/** Print every key of a data directory. */
export const storageDump: Command<Flags> = command({
  name: "storage dump",
  summary: "Print every key that a stopped node holds, with all of its versions",
  details:
    "Changes nothing. One line of JSON per key: its clock, and each version with its dot, its value or that\n" +
    "it marks a delete. Keys and values that are not UTF-8 are shown as key_base64 and value_base64. Exits 1 when\n" +
    "a record is damaged.",
  examples: [
    "storage dump ./denamo-data/3001",
    "storage dump ./denamo-data/3001 --partition 17 --json | head",
  ],
  words: ["PATH"],
  flags: {
    partition: optional(kind.integer(0, 65_535, "N"), "Only keys of this partition"),
    ...JSON_FLAG,
  },
  run: (flags, context, [path]) =>
    onFiles("storage dump", "reading", context, async () => {
      const { terminal } = context;
      const colours = paint(terminal.coloured);
      const show = wantsJson(flags, context)
        ? (key: DumpedKey) => `${JSON.stringify(jsonOf(key))}\n`
        : (key: DumpedKey) => showKey(key, colours);
      let damaged = 0;
      await dumpDirectory(context.environment(), path!, flags.partition, (keys) => {
        for (const { object } of keys) if ("damaged" in object) damaged++;
        terminal.out(keys.map(show).join(""));
        return terminal.abandoned ? "enough" : "go on";
      });
      if (damaged === 0) return EXIT.done;
      terminal.err(`denamo storage dump: ${counted(damaged, "damaged record")}\n`);
      return EXIT.failed;
    }),
});

function jsonOf({ partition, key, object }: DumpedKey): Record<string, unknown> {
  const named = { partition, ...shownBytes("key", key) };
  if ("damaged" in object) return { ...named, damaged: object.damaged };
  return { ...named, clock: object.clock, siblings: object.siblings.map(siblingOf) };
}

function siblingOf(
  { dot, also, requestId, tombstone, value, crc32c, wallMs }: Sibling,
): Record<string, unknown> {
  const content = tombstone ? { tombstone } : { ...shownBytes("value", value), crc32c };
  return { dot, ...(also && { also }), request: requestId, wallMs, ...content };
}

/** A key as people read it. */
function showKey({ partition, key, object }: DumpedKey, paint: Paint): string {
  const head = `${paint.bold(textOf(shownBytes("key", key)))}  ${paint.dim(`partition ${partition}`)}`;
  if ("damaged" in object) return `${head}  ${paint.red(object.damaged)}\n`;
  const lines = object.siblings.map(({ dot, tombstone, value }) => {
    const name = paint.dim(`${brief(dot.actor)}:${dot.counter}`);
    if (tombstone) return `  ${name}  ${paint.yellow("deleted")}\n`;
    return `  ${name}  ${textOf(shownBytes("value", value))}  ${paint.dim(size(value.length))}\n`;
  });
  return `${head}\n${lines.join("")}`;
}

/** What is shown of a key or a value in text: a part, when it is long. */
const SHOWN_CHARACTERS = 60;

function textOf(shown: Record<string, string>): string {
  const [[name, text]] = Object.entries(shown) as [[string, string]];
  const part = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return name.endsWith("_base64") ? `base64 ${part}` : JSON.stringify(part);
}
