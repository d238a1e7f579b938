/**
 * The collector: tombstones are forgotten, all owners at once, and nothing that they had deleted comes back.
 *
 * # The problem
 *
 * A delete is a tombstone: forgetting it would forget that the old value was replaced. Kept for ever, they pile up. If
 * one owner forgets it while something older lives anywhere (in a replica that was away, a hint, a message that was
 * delayed, a copy of a disk), that comes back as if it had been written just now.
 *
 * # The naive attempt
 *
 * Forget tombstones after so many days (Cassandra's `gc_grace_seconds`): whoever was away for longer brings back what
 * was deleted. Forget them when all primaries have them (Riak's `delete_mode`): a fallback that still held a hint
 * gave the tombstone, or the value, back after it had been reaped, and the tombstone ate a new value that had been
 * given the same version (Riak's doomstone).
 *
 * # The idea
 *
 * Everything that carries an object to a store carries a stamp: the collection epoch that its sender had announced
 * when it read or minted it. One number for the cluster. Once all members refuse what is older than epoch E, and what
 * is E was read after all owners held a tombstone, nothing can arrive that the tombstone had deleted; then it may go.
 * A round, led by the first member, goes so:
 *
 *  1. **list.** Every first owner of partitions asks all owners for the hashes of keys that hold nothing but
 *     tombstones, and keeps those that are the same everywhere, and durable. The list is in memory only: lost, nothing
 *     is collected.
 *  2. **announce** E, which nobody had announced, to every member: what it reads and mints from now on is stamped E.
 *  3. **wait** for longer than any request lives and is retried: so that in practice none is refused, and a retry of a
 *     write that only the tombstone remembers has come and been recognised.
 *  4. **close.** Every hint store says that it keeps nothing older than E, and from then on takes nothing older. If one
 *     does keep something, the round is over: hints are acknowledged writes, and would be refused where they belong.
 *  5. **seal.** Every replica store refuses what is older than E.
 *  6. **collect.** First owners have all owners remove what is still what was listed.
 *
 * It takes all members, all of their stores whole, in one life and by one ring at rest from the first step to the last.
 * Otherwise the round ends, and what was announced, closed or sealed by then harms nobody: nothing older than a
 * sealed epoch is anywhere but in messages that nobody waits for any more. A member that does not answer delays
 * collection until it returns or is removed (FAULTS 61); there is no period after which that does not matter.
 *
 * (DESIGN, section 5, has the epoch by partition. Every member has to be asked for every partition, for anyone may
 * hold hints, so one for all of them says the same. Closing before sealing is not in it: whoever seals first learns of
 * a hint when it is too late to take it.)
 *
 * What is left are copies that come from outside of all this: a directory put back, a store found damaged. They are not
 * merged but fetched anew (`regression.ts`). A tombstone that comes late after all harms nothing: a new value's version
 * is none that the tombstone knows, for actors count over all keys and take a new name whenever they may have forgotten
 * (`replica_store/dots.ts`). It is collected once more.
 *
 * @module
 */

