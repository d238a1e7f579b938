/**
 * What clients can know of one key: which writes a read must have taken into account, and which it may have.
 *
 * A version is opaque to clients, and a checker that looked into it would believe the very code that it judges.
 * So what the context of a read covers is bounded from outside, out of nothing but what clients asked and were
 * told. Writes are partly ordered by their contexts: one that took the context of a read along replaced what that
 * read covers, and what that had replaced.
 *
 * `atLeast(read)`: what the read showed and was settled ({@link KeyHistory.settled}), what it must have known
 * ({@link KeyHistory.known}), and what all those had replaced. `atMost(read)`: what it showed, every delete that may
 * have happened by then (a tombstone does not show), and what those may have replaced. A value that is shown should
 * not be if `atLeast` says that it was replaced; a write that is not shown is lost if not even `atMost` can explain
 * why.
 *
 * @module
 */

import type { Operation } from "../history.ts";
import type { Evidence } from "./evidence.ts";

/** A set of a key's writes, a bit for each: unions are what all this is made of. */
export type Writes = bigint;

/** Nobody tries a write again before so long. */
const AGAIN_MS = 5;

/** No write. */
export const NONE: Writes = 0n;

/** What was promised to all operations alike. */
export type Terms = Pick<Evidence, "n" | "losses" | "restores" | "sloppy"> & {
  /** Whether a write is taken for one version even while nobody knew its outcome; see {@link KeyHistory.settled}. */
  readonly strict?: boolean;
  /** Whether those who stood in for replicas have given back what they took: see the same. */
  readonly healed?: boolean;
};

/** One key's operations. */
export class KeyHistory {
  /** Reads that were answered, in the order they began. */
  readonly reads: readonly Operation[];
  /** Writes, whatever became of them. */
  readonly writes: readonly Operation[];
  readonly #terms: Terms;
  #healed: KeyHistory | null = null;
  /** A write's value, to its place in `writes`. */
  readonly #byValue = new Map<string, number>();
  /** Answered reads by id. */
  readonly #causes = new Map<number, Operation>();
  readonly #known = new Map<Operation, Writes>();
  readonly #stale = new Map<Operation, Writes>();
  readonly #atLeast = new Map<Operation, Writes>();
  readonly #atMost = new Map<Operation, Writes>();

  /** @param operations all of one key @param terms N as it was in force, and whether a node may have lost its disk */
  constructor(operations: readonly Operation[], terms: Terms) {
    this.#terms = terms;
    this.reads = operations.filter(({ kind, outcome }) => kind === "get" && outcome === "ok");
    this.writes = operations.filter(({ kind }) => kind !== "get");
    for (const read of this.reads) this.#causes.set(read.id, read);
    for (const [index, { value }] of this.writes.entries()) {
      if (value === null) continue;
      if (this.#byValue.has(value)) throw new TypeError(`two writes of the same value: ${value}`);
      this.#byValue.set(value, index);
    }
  }

  /** The same history, as it must look once everything has healed. */
  get healed(): KeyHistory {
    return this.#healed ??= new KeyHistory([...this.reads, ...this.writes], { ...this.#terms, healed: true });
  }

  /** Which write a value comes from. */
  writeOf(value: string): Operation | undefined {
    return this.writes[this.#byValue.get(value) ?? -1];
  }

  /** The writes of a set. */
  listed(set: Writes): Operation[] {
    return this.writes.filter((_, index) => (set & bit(index)) !== NONE);
  }

  /** The writes whose values a read shows. */
  shown({ values }: Operation): Writes {
    let shown = NONE;
    for (const value of values) {
      const index = this.#byValue.get(value);
      if (index !== undefined) shown |= bit(index);
    }
    return shown;
  }

  /**
   * Writes that a read must have known of, shown or not: acknowledged before it began, by W replicas of which at
   * least one is among the R that it heard (W + R > N), and not to be undone by the loss of one disk (W > 1). A
   * write that was seen and never acknowledged is not certain: one replica may have had it, and lost it when the
   * power failed. With sloppy quorums the W may not have been replicas, until they have given back what they took: all
   * that is promised then is promised to reads after healing.
   */
  known(read: Operation): Writes {
    return memoized(this.#known, read, () => {
      const { n, losses, restores = false, sloppy = false } = this.#terms;
      if (sloppy && !read.isFinal) return NONE;
      if (restores && read.quorum < 2 && !read.isFinal) return NONE;
      return this.#where(({ outcome, endMs, quorum }) => {
        if (outcome !== "ok" || endMs >= read.startMs) return false;
        const w = Math.min(quorum, n);
        return w + read.quorum > n && !(losses && w < 2);
      });
    });
  }

  /** Writes that were replaced by what a read shows or must have known of. */
  stale(read: Operation): Writes {
    return memoized(
      this.#stale,
      read,
      () => this.#replaced(this.shown(read) | this.known(read), this.atLeast),
    );
  }

  /**
   * Writes that were acknowledged before a read began. Any other may still be retried by whoever is in doubt about
   * it, under its request id but as another version, of which a context that was read before knows nothing. DESIGN
   * promises at most one sibling for it, and leaves open whether a write of unknown outcome is there. With sloppy
   * quorums one that may have been tried twice can have been acknowledged as two versions, by replicas and by those
   * who stand in for them, and is one again once these have given back what they took (987004059).
   */
  settled(read: Operation): Writes {
    const { strict = false, sloppy = false, healed = false } = this.#terms;
    return this.#where(({ outcome, startMs, endMs }) => {
      const isOnce = !sloppy || healed || endMs - startMs < AGAIN_MS;
      return strict || outcome === "ok" && endMs < read.startMs && isOnce;
    });
  }

  /** Writes that the context of a read certainly covers. */
  readonly atLeast = (read: Operation): Writes =>
    memoized(
      this.#atLeast,
      read,
      () => this.shown(read) & this.settled(read) | this.known(read) | this.stale(read),
    );

  /** Writes that the context of a read may cover. */
  readonly atMost = (read: Operation): Writes =>
    memoized(this.#atMost, read, () => {
      const hidden = this.#where(({ kind, outcome, startMs }) =>
        kind === "del" && outcome !== "failed" && startMs < read.endMs
      );
      const there = this.shown(read) | hidden;
      return there | this.#replaced(there, this.atMost);
    });

  /** What a write certainly replaced. */
  replacedBy({ context }: Operation): Writes {
    const cause = this.#causes.get(context ?? -1);
    return cause === undefined ? NONE : this.atLeast(cause);
  }

  /** What the writes of a set replaced, when a context covers so much. */
  #replaced(set: Writes, coverage: (read: Operation) => Writes): Writes {
    let replaced = NONE;
    for (const { context } of this.listed(set)) {
      const cause = this.#causes.get(context ?? -1);
      if (cause !== undefined) replaced |= coverage(cause);
    }
    return replaced;
  }

  #where(isIn: (write: Operation) => boolean): Writes {
    let set = NONE;
    for (const [index, write] of this.writes.entries()) if (isIn(write)) set |= bit(index);
    return set;
  }
}

const BITS: Writes[] = [];

function bit(index: number): Writes {
  return BITS[index] ??= 1n << BigInt(index);
}

/** Causes end before their effects begin; should a broken history have a circle, nothing is known within it. */
function memoized(memo: Map<Operation, Writes>, read: Operation, work: () => Writes): Writes {
  const known = memo.get(read);
  if (known !== undefined) return known;
  memo.set(read, NONE);
  const set = work();
  memo.set(read, set);
  return set;
}
