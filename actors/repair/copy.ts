/**
 * Copying a partition from another owner: page by page, and then looked at again.
 *
 * A copy is made while clients write, so the two sides are never simply equal. It is verified all the same: once all
 * pages are here both sides give checksums of the same pieces, and a piece that differs is fetched and merged again.
 * After that whatever the owner had when it was asked is in the copy, however it came to be missed (a page that was
 * cut short, a record that was damaged on the way), and what else is there came from clients. `Copies.#verify` is the
 * one place that knows how; hash trees may take its place.
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
  type PartitionPage,
  type ReplicaStoreProtocol,
  type Scan,
} from "../replica_store/protocol.ts";

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
  readonly #context: CopyContext;
  readonly #options: CopyOptions;
  readonly #stands = new Map<string, Stand>();

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
    const name = `${task.lossId} ${task.partition} ${task.owner}`;
    const stand = this.#stands.get(name) ?? { stage: "copying", after: null };
    this.#stands.set(name, stand);
    if (stand.stage === "copying") {
      if (!await walk(stand, (after) => this.#fetch(task, after))) return false;
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
    const { core, budget } = this.#options;
    if (!core.hasCome(page)) return undefined;
    await budget.spend(page.entries.reduce((sum, { key, object }) => sum + key.length + object.length, 0));
    const taken = await this.#absorb({ partition, lossId, entries: page.entries, stamp: page.stamp });
    return taken === "taken" ? page.next : undefined;
  }

  /** Compare a piece with the owner's, and fetch it again where it differs. */
  async #verify(task: CopyTask, after: Uint8Array | null): Promise<Uint8Array | null | undefined> {
    const { owner, partition, epoch, since } = task;
    const { core } = this.#options;
    const piece = { partition, after, epoch, since };
    const digestAt = (at: { readonly node: NodeId; readonly actor: string } | string) =>
      this.#context.ref<ReplicaStoreProtocol>(at).ask("digest", piece, ASK).catch(() => NO_DIGEST);
    const theirs = await digestAt({ node: owner, actor: "replica_store" });
    if (!core.hasCome(theirs)) return undefined;
    const ours = await digestAt("replica_store");
    return core.isSame(theirs, ours) ? theirs.next : await this.#fetch(task, after);
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
