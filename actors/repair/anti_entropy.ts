/**
 * Anti-entropy: replicas that differ find it out and make it good, though nobody reads what they hold (Dynamo, section
 * 4.7). Hints and read repair put right most of what a failure leaves; what they miss (a hint lost with its keeper, a
 * key that nobody reads, a record that a disk has eaten) would differ for ever.
 *
 * Round after round this node asks every other owner of its partitions for the digests of those they share, all in a
 * few messages: 14 bytes a partition. Where one differs from its own there is an exchange (`exchange.ts`). There is one
 * at a time, and all that travels is paid from the budget of background work, so that of clients' time it takes no more
 * than they can spare; whatever fails waits for the next round. Nobody schedules anything.
 *
 * Each of two owners asks the other, though an exchange serves both: so each knows what it was told, and when,
 * and the price of the second question is a comparison that finds nothing.
 *
 * @module
 */

import type { Budget } from "./budget.ts";
import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import { equalBytes } from "../runtime/bytes.ts";
import type { Body, Reply } from "../runtime/protocol.ts";
import type { NodeId, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import { type Digests, NO_DIGESTS, TREE_ITEMS, type TreeProtocol } from "../replica_store/tree_protocol.ts";
import { ownersOf, type Ring } from "../ring_manager/ring.ts";
import { exchange, type Outcome, type Side } from "./exchange.ts";
import { DIGEST_BYTES } from "./hash_tree.ts";
import { LastWhole } from "./last_whole.ts";

/** What anti-entropy tells of itself, for `status`. Counts are since it started. */
export interface RepairStatus {
  /** Partitions that this node and others own. */
  readonly partitions: number;
  /** How many of them were not yet known to be whole since the node started. */
  readonly unknown: number;
  /** How long ago the one of the others that was known to be whole least recently was, in ms; null: none is. */
  readonly oldestWholeMs: number | null;
  /** Exchanges that ended well, comparisons that found nothing to do left out. */
  readonly exchanges: number;
  /** Comparisons and exchanges that failed: nobody answered, the ring changed, something was damaged. */
  readonly failures: number;
  /** Keys that one side or both got something new for. */
  readonly keysRepaired: number;
  /** Bytes of digests, keys and objects that travelled. */
  readonly bytesExchanged: number;
}

/** One partition that this node and others own. */
export interface PartitionHealth {
  /** Its number. */
  readonly partition: number;
  /** How long ago it was last known to be whole, in ms; null: not since the node started. */
  readonly wholeMs: number | null;
}

/** Messages of anti-entropy. */
export type AntiEntropyProtocol = {
  /** Compare with all other owners, and make good what differs. Own timer. */
  round: [Record<never, never>, void];
  /** How it goes. */
  describe: [Record<never, never>, RepairStatus];
  /** Partition by partition. */
  partitions: [Record<never, never>, readonly PartitionHealth[]];
};

/** The decisions left to pure functions; a test plants a bug by substituting one. */
export const ANTI_ENTROPY_CORE = { partnersOf, isEqual: isEqualRoot, exchange, hasEndedWell };

/** See {@link ANTI_ENTROPY_CORE}. */
export type AntiEntropyCore = typeof ANTI_ENTROPY_CORE;

/**
 * Who else owns a partition of this node's; nobody when it is not this node's. Nor while it moves: its new owners lack
 * most of it, and get it from a copy that is verified before it counts. It is compared again once it is at rest.
 */
function partnersOf(ring: Ring, partition: number, node: NodeId): readonly NodeId[] {
  const placed = ownersOf(ring, partition);
  const owners = placed.others.length === 0 ? placed.owners.map(({ id }) => id) : [];
  return owners.includes(node) ? owners.filter((id) => id !== node) : [];
}

/** Whether both sides now hold what either held. */
function hasEndedWell({ ok }: Pick<Outcome, "ok">): boolean {
  return ok;
}

/** Whether two owners hold the same of a partition; undecided (null) when one of them does not know. */
function isEqualRoot(mine: Uint8Array | null, theirs: Uint8Array | null): boolean | null {
  return mine === null || theirs === null ? null : equalBytes(mine, theirs);
}

/** What anti-entropy is composed of. */
export interface AntiEntropyOptions {
  /** This node. */
  readonly node: NodeId;
  /** The ring as this node has it. */
  readonly ring: () => Ring;
  /** What travels is paid from it. */
  readonly budget: Pick<Budget, "spend">;
  /** See {@link ANTI_ENTROPY_CORE}. */
  readonly core: AntiEntropyCore;
}

/** From the end of one round to the beginning of the next, give or take a quarter. */
const ROUND_MS = 2_000;
/** How long a store is left alone that has not made the last objects durable. */
const PAUSE_MS = 20;
const ASK = { timeoutMs: 5_000 };

/** The actor `anti_entropy`. */
export function antiEntropy(options: AntiEntropyOptions): ActorSpec<AntiEntropyProtocol> {
  return {
    name: "anti_entropy",
    reentrant: true,
    start(context) {
      const repair = new AntiEntropy(options, context);
      const again = () =>
        context.after(ROUND_MS * (0.75 + context.environment.random.next() / 2), "round", {});
      again();
      return {
        async round() {
          await repair.round();
          again();
        },
        describe: () => repair.describe(),
        partitions: () => repair.partitions(),
      };
    },
  };
}

class AntiEntropy {
  readonly #options: AntiEntropyOptions;
  readonly #context: ActorContext<AntiEntropyProtocol>;
  readonly #whole = new LastWhole();
  #exchanges = 0;
  #failures = 0;
  #keysRepaired = 0;
  #bytes = 0;

  constructor(options: AntiEntropyOptions, context: ActorContext<AntiEntropyProtocol>) {
    this.#options = options;
    this.#context = context;
  }

  async round(): Promise<void> {
    const ring = this.#options.ring();
    const shared = this.#shared(ring);
    this.#whole.keep(new Set(shared.values().flatMap((partitions) => partitions)));
    for (const [owner, partitions] of shared) {
      for (let first = 0; first < partitions.length; first += TREE_ITEMS) {
        await this.#compare(ring.epoch, owner, partitions.slice(first, first + TREE_ITEMS));
      }
    }
  }

  describe(): RepairStatus {
    const health = this.partitions();
    const known = health.flatMap(({ wholeMs }) => wholeMs === null ? [] : [wholeMs]);
    return {
      partitions: health.length,
      unknown: health.length - known.length,
      oldestWholeMs: known.length === 0 ? null : known.reduce((a, b) => Math.max(a, b)),
      exchanges: this.#exchanges,
      failures: this.#failures,
      keysRepaired: this.#keysRepaired,
      bytesExchanged: this.#bytes,
    };
  }

  partitions(): PartitionHealth[] {
    const { core, node } = this.#options;
    const ring = this.#options.ring();
    const now = this.#context.environment.clock.now();
    return ring.owners.flatMap((_, partition) => {
      const partners = core.partnersOf(ring, partition, node);
      if (partners.length === 0) return [];
      const at = this.#whole.wholeAt(partition, partners);
      return [{ partition, wholeMs: at === null ? null : Math.round(now - at) }];
    });
  }

  /** The partitions that this node owns together with each other owner. */
  #shared(ring: Ring): Map<NodeId, number[]> {
    const { core, node } = this.#options;
    const shared = new Map<NodeId, number[]>();
    for (let partition = 0; partition < ring.partitions; partition++) {
      for (const owner of core.partnersOf(ring, partition, node)) {
        const partitions = shared.get(owner);
        if (partitions === undefined) shared.set(owner, [partition]);
        else partitions.push(partition);
      }
    }
    return shared;
  }

  /** Compare partitions with another owner's copies, and make good what differs. */
  async #compare(epoch: number, owner: NodeId, partitions: readonly number[]): Promise<void> {
    const { core, budget } = this.#options;
    const mine = this.#side(null);
    const theirs = this.#side(owner);
    const none = (): Digests => NO_DIGESTS;
    await budget.spend(partitions.length * DIGEST_BYTES);
    const startedAt = this.#context.environment.clock.now();
    const other = await theirs.ask("treeRoots", { epoch, partitions }).catch(none);
    const own = await mine.ask("treeRoots", { epoch, partitions }).catch(none);
    if (other.ok && own.ok) this.#bytes += partitions.length * DIGEST_BYTES;
    else this.#failures++;
    for (const [i, partition] of partitions.entries()) {
      const isEqual = core.isEqual(own.digests[i] ?? null, other.digests[i] ?? null);
      if (isEqual === false) await this.#exchange(epoch, owner, partition, { mine, theirs });
      else if (core.hasEndedWell({ ok: isEqual === true })) {
        this.#whole.onExchanged(partition, owner, startedAt);
      }
    }
  }

  async #exchange(
    epoch: number,
    owner: NodeId,
    partition: number,
    sides: { readonly mine: Side; readonly theirs: Side },
  ): Promise<void> {
    const { core, budget } = this.#options;
    const startedAt = this.#context.environment.clock.now();
    const { ok, ...figures } = await core.exchange({
      placement: { partition, epoch },
      ...sides,
      pause: () => this.#pause(),
      spend: (sizeBytes) => budget.spend(sizeBytes),
    });
    this.#keysRepaired += figures.repaired;
    this.#bytes += figures.bytes;
    if (ok) this.#exchanges++;
    else this.#failures++;
    if (core.hasEndedWell({ ok })) this.#whole.onExchanged(partition, owner, startedAt);
    if (!ok || figures.repaired > 0) {
      this.#context.log.debug("an exchange has ended", { partition, owner, ...figures });
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#context.environment.clock.after(PAUSE_MS, resolve));
  }

  #side(node: NodeId | null): Side {
    const actor = "replica_store";
    const store = this.#context.ref<ReplicaStoreProtocol>(node === null ? actor : { node, actor });
    return {
      ask: <K extends keyof TreeProtocol & string>(kind: K, body: Body<TreeProtocol, K>) =>
        store.ask(kind as never, body as never, ASK) as Promise<Reply<TreeProtocol, K>>,
    };
  }
}
