/**
 * What the replicas of a key answered to a write, and what follows (Dynamo, sections 4.5 and 4.6). A value that
 * answers are added to: no messages, no clock.
 *
 * W acknowledgements mean that W nodes have the write on stable storage. Fewer do not mean that it did not
 * happen: a replica that kept it, or may have, will spread it by repair. A failure is `definite` only when
 * every replica has said that it certainly did not keep the write; a client may then forget it, otherwise it
 * must not.
 *
 * A sloppy quorum counts whoever stands in for a replica that is away. Counted at any time, that would give up more
 * than it has to: with one of three replicas away, one replica and one stand-in would do for W = 2, and a read of the
 * other two misses the write as soon as the third is back. So stand-ins count only where the replicas that are left
 * could not make W by themselves. As long as they can, a sloppy write is as good as a strict one, and R + W > N holds;
 * when they cannot, a strict write fails.
 *
 * While a partition passes from some owners to others a write needs W of the ones and W of the others; a node that
 * is in both lists counts in both. Then nobody counts who stands in: what owners copy from each other would lack the
 * write (`actors/ring_manager/moves.ts`).
 *
 * @module
 */

import type { NodeId, WriteAnswer } from "../replica_store/protocol.ts";
import type { FailureCode } from "./protocol.ts";
import type { JointQuorumOptions } from "./read_quorum.ts";

/** Why a write quorum was not met: the `Failure` to answer, but for what else the coordinator knows. */
export interface WriteFailure {
  /** Why. */
  readonly code: FailureCode;
  /** For people. */
  readonly message: string;
  /** Whether certainly no replica kept the write. */
  readonly definite: boolean;
  /** Replicas that acknowledged. */
  readonly answered: number;
  /** Replicas that were needed. */
  readonly needed: number;
}

/** What a write that outlived its deadline is answered: it may be there or not. */
export function expiry(answered: number, needed: number): WriteFailure {
  const message = `${answered} of the ${needed} replicas needed acknowledged the write in time`;
  return { code: "timeout", message, definite: false, answered, needed };
}

/** What a write quorum is asked of. */
export interface WriteQuorumOptions extends JointQuorumOptions {
  /** Whether those that stand in count where the replicas cannot do it; never where there are others. Default false. */
  readonly sloppy?: boolean;
}

/** A node that keeps the write for a replica. */
interface StandIn {
  readonly index: number;
  answer: WriteAnswer | undefined;
}

/**
 * A write quorum.
 *
 * @example
 * ```ts
 * import { WriteQuorum } from "./write_quorum.ts";
 * import { assert, assertEquals } from "../runtime/testing/assert.ts";
 *
 * const quorum = new WriteQuorum({ needed: 2, replicas: ["a", "b", "c"] });
 * quorum.add("a", { ok: true });
 * quorum.add("b", { ok: false, code: "overloaded", definite: true });
 * assert(!quorum.enough() && !quorum.impossible());
 * quorum.add("c", { ok: false, code: "unavailable", definite: true });
 * assert(quorum.impossible());
 * assertEquals(quorum.failure().definite, false); // a has it
 * ```
 */
export class WriteQuorum {
  readonly #needed: number;
  /** All that are asked: the owners, so many, and those of the others that are none. */
  readonly #replicas: readonly NodeId[];
  readonly #owners: number;
  /** The other list, by index; null while there is one only. */
  readonly #others: { readonly needed: number; readonly indexes: readonly number[] } | null;
  readonly #sloppy: boolean;
  readonly #answers: (WriteAnswer | undefined)[] = [];
  /** Replicas that may well be away, by index. */
  readonly #doubted = new Set<number>();
  readonly #standIns = new Map<NodeId, StandIn>();
  #heard = 0;
  #acknowledged = 0;

