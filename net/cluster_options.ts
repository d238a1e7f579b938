/**
 * What a cluster in one process is made of, and what it cannot be made of.
 *
 * @module
 */

import { real } from "../actors/runtime/shape.ts";
import { faultShape } from "../actors/simulated/fault_shape.ts";
import { type Fault, FAULT_KINDS, type FaultKind, FAULTS } from "../actors/simulated/faults.ts";
import type { SeenMessage } from "../actors/simulated/links.ts";
import type { LogLine } from "../actors/simulated/log.ts";
import type { ConnectOptions } from "./client.ts";
import type { NodeCores, NodeOptions } from "./node.ts";

/** What `Cluster.inProcess` is made of. */
export interface ClusterOptions {
  /** How many nodes. Default 3. */
  readonly nodes?: number;
  /** Run in a simulation drawn from this seed; absent: on the real clock and loopback sockets. */
  readonly seed?: number;
  /**
   * What goes wrong from the first `Cluster.run` on until `Cluster.heal`: kinds to draw a timetable
   * from by the seed, or a timetable. Simulated clusters only. Default: nothing.
   */
  readonly faults?: readonly FaultKind[] | readonly Fault[];
  /** Machines that faults may befall, of which the first `nodes` are members at first. Default: `nodes`. */
  readonly machines?: number;
  /** Options of every node; ports and paths are the cluster's own. */
  readonly node?: Omit<NodeOptions, "host" | "port" | "advertise" | "seeds">;
  /** Bugs to plant in every node, or in each its own. */
  readonly cores?: NodeCores | ((index: number) => NodeCores);
  /** Options of every client. */
  readonly client?: Omit<ConnectOptions, "environment">;
  /** Hears what simulated nodes log. */
  readonly onLog?: (line: LogLine) => void;
  /** Is told of everything that travels between simulated machines. */
  readonly onMessage?: (message: SeenMessage) => void;
}

/** Nobody waits longer for a fault, nor for its end: a simulated day. */
const MOST_MS = 24 * 3_600_000;

/** Throws, with what is wrong, when there can be no such cluster. */
export function judgeOptions({ nodes = 3, machines = nodes, seed, faults }: ClusterOptions): void {
  const counts = { nodes, machines, seed: seed ?? 0 };
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`${name}: ${count} is no count`);
  }
  if (nodes < 1 || machines < nodes) {
    throw new RangeError(`nodes: ${nodes} of ${machines} machines; at least one, and no more than there are`);
  }
  if (faults === undefined) return;
  if (seed === undefined) throw new TypeError("faults need a simulation: give a seed");
  if (!Array.isArray(faults)) throw new TypeError("faults: a list of kinds, or a timetable");
  const timetable = faultShape(machines, real(0, MOST_MS));
  for (const [index, fault] of (faults as readonly (FaultKind | Fault)[]).entries()) {
    if (typeof fault !== "string") timetable(fault, `faults[${index}]`);
    else if (!Object.hasOwn(FAULTS, fault)) {
      throw new TypeError(`faults[${index}]: ${fault} is none of ${FAULT_KINDS.join(", ")}`);
    }
  }
}
