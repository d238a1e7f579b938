/**
 * What the replicas of a key answered to a read, and what follows (Dynamo, sections 4.5 and 4.7). A value
 * that answers are added to: no messages, no clock. Modelled on `riak_kv_get_core`.
 *
 * The obvious way to read from R replicas is to wait until R of them say the same. A write that is on its
 * way, or was missed by one replica, makes three replicas say v2, v1 and nothing: then no two ever agree and
 * the read fails, though all that is needed is there. Versions know better than votes: whichever R replicas
 * answer, one of them took part in the last acknowledged write (R + W > N), and the merge of what they hold
 * has it, as well as whatever was concurrent with it. So answers are counted however they differ, and merged.
 * A whole replica that holds nothing counts too; one that may have lost data (`not-whole`) does not, but what
 * it still holds is true and is merged with the rest. So is what comes in after R were reached.
 *
 * A sloppy read also asks the nodes that stand in for replicas that are away (Dynamo, section 4.6). One that holds a
 * hint for the key counts in the place of a replica, where the replicas that are left could not make R by themselves;
 * one that holds none proves nothing, and does not count: never is a key said not to be there by nodes that need not
 * know of it.
 *
 * That is no worse while a partition passes from some owners to others (`actors/ring_manager/moves.ts`). A read asks
 * the one list whose owners hold whatever was acknowledged: the new one only once each of its owners has a verified
 * copy, and every write since needed W of it, stand-ins not counted. There, too, hints count only where R of that list
 * cannot be reached; whoever cannot do with less says `sloppy: false`, and none count.
 *
 * @module
 */

import { equalBytes } from "../runtime/bytes.ts";
import { includes, merge, type StoredObject, verifyValues } from "../replica_store/object.ts";
import { decodeObject, encodeObject, ObjectFormatError } from "../replica_store/object_codec.ts";
import type { EncodedObject, NodeId, ReadAnswer } from "../replica_store/protocol.ts";

/** What a quorum is asked of. */
export interface QuorumOptions {
  /** Replicas that must answer well, at least 1. */
  readonly needed: number;
  /** Those that are asked. */
  readonly replicas: readonly NodeId[];
}

/**
 * What a write is asked of while its partition passes from some owners to others: both, each with its own quorum
 * (`actors/ring_manager/moves.ts`).
 */
export interface JointQuorumOptions extends QuorumOptions {
  /** The other owners and how many of them must answer well; absent: there are none. */
  readonly others?: QuorumOptions;
}

/** What a replica should be sent. */
export interface Repair {
  /** Who lacks something. */
  readonly replica: NodeId;
  /** All that is known. */
  readonly object: EncodedObject;
}

/** An answer that holds something, decoded; equal answers share one. */
interface Held {
  readonly bytes: EncodedObject;
  readonly object: StoredObject;
}

/** What a replica's answer comes to. Nothing more can be expected of one that is `silent`. */
type Finding = Held | "nothing" | "unreadable" | "silent";

/**
 * A read quorum.
 *
 * @example
 * ```ts
 * import { ReadQuorum } from "./read_quorum.ts";
 * import { assert, assertEquals } from "../runtime/testing/assert.ts";
 *
 * const quorum = new ReadQuorum({ needed: 2, replicas: ["a", "b", "c"] });
 * quorum.add("a", { ok: true, object: null });
 * quorum.add("b", { ok: false, code: "overloaded" });
 * assert(!quorum.enough() && !quorum.impossible());
 * quorum.add("c", { ok: true, object: null });
 * assert(quorum.enough());
 * assertEquals(quorum.response(), null);
 * ```
 */
export class ReadQuorum {
  readonly #needed: number;
  readonly #replicas: readonly NodeId[];
  readonly #findings: (Finding | undefined)[] = [];
  /** Nodes that may hold hints, and what each of them answered. */
  readonly #fallbacks = new Map<NodeId, Finding | undefined>();
  /** Replicas that may well be away. */
  readonly #doubted = new Set<NodeId>();
  #heard = 0;
  #counted = 0;
  #merged: StoredObject | null = null;

  /** A quorum that nobody has answered. @throws {RangeError} when `needed` is less than 1. */
  constructor({ needed, replicas }: QuorumOptions) {
    if (!(needed >= 1)) throw new RangeError(`a quorum of ${needed}`);
    this.#needed = needed;
    this.#replicas = replicas;
  }