  /**
   * A quorum that nobody has answered. @throws {RangeError} when `needed` is less than 1.
   *
   * @example A partition that passes from a, b and c to b, c and d
   * ```ts
   * import { WriteQuorum } from "./write_quorum.ts";
   * import { assert, assertEquals } from "../runtime/testing/assert.ts";
   *
   * const others = { needed: 2, replicas: ["b", "c", "d"] };
   * const quorum = new WriteQuorum({ needed: 2, replicas: ["a", "b", "c"], others });
   * assertEquals(quorum.silent(), ["a", "b", "c", "d"]);
   * for (const replica of ["a", "b"]) quorum.add(replica, { ok: true });
   * assert(!quorum.enough()); // of the others only b has it
   * quorum.add("d", { ok: true });
   * assert(quorum.enough());
   * ```
   */
  constructor({ needed, replicas, sloppy = false, others }: WriteQuorumOptions) {
    if (!(needed >= 1) || others !== undefined && !(others.needed >= 1)) {
      throw new RangeError(`a quorum of ${Math.min(needed, others?.needed ?? needed)}`);
    }
    this.#needed = needed;
    this.#owners = replicas.length;
    this.#replicas = others === undefined ? replicas : [...new Set([...replicas, ...others.replicas])];
    this.#others = others === undefined ? null : {
      needed: others.needed,
      indexes: others.replicas.map((replica) => this.#replicas.indexOf(replica)),
    };
    this.#sloppy = sloppy && others === undefined;
  }

  /** A replica may well be away: it is not waited for where others can do. */
  doubt(replica: NodeId): void {
    const index = this.#replicas.indexOf(replica);
    if (index >= 0) this.#doubted.add(index);
  }

  /** A node was asked to keep the write for a replica that may well be away. */
  standIn(fallback: NodeId, replica: NodeId): void {
    const index = this.#replicas.indexOf(replica);
    if (index < 0 || this.#standIns.has(fallback)) return;
    this.#doubted.add(index);
    this.#standIns.set(fallback, { index, answer: undefined });
  }

  /** Nodes that were asked to stand in. */
  standIns(): NodeId[] {
    return [...this.#standIns.keys()];
  }

  /**
   * Replicas that may well be away and have nobody to stand in for them; `impatient`: or only such as have not
   * answered either.
   */
  wanting(impatient = false): NodeId[] {
    return this.#replicas.filter((_, index) =>
      this.#doubted.has(index) && this.#answers[index]?.ok !== true &&
      !this.#some(index, (answer) => answer === undefined ? !impatient : answer.ok)
    );
  }

  /** Take an answer. Only the first of a node counts; one that was not asked is ignored. */
  add(replica: NodeId, answer: WriteAnswer): void {
    const standIn = this.#standIns.get(replica);
    if (standIn !== undefined) {
      standIn.answer ??= answer;
      return;
    }
    const index = this.#replicas.indexOf(replica);
    if (index < 0 || this.#answers[index] !== undefined) return;
    this.#answers[index] = answer;
    this.#heard++;
    if (answer.ok) this.#acknowledged++;
  }

  /** Replicas that acknowledged, or somebody who counts in their place did; of two lists, of the one further off. */
  get answered(): number {
    const isKept = (index: number) => this.#isKept(index);
    const ofOwners = this.#count(isKept, this.#owners);
    if (this.#others === null) return ofOwners;
    const { needed, indexes } = this.#others;
    const ofOthers = indexes.filter(isKept).length;
    return needed - ofOthers > this.#needed - ofOwners ? ofOthers : ofOwners;
  }

  /** Whether as many as needed acknowledged. */
  enough(): boolean {
    if (this.#isMet((index) => this.#answers[index]?.ok === true)) return true;
    return this.#sloppy && this.#acknowledged + this.#hopeful() < this.#needed &&
      this.answered >= this.#needed;
  }

  /** Whether that took somebody who stands in. */
  get isSloppy(): boolean {
    return this.#acknowledged < this.#needed;
  }

  /** Whether there can never be enough. */
  impossible(): boolean {
    return !this.#isMet((index) =>
      this.#answers[index] === undefined || this.#isKept(index) ||
      this.#sloppy && this.#some(index, (answer) => answer === undefined)
    );
  }

  /** Whether as many as needed of each list are such. */
  #isMet(isSuch: (index: number) => boolean): boolean {
    if (this.#count(isSuch, this.#owners) < this.#needed) return false;
    return this.#others === null || this.#others.indexes.filter(isSuch).length >= this.#others.needed;
  }

  /** Replicas that have not answered, and are expected to. */
  #hopeful(): number {
    return this.#count((index) => this.#answers[index] === undefined && !this.#doubted.has(index));
  }

  /** Whether a replica has the write, or somebody keeps it for it. */
  #isKept(index: number): boolean {
    return this.#answers[index]?.ok === true ||
      this.#sloppy && this.#some(index, (answer) => answer?.ok === true);
  }

  #some(index: number, isSuch: (answer: WriteAnswer | undefined) => boolean): boolean {
    for (const standIn of this.#standIns.values()) {
      if (standIn.index === index && isSuch(standIn.answer)) return true;
    }
    return false;
  }

