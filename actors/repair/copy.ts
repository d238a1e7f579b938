/**
 * Copying a partition from another owner: whatever that owner has, this node has afterwards, and it is verified.
 *
 * Where this node has much less than the owner, pages of it are fetched, one after the other. After that, and else at
 * once, the hash trees of both sides are compared, and what differs is fetched (`exchange.ts`). So what several owners
 * have is fetched once, what a page left out (it was cut short, or damaged on the way) is found missing, and a node
 * that has lost little of a partition fetches little of it. A copy is made while clients write, and the two sides are
 * never simply equal; what else is there came from clients.
 *
 * Naive: count the copy as whole when its last page is here. Then whatever befell a page on its way is never missed.
 *
 * When the owner dies, the copy goes on after the last key that was taken. When this side dies it goes on with what
 * differs.
 *
 * @module
 */

import type { ActorContext } from "../runtime/mod.ts";
import { equalBytes } from "../runtime/bytes.ts";
import type { Body, Protocol, Reply } from "../runtime/protocol.ts";
import {
  type Absorb,
  type AbsorbAnswer,
  type MoveProgress,
  NO_PAGE,
  type NodeId,
  type PartitionPage,
  type ReplicaStoreProtocol,
  type Scan,
} from "../replica_store/protocol.ts";
import { type Digests, NO_DIGESTS, type TreeProtocol } from "../replica_store/tree_protocol.ts";
import type { Budget } from "./budget.ts";
import type { exchange, Outcome, Side } from "./exchange.ts";
import { decodeDigest } from "./hash_tree.ts";

/** What a copy needs of the actor that makes it. */
export type CopyContext = Pick<ActorContext<Protocol>, "ref" | "environment">;

/** What a copy leaves to others: a test plants a bug by substituting one. */
export interface CopyCore {
  /** Whether an owner knows of the change that the copy is for: till then it takes writes that go to others. */
  hasHeard(progress: Pick<MoveProgress, "epoch"> | null, since: number): boolean;
  /** Whether a page is what was asked for. */
  hasCome(page: Pick<PartitionPage, "ok">): boolean;
  /** Compares both sides and fetches what differs. */
  exchange: typeof exchange;
  /** Whether after an exchange all that could be had of an owner is here. */
  isVerified(outcome: Pick<Outcome, "isThrough">): boolean;
}

/** What {@link Copies} is composed of. */
export interface CopyOptions {
  /** What is fetched is paid from it. */
  readonly budget: Pick<Budget, "spend">;
  /** See {@link CopyCore}. */
  readonly core: CopyCore;
}

/** What is copied, from whom, under which ring. */
export interface CopyTask extends Pick<Absorb, "partition" | "lossId">, Omit<Scan, "after"> {
  /** The owner. */
  readonly owner: NodeId;
}

/** What both sides have of a partition, as digests of `hash_tree.ts`; null: not known. */
export interface Roots {
  /** This node. */
  readonly ours: Uint8Array | null;
  /** The owner. */
  readonly theirs: Uint8Array | null;
}

/** How long the store is left alone that has not made the last page durable. */
const BUSY_MS = 10;
const ASK = { timeoutMs: 5_000 };

/**
 * Whether pages are to be fetched before anything is compared: this side has less than half as many keys. To fetch
 * what is here already costs its bytes, to compare what is not the list of its keys.
 *
 * @example
 * ```ts
 * import { isFarBehind } from "./copy.ts";
 * import { encodeDigest } from "./hash_tree.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const of = (keys: number) => encodeDigest({ keys, low: 1, high: 2 });
 * assertEquals(isFarBehind({ ours: of(4), theirs: of(10) }), true);
 * assertEquals(isFarBehind({ ours: of(5), theirs: of(10) }), false);
 * assertEquals(isFarBehind({ ours: of(0), theirs: null }), true);
 * assertEquals(isFarBehind({ ours: null, theirs: of(10) }), false);
 * ```
 */
export function isFarBehind({ ours, theirs }: Roots): boolean {
  if (ours === null) return false;
  const { keys } = decodeDigest(ours);
  return theirs === null ? keys === 0 : 2 * keys < decodeDigest(theirs).keys;
}