  /** Nodes that may hold hints for the key are asked, too. */
  widen(fallbacks: readonly NodeId[]): void {
    for (const fallback of fallbacks) {
      if (!this.#replicas.includes(fallback)) this.#fallbacks.set(fallback, undefined);
    }
  }

  /** A replica may well be away: it is not waited for where others can do. */
  doubt(replica: NodeId): void {
    this.#doubted.add(replica);
  }

  /** Take an answer. Only the first of a node counts; one that was not asked is ignored. */
  add(replica: NodeId, answer: ReadAnswer): void {
    if (this.#fallbacks.has(replica)) {
      if (this.#fallbacks.get(replica) === undefined) this.#fallbacks.set(replica, this.#judge(answer));
      return;
    }
    const index = this.#replicas.indexOf(replica);
    if (index < 0 || this.#findings[index] !== undefined) return;
    const finding = this.#judge(answer);
    this.#findings[index] = finding;
    this.#heard++;
    if (answer.ok && finding !== "unreadable") this.#counted++;
  }

  /** Replicas that answered well, and hints in the place of others. */
  get answered(): number {
    return Math.min(this.#replicas.length, this.#counted + this.#hints((finding) => isHeld(finding)));
  }

  /** Whether as many as needed answered well. */
  enough(): boolean {
    if (this.#counted >= this.#needed) return true;
    return this.#fallbacks.size > 0 && this.#counted + this.#hopeful() < this.#needed &&
      this.answered >= this.#needed;
  }

  /** Whether there can never be enough. */
  impossible(): boolean {
    const open = this.#replicas.length - this.#heard;
    const hints = this.#hints((finding) => finding === undefined || isHeld(finding));
    return Math.min(this.#replicas.length, this.#counted + open + hints) < this.#needed;
  }

  /** Replicas that have not answered, and are expected to. */
  #hopeful(): number {
    return this.silent().filter((replica) => !this.#doubted.has(replica)).length;
  }

  #hints(isSuch: (finding: Finding | undefined) => boolean): number {
    let count = 0;
    for (const finding of this.#fallbacks.values()) if (isSuch(finding)) count++;
    return count;
  }

  /** Nodes that may hold hints and have not answered. */
  silentFallbacks(): NodeId[] {
    return [...this.#fallbacks].filter(([, finding]) => finding === undefined).map(([fallback]) => fallback);
  }

  /** Replicas that have not answered. */
  silent(): readonly NodeId[] {
    return this.#replicas.filter((_, index) => this.#findings[index] === undefined);
  }

  /** Whether every replica has answered. */
  settled(): boolean {
    return this.#heard === this.#replicas.length;
  }

  /** All that the answers so far hold together; null for nothing. Its values match their CRC-32C. */
  response(): StoredObject | null {
    return this.#merged;
  }

  /** Whoever answered and lacks something of {@link response}, with what to send; the damaged lack it all. */
  repairs(): Repair[] {
    const merged = this.#merged;
    if (merged === null) return [];
    let object: EncodedObject | null = null;
    const repairs: Repair[] = [];
    this.#findings.forEach((finding, index) => {
      if (finding === undefined || finding === "silent") return;
      if (typeof finding === "object" && (finding.object === merged || includes(finding.object, merged))) {
        return;
      }
      object ??= this.#find((held) => held.object === merged)?.bytes ?? encodeObject(merged);
      repairs.push({ replica: this.#replicas[index]!, object });
    });
    return repairs;
  }

  #judge(answer: ReadAnswer): Finding {
    if (!answer.ok && answer.code !== "not-whole") {
      return answer.code === "unreadable" ? "unreadable" : "silent";
    }
    if (answer.object === null) return "nothing";
    const bytes = answer.object;
    const same = this.#find((held) => equalBytes(held.bytes, bytes));
    if (same !== undefined) return same;
    const object = decodeVerified(bytes);
    if (object === null) return "unreadable";
    this.#merged = this.#merged === null ? object : united(this.#merged, object);
    return { bytes, object };
  }

  /** The first answer that holds something such. */
  #find(isWanted: (held: Held) => boolean): Held | undefined {
    for (const finding of this.#findings) {
      if (typeof finding === "object" && isWanted(finding)) return finding;
    }
    return undefined;
  }
}

function isHeld(finding: Finding | undefined): finding is Held {
  return typeof finding === "object";
}

/** The merge; the operand itself where one has it all, so that it need not be encoded again. */
function united(a: StoredObject, b: StoredObject): StoredObject {
  return includes(a, b) ? a : includes(b, a) ? b : merge(a, b);
}

/** The object, null when it is damaged: what is corrupt is never served. */
function decodeVerified(bytes: EncodedObject): StoredObject | null {
  try {
    const object = decodeObject(bytes);
    return verifyValues(object) ? object : null;
  } catch (error) {
    if (error instanceof ObjectFormatError) return null;
    throw error;
  }
}
