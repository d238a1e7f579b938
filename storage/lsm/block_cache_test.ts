import fc from "fast-check";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { BlockCache } from "./block_cache.ts";

const SLOT_BYTES = 16;

/** What the cache shows of a block, null when it is not there. */
function shown(cache: BlockCache, table: number, block: number): Uint8Array | null {
  const slot = cache.find(table, block);
  return slot < 0 ? null : cache.bytes(slot).slice(cache.from(slot), cache.to(slot));
}

function put(cache: BlockCache, table: number, block: number, content: Uint8Array): void {
  const slot = cache.claim(table, block);
  cache.bytes(slot).set(content, SLOT_BYTES - content.length);
  cache.filled(slot, SLOT_BYTES - content.length, SLOT_BYTES);
}

Deno.test("block cache: whatever it shows was put there, and as the last of its name", () => {
  const step = fc.record({
    table: fc.integer({ min: 1, max: 4 }),
    block: fc.nat(300),
    length: fc.nat(SLOT_BYTES),
  });
  const property = fc.property(
    fc.integer({ min: 1, max: 700 }),
    fc.array(step, { maxLength: 1500, size: "max" }),
    (slots, steps) => {
      const cache = new BlockCache(slots * SLOT_BYTES, SLOT_BYTES);
      const twin = new Map<string, Uint8Array>();
      let forgotten = 0;
      steps.forEach(({ table, block, length }, serial) => {
        const seen = shown(cache, table, block);
        if (seen !== null) return assertEquals(seen, twin.get(`${table}/${block}`));
        const content = new Uint8Array(length).fill(serial);
        put(cache, table, block, content);
        if (length % 5 === 4) {
          cache.forget(cache.find(table, block));
          forgotten++;
          return assertEquals(shown(cache, table, block), null);
        }
        twin.set(`${table}/${block}`, content);
        assertEquals(shown(cache, table, block), content);
      });
      const there = [...twin.keys()].filter((name) => {
        const [table, block] = name.split("/").map(Number);
        return shown(cache, table!, block!) !== null;
      });
      const most = Math.min(slots, twin.size);
      assert(
        there.length <= most && there.length >= most - forgotten,
        `${there.length} of ${most} are there`,
      );
    },
  );
  fc.assert(property, { numRuns: 100 });
});

Deno.test("block cache: what is used again and again stays", () => {
  const cache = new BlockCache(100 * SLOT_BYTES, SLOT_BYTES);
  for (let n = 0; n < 20; n++) put(cache, 1, n, Uint8Array.of(n));
  for (let n = 0; n < 5000; n++) {
    put(cache, 2, n, Uint8Array.of(1));
    assert(cache.find(1, n % 20) >= 0, `block ${n % 20} went after ${n} others had come`);
  }
});
