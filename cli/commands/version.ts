/**
 * `denamo version`
 *
 * @module
 */

import configuration from "../../deno.json" with { type: "json" };
import { answer, type Command, command, EXIT } from "../command.ts";
import { type Flags, toggled } from "../flags.ts";
import * as kind from "../kinds.ts";

/** Show versions. */
export const version: Command<Flags> = command({
  name: "version",
  summary: "Show denamo's version and what it runs on",
  examples: ["version"],
  flags: { json: toggled(kind.toggle, "Print JSON") },
  run(flags, context) {
    const versions = { denamo: configuration.version, deno: Deno.version.deno, v8: Deno.version.v8 };
    if (flags.json) answer(context, versions);
    else context.terminal.out(`denamo ${versions.denamo} (deno ${versions.deno}, v8 ${versions.v8})\n`);
    return Promise.resolve(EXIT.done);
  },
});
