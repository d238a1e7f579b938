/**
 * Whether an engine shows what its twin shows.
 *
 * @module
 */

import { toHex } from "../../actors/runtime/bytes.ts";
import { assertEquals } from "../../actors/runtime/testing/assert.ts";
import type { Engine, ScanOptions } from "../engine.ts";
import { ScanCursor } from "./scan_cursor.ts";
import type { Twin } from "./twin.ts";

/** Pages are small, that scans are resumed often. */
const PAGE = { limit: 3, limitBytes: 500 };

/** What may be different. */
export interface Tolerance {
  /** See `Subject.exactCounts`. */
  readonly exactCounts?: boolean | undefined;
  /** What cannot be read may be there: then a partition too many is named, but none too few. */
  readonly mayNameTooMany?: boolean;
}

/** Every partition, key by key and page by page, and what is counted. */
export async function assertLike(engine: Engine, twin: Twin, tolerance: Tolerance = {}): Promise<void> {
  const { exactCounts = true, mayNameTooMany = false } = tolerance;
  const expected = twin.partitions();
  assertEquals(engine.partitions().filter((p) => !mayNameTooMany || expected.includes(p)), expected);
  let keys = 0;
  let liveBytes = 0;
  for (const partition of expected) {
    const entries = twin.entries(partition);
    const cursor = new ScanCursor(entries);
    for (let isLast = false; !isLast;) {
      const options: ScanOptions = { partition, ...PAGE, ...(cursor.after && { after: cursor.after }) };
      isLast = cursor.take(await engine.scan(options), [entries], options);
    }
    for (const { key, record } of entries) {
      assertEquals(await engine.get(partition, key), record, `${partition}/${toHex(key)}`);
      liveBytes += key.length + record.length;
    }
    if (exactCounts) assertEquals(engine.count(partition), entries.length);
    keys += entries.length;
  }
  if (exactCounts) assertEquals([engine.stats().keys, engine.stats().liveBytes], [keys, liveBytes]);
}
