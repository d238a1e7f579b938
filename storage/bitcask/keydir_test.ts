import v8 from "node:v8";
import vm from "node:vm";
import fc from "fast-check";
import { compareBytes, toHex } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { changeBytes, REMOVED } from "./codec.ts";
import { Keydir, type Place } from "./keydir.ts";

/** The dumb twin: a Map from partition and hex. */
type Twin = Map<string, { readonly partition: number; readonly key: Uint8Array; readonly place: Place }>;

const step = fc.record({
  partition: fc.nat(3),
  key: fc.nat(30).map((n) => new Uint8Array(1 + n % 5).fill(n).with(0, 19 * n)),
  what: fc.constantFrom("put", "put", "put", "remove", "drop", "nothing"),
  recordBytes: fc.nat(100),
});

function like(twin: Twin, keydir: Keydir, segments: number): void {
  const all = [...twin.values()];
  const sum = (of: typeof all, size: (keyBytes: number, recordBytes: number) => number) =>
    of.reduce((total, { key, place }) => total + size(key.length, place.recordBytes), 0);
  assertEquals(keydir.keys, all.length);
  assertEquals(keydir.liveBytes, sum(all, (keyBytes, recordBytes) => keyBytes + recordBytes));
  assertEquals(keydir.liveOnDiskBytes, sum(all, changeBytes));
  assertEquals(keydir.partitions(), [...new Set(all.map(({ partition }) => partition))].sort());
  for (let segment = 0; segment <= segments; segment++) {
    assertEquals(keydir.keysIn(segment), all.filter(({ place }) => place.segment === segment).length);
  }
  for (const partition of keydir.partitions()) {
    const expected = all.filter((one) => one.partition === partition)
      .sort((a, b) => compareBytes(a.key, b.key));
    assertEquals(keydir.count(partition), expected.length);
    const { sorted, from, to } = keydir.ordered(partition, undefined);
    assertEquals([...sorted.subarray(from, to)].map((entry) => toHex(keydir.key(entry))), [
      ...expected.map(({ key }) => toHex(key)),
    ]);
  }
  for (const { partition, key, place } of all) {
    const entry = keydir.find(partition, key);
    const { segment, offset, recordBytes, sequence } = place;
    assertEquals([keydir.segment(entry), keydir.offset(entry)], [segment, offset]);
    assertEquals([keydir.recordBytes(entry), keydir.sequence(entry)], [recordBytes, sequence]);
    assertEquals([keydir.isLive(partition, key, sequence), keydir.isLive(partition, key, sequence - 1)], [
      true,
      false,
    ]);
  }
}

Deno.test("keydir: like a Map, and to the byte", () => {
  const property = fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    const keydir = new Keydir();
    const twin: Twin = new Map();
    steps.forEach(({ partition, key, what, recordBytes }, i) => {
      const place = { segment: i >> 4, offset: 40 * i, sequence: 2 ** 32 + i, recordBytes };
      const name = `${partition}/${toHex(key)}`;
      if (what === "put") {
        keydir.apply(partition, key, place);
        twin.set(name, { partition, key, place });
      } else if (what === "remove") {
        keydir.apply(partition, key, { ...place, recordBytes: REMOVED });
        twin.delete(name);
      } else if (what === "drop") {
        keydir.apply(partition, new Uint8Array(0), { ...place, recordBytes: REMOVED });
        for (const [other, one] of twin) if (one.partition === partition) twin.delete(other);
      } else keydir.apply(0, new Uint8Array(0), { ...place, recordBytes: 0 });
    });
    like(twin, keydir, steps.length >> 4);
  });
  fc.assert(property);
});

Deno.test("keydir: the newest segment with a change that does not count any more", () => {
  const keydir = new Keydir();
  const put = (n: number, segment: number, recordBytes = 10) =>
    keydir.apply(1, Uint8Array.of(n), { segment, offset: 0, recordBytes, sequence: n });
  put(1, 1);
  put(2, 2);
  assertEquals(keydir.newestDirty(), 0);
  put(1, 3);
  assertEquals(keydir.newestDirty(), 1);
  put(2, 3, REMOVED);
  assertEquals(keydir.newestDirty(), 3); // the removal itself
  keydir.forgetBefore(4);
  assertEquals(keydir.newestDirty(), 0);
});

Deno.test("keydir: which partitions stand in a stretch of a segment", () => {
  const keydir = new Keydir();
  const at = (partition: number, segment: number, offset: number) =>
    keydir.apply(partition, Uint8Array.of(1), { segment, offset, recordBytes: 9, sequence: 1 }); // 30 bytes
  at(5, 1, 100);
  at(4, 1, 130);
  at(3, 2, 130);
  assertEquals(keydir.partitionsIn(1, 0, 1000), [4, 5]);
  assertEquals(keydir.partitionsIn(1, 129, 130), [5]);
  assertEquals(keydir.partitionsIn(1, 130, 131), [4]);
  assertEquals(keydir.partitionsIn(1, 160, 1000), []);
  assertEquals(keydir.partitionsIn(2, 0, 1000), [3]);
});

v8.setFlagsFromString("--expose-gc");
const collectGarbage: () => void = vm.runInNewContext("gc");

/** Memory in use, garbage not counted. */
function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

Deno.test("keydir: under 100 bytes of memory a key, beside the key itself", () => {
  const KEY_BYTES = 16;
  const before = usedBytes();
  const keydir = new Keydir();
  let largest = 0;
  for (let n = 1; n <= 150_000; n++) {
    const key = new Uint8Array(KEY_BYTES);
    new DataView(key.buffer).setUint32(n % 12, n);
    keydir.apply(n % 64, key, { segment: n >> 10, offset: 99 * n, recordBytes: 100, sequence: n });
    if (n < 60_000 || n % 10_000 !== 0) continue;
    largest = Math.max(largest, (usedBytes() - before) / n - KEY_BYTES);
  }
  // deno-lint-ignore no-console -- a figure that people ask for
  console.log(`${largest.toFixed(0)} bytes a key at most, beside the key`);
  assert(largest < 100, `${largest} bytes a key, beside the key`);
  assertEquals(keydir.keys, 150_000);
});