import type { HintStoreProtocol } from "../handoff/protocol.ts";
import type { Collection } from "../replica_store/collection.ts";
import type { NodeId, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import { type Grave, type Hashes, NO_HASHES, type StoreLife } from "../replica_store/reaper_protocol.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import { preferenceList, type Ring } from "../ring_manager/ring.ts";
import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import { AskError } from "../runtime/protocol.ts";
import type { CollectorCore, Report } from "./collection_core.ts";
import type { CollectionStatus, CollectorProtocol, Step } from "./collection_protocol.ts";

/** What the collector is composed of. */
export interface CollectorOptions {
  /** This node. */
  readonly node: NodeId;
  /** The epochs of this node. */
  readonly collection: Collection;
  /** See {@link CollectorCore}. */
  readonly core: CollectorCore;
}

const ASK = { timeoutMs: 5_000 };
/** Listing asks others in turn. */
const LONG = { timeoutMs: 20_000 };
/** Keys of one first owner in a round. */
const MOST_LISTED = 16_384;

/** The actor `collector`. */
export function collector(options: CollectorOptions): ActorSpec<CollectorProtocol> {
  return {
    name: "collector",
    reentrant: true,
    start(context) {
      const one = new Collector(options, context);
      const again = () => {
        const everyMs = options.core.everyMs() * (0.75 + context.environment.random.next() / 2);
        context.after(everyMs, "look", {});
      };
      again();
      return {
        async look() {
          await one.lead();
          again();
        },
        list: ({ ring }) => one.list(ring).catch((error) => orElse(error, NOT_WELL)),
        announce: (step) => one.step(step, () => options.collection.announce(step.epoch)),
        close: (step) => one.step(step, () => one.close(step.epoch)),
        seal: (step) => one.step(step, () => options.collection.seal(step.epoch)),
        collect: (step) => one.collect(step).catch((error) => orElse(error, { removed: 0 })),
        describe: () => one.describe(),
      };
    },
  };
}

/** What a member says that cannot ask its own actors. */
const NOT_WELL: Report = { ring: 1, isWell: false, announced: 0, life: "", listed: 0 };

/** An answer where one of this node's own actors is on its way back. */
function orElse<T>(error: unknown, answer: T): T {
  if (!(error instanceof AskError)) throw error;
  return answer;
}

/** Why a round ended before its time, for people. */
class Ended extends Error {
  override readonly name = "Ended";
}

class Collector {
  readonly #options: CollectorOptions;
  readonly #context: ActorContext<CollectorProtocol>;
  /** What was listed last, by partition. */
  #listed = new Map<number, readonly Grave[]>();
  #leader: NodeId | null = null;
  #says = "";
  #waitedFor: readonly NodeId[] = [];

  constructor(options: CollectorOptions, context: ActorContext<CollectorProtocol>) {
    this.#options = options;
    this.#context = context;
  }

  describe(): CollectionStatus {
    const waitedFor = this.#waitedFor;
    return { ...this.#options.collection.said(), leader: this.#leader, says: this.#says, waitedFor };
  }

  // --- leading ---------------------------------------------------------------------------------------------

  async lead(): Promise<void> {
    try {
      const ring = await this.#ring();
      this.#leader = this.#options.core.leaderOf(ring);
      if (this.#leader !== this.#options.node) {
        this.#waitedFor = [];
        this.#says = this.#leader === null ? "nobody leads while members change" : "led by another member";
      } else this.#says = await this.#round(ring);
    } catch (error) {
      if (!(error instanceof Ended) && !(error instanceof AskError)) throw error;
      this.#says = error.message;
      this.#context.log.debug("nothing is collected", { why: this.#says });
    }
  }

  /** One round; what came of it. */
  async #round(ring: Ring): Promise<string> {
    const { core } = this.#options;
    const reports = await this.#ofAll(ring, "list", () => ({ ring: ring.epoch }), LONG);
    this.#waitedFor = core.waitedFor(ring, reports);
    if (this.#waitedFor.length > 0) throw new Ended("waiting for members that are away, or not whole");
    const count = [...reports.values()].reduce((sum, { listed }) => sum + listed, 0);
    if (count === 0) return "there is nothing to collect";
    const epoch = core.nextEpoch(reports.values());
    const stepOf = (id: NodeId): Step => ({ epoch, ring: ring.epoch, life: reports.get(id)?.life ?? "" });
    await this.#all(ring, "announce", stepOf);
    this.#says = `waiting ${core.waitMs() / 1_000} s for requests to end, to collect ${count} keys`;
    await this.#sleep(core.waitMs());
    await this.#all(ring, "close", stepOf);
    await this.#all(ring, "seal", stepOf);
    const collected = await this.#ofAll(ring, "collect", stepOf, LONG);
    const removed = [...collected.values()].reduce((sum, one) => sum + one.removed, 0);
    this.#context.log.info("tombstones were collected", { epoch, copies: removed });
    return `${removed} copies of tombstones were collected`;
  }

  /** Every member takes a step, or the round is over. */
  async #all(ring: Ring, kind: "announce" | "close" | "seal", stepOf: (id: NodeId) => Step): Promise<void> {
    const answers = await this.#ofAll(ring, kind, stepOf, ASK);
    const others = ring.members.map(({ id }) => id).filter((id) => answers.get(id)?.ok !== true);
    this.#waitedFor = this.#options.core.waitedFor(ring, new Map()).filter((id) => others.includes(id));
    if (this.#waitedFor.length > 0) throw new Ended(`not all members could ${kind}`);
  }

  async #ofAll<K extends "list" | "announce" | "close" | "seal" | "collect">(
    ring: Ring,
    kind: K,
    bodyOf: (id: NodeId) => CollectorProtocol[K][0],
    patience: { readonly timeoutMs: number },
  ): Promise<Map<NodeId, CollectorProtocol[K][1]>> {
    const answers = new Map<NodeId, CollectorProtocol[K][1]>();
    await Promise.all(ring.members.map(async ({ id }) => {
      const other = this.#context.ref<CollectorProtocol>({ node: id, actor: "collector" });
      const answer = await other.ask(kind, bodyOf(id) as never, patience).catch(() => null);
      if (answer !== null) answers.set(id, answer as CollectorProtocol[K][1]);
    }));
    return answers;
  }

  // --- taking part -----------------------------------------------------------------------------------------

  /** Keys of partitions in which this node comes first, under which all owners hold the same. */
  async list(asked: number): Promise<Report> {
    const { collection } = this.#options;
    const ring = await this.#ring();
    const { life, isWell } = await this.#life();
    const isAtRest = ring.change === null && ring.epoch === asked;
    this.#listed = new Map();
    let listed = 0;
    if (isAtRest && isWell) {
      const graves = await this.#store().ask("graves", { most: MOST_LISTED }, ASK);
      for (const { partition, keys } of graves) {
        const agreed = await this.#agreed(ring, partition, keys);
        if (agreed.length > 0) this.#listed.set(partition, agreed);
        listed += agreed.length;
      }
    }
    const { announced, isSure } = collection;
    return { ring: ring.epoch, isWell: isAtRest && isWell && isSure, announced, life, listed };
  }

  async #agreed(ring: Ring, partition: number, keys: readonly Uint8Array[]): Promise<Grave[]> {
    const asked = { partition, epoch: ring.epoch, keys };
    const owners = await Promise.all(
      preferenceList(ring, partition).map(({ id }) =>
        this.#store(id).ask("hashes", asked, ASK).catch((): Hashes => NO_HASHES)
      ),
    );
    return this.#options.core.agreed(keys, owners);
  }

  /** A step of a round that all members take in the life, and by the ring, in which they were asked first. */
  async step(step: Step, take: () => Promise<boolean>): Promise<{ ok: boolean }> {
    const isTaken = async () => await this.#isSame(step) && await take();
    return { ok: await isTaken().catch((error) => orElse(error, false)) };
  }

  async #isSame(step: Step): Promise<boolean> {
    const ring = await this.#ring();
    const { life, isWell } = await this.#life();
    return isWell && ring.change === null && this.#options.core.isSameLife(step, { ring: ring.epoch, life });
  }

  async close(epoch: number): Promise<boolean> {
    const hints = this.#context.ref<HintStoreProtocol>("hint_store");
    return (await hints.ask("close", { epoch }, ASK)).isClosed;
  }

  async collect(step: Step): Promise<{ removed: number }> {
    const { collection } = this.#options;
    const listed = this.#listed;
    this.#listed = new Map();
    let removed = 0;
    if (collection.sealed !== step.epoch || !await this.#isSame(step)) return { removed };
    const ring = await this.#ring();
    for (const [partition, graves] of listed) {
      const asked = { partition, epoch: step.ring, graves };
      const answers = await Promise.all(
        preferenceList(ring, partition).map(({ id }) =>
          this.#store(id).ask("reap", asked, ASK).catch(() => ({ removed: 0 }))
        ),
      );
      for (const answer of answers) removed += answer.removed;
    }
    return { removed };
  }

  // --- whom it asks ----------------------------------------------------------------------------------------

  #store(node: NodeId = this.#options.node) {
    return this.#context.ref<ReplicaStoreProtocol>({ node, actor: "replica_store" });
  }

  #life(): Promise<StoreLife> {
    return this.#store().ask("life", {}, ASK);
  }

  async #ring(): Promise<Ring> {
    return (await this.#context.ref<RingManagerProtocol>("ring_manager").ask("current", {}, ASK)).ring;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#context.environment.clock.after(ms, resolve));
  }
}
