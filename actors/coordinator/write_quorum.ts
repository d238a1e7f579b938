/**
 * What the replicas of a key answered to a write, and what follows (Dynamo, section 4.5). A value that
 * answers are added to: no messages, no clock.
 *
 * W acknowledgements mean that W nodes have the write on stable storage. Fewer do not mean that it did not
 * happen: a replica that kept it, or may have, will spread it by repair. A failure is `definite` only when
 * every replica has said that it certainly did not keep the write; a client may then forget it, otherwise it
 * must not.
 *
 * While a partition passes from some owners to others a write needs W of the ones and W of the others; a node that
 * is in both lists counts in both.
 *
 * @module
 */

import type { NodeId, WriteAnswer } from "../replica_store/protocol.ts";
import type { FailureCode } from "./protocol.ts";
import type { JointQuorumOptions, QuorumOptions } from "./read_quorum.ts";

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
  /** The lists, each with its own quorum; one, or two while owners change. */
  readonly #lists: readonly QuorumOptions[];
  readonly #replicas: readonly NodeId[];
  readonly #answers: (WriteAnswer | undefined)[] = [];
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
  constructor({ needed, replicas, others }: JointQuorumOptions) {
    if (!(needed >= 1) || others !== undefined && !(others.needed >= 1)) {
      throw new RangeError(`a quorum of ${Math.min(needed, others?.needed ?? needed)}`);
    }
    this.#needed = needed;
    this.#lists = others === undefined ? [{ needed, replicas }] : [{ needed, replicas }, others];
    this.#replicas = others === undefined ? replicas : [...new Set([...replicas, ...others.replicas])];
  }

  /** Take an answer. Only the first of a replica counts; one that was not asked is ignored. */
  add(replica: NodeId, answer: WriteAnswer): void {
    const index = this.#replicas.indexOf(replica);
    if (index < 0 || this.#answers[index] !== undefined) return;
    this.#answers[index] = answer;
    this.#heard++;
    if (answer.ok) this.#acknowledged++;
  }

  /** Replicas that acknowledged. */
  get answered(): number {
    return this.#acknowledged;
  }

  /** Whether as many as needed acknowledged. */
  enough(): boolean {
    return this.#lists.every((list) => this.#count(list, (answer) => answer?.ok === true) >= list.needed);
  }

  /** Whether there can never be enough. */
  impossible(): boolean {
    return this.#lists.some((list) =>
      this.#count(list, (answer) => answer === undefined || answer.ok) < list.needed
    );
  }

  /** How many of a list answered so. */
  #count({ replicas }: QuorumOptions, isSuch: (answer: WriteAnswer | undefined) => boolean): number {
    if (this.#lists.length === 1) {
      let count = 0;
      for (let index = 0; index < replicas.length; index++) if (isSuch(this.#answers[index])) count++;
      return count;
    }
    return replicas.filter((replica) => isSuch(this.#answers[this.#replicas.indexOf(replica)])).length;
  }

  /** Replicas that have not answered. */
  silent(): readonly NodeId[] {
    return this.#replicas.filter((_, index) => this.#answers[index] === undefined);
  }

  /** Whether every replica has answered. */
  settled(): boolean {
    return this.#heard === this.#replicas.length;
  }

  /** Why there are not enough: for good when {@link impossible}, else by now (`timeout`). */
  failure(): WriteFailure {
    const twice = this.#lists.length > 1 ? ", of the owners before and after the move each," : "";
    const count = `${this.#acknowledged} of the ${this.#needed} replicas needed${twice}`;
    return {
      code: this.#code(),
      message: `${count} acknowledged the write (${this.#roll()})`,
      definite: this.#replicas.every((_, index) => isRefusal(this.#answers[index])),
      answered: this.#acknowledged,
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
    return this.#replicas.map((replica, index) => {
      const answer = this.#answers[index];
      return `${replica.slice(0, 8)} ${
        answer === undefined ? "not heard yet" : answer.ok ? "ok" : answer.code
      }`;
    }).join(", ");
  }
}

/** Whether the replica certainly did not keep the write. */
function isRefusal(answer: WriteAnswer | undefined): answer is WriteAnswer & { ok: false } {
  return answer !== undefined && !answer.ok && answer.definite;
}
