/**
 * Small byte arrays without their price.
 *
 * V8 keeps the bytes of every array it makes outside its heap: some 600 ns for a dozen bytes, and work for the
 * collector. A view of a larger array costs a tenth of that. So small arrays are cut from a slab, and a fresh
 * slab is begun when it is used up. The price is that one small array kept for long keeps its whole slab: who
 * keeps bytes, copies them to where they stay.
 *
 * @module
 */

/**
 * Gives out pieces of slabs.
 *
 * @example
 * ```ts
 * import { Slab } from "./slab.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const slab = new Slab(64, 32);
 * const [a, b, large] = [slab.take(8), slab.take(8), slab.take(33)];
 * assertEquals([a.length, a.buffer === b.buffer, a.buffer === large.buffer], [8, true, false]);
 * ```
 */
export class Slab {
  readonly #slabBytes: number;
  readonly #smallBytes: number;
  #bytes = new Uint8Array(0);
  #used = 0;

  /** @param slabBytes size of a slab @param smallBytes the largest piece that is cut from one */
  constructor(slabBytes: number, smallBytes: number) {
    this.#slabBytes = slabBytes;
    this.#smallBytes = smallBytes;
  }

  /** So many bytes of zero, nobody else's; above the limit of a piece, an array of their own. */
  take(sizeBytes: number): Uint8Array<ArrayBuffer> {
    if (sizeBytes > this.#smallBytes) return new Uint8Array(sizeBytes);
    if (this.#used + sizeBytes > this.#bytes.length) {
      this.#bytes = new Uint8Array(this.#slabBytes);
      this.#used = 0;
    }
    return this.#bytes.subarray(this.#used, this.#used += sizeBytes);
  }
}
