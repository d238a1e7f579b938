/**
 * `denamo force-remove`
 *
 * @module
 */

import { type Command, command, WHERE, withDoor } from "../command.ts";
import { type Flags, toggled } from "../flags.ts";
import * as kind from "../kinds.ts";
import { carryOut, CHANGE, memberOf, refuse, showPlan } from "../membership.ts";

/** Remove a member that will not come back. */
export const forceRemove: Command<Flags> = command({
  name: "force-remove",
  summary: "Remove a member that will never come back; the others copy what it had",
  details:
    "MEMBER is its address, its id or the beginning of it. If it does come back after all it is refused.\n" +
    "What only it had is lost. One that passes for alive is refused, and had better leave.",
  examples: ["force-remove 127.0.0.1:3003 -p 3001 --plan", "force-remove 1f3a90c2 -p 3001 --wait"],
  words: ["MEMBER"],
  flags: {
    ...WHERE,
    ...CHANGE,
    alive: toggled(
      kind.toggle,
      "Even one that passes for alive: its process ends, and what only it has is lost",
    ),
  },
  run: (flags, context, [name]) =>
    withDoor(flags, context, async (door) => {
      const id = await memberOf(door, name!);
      if (typeof id !== "string") return refuse(context, id);
      if (flags.plan) {
        return await showPlan(door, context, { kind: "force-remove", id, member: null, known: null });
      }
      const outcome = await door.admin("forceRemove", { id, alive: flags.alive });
      return await carryOut(door, context, outcome, { wait: flags.wait });
    }),
});
