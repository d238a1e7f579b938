/**
 * Plans in files: written when a history fails, read to play it again. What is read may have been edited by hand,
 * so every field is looked at, and the first that is wrong is named.
 *
 * @module
 */

import { flag, integer, list, oneOf, real, record, shape, ShapeError } from "../../actors/runtime/shape.ts";
import { FAULT_KINDS, FAULTS } from "../../actors/simulated/faults.ts";
import { counted } from "../../cli/paint.ts";
import { callsOf, type Plan } from "./plan.ts";

/** More machines than this nobody has asked for yet. */
export const MOST_NODES = 16;
const MOST_CALLS = 100_000;
/** A history with all that comes after it may take ten minutes of its own time (`Cluster.run`). */
const MOST_MS = 300_000;

const ms = integer(0, MOST_MS);

const plan = record({
  seed: integer(),
  nodes: integer(1, MOST_NODES),
  members: integer(1, MOST_NODES),
  quorum: record({ n: integer(1, 16), r: integer(1, 16), w: integer(1, 16) }),
  keys: integer(1, 1_000),
  timeoutMs: integer(1, MOST_MS),
  clients: list(
    list(
      record({
        atMs: ms,
        kind: oneOf("get", "put", "del"),
        key: integer(0, 999),
        informed: flag,
        quorum: integer(0, 16),
        sizeBytes: integer(0, 8 << 20),
      }),
      MOST_CALLS,
    ),
    1_000,
  ),
  faults: list(
    record({
      kind: oneOf(...FAULT_KINDS),
      atMs: ms,
      lastsMs: ms,
      nodes: list(integer(0, MOST_NODES - 1), MOST_NODES),
      amount: real(-Number.MAX_VALUE, Number.MAX_VALUE),
      draw: integer(),
    }),
    MOST_CALLS,
  ),
  forMs: ms,
});

/** The text of a plan's file. */
export function writePlan(plan: Plan): string {
  return `${JSON.stringify(plan, null, 2)}\n`;
}

/**
 * A plan from the text of its file.
 *
 * @throws {Error} saying what is wrong with it
 */
export function readPlan(text: string): Plan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`it is not JSON: ${(error as Error).message}`);
  }
  try {
    const read = shape(plan, value);
    if (read.members > read.nodes) throw new Error(`members: ${read.members} of ${read.nodes} nodes`);
    const { n, r, w } = read.quorum;
    if (r > n || w > n) throw new Error(`quorum: R ${r} and W ${w} of N ${n}`);
    for (const [index, { kind, nodes }] of read.faults.entries()) {
      const stranger = nodes.find((node) => node >= read.nodes);
      if (stranger !== undefined) {
        throw new Error(
          `faults[${index}].nodes: ${stranger}, but the last of ${read.nodes} is ${read.nodes - 1}`,
        );
      }
      if (FAULTS[kind].on !== "all" && nodes.length === 0) {
        throw new Error(`faults[${index}].nodes: ${kind} of whom?`);
      }
    }
    for (const calls of read.clients) {
      const key = calls.findIndex((call) => call.key >= read.keys);
      if (key >= 0) throw new Error(`key ${calls[key]!.key} of ${read.keys} keys`);
    }
    return read;
  } catch (error) {
    if (error instanceof ShapeError) throw new Error(`it is no plan: ${error.message}`);
    throw error;
  }
}

/** What a plan is made of, in a few lines for people. */
export function describePlan(plan: Plan): string {
  const { nodes, members, quorum: { n, r, w }, keys, timeoutMs, clients, faults, forMs } = plan;
  const kinds = [...Map.groupBy(faults, ({ kind }) => kind)].map(([kind, some]) => `${kind} ${some.length}`);
  return [
    `seed ${plan.seed}: ${
      counted(nodes, "node")
    }, ${members} of them members at first; N ${n}, R ${r}, W ${w}`,
    `  ${counted(clients.length, "client")}, ${counted(callsOf(plan), "call")} of ${counted(keys, "key")}, ` +
    `${timeoutMs} ms for each; ${forMs} ms in all`,
    `  ${counted(faults.length, "fault")}${kinds.length > 0 ? `: ${kinds.join(", ")}` : ""}`,
  ].join("\n");
}
