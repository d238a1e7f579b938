/**
 * `denamo cluster-state`
 *
 * @module
 */

import type { ClusterState, MemberState } from "../../actors/operator/protocol.ts";
import { answer, type Command, command, EXIT, JSON_FLAG, WHERE, withDoor } from "../command.ts";
import type { Flags } from "../flags.ts";
import { brief, duration, type Paint, paint, table } from "../paint.ts";

/** Show the members of the cluster. */
export const clusterState: Command<Flags> = command({
  name: "cluster-state",
  summary: "Show the cluster's members and which of them are alive, as one node sees it",
  examples: ["cluster-state -p 3001", "cluster-state --json"],
  flags: { ...WHERE, ...JSON_FLAG },
  async run(flags, context) {
    const state = await withDoor(flags, context, (door) => door.admin("clusterState", {}));
    if (flags.json || !context.terminal.interactive) answer(context, state);
    else context.terminal.out(showClusterState(state, paint(context.terminal.coloured)));
    return EXIT.done;
  },
});

/** The state as people read it. */
export function showClusterState(state: ClusterState, paint: Paint): string {
  const alive = state.members.filter((member) => member.liveness === "alive").length;
  const { n, r, w, sloppy } = state.quorum;
  const all = alive === state.members.length ? paint.green : paint.yellow;
  const heading = `${paint.bold(state.cluster)}  ${all(`${alive} of ${state.members.length} alive`)}  ` +
    `N ${n} R ${r} W ${w}${sloppy ? "" : " strict"}  ring epoch ${state.ring.epoch}` +
    (state.underReplicated ? `  ${paint.yellow("under-replicated: fewer members than N")}` : "");
  const rows = state.members.map((member) => [
    liveness(member.liveness, paint),
    brief(member.id),
    member.address,
    member.zone,
    String(member.owns),
    String(member.incarnation),
    member.silentMs === 0 ? "" : duration(member.silentMs),
  ]);
  const headings = ["", "node", "address", "zone", ">partitions", ">incarnation", "last heard"];
  return `${heading}\n\n${table(paint, headings, rows)}`;
}

/** A member's liveness, coloured. */
export function liveness(liveness: MemberState["liveness"], paint: Paint): string {
  if (liveness === "alive") return paint.green("● alive");
  return liveness === "suspect" ? paint.yellow("◐ suspect") : paint.red("○ down");
}
