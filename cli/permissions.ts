/**
 * What denamo may do on a machine: the one list behind `deno task denamo`, the compiled binary and the nodes
 * that `cluster` and `demo` start. A test holds deno.json to it.
 *
 * @module
 */

/**
 * Permission flags. `run` is for `cluster` and `demo`, which start nodes as processes of their own; `server`
 * gives it up before it listens.
 */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
];

/** What `deno task compile` makes. */
export const BINARY = "dist/denamo";
