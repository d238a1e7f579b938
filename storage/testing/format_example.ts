/**
 * The worked examples of `storage/FORMAT.md`.
 *
 * @module
 */

import { fromHex } from "../../actors/runtime/bytes.ts";

/** The bytes that an example shows: what stands left of the words. */
export function formatExample(name: string): Uint8Array {
  const page = Deno.readTextFileSync(new URL("../FORMAT.md", import.meta.url));
  const lines = new RegExp("```" + name + "\n([^`]*)```").exec(page)![1]!.split("\n");
  return fromHex(lines.map((line) => line.slice(0, 42).replaceAll(" ", "")).join(""))!;
}
