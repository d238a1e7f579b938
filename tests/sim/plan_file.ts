/**
 * Plans in files: written when a history fails, read to play it again. What is read may have been edited by hand,
 * so every field is looked at, and the first that is wrong is named.
 *
 * @module
 */

import {
  exact,
  flag,
  integer,
  list,
  oneOf,
  optional,
  type Shape,
  shape,
  ShapeError,
} from "../../actors/runtime/shape.ts";
import { faultShape } from "../../actors/simulated/fault_shape.ts";
import type { Fault } from "../../actors/simulated/faults.ts";
import { ENGINES } from "../../storage/engines.ts";
import { counted } from "../../cli/paint.ts";
import { callsOf, type Plan } from "./plan.ts";

/** More machines than this nobody has asked for yet. */
export const MOST_NODES = 16;
const MOST_CALLS = 100_000;
/** A history with all that comes after it may take ten minutes of its own time (`Cluster.run`). */
const MOST_MS = 300_000;

const ms = integer(0, MOST_MS);

const plan = exact({
  seed: integer(0),
  nodes: integer(1, MOST_NODES),
  members: integer(1, MOST_NODES),
  engine: optional(oneOf(...ENGINES)),
  quorum: exact({ n: integer(1, 16), r: integer(1, 16), w: integer(1, 16) }),
  sloppy: optional(flag),
  hintBytes: optional(integer(0, 1 << 30)),
  keys: integer(1, 1_000),
  timeoutMs: integer(1, MOST_MS),
  clients: list(
    list(
      exact({
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
  faults: faultsOf(MOST_NODES),
  forMs: ms,
});

/** What may befall so many machines. */
function faultsOf(machines: number): Shape<readonly Fault[]> {
  return list(faultShape(machines, ms), MOST_CALLS);
}

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
    // Plans are older than the choice of an engine, and than hints.
    const read = { engine: "memory" as const, sloppy: false, hintBytes: 0, ...shape(plan, value) };
    if (read.members > read.nodes) throw new Error(`members: ${read.members} of ${read.nodes} nodes`);
    const { n, r, w } = read.quorum;
    if (r > n || w > n) throw new Error(`quorum: R ${r} and W ${w} of N ${n}`);
    faultsOf(read.nodes)(read.faults, "faults");
    for (const calls of read.clients) {
      const key = calls.findIndex((call) => call.key >= read.keys);
      if (key >= 0) throw new Error(`key ${calls[key]!.key} of ${read.keys} keys`);
    }
    return { ...read, clients: read.clients.map(byTime), faults: byTime(read.faults) };
  } catch (error) {
    if (error instanceof ShapeError) throw new Error(`it is no plan: ${error.message}`);
    throw error;
  }
}

/** Who edits a plan need not mind the order. */
function byTime<T extends { readonly atMs: number }>(some: readonly T[]): T[] {
  return some.toSorted((a, b) => a.atMs - b.atMs);
}

/** What a plan is made of, in a few lines for people. */
export function describePlan(plan: Plan): string {
  const { nodes, members, engine, quorum: { n, r, w }, keys, timeoutMs, clients, faults, forMs } = plan;
  const kinds = [...Map.groupBy(faults, ({ kind }) => kind)].map(([kind, some]) => `${kind} ${some.length}`);
  return [
    `seed ${plan.seed}: ${
      counted(nodes, "node")
    }, ${members} of them members at first; N ${n}, R ${r}, W ${w}; ${engine}`,
    `  ${counted(clients.length, "client")}, ${counted(callsOf(plan), "call")} of ${counted(keys, "key")}, ` +
    `${timeoutMs} ms for each; ${forMs} ms in all`,
    `  ${counted(faults.length, "fault")}${kinds.length > 0 ? `: ${kinds.join(", ")}` : ""}`,
  ].join("\n");
}
