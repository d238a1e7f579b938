/**
 * `denamo cancel`
 *
 * @module
 */

import { type Command, command, WHERE, withDoor } from "../command.ts";
import type { Flags } from "../flags.ts";
import { carryOut, CHANGE } from "../membership.ts";

/** Give a membership change up. */
export const cancel: Command<Flags> = command({
  name: "cancel",
  summary: "Give up the membership change under way; what has moved already stays where it is",
  details:
    "A node that was joining and owns nothing yet is removed, and needs an empty directory to join anew.",
  examples: ["cancel -p 3001"],
  flags: { ...WHERE, wait: CHANGE.wait },
  run: (flags, context) =>
    withDoor(
      flags,
      context,
      async (door) => await carryOut(door, context, await door.admin("cancel", {}), { wait: flags.wait }),
    ),
});
