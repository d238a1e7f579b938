/**
 * Acknowledging writes by commit group: one promise of the engine covers every write that waited for it
 * (DeWitt et al., "Implementation Techniques for Main Memory Database Systems", 1984), so no write
 * has a promise of its own.
 *
 * What a failed group leaves is the subtle part. The engine shows its records and may or may not have them on
 * disk; the same write, come a second time, equals what is shown and must not be acknowledged for that. It is
 * written again, until some group has become durable.
 *
 * @module
 */

import { type Engine, EngineError } from "../../storage/engine.ts";
import type { Log } from "../runtime/environment.ts";
import type { EncodedObject, NodeId, WriteAnswer } from "./protocol.ts";

/** Who waits for a write to be durable: a coordinator, and its number for the request; 0: nobody. */
export interface Waiter {
  /** The coordinator's number for the request. */
  readonly ticket: number;
  /** The coordinator's node. */
  readonly from: NodeId;
}

/** Why the engine did not take a record: too much waits for the disk already, or anything else. */
export type EngineRefusal = "overloaded" | "unavailable";

/** Tells a waiter what became of its write. */
export type Acknowledge = (waiter: Waiter, answer: WriteAnswer) => void;

/** Writes that become durable together. */
export interface CommitGroup {
  /** Whether it is known what became of it. */
  readonly isSettled: boolean;
}

interface OpenGroup extends CommitGroup {
  readonly durable: Promise<void>;
  readonly waiting: Waiter[];
  isSettled: boolean;
}

const DONE: WriteAnswer = { ok: true };
const IN_DOUBT: WriteAnswer = { ok: false, code: "unavailable", definite: false };

/**
 * The commit groups of one engine.
 *
 * @example
 * ```ts
 * import { CommitGroups } from "./commit_groups.ts";
 * import { fake } from "../runtime/testing/fake.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const heard: string[] = [];
 * const engine = { write: () => Promise.resolve() };
 * const { log } = fake().environment;
 * const groups = new CommitGroups(engine, log, ({ ticket }, { ok }) => heard.push(`${ticket} ${ok}`));
 * groups.write(0, Uint8Array.of(1), Uint8Array.of(2), { ticket: 7, from: "" });
 * assertEquals(heard, []);
 * await undefined;
 * assertEquals(heard, ["7 true"]);
 * ```
 */
export class CommitGroups {
  /** The engine takes no more writes until a new process reopens it, and may show what is not on disk. */
  isPoisoned = false;
  readonly #engine: Pick<Engine, "write">;
  readonly #log: Log;
  readonly #acknowledge: Acknowledge;
  #newest: OpenGroup | null = null;
  /** A group failed, and none was durable since: what is shown may not be on disk. */
  #isInDoubt = false;

  /** @param engine where records go @param log where failures are told @param acknowledge called once per waiter */
  constructor(engine: Pick<Engine, "write">, log: Log, acknowledge: Acknowledge) {
    this.#engine = engine;
    this.#log = log;
    this.#acknowledge = acknowledge;
  }

  /** The group that the last record written is in; null when none is open. */
  get newest(): CommitGroup | null {
    return this.#newest;
  }

  /** Hand a record to the engine; the waiter hears of it with its group. Why it was refused at once, else null. */
  write(
    partition: number,
    key: Uint8Array,
    record: EncodedObject,
    waiter: Waiter,
  ): EngineRefusal | null {
    let durable: Promise<void>;
    try {
      durable = this.#engine.write([{ partition, key, record }]);
    } catch (error) {
      const isOverloaded = error instanceof EngineError && error.code === "overloaded";
      if (!isOverloaded) this.#log.warn("the engine refused a write", { error: String(error) });
      return isOverloaded ? "overloaded" : "unavailable";
    }
    const group = this.#newest?.durable === durable ? this.#newest : this.#open(durable);
    if (waiter.ticket !== 0) group.waiting.push(waiter);
    return null;
  }

  /**
   * Acknowledge what equals the record that the engine shows: it is durable once the group that wrote it is, at
   * latest the newest one. False when it may never be: then it has to be written again.
   */
  join(waiter: Waiter): boolean {
    if (this.#isInDoubt) return false;
    if (this.#newest === null) this.#acknowledge(waiter, DONE);
    else if (waiter.ticket !== 0) this.#newest.waiting.push(waiter);
    return true;
  }

  #open(durable: Promise<void>): OpenGroup {
    const group: OpenGroup = { durable, waiting: [], isSettled: false };
    this.#newest = group;
    const settle = (answer: WriteAnswer) => {
      group.isSettled = true;
      if (this.#newest === group) this.#newest = null;
      for (const waiter of group.waiting) this.#acknowledge(waiter, answer);
    };
    const onDurable = () => {
      this.#isInDoubt = false;
      settle(DONE);
    };
    durable.then(onDurable, (error) => {
      this.#isInDoubt = true;
      this.isPoisoned ||= error instanceof EngineError && error.code === "poisoned";
      this.#log.error("a commit group did not become durable", { error: String(error) });
      settle(IN_DOUBT);
    });
    return group;
  }
}
