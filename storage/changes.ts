/**
 * What every engine asks of the changes it is given.
 *
 * @module
 */

import { LIMITS } from "../actors/runtime/limits.ts";
import type { Change } from "./engine.ts";

/** @throws {RangeError} when an engine may not take these changes */
export function checkChanges(changes: readonly Change[]): void {
  let sizeBytes = 0;
  for (const { partition, key, record } of changes) {
    if (key.length === 0 || key.length > LIMITS.keyBytes) {
      throw new RangeError(`a key has 1 to ${LIMITS.keyBytes} bytes, not ${key.length}`);
    }
    if (!Number.isInteger(partition) || partition < 0 || partition >= LIMITS.partitions) {
      throw new RangeError(`no partition ${partition}`);
    }
    sizeBytes += key.length + (record?.length ?? 0);
  }
  if (sizeBytes > LIMITS.batchBytes) throw new RangeError(`a batch has at most ${LIMITS.batchBytes} bytes`);
}
