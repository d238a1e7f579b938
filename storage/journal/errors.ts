/**
 * Failures of the disk, as engines tell of them.
 *
 * @module
 */

import { DiskError } from "../../actors/runtime/environment.ts";
import { EngineError } from "../engine.ts";

/** A failure of the disk as an {@link EngineError}; anything else as it is. */
export function asEngineError(error: unknown): unknown {
  if (!(error instanceof DiskError)) return error;
  if (error.code === "locked") return new EngineError("locked", error.message);
  return new EngineError(error.code === "no-space" ? "full" : "io", error.message);
}
