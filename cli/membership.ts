/**
 * What the commands that change the membership have in common: the plan, and how far a change is.
 *
 * @module
 */

import type {
  ChangeOutcome,
  MovesView,
  Preview,
  PreviewRequest,
  Refusal,
} from "../actors/operator/protocol.ts";
import { answer, type Context, type Door, EXIT, reportFailure } from "./command.ts";
import { toggled } from "./flags.ts";
import * as kind from "./kinds.ts";
import { sleep } from "./local_node.ts";
import { brief, counted, duration, size } from "./paint.ts";
import { Progress } from "./progress.ts";

/** Flags of every command that changes the membership. */
export const CHANGE = {
  plan: toggled(kind.toggle, "Show what would move and what that would violate; change nothing"),
  wait: toggled(kind.toggle, "Wait until everything has moved, as when a person watches"),
};

/** How often the node is asked how far it is, in milliseconds. */
const POLL_MS = 300;

/** The id of a member that is named by its address, its id, or so much of its id that it is the only one. */
export async function memberOf(door: Door, name: string): Promise<string | Refusal> {
  const { members } = await door.admin("clusterState", {});
  const found = members.filter(({ id, address }) => address === name || name !== "" && id.startsWith(name));
  if (found.length === 1) return found[0]!.id;
  const known = members.map(({ id, address }) => `${brief(id)} ${address}`).join(", ");
  const why = found.length === 0 ? "is no member" : `could be ${found.length} members`;
  return { ok: false, code: "not-a-member", message: `${name || '""'} ${why}; there are ${known}` };
}

/** Show a plan; the result is the exit code. */
export async function showPlan(door: Door, context: Context, request: PreviewRequest): Promise<number> {
  const preview = await door.admin("preview", request);
  if (!preview.ok) return refuse(context, preview);
  if (context.terminal.interactive) context.terminal.out(planInWords(preview));
  else answer(context, preview);
  return EXIT.done;
}

/** A plan for people. */
export function planInWords(preview: Extract<Preview, { ok: true }>): string {
  const { epoch, members, moves, bytes, estimateMs, violations } = preview;
  const receivers = Map.groupBy(moves, ({ to }) => to);
  return [
    `after ring epoch ${epoch}: ${counted(members, "member")}, ${
      counted(moves.length, "transfer")
    } to make, ` +
    `about ${size(bytes)}, about ${duration(estimateMs)}`,
    ...[...receivers].map(([to, some]) => `  ${brief(to)} receives ${counted(some.length, "partition")}`),
    ...violations.map((violation) => `  ! ${violation}`),
  ].join("\n") + "\n";
}

/** Tell what came of asking for a change, and wait for its end where that is wanted; the result is the exit code. */
export async function carryOut(
  door: Door,
  context: Context,
  outcome: ChangeOutcome,
  { wait, endsWith = false }: { readonly wait: boolean; readonly endsWith?: boolean },
): Promise<number> {
  if (!outcome.ok) return refuse(context, outcome);
  if (wait || context.terminal.watched) await untilOver(door, context, endsWith);
  answer(context, { message: "Ok", epoch: outcome.epoch, partitions: outcome.partitions });
  return EXIT.done;
}

/** Resolves when no change is under way; `endsWith`: or when the node that is asked has gone. */
export async function untilOver(door: Door, { terminal }: Context, endsWith = false): Promise<void> {
  const progress = new Progress(terminal);
  let most = 1;
  while (true) {
    const patience = endsWith ? { timeoutMs: 1_000 } : {};
    const status = await door.admin("status", {}, patience).catch((error) => {
      if (endsWith) return null;
      throw error;
    });
    const moves = status?.moves ?? null;
    if (moves === null) break;
    const left = moves.copying + moves.settling;
    most = Math.max(most, left);
    const paused = status?.background.isPaused ? ", paused here" : "";
    progress.show(1 - left / most, movesInWords(moves) + paused);
    await sleep(POLL_MS);
  }
  progress.clear();
}

/** How far a change is, for people. */
export function movesInWords(moves: MovesView): string {
  const { joining, leaving, isGone, copying, settling, bytesLeft, hintsLeft, away } = moves;
  const who = [
    ...joining === null ? [] : [`${brief(joining)} joins`],
    ...leaving === null ? [] : [`${brief(leaving)} ${isGone ? "is removed" : "leaves"}`],
  ];
  const left = copying + settling === 0
    ? "all has moved"
    : `${counted(copying, "partition")} to copy, about ${size(bytesLeft)}, ${settling} settling`;
  const hints = hintsLeft === null || hintsLeft === 0 ? "" : `, ${counted(hintsLeft, "hint")} to hand over`;
  const waiting = away.length === 0 ? "" : `, waiting for ${away.map(brief).join(", ")}`;
  return `${who.length === 0 ? "a change is wound up" : who.join(", ")}: ${left}${hints}${waiting}`;
}

/** Report a refusal; the result is the exit code. */
export function refuse(context: Context, { code, message }: Refusal): number {
  return reportFailure(context, { code, message, definite: true });
}
