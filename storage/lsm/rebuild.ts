/**
 * The index of a table whose own is damaged: every frame says how long it is, so the blocks can be walked without it.
 *
 * @module
 */

import { BlockWalker } from "./block.ts";
import { contentBytesAt, FRAME_HEADER_BYTES } from "./format.ts";
import { boundBetween, IndexBuilder } from "./index.ts";
import { STORED_KEY_BYTES } from "./stored_key.ts";
import type { Table } from "./table.ts";

/**
 * The index of the blocks before `dataEnd`.
 *
 * @throws {EngineError} `corrupt` when one of them is damaged, too; `io`
 */
export function rebuildIndex(table: Table, dataEnd: number): Uint8Array {
  const index = new IndexBuilder();
  const walker = new BlockWalker();
  const last = new Uint8Array(STORED_KEY_BYTES);
  let lastBytes = 0;
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  for (let offset = 0; offset < dataEnd;) {
    table.read(header, offset);
    const sizeBytes = FRAME_HEADER_BYTES + contentBytesAt(header, 0);
    if (offset + sizeBytes > dataEnd) throw table.damage(offset, "no index, and a block without an end");
    const bytes = new Uint8Array(sizeBytes);
    table.read(bytes, offset);
    const content = table.contentOf(bytes, 0, sizeBytes, offset);
    walker.enter(content, 0, content.length);
    for (let isFirst = true; walker.next(); isFirst = false) {
      if (isFirst) {
        const { key, keyBytes } = walker;
        index.add(
          offset,
          sizeBytes,
          offset === 0 ? key.slice(0, 0) : boundBetween(last, lastBytes, key, keyBytes),
        );
      }
      last.set(walker.key.subarray(0, walker.keyBytes));
      lastBytes = walker.keyBytes;
    }
    offset += sizeBytes;
  }
  return index.finish();
}
