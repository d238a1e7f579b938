/**
 * The hint store's engine: hints by target and key, counted, and read with what is damaged put aside.
 *
 * @module
 */

import { type Engine, type EngineError, isDamage } from "../../storage/engine.ts";
import type { Log } from "../runtime/environment.ts";
import { equalBytes } from "../runtime/bytes.ts";
import type { EncodedObject, NodeId } from "../replica_store/protocol.ts";
import { decodeHint, type HintRecord } from "./hint_record.ts";
import { HintTally } from "./hint_tally.ts";
import type { Hint, HintPage } from "./protocol.ts";

/** A page holds at most so many hints, and about so many bytes. */
const PAGE_HINTS = 64;
const PAGE_BYTES = 512 * 1024;
/** The same where hints are only counted. */
const COUNT_PAGE = { limit: 1_000, limitBytes: 1024 * 1024 };

/** Said of a hint that is there and cannot be read now. */
export const UNREADABLE = "unreadable";

/** See the module. */
export class KeptHints {
  /** Null while it could not be counted what is there: then nothing is taken. */
  tally: HintTally | null = null;
  /** Hints found damaged. */
  damaged = 0;
  /** What was forgotten did not become durable: it is counted still. */
  #isBehind = false;
  readonly #engine: Engine;
  readonly #log: Log;
  readonly #onDamaged: () => void;

  /** @param engine where hints are @param log where damage is told @param onDamaged a hint is gone */
  constructor(engine: Engine, log: Log, onDamaged: () => void) {
    this.#engine = engine;
    this.#log = log;
    this.#onDamaged = onDamaged;
  }

  /** Count everything that is there. */
  async count(): Promise<void> {
    const tally = new HintTally();
    try {
      for (const slot of this.#engine.partitions()) await this.#countSlot(slot, tally);
      this.tally = tally;
    } catch (error) {
      this.tally = null;
      this.#log.warn("hints cannot be counted now; none are taken", { error: String(error) });
    }
  }

  /** Where something forgotten was not durable at first: count again once it is. */
  async catchUp(): Promise<void> {
    if (!this.#isBehind) return;
    try {
      await this.#engine.sync();
    } catch {
      return; // the disk is still full, or the engine waits for a restart
    }
    this.#isBehind = false;
    await this.count();
  }

  async #countSlot(slot: number, tally: HintTally): Promise<void> {
    let after: Uint8Array | undefined;
    for (let done = false; !done;) {
      const page = await this.#scan(slot, after, COUNT_PAGE);
      for (const { key, record } of page.entries) {
        const hint = decodeHint(record);
        if (hint === null) continue;
        const { target, partition } = hint;
        tally.add({ target, partition, count: 1, bytes: key.length + record.length }, slot);
      }
      after = page.entries.at(-1)?.key;
      done = page.done || after === undefined;
    }
  }

  #scan(slot: number, after: Uint8Array | undefined, limits: typeof COUNT_PAGE) {
    const onDamaged = (error: EngineError) => this.#note(error);
    return this.#engine.scan({ partition: slot, ...(after && { after }), ...limits, onDamaged });
  }

  /** What is kept of a key for a target: null for nothing. */
  async read(target: NodeId, key: Uint8Array): Promise<HintRecord | null | typeof UNREADABLE> {
    const slot = this.tally?.slotOf(target);
    if (slot === undefined) return this.tally === null ? UNREADABLE : null;
    try {
      const record = await this.#engine.get(slot, key);
      if (record === null) return null;
      const hint = decodeHint(record);
      return hint !== null && hint.target === target ? hint : await this.drop(slot, key, "it is no hint");
    } catch (error) {
      if (isDamage(error)) return await this.drop(slot, key, error);
      this.#log.warn("a hint could not be read", { error: String(error) });
      return UNREADABLE;
    }
  }

  /** A damaged hint is none: it goes, so that it is not met for ever. */
  async drop(slot: number, key: Uint8Array, why: unknown): Promise<null> {
    this.#note(why);
    try {
      await this.#engine.write([{ partition: slot, key, record: null }]);
    } catch (error) {
      this.#log.warn("a damaged hint could not be removed", { error: String(error) });
    }
    await this.count();
    return null;
  }

  #note(why: unknown): void {
    this.damaged++;
    this.#onDamaged();
    this.#log.error("a hint is damaged: what was kept of it is lost here", { why: String(why) });
  }

  /** A piece of what is kept for a target. */
  async page(target: NodeId, after: Uint8Array | null): Promise<HintPage> {
    const slot = this.tally?.slotOf(target);
    if (slot === undefined) return { hints: [], next: null };
    try {
      const limits = { limit: PAGE_HINTS, limitBytes: PAGE_BYTES };
      const { entries, done } = await this.#scan(slot, after ?? undefined, limits);
      const hints = entries.flatMap(({ key, record }): Hint[] => {
        const hint = decodeHint(record);
        if (hint?.target !== target) return [];
        const { partition, object, stamp } = hint;
        return [{ key, partition, object, stamp }];
      });
      return { hints, next: done ? null : entries.at(-1)?.key ?? null };
    } catch (error) {
      this.#log.warn("hints could not be read", { error: String(error) });
      return { hints: [], next: null };
    }
  }

  /**
   * Forget those of these that are still the same. They are counted until it is durable that they are gone: a crash
   * could bring them back. How many there were.
   */
  async discard(target: NodeId, hints: readonly Hint[]): Promise<number> {
    const { tally } = this;
    const slot = tally?.slotOf(target);
    if (tally === null || slot === undefined) return 0;
    const gone: { key: Uint8Array; partition: number; bytes: number }[] = [];
    for (const { key, object } of hints) {
      const held = await this.#record(slot, key);
      const hint = held && decodeHint(held);
      if (held === null || hint === null || !equalBytes(hint.object, object)) continue;
      gone.push({ key, partition: hint.partition, bytes: key.length + held.length });
    }
    if (gone.length === 0) return 0;
    try {
      const durable = this.#engine.write(gone.map(({ key }) => ({ partition: slot, key, record: null })));
      const settle = () => {
        for (const { partition, bytes } of gone) tally.add({ target, partition, count: -1, bytes: -bytes });
      };
      durable.then(
        settle,
        (error) => {
          this.#isBehind = true;
          this.#log.warn("hints are not forgotten yet", { error: String(error) });
        },
      );
      return gone.length;
    } catch (error) {
      this.#log.warn("hints that were delivered stay", { error: String(error) });
      return 0;
    }
  }

  /** Whether every hint that is kept is certainly of this stamp or a higher one. */
  async areFrom(stamp: number): Promise<boolean> {
    const { tally } = this;
    if (tally === null) return false;
    try {
      await this.#engine.sync(); // what was forgotten is gone then, and cannot come back with a crash
      for (const slot of this.#engine.partitions()) {
        let after: Uint8Array | undefined;
        for (let done = false; !done;) {
          const page = await this.#scan(slot, after, COUNT_PAGE);
          const isOld = (record: Uint8Array) => (decodeHint(record)?.stamp ?? stamp) < stamp;
          if (page.entries.some(({ record }) => isOld(record))) return false;
          after = page.entries.at(-1)?.key;
          done = page.done || after === undefined;
        }
      }
      return true;
    } catch {
      return false;
    }
  }

  async #record(slot: number, key: Uint8Array): Promise<EncodedObject | null> {
    try {
      return await this.#engine.get(slot, key);
    } catch {
      return null; // it stays, and is met again
    }
  }
}
