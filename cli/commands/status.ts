/**
 * `denamo status`
 *
 * @module
 */

import type { BudgetStatus } from "../../actors/repair/budget.ts";
import type { NodeStatus } from "../../actors/operator/protocol.ts";
import type { HintStoreStatus } from "../../actors/handoff/protocol.ts";
import type { EngineStats } from "../../storage/engine.ts";
import { answer, type Command, command, EXIT, JSON_FLAG, WHERE, withDoor } from "../command.ts";
import type { Flags } from "../flags.ts";
import { movesInWords } from "../membership.ts";
import { brief, counted, duration, type Paint, paint, size, table } from "../paint.ts";

/** Show how a node is. */
export const status: Command<Flags> = command({
  name: "status",
  summary: "Show how one node is: state, requests, store, actors",
  examples: ["status -p 3001", "status --json"],
  flags: { ...WHERE, ...JSON_FLAG },
  async run(flags, context) {
    const status = await withDoor(flags, context, (door) => door.admin("status", {}));
    if (flags.json || !context.terminal.interactive) answer(context, status);
    else context.terminal.out(showStatus(status, paint(context.terminal.coloured)));
    return EXIT.done;
  },
});

/** The status as people read it. */
export function showStatus(status: NodeStatus, paint: Paint): string {
  const well = status.state === "serving" ? paint.green : paint.yellow;
  const alive = status.alive === status.members ? paint.green : paint.yellow;
  const lines = [
    `${well(`● ${status.state}`)}  ${paint.bold(status.address)}  node ${brief(status.node)}  ` +
    `up ${duration(status.uptimeMs)}  denamo ${status.version}`,
    `${status.cluster}  ${alive(`${status.alive} of ${status.members} alive`)}  ring epoch ${status.epoch}` +
    (status.underReplicated ? `  ${paint.yellow("under-replicated")}` : "") +
    (status.votes ? "" : `  ${paint.yellow("does not vote: it may have forgotten a promise")}`),
    "",
    ...facts(status, paint).map(([name, text]) => `${paint.dim(name.padEnd(12))}${text}`),
    "",
  ];
  const actors = status.actors.map((actor) => [
    actor.name,
    String(actor.handled),
    String(actor.waiting),
    actor.refused > 0 ? paint.yellow(String(actor.refused)) : "0",
    actor.restarts > 0 ? paint.yellow(String(actor.restarts)) : "0",
  ]);
  return lines.join("\n") + "\n" +
    table(paint, ["actor", ">handled", ">waiting", ">refused", ">restarts"], actors);
}

function facts(status: NodeStatus, paint: Paint): [name: string, text: string][] {
  const { coordinator, store, copies, repair, messages, connections } = status;
  const { engine } = store;
  const alarm = (count: number, text: string) => count > 0 ? "  " + paint.red(text) : "";
  const failures = Object.entries(coordinator.failures).filter(([, count]) => count > 0);
  return [
    [
      "requests",
      `${counted(coordinator.gets, "get")}, ${counted(coordinator.puts, "put")}, ` +
      `${coordinator.inFlight} under way, ${coordinator.forwarded} forwarded, ` +
      `${counted(coordinator.failovers, "failover")}, ${counted(coordinator.readRepairs, "read repair")}`,
    ],
    [
      "failures",
      failures.length === 0
        ? "none"
        : paint.yellow(failures.map(([code, count]) => `${count} ${code}`).join(", ")),
    ],
    [
      "store",
      `${engine.engine}, ${counted(engine.keys, "key")}, ${size(engine.liveBytes)} live` +
      (engine.refusing === null ? "" : "  " + paint.red(engine.refusing)) +
      alarm(store.suspects, `${counted(store.suspects, "partition")} to be fetched anew`) +
      alarm(store.notWhole, `${counted(store.notWhole, "partition")} not whole`) +
      alarm(store.damage, `${counted(store.damage, "damaged place")} found`) +
      alarm(store.alarms, counted(store.alarms, "alarm")) +
      alarm(store.trees.wrong, counted(store.trees.wrong, "wrong hash tree")),
    ],
    ["copies", `${size(copies.fetchedBytes)} fetched from other owners`],
    ["repair", repaired(repair)],
    ["tombstones", buried(status, paint)],
    ["disk", disk(engine)],
    ...status.moves === null ? [] : [["moves", paint.yellow(movesInWords(status.moves))] as [string, string]],
    ["background", showBackground(status.background, paint)],
    ["hints", hintsHeld(status.hints, paint)],
    ["connections", `${counted(connections.clients, "client")}, ${counted(connections.peers, "peer")}`],
    ["messages", `${counted(messages.deadLetters, "dead letter")}, ${messages.lostToPeers} lost to peers`],
  ];
}

