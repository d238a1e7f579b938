/**
 * The engines by name: what a configuration says, and what a store's directory is called.
 *
 * @module
 */

/** The name of an engine. */
export type EngineName = "memory" | "bitcask" | "lsm";

/** The names of all engines. */
export const ENGINES: readonly EngineName[] = ["memory", "bitcask", "lsm"];

/** The engine of a node that is not told which. */
export const DEFAULT_ENGINE: EngineName = "lsm";

/** Where in a node's data directory its store is: engines do not share a directory. */
export function storeDirectory(path: string, engine: EngineName): string {
  return `${path}/${engine}`;
}
