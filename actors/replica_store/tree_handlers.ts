/**
 * What a store answers when it is asked about its hash trees, and for whom: see `tree_protocol.ts`.
 *
 * @module
 */

import type { Handlers } from "../runtime/protocol.ts";
import type { Placement, Stamped } from "./protocol.ts";
import type { Refill } from "./refill.ts";
import { NO_DIGESTS, NO_KEYS, NO_OBJECTS, NO_PIECES, type TreeProtocol } from "./tree_protocol.ts";
import type { Trees } from "./trees.ts";

/** What they need of the store they are of. */
export interface TreeDesk {
  /** The trees. */
  readonly trees: Trees;
  /** Merges what comes. */
  readonly refill: Pick<Refill, "merge">;
  /** Whether whoever asks so may have an answer. */
  isMine(place: Placement): boolean;
  /** Whether the engine shows what may not be on disk. */
  isPoisoned(): boolean;
  /** Whether what is sent so is taken. */
  mayMerge(place: Placement & Stamped): boolean;
  /** Goes with objects that are given. */
  stamp(): number;
  /** A little was surveyed. */
  onSurveyed(came: "more" | "done" | "failed"): void;
}

/** The handlers of {@link TreeProtocol}. */
export function treeHandlers(desk: TreeDesk): Handlers<TreeProtocol> {
  const { trees, refill, isMine, isPoisoned, mayMerge, stamp, onSurveyed } = desk;
  return {
    treeRoots: ({ epoch, partitions }) => {
      if (isPoisoned()) return NO_DIGESTS;
      const rootOf = (partition: number) => isMine({ partition, epoch }) ? trees.root(partition) : null;
      return { ok: true, digests: partitions.map(rootOf) };
    },
    treePieces: (body) => isMine(body) ? trees.pieces(body, body.most) : NO_PIECES,
    treeDigests: (body) => isMine(body) ? trees.digests(body.partition, body.cuts) : NO_DIGESTS,
    treeKeys: (body) => isMine(body) ? trees.keys(body) : NO_KEYS,
    treeObjects: (body) => isMine(body) ? trees.objects(body.partition, body.keys, stamp()) : NO_OBJECTS,
    treeMerge: (body) =>
      mayMerge(body) ? refill.merge(body.partition, body.entries, () => mayMerge(body)) : "refused",
    survey: async () => onSurveyed(await trees.survey()),
  };
}
