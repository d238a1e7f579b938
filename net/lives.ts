/**
 * The lives of the members, as far as they were ever heard of: each start of a node's process is one, with a number
 * that grows and a random boot id.
 *
 * The problem: the disk of a node is lost, and an older copy of it put back. Everything on it verifies and fits
 * together, the node's own journal included; nothing there says that the node has acknowledged writes and given
 * votes since. Naive: let it notice the loss when it hears gossip about a later life of itself. By then it may have
 * answered a read, and been counted. So who lets a node in remembers its life, before the node can say anything on
 * that connection, and durably; and lets in no life that is not later than the one it remembers. A node that is
 * turned away so knows that its memory is an older copy (`Node`, `outlive`). What it acknowledged or promised to
 * somebody it had said on a connection to them: whoever heard it will not fail to turn it away.
 *
 * What is left open: a member that never heard of the lost life, neither from the node nor by gossip, lets the older
 * copy in, and while neither of the two reaches anybody who has heard of it, a read may count what is not there, and
 * a vote be given twice.
 *
 * @module
 */

import type { NodeId } from "../actors/replica_store/protocol.ts";
import { fromHex, toHex } from "../actors/runtime/bytes.ts";
import type { NodeJournal } from "../storage/node_journal.ts";

/** One start of a node's process. */
export interface ProcessLife {
  /** The node. */
  readonly nodeId: NodeId;
  /** The durable number of the start, at least 1. */
  readonly life: number;
  /** 8 random bytes of the process, as 16 hex digits. */
  readonly bootId: string;
}

const LIFE_BYTES = 12;

/** Remembers the latest life of every node, in the node's own journal. */
export class Lives {
  readonly #journal: Pick<NodeJournal, "get" | "set">;
  readonly #latest = new Map<NodeId, ProcessLife>();

  /** @param journal where they are kept */
  constructor(journal: Pick<NodeJournal, "get" | "set">) {
    this.#journal = journal;
  }

  /** The number of a life of the node that is known and not earlier than this one, nor this one; 0: there is none. */
  otherThan({ nodeId, life, bootId }: ProcessLife): number {
    const latest = this.#of(nodeId);
    if (latest === null || latest.life < life || latest.bootId === bootId) return 0;
    return latest.life;
  }

  /**
   * Remember a life that is later than what is known; resolves when that is durable, or cannot be: a disk that takes
   * nothing has nothing to acknowledge either.
   */
  async remember(seen: ProcessLife): Promise<void> {
    const { nodeId, life, bootId } = seen;
    const latest = this.#of(nodeId);
    if (latest !== null && latest.life >= life) return;
    this.#latest.set(nodeId, { nodeId, life, bootId });
    const bytes = new Uint8Array(LIFE_BYTES);
    new DataView(bytes.buffer).setUint32(0, life);
    bytes.set(fromHex(bootId)!, 4);
    await this.#journal.set(factOf(nodeId), bytes).catch(() => {});
  }

  #of(nodeId: NodeId): ProcessLife | null {
    const latest = this.#latest.get(nodeId);
    if (latest !== undefined) return latest;
    const bytes = this.#journal.get(factOf(nodeId));
    if (bytes?.length !== LIFE_BYTES) return null;
    const life = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    const kept = { nodeId, life, bootId: toHex(bytes.subarray(4)) };
    this.#latest.set(nodeId, kept);
    return kept;
  }
}

function factOf(node: NodeId): string {
  return `life/${node}`;
}
