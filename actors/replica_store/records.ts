/**
 * The engine's records as the replica store sees them: read at once where the engine can, and never trusted
 * before they are verified. Nothing here throws: a record that is damaged, or a disk that cannot be read, is an
 * alarm and an outcome, not a crash.
 *
 * @module
 */

import { type Engine, isDamage } from "../../storage/engine.ts";
import type { Log, LogFields } from "../runtime/environment.ts";
import type { StoredObject } from "./object.ts";
import { decodeObject } from "./object_codec.ts";
import type { EncodedObject } from "./protocol.ts";

/** Why a record could not be had: the disk does not give it now, or the store is closed. */
export type RecordTrouble = "unreadable" | "unavailable";

/**
 * Passes for a record that is there and fails its checksum: it is no object. So what an engine finds damaged is treated
 * like what decoding finds damaged: it counts for nothing, and gives way to another replica's object.
 */
const DAMAGED: EncodedObject = new Uint8Array(0);

/** Reads an engine. */
export class Records {
  /** Alarms raised. */
  alarms = 0;
  /** From then on nothing is read. */
  isClosed = false;
  readonly #engine: Pick<Engine, "get">;
  readonly #log: Log;
  readonly #verifyValues: (object: StoredObject) => boolean;

  /** @param engine what is read @param log where alarms go @param verifyValues whether all values match their CRC */
  constructor(engine: Pick<Engine, "get">, log: Log, verifyValues: (object: StoredObject) => boolean) {
    this.#engine = engine;
    this.#log = log;
    this.#verifyValues = verifyValues;
  }

  /** Pass on the record of a key, synchronously where the engine can, so that nothing comes between. */
  read<T>(
    partition: number,
    key: Uint8Array,
    then: (record: EncodedObject | null) => T | Promise<T>,
    otherwise: (trouble: RecordTrouble) => T,
  ): T | Promise<T> {
    if (this.isClosed) return otherwise("unavailable");
    let record;
    try {
      record = this.#engine.get(partition, key);
    } catch (error) {
      return this.#failed(error, then, otherwise);
    }
    if (!(record instanceof Promise)) return then(record);
    return record.then(then, (error) => this.#failed(error, then, otherwise));
  }

  /** The object in a record, null (and an alarm) when it is damaged: what is damaged is never merged. */
  decode(record: EncodedObject): StoredObject | null {
    try {
      const object = decodeObject(record);
      if (this.#verifyValues(object)) return object;
      this.alarm("a value does not match its CRC-32C");
    } catch (error) {
      this.alarm("a record could not be decoded", { error: String(error) });
    }
    return null;
  }

  /** Tell an operator of something that should never be. */
  alarm(message: string, fields: LogFields = {}): void {
    this.alarms++;
    this.#log.error(message, fields);
  }

  /** Tell of what the engine could not read: damage is an alarm; a disk that does not answer may do so later. */
  unreadable(message: string, error: unknown): void {
    const fields = { error: String(error) };
    if (isDamage(error)) this.alarm(message, fields);
    else this.#log.warn(message, fields);
  }

  #failed<T>(
    error: unknown,
    then: (record: EncodedObject | null) => T | Promise<T>,
    otherwise: (trouble: RecordTrouble) => T,
  ): T | Promise<T> {
    if (this.isClosed) return otherwise("unavailable");
    this.unreadable("a record could not be read", error);
    return isDamage(error) ? then(DAMAGED) : otherwise("unreadable");
  }
}
