/**
 * `denamo background`
 *
 * @module
 */

import type { BudgetSettings } from "../../actors/repair/budget.ts";
import { answer, type Command, command, EXIT, JSON_FLAG, WHERE, withDoor } from "../command.ts";
import { type Flags, optional, toggled } from "../flags.ts";
import * as kind from "../kinds.ts";
import { paint } from "../paint.ts";
import { showBackground } from "./status.ts";
import { wantsJson } from "./storage.ts";

const MIB = 1024 * 1024;

/** Show, bound or pause what a node does in the background. */
export const background: Command<Flags> = command({
  name: "background",
  summary: "Show, bound or pause a node's work in the background: hints, repair, transfers, compaction",
  details:
    "It goes by what clients feel: while one request of a hundred takes longer than 50 ms it gets less, at least\n" +
    "1 MiB a second, and more while they do not. What is set here holds until the node restarts. While it is paused\n" +
    "no partition gets new owners that has to be copied to this node, and no member it keeps hints for gets them;\n" +
    "compaction goes on as far as writes need it.",
  examples: [
    "background -p 3001",
    "background -p 3001 --most 8",
    "background -p 3001 --pause",
    "background -p 3001 --resume",
  ],
  flags: {
    ...WHERE,
    most: optional(
      kind.integer(0, 1_000_000, "MIB"),
      "At most so many MiB a second; 0: as many as clients allow",
    ),
    pause: toggled(
      kind.toggle,
      "No hints, repair, anti-entropy, transfers, expiry, or compaction that can wait",
    ),
    resume: toggled(kind.toggle, "As before the pause"),
    ...JSON_FLAG,
  },
  rivals: ["pause", "resume"],
  async run(flags, context) {
    const { most, pause, resume } = flags;
    const state = await withDoor(flags, context, async (door) => {
      const before = await door.admin("background", { set: null });
      if (most === undefined && !pause && !resume) return before;
      const mostBytesPerS = most === undefined ? before.mostBytesPerS : most === 0 ? null : most * MIB;
      const set: BudgetSettings = { mostBytesPerS, isPaused: pause || before.isPaused && !resume };
      return await door.admin("background", { set });
    });
    if (wantsJson(flags, context)) answer(context, state);
    else context.terminal.out(`${showBackground(state, paint(context.terminal.coloured))}\n`);
    return EXIT.done;
  },
});
