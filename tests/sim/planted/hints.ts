/**
 * Bugs in keeping what is meant for others, and in giving it back.
 *
 * @module
 */

import { HINT_MEMORY_CORE } from "../../../net/hint_memory.ts";
import type { NodeCores } from "../../../net/node.ts";
import type { Bug, Plant } from "./bug.ts";
import { halfAway, hintsAtRisk } from "./timetable.ts";

/** One acknowledgement is enough, and it may be that of a node that stands in: all that there is of a write. */
const ONE_WRITES = { n: 3, r: 3, w: 1 } as const;

/** More nodes than replicas, and half of them away at times. */
const PLAN: Bug["plan"] = { nodes: 6, quorum: ONE_WRITES, sloppy: true, faults: [], adjust: hintsAtRisk };

function hints(cores: NodeCores): () => Plant {
  return () => ({ cores });
}

/** See the module. */
export const HINT_BUGS: readonly Bug[] = [
  {
    name: "a hint is forgotten before it is durable at its target",
    breaks: "what was acknowledged by those that stand in is lost",
    plan: PLAN,
    plant: hints({ handoff: { isDelivered: () => true } }),
  },
  {
    name: "a hint is acknowledged before it is durable",
    breaks: "a power cut takes what was acknowledged by those that stand in",
    plan: PLAN,
    plant: hints({
      hints: {
        openHints: (engine, options) =>
          HINT_MEMORY_CORE.openHints(engine, { ...options, sync: { intervalMs: 60_000 } }),
      },
    }),
  },
  {
    name: "a hint store keeps its actor id when it forgets hints",
    breaks: "the next version that is minted there claims that the one before was replaced (Riak's kv679)",
    plan: { ...PLAN, adjust: halfAway },
    plant: hints({ hintStore: { mustRenew: () => false } }),
  },
];
