/**
 * What was written under each of many keys, and what a read of one must show.
 *
 * The values of a key are numbered in the order in which they are written, by one client at a time, each with the
 * context of a read. So a read that began after number n was acknowledged has to show n or a later one; and nothing
 * that was not begun. Two numbers for each key are all there is to keep, a million keys are 8 MB.
 *
 * @module
 */

const KEY_DIGITS = 9;

/** See the module. */
export class Ledger {
  /** How many keys there are. */
  readonly keys: number;
  readonly #acknowledged: Uint32Array;
  readonly #begun: Uint32Array;
  readonly #filler: string;

  /** @param keys how many @param valueBytes of how many bytes values are */
  constructor(keys: number, valueBytes: number) {
    this.keys = keys;
    this.#acknowledged = new Uint32Array(keys);
    this.#begun = new Uint32Array(keys);
    this.#filler = "the quick brown fox jumps over the lazy dog ".repeat(1 + valueBytes / 44).slice(
      0,
      valueBytes,
    );
  }

  /** Writes acknowledged, of all keys. */
  get written(): number {
    return this.#acknowledged.reduce((sum, count) => sum + count, 0);
  }

  /** A key. */
  key(index: number): string {
    return `key-${String(index).padStart(KEY_DIGITS, "0")}`;
  }

  /** The number of the newest write that was acknowledged; 0: none was. */
  acknowledged(index: number): number {
    return this.#acknowledged[index]!;
  }

  /** A write is begun: its number and value. */
  begin(index: number): { readonly number: number; readonly value: string } {
    const number = ++this.#begun[index]!;
    const head = `${this.key(index)} ${number} `;
    return { number, value: head + this.#filler.slice(head.length) };
  }

  /** A write was acknowledged. */
  acknowledge(index: number, number: number): void {
    this.#acknowledged[index] = Math.max(this.#acknowledged[index]!, number);
  }

  /** What is wrong with the values that a read gave, which began when number `least` had been acknowledged. */
  judge(index: number, least: number, texts: readonly string[]): string | null {
    const key = this.key(index);
    const numbers = texts.map((text) => {
      const [of, number] = text.split(" ", 2);
      return of === key ? Number(number) : NaN;
    });
    const strange = numbers.findIndex((number) => !(number >= 1 && number <= this.#begun[index]!));
    if (strange >= 0) return `${key}: ${JSON.stringify(texts[strange])} was never written`;
    if (Math.max(0, ...numbers) >= least) return null;
    return `${key}: number ${least} was acknowledged, and a read that began later shows ${
      numbers.join(", ") || "nothing"
    }`;
  }
}
