/**
 * Which keys have expired, found without looking at those that do not.
 *
 * A value may carry the time at which it expires. Nobody forgets it then by himself: replicas whose clocks differ
 * would, one of them, and repair would bring it back. It is deleted like any other value, by a write that replaces
 * exactly what was seen, and from then on it is a tombstone. What is here finds the keys that are due.
 *
 * Naive: look at everything every minute. Instead there is kept for each partition when the first of its values
 * expires, and the partition is read, a page at a time, when that time has come. After a start that is learnt from the
 * survey that the hash trees need anyway ({@link Expiry.note}, told of every object it meets).
 *
 * A key is due when all of its values are expired; with one that is not, nothing is to be deleted that readers do not
 * see already. The owners of a partition act one after the other: the second only on what the first should have
 * deleted long ago, so that mostly there is one tombstone.
 *
 * @module
 */

import type { Engine } from "../../storage/engine.ts";
import type { Clock } from "./clock.ts";
import type { StoredObject } from "./object.ts";
import type { Records } from "./records.ts";

/** Each owner waits so much longer than the one before it. */
const TURN_MS = 15_000;
/** What was found is looked for again after so long: somebody may have failed to delete it. */
const AGAIN_MS = 30_000;
const PAGE = { limit: 256, limitBytes: 512 * 1024 };

/** A key whose values have all expired. */
export interface ExpiredKey {
  /** The key. */
  readonly key: Uint8Array;
  /** What its object has seen. */
  readonly clock: Clock;
}

/** One step of looking. */
export interface ExpiryStep {
  /** Where. */
  readonly partition: number;
  /** What is due. */
  readonly due: readonly ExpiredKey[];
  /** Bytes that were read for it. */
  readonly readBytes: number;
}

/** When an object's last value expires; infinite when one never does or none is left. */
export function expiresAt({ siblings }: StoredObject): number {
  let last = -Infinity;
  for (const { tombstone, expiresMs = Infinity } of siblings) {
    if (!tombstone) last = Math.max(last, expiresMs);
  }
  return last === -Infinity ? Infinity : last;
}

/** See the module. */
export class Expiry {
  readonly #engine: Pick<Engine, "scan">;
  readonly #records: Records;
  /** By partition: nothing that was met or stored expires before. */
  readonly #soonest = new Map<number, number>();
  #under: { readonly partition: number; readonly after: Uint8Array | null; readonly soonest: number } | null =
    null;

  /** @param engine where records are @param records how they are read */
  constructor(engine: Pick<Engine, "scan">, records: Records) {
    this.#engine = engine;
    this.#records = records;
  }

  /** An object was stored, or met by the survey. */
  note(partition: number, object: StoredObject): void {
    const at = expiresAt(object);
    if (at < this.#soonestOf(partition)) this.#soonest.set(partition, at);
    if (this.#under?.partition === partition && at < this.#under.soonest) {
      this.#under = { ...this.#under, soonest: at };
    }
  }

  /**
   * Look at one page of one partition, null when nothing is due. `turnOf`: this node's place among the owners of a
   * partition, negative for none.
   *
   * @throws {EngineError} `io`
   */
  async step(
    partitions: number,
    nowMs: number,
    turnOf: (partition: number) => number,
  ): Promise<ExpiryStep | null> {
    const under = this.#under ?? this.#begin(partitions, nowMs, turnOf);
    if (under === null) return null;
    this.#under = under;
    const { partition, after } = under;
    const page = await this.#engine.scan({
      partition,
      ...PAGE,
      ...(after && { after }),
      onDamaged: () => {},
    });
    const due: ExpiredKey[] = [];
    let readBytes = 0;
    const patientMs = nowMs - TURN_MS * Math.max(0, turnOf(partition));
    let soonest = Infinity;
    for (const { key, record } of page.entries) {
      readBytes += key.length + record.length;
      const object = this.#records.decode(record);
      const at = object === null ? Infinity : expiresAt(object);
      if (object !== null && at <= patientMs) due.push({ key, clock: object.clock });
      soonest = Math.min(
        soonest,
        at <= patientMs ? nowMs + AGAIN_MS : Math.max(at, nowMs) + (at <= nowMs ? TURN_MS : 0),
      );
    }
    const known = Math.min(this.#under?.soonest ?? Infinity, soonest);
    const last = page.done ? null : page.entries.at(-1)?.key ?? null;
    this.#under = last === null ? null : { partition, after: last, soonest: known };
    if (last === null) this.#soonest.set(partition, known);
    return { partition, due, readBytes };
  }

  #soonestOf(partition: number): number {
    return this.#soonest.get(partition) ?? Infinity;
  }

  #begin(partitions: number, nowMs: number, turnOf: (partition: number) => number) {
    for (let partition = 0; partition < partitions; partition++) {
      if (this.#soonestOf(partition) > nowMs - TURN_MS * Math.max(0, turnOf(partition))) continue;
      if (turnOf(partition) >= 0) return { partition, after: null, soonest: Infinity };
    }
    return null;
  }
}
