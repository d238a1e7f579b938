/**
 * `denamo leave`
 *
 * @module
 */

import { type Command, command, WHERE, withDoor } from "../command.ts";
import type { Flags } from "../flags.ts";
import { carryOut, CHANGE, showPlan } from "../membership.ts";

/** Have a member hand over what it has, and go. */
export const leave: Command<Flags> = command({
  name: "leave",
  summary: "Have the node at -p hand over its partitions to the others, and leave the cluster",
  details: "It serves until it owns nothing any more; then its process ends by itself.",
  examples: ["leave -p 3003 --plan", "leave -p 3003 --wait"],
  flags: { ...WHERE, ...CHANGE },
  run: (flags, context) =>
    withDoor(flags, context, async (door) => {
      if (flags.plan) {
        return await showPlan(door, context, { kind: "leave", id: null, member: null, known: null });
      }
      return await carryOut(door, context, await door.admin("leave", {}), {
        wait: flags.wait,
        endsWith: true,
      });
    }),
});
