/**
 * Bugs in counting answers, and in who is asked for them.
 *
 * @module
 */

import { partitionOf, preferenceList } from "../../../actors/ring_manager/ring.ts";
import { type QuorumOptions, ReadQuorum } from "../../../actors/coordinator/read_quorum.ts";
import { expiry, WriteQuorum } from "../../../actors/coordinator/write_quorum.ts";
import type { StoredObject } from "../../../actors/replica_store/object.ts";
import { decodeObject } from "../../../actors/replica_store/object_codec.ts";
import type { NodeId, ReadAnswer, WriteAnswer } from "../../../actors/replica_store/protocol.ts";
import { toHex } from "../../../actors/runtime/bytes.ts";
import type { CoordinatorCore } from "../../../actors/coordinator/core.ts";
import { ALL_WRITE, APART, type Bug, ONE_OF_TWO, type Plant, TWO_OF_THREE } from "./bug.ts";
import { brittle, oneVictim, wipedAlone } from "./timetable.ts";

/** In the coordinator of every node. */
function coordinator(core: Partial<CoordinatorCore>): Plant {
  return { cores: { coordinator: core } };
}

/** Answers with the first reply alone instead of with all of them merged. */
class FirstReply extends ReadQuorum {
  #first: StoredObject | null | undefined;

  override add(replica: NodeId, answer: ReadAnswer): void {
    super.add(replica, answer);
    if (answer.ok && this.#first === undefined) this.#first = super.response();
  }

  override response(): StoredObject | null {
    return this.#first ?? null;
  }
}

/** Waits for R replies that are the same, and repairs nothing. */
class IdenticalReplies extends ReadQuorum {
  readonly #needed: number;
  readonly #counts = new Map<string, { readonly object: StoredObject | null; count: number }>();

  constructor(options: QuorumOptions) {
    super(options);
    this.#needed = options.needed;
  }

  override add(replica: NodeId, answer: ReadAnswer): void {
    const before = this.answered;
    super.add(replica, answer);
    if (!answer.ok || this.answered === before) return;
    const name = answer.object === null ? "" : toHex(answer.object);
    const same = this.#counts.get(name);
    if (same !== undefined) same.count++;
    else this.#counts.set(name, { object: answer.object && decodeObject(answer.object), count: 1 });
  }

