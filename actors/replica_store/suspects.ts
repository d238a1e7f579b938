/**
 * Copies of partitions that may be older than they should be: of a restored directory, or a store that was damaged.
 *
 * Such a copy may lack a tombstone that was there when it was agreed to forget it, and hold what that had deleted. To
 * merge it with the others would bring that back, and no stamp tells: it is read anew. So nothing of it is given, and
 * nothing is taken into it, until its other owners have said how they are (`actors/repair/regression.ts`): then it is
 * dropped and fetched anew, or it is merged after all, because there is no better copy.
 *
 * @module
 */

/** Remembers them, for the next start; rejects when it cannot. */
export type SaveSuspects = (partitions: readonly number[]) => Promise<void>;

/** See the module. */
export class Suspects {
  readonly #save: SaveSuspects;
  readonly #partitions: Set<number>;

  /** @param known what the last life left, or the start found @param save see {@link SaveSuspects} */
  constructor(known: readonly number[], save: SaveSuspects) {
    this.#partitions = new Set(known);
    this.#save = save;
  }

  /** Whether a copy is one of them. */
  has(partition: number): boolean {
    return this.#partitions.has(partition);
  }

  /** All of them. */
  list(): number[] {
    return [...this.#partitions];
  }

  /** More of them; in force at once. */
  add(partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    for (const partition of partitions) this.#partitions.add(partition);
    this.#remember();
  }

  /** One is none any more. */
  clear(partition: number): void {
    if (this.#partitions.delete(partition)) this.#remember();
  }

  /** Forgotten, it is dropped once more than it need be, or was added by who remembers it himself. */
  #remember(): void {
    this.#save(this.list()).catch(() => {});
  }
}
