/**
 * `denamo join-cluster`
 *
 * @module
 */

import { answer, type Command, command, EXIT, reportFailure, WHERE, withDoor } from "../command.ts";
import { type Flags, required } from "../flags.ts";
import * as kind from "../kinds.ts";
import { CHANGE, showPlan, untilOver } from "../membership.ts";

/** What to do about a refusal, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  "has-data":
    "stop the node, remove its data directory (what it holds is lost), start it and join before writing",
  "address-taken": "a member whose disk was lost is replaced: denamo replace",
};

/** Make a node a member of a cluster. */
export const joinCluster: Command<Flags> = command({
  name: "join-cluster",
  summary: "Make the node at -p a member of the cluster that another node belongs to",
  details:
    "A majority of the present members must agree; all of them while nothing has been written yet. The node\n" +
    "must be empty. It is a member at once, and receives its share of the partitions while everyone serves.",
  examples: [
    "join-cluster -p 3002 --known-cluster-node 127.0.0.1:3001",
    "join-cluster -p 3004 --known-cluster-node 127.0.0.1:3001 --plan",
  ],
  flags: {
    ...WHERE,
    ...CHANGE,
    "known-cluster-node": required(kind.address, "Any member of the cluster"),
  },
  run(flags, context) {
    const known = flags["known-cluster-node"];
    return withDoor(flags, context, async (door) => {
      if (flags.plan) return await showPlan(door, context, { kind: "join", id: null, member: null, known });
      const outcome = await door.admin("join", { known });
      if (!outcome.ok) {
        const advice = ADVICE[outcome.code];
        const message = advice === undefined ? outcome.message : `${outcome.message}: ${advice}`;
        return reportFailure(context, { code: outcome.code, message, definite: true });
      }
      if (context.terminal.watched) {
        context.terminal.err(`joined at ring epoch ${outcome.epoch}, ${outcome.members.length} members\n`);
      }
      if (flags.wait || context.terminal.watched) await untilOver(door, context);
      answer(context, { message: "Ok" });
      return EXIT.done;
    });
  },
});
