/**
 * What `explain` shows of a replica's answer. Pure.
 *
 * @module
 */

import type { ReplicaExplanation } from "../coordinator/protocol.ts";
import type { StoredObject } from "../replica_store/object.ts";
import { decodeObject, ObjectFormatError } from "../replica_store/object_codec.ts";
import type { EncodedObject, ReadAnswer } from "../replica_store/protocol.ts";

/** An answer, null for none in time, in words and numbers. The bytes are another node's: they may be anything. */
export function explainAnswer(
  answer: ReadAnswer | null,
): Pick<ReplicaExplanation, "answer" | "version" | "siblings"> {
  if (answer === null) return { answer: "silent", version: [], siblings: [] };
  if (!answer.ok && answer.code !== "not-whole") {
    const said = answer.code === "overloaded" ? "unavailable" : answer.code;
    return { answer: said, version: [], siblings: [] };
  }
  const word = answer.ok ? (answer.object === null ? "missing" : "found") : "not-whole";
  if (answer.object === null) return { answer: word, version: [], siblings: [] };
  const object = decoded(answer.object);
  if (object === null) return { answer: "unreadable", version: [], siblings: [] };
  const { clock, siblings } = object;
  const short = (dot: { actor: string; counter: number }) => `${dot.actor.slice(0, 8)}:${dot.counter}`;
  return {
    answer: word,
    version: clock.map(short),
    siblings: siblings.map(({ dot, value, tombstone }) => ({
      dot: short(dot),
      sizeBytes: value.length,
      tombstone,
    })),
  };
}

/** The object, null when these bytes are none. */
function decoded(bytes: EncodedObject): StoredObject | null {
  try {
    return decodeObject(bytes);
  } catch (error) {
    if (error instanceof ObjectFormatError) return null;
    throw error;
  }
}
