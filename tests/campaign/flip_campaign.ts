/**
 * Flip the bits of a file, one at a time, and look at the store that it is of: is it noticed, and does it ever show
 * what was not written?
 *
 * @module
 */

import { SimulatedRandom } from "../../actors/simulated/random.ts";
import type { Exhibit } from "./flip_exhibit.ts";
import { exhibit } from "./flip_exhibits.ts";
import { judgeFlip, type Notice } from "./flip_verdict.ts";

/** What came of some flips of one exhibit. */
export interface FlipTotals {
  /** How many. */
  flips: number;
  /** How they were noticed. */
  readonly notices: Partial<Record<Notice, number>>;
  /** Bytes in which a flip was not noticed. */
  readonly unnoticed: number[];
  /** What must not be: which bit, and what of it. */
  readonly wrong: { readonly bit: number; readonly what: string }[];
}

/** So many of what is wrong are kept. */
const KEPT = 20;

/** None yet. */
export function noFlips(): FlipTotals {
  return { flips: 0, notices: {}, unnoticed: [], wrong: [] };
}

/** Add what came of some to what came of others. */
export function addFlips(sum: FlipTotals, { flips, notices, unnoticed, wrong }: FlipTotals): void {
  sum.flips += flips;
  for (const [notice, count] of Object.entries(notices) as [Notice, number][]) {
    sum.notices[notice] = (sum.notices[notice] ?? 0) + count;
  }
  for (const byte of unnoticed) if (!sum.unnoticed.includes(byte)) sum.unnoticed.push(byte);
  sum.wrong.push(...wrong.slice(0, Math.max(0, KEPT - sum.wrong.length)));
}

/** An exhibit, made once, in which bits are flipped. */
export class Bench {
  /** What is flipped. */
  readonly exhibit: Exhibit;
  readonly #healthyId: string | null;

  private constructor(exhibit: Exhibit, healthyId: string | null) {
    this.exhibit = exhibit;
    this.#healthyId = healthyId;
  }

  /** Make an exhibit and see that nothing is wrong with it as it is. */
  static async prepare(name: string): Promise<Bench> {
    return await Bench.of(await exhibit(name));
  }

  /** The same for one that there is. */
  static async of(exhibit: Exhibit): Promise<Bench> {
    const seen = await exhibit.look(exhibit.files, exhibit.truth);
    const isWell = seen.refusal === null &&
      seen.damageAtOpen.length + seen.damage.length + seen.troubles === 0;
    if (!isWell) throw new Error(`${exhibit.name} is not well to begin with: ${Deno.inspect(seen)}`);
    for (const [name, written] of exhibit.truth.written) {
      const [shown, expected] = [seen.values.get(name), written.at(-1)!];
      if (Deno.inspect(shown) !== Deno.inspect(expected)) {
        throw new Error(`${exhibit.name} shows a wrong ${name}`);
      }
    }
    return new Bench(exhibit, seen.id);
  }

  /** How many bits there are. */
  get bits(): number {
    return 8 * this.exhibit.files.get(this.exhibit.path)!.length;
  }

  /** Flip some bits, one after the other. */
  async flip(bits: Iterable<number>): Promise<FlipTotals> {
    const totals = noFlips();
    for (const bit of bits) {
      const { notice, wrong } = await judgeFlip(this.exhibit, this.#healthyId, bit);
      const isNew = notice === "unnoticed" && !totals.unnoticed.includes(bit >> 3);
      addFlips(totals, {
        flips: 1,
        notices: { [notice]: 1 },
        unnoticed: isNew ? [bit >> 3] : [],
        wrong: wrong === null ? [] : [{ bit, what: wrong }],
      });
    }
    return totals;
  }

  /** Some of its bits, the same for the same seed: any, and more of those where a file begins and ends. */
  sample(count: number, seed: number): number[] {
    const random = new SimulatedRandom(`flip/${this.exhibit.name}/${seed}`);
    const edge = Math.min(this.bits, 8 * 128);
    return Array.from({ length: count }, (_, i) => {
      if (i % 4 === 0) return random.integer(edge);
      return i % 4 === 1 ? this.bits - 1 - random.integer(edge) : random.integer(this.bits);
    });
  }
}

/** Bytes as ranges, for people: `12, 40 to 47`. */
export function rangesOf(bytes: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const byte of bytes.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && byte <= last[1] + 1) last[1] = byte;
    else ranges.push([byte, byte]);
  }
  return ranges.map(([from, to]) => from === to ? `${from}` : `${from} to ${to}`).join(", ");
}
