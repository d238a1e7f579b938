/**
 * Every planted bug, and the table of how they were caught.
 *
 * @module
 */

import type { Bug, Conviction } from "./bug.ts";
import { CLIENT_BUGS } from "./clients.ts";
import { COLLECTION_BUGS } from "./collection.ts";
import { HINT_BUGS } from "./hints.ts";
import { QUORUM_BUGS } from "./quorums.ts";
import { RING_BUGS } from "./rings.ts";
import { STORE_BUGS } from "./stores.ts";
import { TREE_BUGS } from "./trees.ts";
import { VERSION_BUGS } from "./versions.ts";

/** See the module. */
export const PLANTED: readonly Bug[] = [
  ...QUORUM_BUGS,
  ...VERSION_BUGS,
  ...STORE_BUGS,
  ...TREE_BUGS,
  ...RING_BUGS,
  ...CLIENT_BUGS,
  ...HINT_BUGS,
  ...COLLECTION_BUGS,
];

const NAME_WIDTH = Math.max(...PLANTED.map(({ name }) => name.length));

/** One line of the table: the bug, the seeds it took, what convicted it. */
export function row({ name }: Bug, conviction: Conviction | null): string {
  const caught = conviction === null
    ? "   - not caught"
    : `${String(conviction.seed).padStart(4)} ${conviction.checker}`;
  return `${name.padEnd(NAME_WIDTH)} ${caught}`;
}
