/**
 * Chance that can be had again.
 *
 * Every purpose draws from a stream of its own, named by a path (`7/disk/n1`). One shared stream would tie
 * everything to everything: an extra draw for one node's disk, or for a log line, would change all that
 * happens afterwards on the whole network, and a failing seed could not be narrowed down.
 *
 * The generator is xoshiro128** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021).
 *
 * @module
 */

import { encodeUtf8 } from "../runtime/bytes.ts";
import type { Random } from "../runtime/environment.ts";
import { murmur3 } from "../runtime/murmur3.ts";

/** A deterministic stream of random numbers. */
export class SimulatedRandom implements Random {
  readonly #path: string;
  readonly #state: Uint32Array;

  /**
   * Make one.
   *
   * @param path names the stream: the same path always gives the same numbers
   */
  constructor(path: string) {
    this.#path = path;
    const name = encodeUtf8(path);
    this.#state = Uint32Array.of(murmur3(name, 1), murmur3(name, 2), murmur3(name, 3), murmur3(name, 4) | 1);
  }

  /** Another stream, named below this one and independent of what either has drawn. */
  fork(purpose: string): SimulatedRandom {
    return new SimulatedRandom(`${this.#path}/${purpose}`);
  }

  /** See {@link Random.next}: 53 bits. */
  next(): number {
    return ((this.#word() >>> 5) * 2 ** 26 + (this.#word() >>> 6)) / 2 ** 53;
  }

  /** See {@link Random.integer}. */
  integer(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** See {@link Random.bytes}. */
  bytes(sizeBytes: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: sizeBytes }, () => this.#word() >>> 24);
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** True with probability `rate`. A rate of 0 draws nothing. */
  chance(rate: number): boolean {
    return rate > 0 && this.next() < rate;
  }

  /** One of `choices` (at least one). */
  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(choices.length)]!;
  }

  #word(): number {
    const s = this.#state;
    const scrambled = Math.imul(s[1]!, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = (s[3]! << 11) | (s[3]! >>> 21);
    return result >>> 0;
  }
}
