/**
 * Records that are appended and not durable yet: they are read from memory, for they may not be in a file.
 *
 * What is appended in one turn shares a promise, so it is kept as one group, and goes as one. A group whose promise
 * is broken stays, since nobody knows what the file holds of it: for ever, when the journal is poisoned; until a later
 * group is durable, when the disk was full, because the journal has then written what was before.
 *
 * @module
 */

interface Group {
  readonly durable: Promise<void>;
  /** The number of the first change. */
  readonly first: number;
  /** By number, from the first on: its record, null for a removal. */
  readonly records: (Uint8Array | null)[];
}

/** Records by the number of their change. Numbers are added in ascending order, without gaps. */
export class InFlight {
  #groups: Group[] = [];
  /** Everything up to this number is durable. */
  #durable: number;

  /** @param durable the number of the last change that is durable */
  constructor(durable: number) {
    this.#durable = durable;
  }

  /** Keep the record of change `sequence`, which will be durable when the promise resolves. */
  add(durable: Promise<void>, sequence: number, record: Uint8Array | null): void {
    const last = this.#groups.at(-1);
    if (last?.durable === durable) last.records.push(record);
    else this.#begin({ durable, first: sequence, records: [record] });
  }

  /** The record of a change, undefined when it is in a file. */
  find(sequence: number): Uint8Array | null | undefined {
    if (sequence <= this.#durable) return undefined;
    for (let i = this.#groups.length - 1; i >= 0; i--) {
      const { first, records } = this.#groups[i]!;
      if (sequence >= first) return records[sequence - first];
    }
    return undefined;
  }

  #begin(group: Group): void {
    this.#groups.push(group);
    group.durable.then(() => {
      this.#durable = group.first + group.records.length - 1;
      this.#groups.splice(0, this.#groups.indexOf(group) + 1);
    }, () => {});
  }
}