  override enough(): boolean {
    return [...this.#counts.values()].some(({ count }) => count >= this.#needed);
  }

  override impossible(): boolean {
    return this.settled() && !this.enough();
  }

  override response(): StoredObject | null {
    return [...this.#counts.values()].find(({ count }) => count >= this.#needed)?.object ?? null;
  }

  override repairs(): [] {
    return [];
  }
}

/** Shows the value with the latest wall time, and the context of all. */
class LatestOnly extends ReadQuorum {
  override response(): StoredObject | null {
    const object = super.response();
    if (object === null) return null;
    const latest = object.siblings.reduce((a, b) => b.wallMs > a.wallMs ? b : a);
    return { ...object, siblings: [latest] };
  }
}

/** Counts a replica that may have lost data. */
class NotWholeCounts extends ReadQuorum {
  override add(replica: NodeId, answer: ReadAnswer): void {
    super.add(
      replica,
      !answer.ok && answer.code === "not-whole" ? { ok: true, object: answer.object } : answer,
    );
  }
}

/** Finds stale replicas and leaves them so. */
class NoRepair extends ReadQuorum {
  override repairs(): [] {
    return [];
  }
}

/** Counts whoever may have the write. */
class MaybeCounts extends WriteQuorum {
  override add(replica: NodeId, answer: WriteAnswer): void {
    super.add(replica, answer.ok || answer.definite ? answer : { ok: true });
  }
}

/** See the module. */
export const QUORUM_BUGS: readonly Bug[] = [
  {
    name: "acknowledges before W replicas have it",
    breaks: "an acknowledged write is on fewer nodes than was promised",
    plan: APART,
    plant: () => coordinator({ writeQuorum: (options) => new WriteQuorum({ ...options, needed: 1 }) }),
  },
  {
    name: "counts a replica that may have the write",
    breaks: "a connection that broke is taken for an acknowledgement",
    plan: { faults: ["delay"], quorum: ALL_WRITE, adjust: brittle },
    plant: () => coordinator({ writeQuorum: (options) => new MaybeCounts(options) }),
  },
  {
    name: "answers before R replicas have",
    breaks: "the replica that was asked may not have been among the W",
    plan: APART,
    plant: () => coordinator({ readQuorum: (options) => new ReadQuorum({ ...options, needed: 1 }) }),
  },
  {
    name: "waits for every replica of a read",
    breaks: "one node that is down is enough, and nothing can be read: not what R is for",
    plan: { faults: ["delay"], quorum: TWO_OF_THREE },
    plant: () =>
      coordinator({
        readQuorum: (options) => new ReadQuorum({ ...options, needed: options.replicas.length }),
      }),
  },
  {
    name: "waits for every replica of a write",
    breaks: "one node that is down is enough, and nothing can be written",
    plan: { faults: ["delay"], quorum: TWO_OF_THREE },
    plant: () =>
      coordinator({
        writeQuorum: (options) => new WriteQuorum({ ...options, needed: options.replicas.length }),
      }),
  },
  {
    name: "answers with one reply instead of merging",
    breaks: "R answers came, and R - 1 were not looked at",
    plan: APART,
    plant: () => coordinator({ readQuorum: (options) => new FirstReply(options) }),
  },
  {
    name: "counts only identical replies",
    breaks: "v2, v1 and nothing make no quorum though v2 is there (RLDB)",
    plan: APART,
    isUnmended: true,
    plant: () => coordinator({ readQuorum: (options) => new IdenticalReplies(options) }),
  },
  {
    name: "a read shows the latest value by the wall clock",
    breaks:
      "a concurrent value is not shown, and covered by the context: the reader's next write replaces it",
    plan: { faults: ["clock-skew", "delay", "pause"] },
    plant: () => coordinator({ readQuorum: (options) => new LatestOnly(options) }),
  },
  {
    name: "a replica that is not whole counts towards R",
    breaks: "a store that was wiped says that nothing is there",
    plan: { faults: [], quorum: ONE_OF_TWO, adjust: wipedAlone },
    plant: () => coordinator({ readQuorum: (options) => new NotWholeCounts(options) }),
  },
  {
    name: "stale replicas are found and not repaired",
    breaks: "replicas do not become equal",
    plan: { faults: ["no-space", "sync-error"], quorum: TWO_OF_THREE },
    isUnmended: true,
    plant: () => coordinator({ readQuorum: (options) => new NoRepair(options) }),
  },
  {
    name: "a write that timed out has failed for certain",
    breaks: "the client forgets a write that happens",
    plan: { faults: ["two-way", "majority", "slow-disk", "pause"] },
    plant: () => coordinator({ expiry: (...of) => ({ ...expiry(...of), definite: true }) }),
  },
  {
    name: "a put tries only the first node of the list",
    breaks: "one node is down, and a third of the keys cannot be written (RLDB)",
    plan: { faults: ["pause", "kill"], quorum: TWO_OF_THREE, adjust: oneVictim },
    plant: () =>
      coordinator({
        nextCoordinator: ({ self, primaries: [first], tried, isForwarded }) =>
          tried.length > 0 ? undefined : isForwarded ? self : first,
      }),
  },
  {
    name: "the last replica of every list is left out",
    breaks: "there are N - 1 replicas",
    plan: { faults: ["delay"] },
    plant: () => coordinator({ preferenceList: (...of) => preferenceList(...of).slice(0, -1) }),
  },
  {
    name: "one node maps keys to other partitions",
    breaks: "what it writes is found by nobody else (FAULTS 53)",
    plan: { faults: ["delay"] },
    plant: () => ({
      cores: (index) =>
        index > 0 ? {} : {
          coordinator: { partitionOf: (key, partitions) => partitions - 1 - partitionOf(key, partitions) },
        },
    }),
  },
];