/** What a node gives its work in the background, as people read it. */
export function showBackground(background: BudgetStatus, paint: Paint): string {
  const { bytesPerS, mostBytesPerS, isPaused, spentBytes, waiting, p99Ms } = background;
  const bound = mostBytesPerS === null ? "" : ` of at most ${size(mostBytesPerS)}`;
  const rate = isPaused ? paint.yellow("paused") : `${size(bytesPerS)} a second${bound}`;
  const felt = p99Ms === null ? "few requests" : `p99 of requests ${p99Ms.toFixed(1)} ms`;
  return `${rate}, ${size(spentBytes)} so far, ${waiting} waiting; ${felt}`;
}

/** How replicas are kept the same, as people read it. */
function repaired(repair: NodeStatus["repair"]): string {
  const { partitions, unknown, oldestWholeMs, exchanges, failures, keysRepaired, bytesExchanged } = repair;
  if (partitions === 0) return "no other owners";
  return [
    `${partitions - unknown} of ${counted(partitions, "partition")} known to be whole` +
    (oldestWholeMs === null ? "" : `, all within ${duration(oldestWholeMs)}`),
    `${counted(exchanges, "exchange")} (${size(bytesExchanged)})`,
    `${counted(keysRepaired, "key")} repaired`,
    `${failures} failed`,
  ].join(", ");
}

/** What is left of deleted keys, and who has to come back before that goes, as people read it. */
function buried({ store: { tombstones }, collection }: NodeStatus, paint: Paint): string {
  const { sealed, isSure, says, waitedFor } = collection;
  return [
    `${tombstones.known} known, ${tombstones.collected} collected, epoch ${sealed}`,
    ...(isSure ? [] : [paint.yellow("asking others for the epoch")]),
    ...(waitedFor.length > 0 ? [paint.yellow(`waiting for ${waitedFor.map(brief).join(", ")}`)] : []),
    ...(waitedFor.length === 0 && says !== "" ? [says] : []),
  ].join(", ");
}

/** What is kept for members that are away, as people read it. */
function hintsHeld(hints: HintStoreStatus, paint: Paint): string {
  const { count, bytes, targets, taken, delivered, outdated, refused, damage, lossy, refusing } = hints;
  const each = targets.map(({ node, count, bytes }) => `${brief(node)} ${count}, ${size(bytes)}`);
  const trouble = [
    ...(outdated > 0 ? [`${outdated} outdated and forgotten`] : []),
    ...(refused > 0 ? [`${refused} refused, no room`] : []),
    ...(refusing !== null ? [refusing] : []),
    ...(damage > 0 ? [`${counted(damage, "damaged place")} found`] : []),
    ...(lossy ? ["some may be lost"] : []),
  ];
  return [
    count === 0 ? "none held" : paint.yellow(`${count} held, ${size(bytes)} (${each.join("; ")})`),
    `${taken} taken, ${delivered} delivered`,
    ...trouble.map(paint.red),
  ].join(", ");
}

/** What a store takes on its disk, as people read it. */
export function disk(engine: EngineStats): string {
  const { diskBytes, files, deadBytes, compactionDebtBytes, writesPerSync } = engine;
  return [
    `${size(diskBytes)} in ${counted(files, "file")}`,
    `${size(deadBytes)} dead`,
    ...compactionDebtBytes > 0 ? [`${size(compactionDebtBytes)} to be rewritten`] : [],
    ...writesPerSync > 0 ? [`${writesPerSync.toFixed(1)} writes per sync`] : [],
  ].join(", ");
}
