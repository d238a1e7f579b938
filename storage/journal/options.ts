/**
 * What a journal needs.
 *
 * @module
 */

import type { Environment } from "../../actors/runtime/environment.ts";
import type { SyncPolicy } from "../engine.ts";
import type { Scar, SegmentIdentity } from "./segments.ts";

/** What a journal needs; spread an `Environment` into it. */
export interface JournalOptions extends Pick<Environment, "disk" | "clock" | "random" | "log"> {
  /** Where its files are. */
  readonly directory: string;
  /** When an append counts as durable. */
  readonly sync: SyncPolicy;
  /** When a segment is long enough. Default `LIMITS.segmentBytes`. */
  readonly segmentBytes?: number;
  /** Everything has been replayed, and nothing is changed yet. Throws when the journal is not to be used. */
  readonly onReplayed?: () => void;
  /**
   * The ending of files that the owner keeps beside segments and can make again (`.hint`): such a file is removed with
   * its segment, and copied with it. Never for the segment that is being written.
   */
  readonly companion?: string;
  /**
   * Asked when the journal is opened, before anything is touched: where the records of this segment end, if the owner
   * knows what it holds without reading it. Then it is not read, nor its damage found, unless more than an end follows
   * there. Null: read it.
   */
  readonly knows?: (segment: SegmentIdentity) => number | null;
  /**
   * Something that was durable is gone, and everything else has been replayed: the record that remembers it. It is
   * the newest from the moment the damage is cut out, and replayed at once; so that no crash hides the loss. Throws
   * when the journal is not to be used, and then nothing in it is changed.
   */
  readonly scar?: () => Scar;
}
