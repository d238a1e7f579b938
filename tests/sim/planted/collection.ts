/**
 * Bugs in forgetting what was deleted.
 *
 * @module
 */

import { COLLECTOR_CORE } from "../../../actors/repair/collection_core.ts";
import type { NodeCores } from "../../../net/node.ts";
import type { Bug, Plant } from "./bug.ts";
import {
  awayThroughCollection,
  hintsPutBack,
  hintsThroughCollection,
  putBackAfterCollection,
} from "./timetable.ts";

function nodes(cores: NodeCores): () => Plant {
  return () => ({ cores });
}

/** All of them write, so that what was deleted was everywhere before. */
const STRICT = { n: 3, r: 2, w: 2 } as const;
/** One acknowledgement is enough, and it may be that of a node that stands in. */
const ONE_WRITES = { n: 3, r: 3, w: 1 } as const;

/** See the module. */
export const COLLECTION_BUGS: readonly Bug[] = [
  {
    name: "stale stamps are accepted",
    breaks: "what comes late brings back what was deleted and forgotten (Riak's doomstone)",
    plan: { nodes: 4, quorum: STRICT, sloppy: true, faults: [], adjust: hintsPutBack },
    plant: nodes({
      replicaStore: { isStale: () => false },
      coordinator: { isStale: () => false },
      hintStore: { isStale: () => false },
    }),
  },
  {
    name: "a tombstone is collected without all owners",
    breaks: "an owner that was away brings back what was deleted",
    plan: { quorum: STRICT, faults: [], adjust: awayThroughCollection },
    plant: nodes({
      collector: {
        waitedFor: () => [],
        agreed: (keys, owners) => COLLECTOR_CORE.agreed(keys, owners.filter(({ ok }) => ok)),
      },
    }),
  },
  {
    name: "tombstones are collected while hints are held",
    breaks: "what was acknowledged by those that stand in is refused where it belongs, and lost",
    plan: { nodes: 6, quorum: ONE_WRITES, sloppy: true, faults: [], adjust: hintsThroughCollection },
    plant: nodes({
      hintStore: { mayClose: () => true },
      // Nor is anything else waited for, else they would be back by then.
      collector: { everyMs: () => 100, waitMs: () => 0 },
    }),
  },
  {
    name: "a copy that is too old is merged",
    breaks: "a directory that was put back brings back what was deleted since",
    plan: { quorum: STRICT, faults: [], adjust: putBackAfterCollection },
    plant: nodes({ refiller: { fateOf: () => "merge" } }),
  },
];