  #count(isSuch: (index: number) => boolean, among: number = this.#replicas.length): number {
    let count = 0;
    for (let index = 0; index < among; index++) if (isSuch(index)) count++;
    return count;
  }

  /** Replicas that have not answered. */
  silent(): readonly NodeId[] {
    return this.#replicas.filter((_, index) => this.#answers[index] === undefined);
  }

  /** Those that have not answered of the nodes that stand in, and for whom they do. */
  silentStandIns(): { readonly fallback: NodeId; readonly replica: NodeId }[] {
    return [...this.#standIns].filter(([, { answer }]) => answer === undefined)
      .map(([fallback, { index }]) => ({ fallback, replica: this.#replicas[index]! }));
  }

  /** Whether every replica has answered. */
  settled(): boolean {
    return this.#heard === this.#replicas.length;
  }

  /** Why there are not enough: for good when {@link impossible}, else by now (`timeout`). */
  failure(): WriteFailure {
    const twice = this.#others === null ? "" : ", of the owners before and after the move each,";
    const count = `${this.answered} of the ${this.#needed} replicas needed${twice}`;
    return {
      code: this.#code(),
      message: `${count} acknowledged the write (${this.#roll()})`,
      definite: this.#replicas.every((_, index) => isRefusal(this.#answers[index])) &&
        [...this.#standIns.values()].every(({ answer }) => isRefusal(answer)),
      answered: this.answered,
      needed: this.#needed,
    };
  }

  /** `quorum-unmet`, unless all replicas say the same and a client had better know that. */
  #code(): FailureCode {
    if (!this.impossible()) return "timeout";
    const refusals = new Set<string>();
    for (let index = 0; index < this.#replicas.length; index++) {
      const answer = this.#answers[index];
      if (!isRefusal(answer)) return "quorum-unmet";
      refusals.add(answer.code === "wrong-epoch" ? "ring-changing" : answer.code);
    }
    const [only] = refusals;
    return refusals.size === 1 && (only === "overloaded" || only === "ring-changing") ? only : "quorum-unmet";
  }

  #roll(): string {
    return [
      ...this.#replicas.map((replica, index) => inWords(replica, this.#answers[index])),
      ...[...this.#standIns].map(([fallback, { index, answer }]) =>
        `${inWords(fallback, answer)} for ${this.#replicas[index]!.slice(0, 8)}`
      ),
    ].join(", ");
  }
}

function inWords(node: NodeId, answer: WriteAnswer | undefined): string {
  return `${node.slice(0, 8)} ${answer === undefined ? "not heard yet" : answer.ok ? "ok" : answer.code}`;
}

/** Whether the replica certainly did not keep the write. */
function isRefusal(answer: WriteAnswer | undefined): answer is WriteAnswer & { ok: false } {
  return answer !== undefined && !answer.ok && answer.definite;
}
