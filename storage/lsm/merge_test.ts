import fc from "fast-check";
import { assertEquals, assertThrows } from "../../actors/runtime/testing/assert.ts";
import type { Cursor } from "./cursor.ts";
import { Merge } from "./merge.ts";

/** A cursor over keys of one byte; the record says whose it is. */
class ArrayCursor implements Cursor {
  readonly recordAt = 0;
  readonly recordBytes = 1;
  readonly keyBytes = 1;
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(readonly age: number, readonly keys: readonly number[]) {
    this.bytes = Uint8Array.of(age);
  }

  get valid(): boolean {
    return this.#at < this.keys.length;
  }

  get key(): Uint8Array {
    return Uint8Array.of(this.keys[this.#at]!, 99);
  }

  next(): void {
    this.#at++;
  }
}

const sources = fc.array(
  fc.uniqueArray(fc.nat(40), { maxLength: 30, size: "max" }).map((keys) => keys.sort((a, b) => a - b)),
  { maxLength: 9, size: "max" },
);

function likeItsTwin(isYoungestFirst: boolean): void {
  fc.assert(fc.property(sources, (sources) => {
    const twin = new Map<number, number>();
    sources.forEach((keys, age) => keys.forEach((key) => twin.set(key, age)));
    const cursors = sources.map((keys, age) => new ArrayCursor(age, keys));
    const merge = new Merge(isYoungestFirst ? cursors.toReversed() : cursors);
    const merged: [number, number][] = [];
    for (let at = merge.current; at !== null; at = merge.current) {
      merged.push([at.key[0]!, at.bytes[0]!]);
      merge.next();
    }
    assertEquals(merged, [...twin].sort(([a], [b]) => a - b));
  }));
}

Deno.test("merge: every key once, in order, from the youngest source that has it", () => likeItsTwin(true));

Deno.test("planted: the oldest source for the youngest", () => {
  assertThrows(() => likeItsTwin(false));
});
