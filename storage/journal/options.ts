/**
 * What a journal needs.
 *
 * @module
 */

import type { Environment } from "../../actors/runtime/environment.ts";
import type { SyncPolicy } from "../engine.ts";

/** What a journal needs; spread an `Environment` into it. */
export interface JournalOptions extends Pick<Environment, "disk" | "clock" | "random" | "log"> {
  /** Where its files are. */
  readonly directory: string;
  /** When an append counts as durable. */
  readonly sync: SyncPolicy;
  /** When a segment is long enough. Default `LIMITS.segmentBytes`. */
  readonly segmentBytes?: number;
}
