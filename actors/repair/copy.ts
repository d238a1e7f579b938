/**
 * Copying a partition from another owner: page by page, and then looked at again.
 *
 * A copy is made while clients write, so the two sides are never simply equal. It is verified all the same: once all
 * pages are here both sides give checksums of the same pieces, and of a piece that differs what differs is fetched
 * and merged: both list its keys, with a hash of what is under each. After that whatever the owner had when it was
 * asked is in the copy, however it came to be missed (a page that was cut short, a record that was damaged on the
 * way), and what else is there came from clients.
 *
 * A partition has to be had from every owner, for what was acknowledged may be on any W of them, and they hold nearly
 * the same. So only the first gives its pages: the copy of another one begins with being verified, and takes what the
 * first had not. Three times as much would move otherwise.
 *
 * When the owner dies, the copy goes on after the last key that was taken. When this side dies it begins again from
 * the first key: what is here already is merged and not written again, and where a copy stood is not worth a write.
 *
 * @module
 */

import type { ActorContext } from "../runtime/mod.ts";
import type { Protocol } from "../runtime/protocol.ts";
import type { Budget } from "./budget.ts";
import {
  type Absorb,
  type AbsorbAnswer,
  NO_DIGEST,
  NO_PAGE,
  type NodeId,
  type PartitionDigest,
  type PartitionEntry,
  type PartitionPage,
  type ReplicaStoreProtocol,
  type Scan,
} from "../replica_store/protocol.ts";
import { NO_KEYS, NO_OBJECTS } from "../replica_store/tree_protocol.ts";
import { keyDifferences } from "./difference.ts";

/** What a copy needs of the actor that makes it. */
export type CopyContext = Pick<ActorContext<Protocol>, "ref" | "environment">;

/** What a copy leaves to pure functions. */
export interface CopyCore {
  /** Whether a page is what was asked for. */
  hasCome(page: Pick<PartitionPage, "ok">): boolean;
  /** Whether two digests are of the same. */
  isSame(theirs: PartitionDigest, ours: PartitionDigest): boolean;
}

/** What {@link Copies} is composed of. */
export interface CopyOptions {
  /** What is fetched is paid from it. */
  readonly budget: Pick<Budget, "spend">;
  /** Pure decisions, substitutable. */
  readonly core: CopyCore;
}

/** What is copied, from whom, under which ring. */
export interface CopyTask extends Pick<Absorb, "partition" | "lossId">, Omit<Scan, "after"> {
  /** The owner. */
  readonly owner: NodeId;
}

/** How far a copy has come: where it goes on. */
interface Stand {
  stage: "copying" | "verifying" | "done";
  after: Uint8Array | null;
}

/** How long the store is left alone that has not made the last page durable. */
const BUSY_MS = 10;
const ASK = { timeoutMs: 5_000 };

/** The copies of one node, as far as they have come. */
export class Copies {
  /** Bytes that were fetched so far: keys and objects, and lists of keys where pieces differed. */
  fetchedBytes = 0;
  readonly #context: CopyContext;
  readonly #options: CopyOptions;
  readonly #stands = new Map<string, Stand>();
  /** Of each loss, partitions of which some owner has given all of its pages. */
  readonly #begun = new Map<string, Set<number>>();

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
    for (const lossId of this.#begun.keys()) if (!lossIds.has(lossId)) this.#begun.delete(lossId);
  }

