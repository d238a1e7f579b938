/**
 * Before a write is minted by a replica that has not seen what the writer has seen.
 *
 * An object remembers which writes were replaced (`object.ts`, "Retries"), so that one of them that is minted a
 * second time, by a coordinator that took over late, is known for what it is. It can only remember what a
 * replica has held. Where the context covers more than this one does, it first takes in what the others hold;
 * otherwise a value that was replaced or deleted could come back with the retry until they have met.
 *
 * Best effort: replicas that do not answer soon are not waited for. What is missed then is a sibling too many,
 * never one too few.
 *
 * @module
 */

import { encodeObject } from "../replica_store/object_codec.ts";
import type { EncodedObject, NodeId, ReadAnswer, Stamped } from "../replica_store/protocol.ts";
import type { ReadQuorum } from "./read_quorum.ts";

/** The others are given so long. */
const PATIENCE_MS = 100;

/** What the other replicas of a key hold, as far as they have said. No clock: calls say what time it is. */
export class CatchUp {
  readonly #quorum: ReadQuorum;
  readonly #untilMs: number;

  /** @param quorum of the other replicas, all needed @param nowMs when they were asked */
  constructor(quorum: ReadQuorum, nowMs: number) {
    this.#quorum = quorum;
    this.#untilMs = nowMs + PATIENCE_MS;
  }

  /** A replica answered. */
  add(replica: NodeId, answer: ReadAnswer): void {
    this.#quorum.add(replica, answer);
  }

  /** Whether all have answered, or time is up. */
  isOver(nowMs: number): boolean {
    return this.#quorum.settled() || nowMs >= this.#untilMs;
  }

  /** What they hold together; null for nothing. */
  found(): (Stamped & { readonly object: EncodedObject }) | null {
    const object = this.#quorum.response();
    return object === null ? null : { object: encodeObject(object), stamp: this.#quorum.stamp };
  }
}
