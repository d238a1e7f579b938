/**
 * The decisions of the bitcask engine that a test may substitute, to show that the others notice.
 *
 * @module
 */

import { decodeChanges, isChange } from "./codec.ts";
import { decodeHint } from "./hint.ts";

/** What {@link openBitcaskEngine} believes of bytes. */
export interface BitcaskCore {
  /** See {@link decodeChanges}. */
  readonly decodeChanges: typeof decodeChanges;
  /** See {@link isChange}. */
  readonly isChange: typeof isChange;
  /** See {@link decodeHint}. */
  readonly decodeHint: typeof decodeHint;
}

/** The ones that are right. */
export const BITCASK_CORE: BitcaskCore = { decodeChanges, isChange, decodeHint };