  /** Copy all that an owner has, and verify it; false when not all of it could be had, to be called again. */
  async make(task: CopyTask): Promise<boolean> {
    const name = `${task.lossId} ${task.partition} ${task.owner}`;
    const begun = this.#begun.get(task.lossId) ?? new Set();
    this.#begun.set(task.lossId, begun);
    const isFirst = !begun.has(task.partition);
    const stand = this.#stands.get(name) ?? { stage: isFirst ? "copying" : "verifying", after: null };
    this.#stands.set(name, stand);
    if (stand.stage === "copying") {
      if (!await walk(stand, (after) => this.#fetch(task, after))) return false;
      begun.add(task.partition);
      Object.assign(stand, { stage: "verifying", after: null });
    }
    if (stand.stage === "verifying") {
      if (!await walk(stand, (after) => this.#verify(task, after))) return false;
      stand.stage = "done";
    }
    return true;
  }

  /** Fetch a piece and have it merged. */
  async #fetch(task: CopyTask, after: Uint8Array | null): Promise<Uint8Array | null | undefined> {
    const { owner, lossId, partition, epoch, since } = task;
    const theirs = this.#context.ref<ReplicaStoreProtocol>({ node: owner, actor: "replica_store" });
    const page: PartitionPage = await theirs.ask("scan", { partition, after, epoch, since }, ASK)
      .catch(() => NO_PAGE);
    if (!this.#options.core.hasCome(page)) return undefined;
    await this.#pay(bytesOf(page.entries));
    const taken = await this.#absorb({ partition, lossId, entries: page.entries });
    return taken === "taken" ? page.next : undefined;
  }

  /** Compare a piece with the owner's, and fetch what differs. */
  async #verify(task: CopyTask, after: Uint8Array | null): Promise<Uint8Array | null | undefined> {
    const { owner, partition, epoch, since } = task;
    const { core } = this.#options;
    const piece = { partition, after, epoch, since };
    const digestAt = (at: { readonly node: NodeId; readonly actor: string } | string) =>
      this.#context.ref<ReplicaStoreProtocol>(at).ask("digest", piece, ASK).catch(() => NO_DIGEST);
    const theirs = await digestAt({ node: owner, actor: "replica_store" });
    if (!core.hasCome(theirs)) return undefined;
    const ours = await digestAt("replica_store");
    if (core.isSame(theirs, ours)) return theirs.next;
    if (ours.ok && ours.keys === 0) return await this.#fetch(task, after);
    return await this.#complete(task, after, theirs.next) ? theirs.next : undefined;
  }

  /** Fetch what the owner has of a piece and is not the same here. */
  async #complete(task: CopyTask, after: Uint8Array | null, upTo: Uint8Array | null): Promise<boolean> {
    const { owner, partition, epoch } = task;
    const theirs = this.#context.ref<ReplicaStoreProtocol>({ node: owner, actor: "replica_store" });
    const ours = this.#context.ref<ReplicaStoreProtocol>("replica_store");
    let at = after;
    do {
      const stretch = { partition, epoch, after: at, upTo };
      const theirPage = await theirs.ask("treeKeys", stretch, ASK).catch(() => NO_KEYS);
      const page = await ours.ask("treeKeys", stretch, ASK).catch(() => NO_KEYS);
      if (!theirPage.ok || !page.ok) return false;
      await this.#pay(theirPage.keys.reduce((sum, { key, hash }) => sum + key.length + hash.length, 0));
      const { differing, next } = keyDifferences(page, theirPage);
      const wanted = differing.filter((one) => one.theirs !== null).map(({ key }) => key);
      if (!await this.#fetchKeys(task, wanted)) return false;
      at = next;
    } while (at !== null);
    return true;
  }

  async #fetchKeys({ owner, partition, epoch, lossId }: CopyTask, keys: readonly Uint8Array[]) {
    const theirs = this.#context.ref<ReplicaStoreProtocol>({ node: owner, actor: "replica_store" });
    for (let rest = keys; rest.length > 0;) {
      const { ok, entries, done } = await theirs.ask("treeObjects", { partition, epoch, keys: rest }, ASK)
        .catch(() => NO_OBJECTS);
      if (!ok || done === 0) return false;
      await this.#pay(bytesOf(entries));
      if (await this.#absorb({ partition, lossId, entries }) !== "taken") return false;
      rest = rest.slice(done);
    }
    return true;
  }

  /** What was received is paid for. */
  async #pay(bytes: number): Promise<void> {
    this.fetchedBytes += bytes;
    await this.#options.budget.spend(bytes);
  }

  /** Have the store take a page as soon as its disk has caught up. */
  async #absorb(page: Absorb): Promise<AbsorbAnswer> {
    const store = this.#context.ref<ReplicaStoreProtocol>("replica_store");
    while (true) {
      const answer = await store.ask("absorb", page, ASK).catch((): AbsorbAnswer => "refused");
      if (answer !== "busy") return answer;
      await new Promise<void>((resolve) => void this.#context.environment.clock.after(BUSY_MS, resolve));
    }
  }
}

function bytesOf(entries: readonly PartitionEntry[]): number {
  return entries.reduce((sum, { key, object }) => sum + key.length + object.length, 0);
}

/** Piece by piece to the end; `step` gives where the next one begins, undefined when it could not be had. */
async function walk(
  stand: Stand,
  step: (after: Uint8Array | null) => Promise<Uint8Array | null | undefined>,
): Promise<boolean> {
  while (true) {
    const next = await step(stand.after);
    if (next === undefined) return false;
    stand.after = next;
    if (next === null) return true;
  }
}
