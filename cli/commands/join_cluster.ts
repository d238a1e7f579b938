/**
 * `denamo join-cluster`
 *
 * @module
 */

import { answer, type Command, command, EXIT, reportFailure, WHERE, withDoor } from "../command.ts";
import { type Flags, required } from "../flags.ts";
import * as kind from "../kinds.ts";

/** What to do about a refusal, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  "has-data":
    "stop the node, remove its data directory (what it holds is lost), start it and join before writing",
  "address-taken": "a member whose disk was lost cannot be replaced yet: restore its directory, " +
    "or start the node under another address",
};

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
    if (!outcome.ok) {
      const advice = ADVICE[outcome.code];
      const message = advice === undefined ? outcome.message : `${outcome.message}: ${advice}`;
      return reportFailure(context, { code: outcome.code, message, definite: true });
    }
    if (context.terminal.watched) {
      context.terminal.err(`joined at ring epoch ${outcome.epoch}, ${outcome.members.length} members\n`);
    }
    answer(context, { message: "Ok" });
    return EXIT.done;
  },
});