/** The copies of one node, as far as they have come. */
export class Copies {
  /** Bytes that were fetched so far: keys, objects and hashes. */
  fetchedBytes = 0;
  readonly #context: CopyContext;
  readonly #options: CopyOptions;
  /** Copies under way: their pages were taken up to this key. */
  readonly #stands = new Map<string, Uint8Array>();

  /** @param context the actor that makes them @param options what they are made with */
  constructor(context: CopyContext, options: CopyOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Forget the copies of all losses but these. */
  keepOnly(lossIds: ReadonlySet<string>): void {
    for (const name of this.#stands.keys()) {
      if (!lossIds.has(name.split(" ")[0]!)) this.#stands.delete(name);
    }
  }

  /** Copy all that an owner has, and verify it; false when not all of it could be had, to be called again. */
  async make(task: CopyTask): Promise<boolean> {
    const progress = await this.#store(task.owner).ask("progress", {}, ASK).catch(() => null);
    if (!this.#options.core.hasHeard(progress, task.since)) return false;
    const name = `${task.lossId} ${task.partition} ${task.owner}`;
    const stand = this.#stands.get(name);
    if (stand !== undefined || isFarBehind(await this.#roots(task))) {
      if (!await this.#fetchAll(task, name, stand ?? null)) return false;
      this.#stands.delete(name);
    }
    const { ours, theirs } = await this.#roots(task);
    if (ours !== null && theirs !== null && equalBytes(ours, theirs)) return true;
    return await this.#fetchDifferences(task);
  }

  async #roots({ owner, partition, epoch }: CopyTask): Promise<Roots> {
    const none = (): Digests => NO_DIGESTS;
    const question = { epoch, partitions: [partition] };
    const theirs = await this.#store(owner).ask("treeRoots", question, ASK).catch(none);
    const ours = await this.#store(null).ask("treeRoots", question, ASK).catch(none);
    return { ours: ours.digests[0] ?? null, theirs: theirs.digests[0] ?? null };
  }

  /** Page by page to the end. */
  async #fetchAll(task: CopyTask, name: string, stand: Uint8Array | null): Promise<boolean> {
    const { owner, lossId, partition, epoch, since } = task;
    const { core, budget } = this.#options;
    for (let after = stand;;) {
      const question = { partition, after, epoch, since };
      const page = await this.#store(owner).ask("scan", question, ASK).catch(() => NO_PAGE);
      if (!core.hasCome(page)) return false;
      const sizeBytes = page.entries.reduce((sum, { key, object }) => sum + key.length + object.length, 0);
      this.fetchedBytes += sizeBytes;
      await budget.spend(sizeBytes);
      if (await this.#absorb({ partition, lossId, entries: page.entries }) !== "taken") return false;
      if (page.next === null) return true;
      this.#stands.set(name, after = page.next);
    }
  }

  async #fetchDifferences({ owner, partition, epoch }: CopyTask): Promise<boolean> {
    const { core, budget } = this.#options;
    const outcome = await core.exchange({
      placement: { partition, epoch },
      mine: this.#side(null),
      theirs: this.#side(owner),
      isOneWay: true,
      spend: (sizeBytes) => budget.spend(sizeBytes),
      pause: () => this.#pause(),
    });
    this.fetchedBytes += outcome.bytes;
    return core.isVerified(outcome);
  }

  /** Have the store take a page as soon as its disk has caught up. */
  async #absorb(page: Absorb): Promise<AbsorbAnswer> {
    while (true) {
      const answer = await this.#store(null).ask("absorb", page, ASK).catch((): AbsorbAnswer => "refused");
      if (answer !== "busy") return answer;
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#context.environment.clock.after(BUSY_MS, resolve));
  }

  #store(node: NodeId | null) {
    const actor = "replica_store";
    return this.#context.ref<ReplicaStoreProtocol>(node === null ? actor : { node, actor });
  }

  #side(node: NodeId | null): Side {
    const store = this.#store(node);
    return {
      ask: <K extends keyof TreeProtocol & string>(kind: K, body: Body<TreeProtocol, K>) =>
        store.ask(kind as never, body as never, ASK) as Promise<Reply<TreeProtocol, K>>,
    };
  }
}
