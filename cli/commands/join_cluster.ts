/**
 * `denamo join-cluster`
 *
 * @module
 */

import { answer, type Command, command, EXIT, reportFailure, WHERE, withDoor } from "../command.ts";
import { type Flags, required } from "../flags.ts";
import * as kind from "../kinds.ts";

/** Make a node a member of a cluster. */
export const joinCluster: Command<Flags> = command({
  name: "join-cluster",
  summary: "Make the node at -p a member of the cluster that another node belongs to",
  details: "A majority of the present members must agree. Nodes that hold data cannot join yet.",
  examples: ["join-cluster -p 3002 --known-cluster-node 127.0.0.1:3001"],
  flags: {
    ...WHERE,
    "known-cluster-node": required(kind.address, "Any member of the cluster"),
  },
  async run(flags, context) {
    const known = flags["known-cluster-node"];
    const outcome = await withDoor(flags, context, (door) => door.admin("join", { known }));
    if (!outcome.ok) return reportFailure(context, { ...outcome, definite: true });
    if (context.terminal.watched) {
      context.terminal.err(`joined at ring epoch ${outcome.epoch}, ${outcome.members.length} members\n`);
    }
    answer(context, { message: "Ok" });
    return EXIT.done;
  },
});
