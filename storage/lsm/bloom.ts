/**
 * Bloom filters: whether a table may hold a key, without reading it.
 *
 * Each key sets a few bits, at places that its hash gives; a key of which one bit is clear is certainly not there
 * (Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors", 1970). With ten bits a key and seven places
 * one key in a hundred and twenty passes in vain. All places come from two hashes, h1 + i h2, which does as well as
 * seven (Kirsch and Mitzenmacher, "Less Hashing, Same Performance", 2006).
 *
 * @module
 */

/** Bits per key. More find fewer keys in vain; a table of 64 Ki keys takes 80 KiB with ten. */
const BITS_PER_KEY = 10;
/** Bits set by a key: ln 2 times as many as there are per key are best. */
const PROBES = 7;

/** What a filter knows a key by: its hash (`hashKey`), stirred together with its partition. */
export function filterHash(partition: number, keyHash: number): number {
  let hash = Math.imul(keyHash ^ Math.imul(partition + 1, 0x9e3779b1), 0x85ebca6b);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0xc2b2ae35) >>> 0;
}

/** The step from one place to the next: the other half of the hash. */
function stepOf(hash: number): number {
  return (hash >>> 17 | hash << 15) >>> 0;
}

/** The filter of so many keys, by their hashes. */
export function buildFilter(hashes: Uint32Array, count: number): Uint8Array {
  const filter = new Uint8Array(Math.max(8, Math.ceil(count * BITS_PER_KEY / 8)));
  const bits = filter.length * 8;
  for (let key = 0; key < count; key++) {
    let hash = hashes[key]!;
    const step = stepOf(hash);
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = hash % bits;
      filter[bit >>> 3]! |= 1 << (bit & 7);
      hash = (hash + step) >>> 0;
    }
  }
  return filter;
}

/** False when the key with this hash is certainly not among those that the filter was built of. */
export function mayHold(filter: Uint8Array, hash: number): boolean {
  const bits = filter.length * 8;
  const step = stepOf(hash);
  for (let probe = 0; probe < PROBES; probe++) {
    const bit = hash % bits;
    if ((filter[bit >>> 3]! & 1 << (bit & 7)) === 0) return false;
    hash = (hash + step) >>> 0;
  }
  return true;
}
