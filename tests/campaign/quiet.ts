/**
 * A log that nobody reads.
 *
 * @module
 */

import type { Log } from "../../actors/runtime/environment.ts";

/** See the module. */
export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet };
