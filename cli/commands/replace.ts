/**
 * `denamo replace`
 *
 * @module
 */

import { answer, type Command, command, EXIT, WHERE, withDoor } from "../command.ts";
import { type Flags, required } from "../flags.ts";
import * as kind from "../kinds.ts";
import { CHANGE, memberOf, refuse, showPlan, untilOver } from "../membership.ts";

/** A member that was heard of just now may be there yet: two cannot go by one address. */
const ALIVE = "which passes for alive; try again once cluster-state shows that it is not";

/** Have an empty node take the place of a member. */
export const replace: Command<Flags> = command({
  name: "replace",
  summary: "Have the empty node at -p take the place of a member, whose disk or machine is lost",
  details:
    "MEMBER is its address, its id or the beginning of it. Its address may be the new node's, if it is down.",
  examples: ["replace 127.0.0.1:3003 -p 3004 --known-cluster-node 127.0.0.1:3001 --wait"],
  words: ["MEMBER"],
  flags: {
    ...WHERE,
    ...CHANGE,
    "known-cluster-node": required(kind.address, "Any other member of the cluster"),
  },
  async run(flags, context, [name]) {
    const known = flags["known-cluster-node"];
    const member = await context.connect(known);
    const old = await memberOf(member, name!).finally(() => member.close());
    if (typeof old !== "string") return refuse(context, old);
    return await withDoor(flags, context, async (door) => {
      if (flags.plan) return await showPlan(door, context, { kind: "replace", id: old, member: null, known });
      const outcome = await door.admin("replace", { known, old });
      if (!outcome.ok && outcome.code === "address-taken") {
        return refuse(context, { ...outcome, message: `${outcome.message}, ${ALIVE}` });
      }
      if (!outcome.ok) return refuse(context, outcome);
      if (flags.wait || context.terminal.watched) await untilOver(door, context);
      answer(context, { message: "Ok", epoch: outcome.epoch });
      return EXIT.done;
    });
  },
});
