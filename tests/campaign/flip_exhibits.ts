/**
 * All exhibits.
 *
 * @module
 */

import { engineExhibit, RECIPES } from "./flip_engines.ts";
import type { Exhibit } from "./flip_exhibit.ts";
import { nodeExhibit } from "./flip_node.ts";

const NODE = "node: journal";

/** The names of all exhibits. */
export const EXHIBITS: readonly string[] = [...Object.keys(RECIPES), NODE];

/** Make one; always the same. */
export async function exhibit(name: string): Promise<Exhibit> {
  return name === NODE ? await nodeExhibit(name) : await engineExhibit(name, RECIPES[name]!);
}
