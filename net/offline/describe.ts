/**
 * Who lives in a data directory, and what its stores hold.
 *
 * @module
 */

import type { Damage, EngineStats } from "../../storage/engine.ts";
import type { NodeJournal } from "../../storage/node_journal.ts";
import { isWhole, loadVote, mayVote } from "../node_memory.ts";
import { storesIn, type Tools, withJournal, withStore } from "./directory.ts";

/** What {@link describeDirectory} says of the node. */
export interface NodeSummary {
  /** Its id. */
  readonly node: string;
  /** How often it was started. */
  readonly starts: number;
  /** Its cluster's name, the epoch of the newest ring that it knows, and how many members that has. */
  readonly cluster: string;
  /** See `cluster`. */
  readonly epoch: number;
  /** See `cluster`. */
  readonly members: number;
  /** Whether nothing has to be fetched back from other members. */
  readonly whole: boolean;
  /** Whether it votes on rings: not after damage to its journal, nor as an older copy. */
  readonly votes: boolean;
  /** Whether the directory was moved here, or put back, and no node has settled in it since. */
  readonly moved: boolean;
}

/** What {@link describeDirectory} gives. */
export interface DirectorySummary {
  /** Who lives there; null when its journal is missing or cannot be read. */
  readonly node: NodeSummary | null;
  /** What its stores hold and owe. */
  readonly stores: readonly EngineStats[];
}

/** What is in a data directory. Changes nothing. @throws {Refused} */
export async function describeDirectory(tools: Tools, path: string): Promise<DirectorySummary> {
  const stores: EngineStats[] = [];
  const unread: Damage[] = [];
  let node: NodeSummary | null = null;
  await withJournal(tools, path, unread, async (journal) => {
    node = journal && summaryOf(journal);
    for (const engine of storesIn(tools.disk, path)) {
      await withStore(tools, path, engine, unread, (store) => void stores.push(store.stats()));
    }
  });
  return { node, stores };
}

function summaryOf(journal: NodeJournal): NodeSummary {
  const { ring } = loadVote(journal);
  return {
    node: journal.identity,
    starts: journal.incarnation - 1, // looking into it was one, which nobody will know of
    cluster: ring.cluster,
    epoch: ring.epoch,
    members: ring.members.length,
    whole: isWhole(journal),
    votes: mayVote(journal),
    moved: journal.isCopy,
  };
}
