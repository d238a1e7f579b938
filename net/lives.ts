/**
 * The lives of the members, as far as they were ever heard of: each start of a node's process is one, with a number
 * that grows and a random boot id.
 *
 * The problem: the disk of a node is lost, and an older copy of it put back. Everything on it verifies and fits
 * together, the node's own journal included; nothing there says that the node has acknowledged writes and given
 * votes since. Naive: let it notice the loss when it hears gossip about a later life of itself. By then it may have
 * answered a read, and been counted. Better, and still wrong: whoever lets a node in remembers the number of its
 * life, and lets in no lower one later. The copy starts once, and again, before it meets anyone, and has outrun the
 * number it has forgotten.
 *
 * The idea: a node remembers the boot ids of all its lives and says them when it introduces itself. Who lets it in
 * remembers that life, durably, before the node can say anything on that connection; and lets in none later that
 * does not know it. A node that is turned away so knows that its memory is an older copy (`Node`, `outlive`). What
 * it acknowledged or promised to somebody it had said on a connection to them: whoever heard it will turn it away.
 *
 * A member that never heard of the forgotten life, neither from the node nor by gossip, lets the older copy in. So a
 * node whose directory was made anew (`NodeJournal.isCopy`) votes and counts in reads only once every member has let
 * it in: what it acknowledged, it had said to one of them. A directory that was merely moved has lost nothing, and
 * soon learns it.
 *
 * What is left open: a snapshot of the whole disk looks like the disk. While such a one reaches nobody who has heard
 * of its last life, a read may count what is not there, and a vote be given twice.
 *
 * @module
 */

import type { NodeId } from "../actors/replica_store/protocol.ts";
import { concatBytes, fromHex, toHex } from "../actors/runtime/bytes.ts";
import type { NodeJournal } from "../storage/node_journal.ts";

/** One start of a node's process. */
export interface ProcessLife {
  /** The durable number of the start, at least 1. */
  readonly life: number;
  /** 8 random bytes of the process, as 16 hex digits. */
  readonly bootId: string;
}

/** Who a node says that it is, and was. */
export interface Introduction extends ProcessLife {
  /** The node. */
  readonly nodeId: NodeId;
  /** The boot ids of its earlier lives, the latest first, as many as it knows. */
  readonly pastBootIds: readonly string[];
}

const BOOT_BYTES = 8;
const LIFE_BYTES = 4 + BOOT_BYTES;
/** More lives than this of a node that is never met are not remembered. */
const MOST_LIVES = 64;

/** Remembers the latest lives of every node, in the node's own journal. */
export class Lives {
  readonly #journal: Pick<NodeJournal, "get" | "set">;
  /** Of each node: the life it last introduced itself with, and later ones that others spoke of. */
  readonly #known = new Map<NodeId, readonly ProcessLife[]>();

  /** @param journal where they are kept */
  constructor(journal: Pick<NodeJournal, "get" | "set">) {
    this.#journal = journal;
  }

  /** A life that is known of the node and that it does not know of: the latest such; null: there is none. */
  forgottenBy({ nodeId, bootId, pastBootIds }: Introduction): ProcessLife | null {
    const isForgotten = (one: ProcessLife) => one.bootId !== bootId && !pastBootIds.includes(one.bootId);
    return this.#of(nodeId).findLast(isForgotten) ?? null;
  }

  /**
   * The node has introduced itself, and knows whatever is known of it. Resolves when that is durable, or cannot be: a
   * disk that takes nothing has nothing to acknowledge either.
   */
  async onIntroduced({ nodeId, life, bootId }: Introduction): Promise<void> {
    const known = this.#of(nodeId);
    if (known.length !== 1 || known[0]!.bootId !== bootId) await this.#remember(nodeId, [{ life, bootId }]);
  }

  /** Somebody speaks of a life of the node. */
  onHeard(nodeId: NodeId, { life, bootId }: ProcessLife): void {
    const known = this.#of(nodeId);
    const isNews = known.every((one) => one.life < life && one.bootId !== bootId);
    if (isNews && known.length < MOST_LIVES) void this.#remember(nodeId, [...known, { life, bootId }]);
  }

  async #remember(nodeId: NodeId, lives: readonly ProcessLife[]): Promise<void> {
    this.#known.set(nodeId, lives);
    await this.#journal.set(factOf(nodeId), concatBytes(...lives.map(encodeLife))).catch(() => {});
  }

  #of(nodeId: NodeId): readonly ProcessLife[] {
    let known = this.#known.get(nodeId);
    if (known === undefined) {
      known = decodeLives(this.#journal.get(factOf(nodeId)) ?? new Uint8Array(0));
      this.#known.set(nodeId, known);
    }
    return known;
  }
}

function factOf(node: NodeId): string {
  return `lives/${node}`;
}

function encodeLife({ life, bootId }: ProcessLife): Uint8Array {
  const bytes = new Uint8Array(LIFE_BYTES);
  new DataView(bytes.buffer).setUint32(0, life);
  bytes.set(fromHex(bootId)!, 4);
  return bytes;
}

function decodeLives(bytes: Uint8Array): ProcessLife[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lives: ProcessLife[] = [];
  for (let at = 0; at + LIFE_BYTES <= bytes.length; at += LIFE_BYTES) {
    lives.push({ life: view.getUint32(at), bootId: toHex(bytes.subarray(at + 4, at + LIFE_BYTES)) });
  }
  return lives;
}
