/**
 * Keys, values and counts within their limits: asked of a client before it sends and again at the door. Pure.
 *
 * @module
 */

import { LIMITS } from "../actors/runtime/limits.ts";

/** What is wrong with a request. */
export interface Fault {
  /** `too-large` names the limit; everything else makes no sense. */
  readonly code: "too-large" | "bad-request";
  /** For people. */
  readonly message: string;
}

/** What is wrong with a key, null when nothing is. */
export function judgeKey(key: Uint8Array): Fault | null {
  if (key.length === 0) return { code: "bad-request", message: "the key is empty; it needs at least 1 byte" };
  if (key.length <= LIMITS.keyBytes) return null;
  return { code: "too-large", message: `the key has ${key.length} bytes, the limit is ${LIMITS.keyBytes}` };
}

/** What is wrong with a value, null when nothing is; a delete has none. */
export function judgeValue(value: Uint8Array | null): Fault | null {
  if (value === null || value.length <= LIMITS.valueBytes) return null;
  return {
    code: "too-large",
    message: `the value has ${value.length} bytes, the limit is ${LIMITS.valueBytes}`,
  };
}

/** What is wrong with a time to live, null when nothing is. */
export function judgeTtl(ttlMs: number | undefined): Fault | null {
  if (ttlMs === undefined || Number.isInteger(ttlMs) && ttlMs >= 1 && ttlMs <= LIMITS.ttlMs) return null;
  return {
    code: "bad-request",
    message: `ttlMs = ${ttlMs}: expected a whole number from 1 to ${LIMITS.ttlMs}`,
  };
}

/** What is wrong with an R or W that a caller gave, null when nothing is; undefined means the cluster's own. */
export function judgeCount(name: "r" | "w", count: number | undefined): Fault | null {
  if (count === undefined || Number.isInteger(count) && count >= 1 && count <= LIMITS.replicas) return null;
  return {
    code: "bad-request",
    message: `${name} = ${count}: expected a whole number from 1 to ${LIMITS.replicas}`,
  };
}
