/**
 * `denamo explain`
 *
 * @module
 */

import type { Explanation, ReplicaExplanation } from "../../actors/coordinator/protocol.ts";
import { answer, type Command, command, EXIT, JSON_FLAG, WHERE, withDoor } from "../command.ts";
import { defaulted, type Flags, required } from "../flags.ts";
import * as kind from "../kinds.ts";
import { brief, type Paint, paint, size, table } from "../paint.ts";
import { liveness } from "./cluster_state.ts";

/** Show where a key lives and what each replica holds of it. */
export const explain: Command<Flags> = command({
  name: "explain",
  summary: "Show a key's partition and preference list, and what each replica answers",
  examples: ["explain -p 3001 -k foo"],
  flags: {
    ...WHERE,
    key: required(kind.text("KEY"), "The key", "k"),
    timeout: defaulted(kind.integer(1, 59_000, "MS"), 1000, "Milliseconds to wait for each replica"),
    ...JSON_FLAG,
  },
  async run(flags, context) {
    const key = new TextEncoder().encode(flags.key);
    const timeoutMs = flags.timeout;
    // The answer is given some time beyond the replicas' to come back.
    const patience = { timeoutMs: timeoutMs + 1000 };
    const explanation = await withDoor(
      flags,
      context,
      (door) => door.admin("explain", { key, timeoutMs }, patience),
    );
    if (flags.json || !context.terminal.interactive) answer(context, explanation);
    else context.terminal.out(showExplanation(flags.key, explanation, paint(context.terminal.coloured)));
    return EXIT.done;
  },
});

/** The explanation as people read it. */
export function showExplanation(key: string, explanation: Explanation, paint: Paint): string {
  const rows = explanation.replicas.map((replica, index) => [
    String(index + 1),
    brief(replica.node),
    replica.address,
    liveness(replica.liveness, paint),
    answered(replica.answer, paint),
    replica.version.join(" "),
    replica.siblings.map(({ dot, sizeBytes, tombstone }) =>
      `${dot} ${tombstone ? "tombstone" : size(sizeBytes)}`
    ).join(", "),
  ]);
  const headings = ["", "node", "address", "", "answer", "version", "siblings"];
  const { partition, epoch } = explanation;
  const heading = `${paint.bold(JSON.stringify(key))}  partition ${partition}  ring epoch ${epoch}`;
  return `${heading}\n\n${table(paint, headings, rows)}`;
}

function answered(answer: ReplicaExplanation["answer"], paint: Paint): string {
  if (answer === "found" || answer === "missing") return answer;
  return answer === "silent" || answer === "unreadable" ? paint.red(answer) : paint.yellow(answer);
}
