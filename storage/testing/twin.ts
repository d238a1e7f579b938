/**
 * A store that cannot be wrong, and that knows what a crash may leave.
 *
 * A Map would do, if nothing ever crashed: what was written last is what a key shows. After a crash a write that was
 * not acknowledged may have happened or not, each of them on its own; so the twin keeps, for every key, the last
 * write that is known to have happened and all later ones. What the engine then shows must be one of them, and is
 * known from then on. And a batch is one write: where one of its changes is seen, none of the others is missing.
 *
 * @module
 */

import { compareBytes, equalBytes, fromHex, toHex } from "../../actors/runtime/bytes.ts";
import { assert } from "../../actors/runtime/testing/assert.ts";
import type { Change, Entry, ScanPage } from "../engine.ts";

/** What a key shows after a write. */
interface State {
  /** Which write; 0: before the first. */
  readonly token: number;
  /** The record, null when there is none. */
  readonly record: Uint8Array | null;
}

const NOTHING: State = { token: 0, record: null };

/** Where a key is: `7/0aff`. */
type Name = string;

function nameOf(partition: number, key: Uint8Array): Name {
  return `${partition}/${toHex(key)}`;
}

function placeOf(name: Name): { partition: number; key: Uint8Array } {
  const [partition, hex] = name.split("/");
  return { partition: Number(partition), key: fromHex(hex!)! };
}

/** See the module. */
export class Twin {
  /** What each key may show, in the order of writing: the first is certain to have happened, the last is visible. */
  readonly #states = new Map<Name, State[]>();
  /** All that was ever written. */
  readonly #written = new Map<Name, State[]>();
  /** What was written together and is not known to have happened. */
  readonly #open = new Map<number, ReadonlySet<Name>>();
  #token = 0;

  /** Changes that hold together; the result names them. They are visible. */
  write(changes: readonly Change[]): number {
    const token = ++this.#token;
    for (const { partition, key, record } of changes) this.#show(nameOf(partition, key), { token, record });
    this.#open.set(token, new Set(changes.map(({ partition, key }) => nameOf(partition, key))));
    return token;
  }

  /** All keys of a partition go; as {@link Twin.write}. */
  drop(partition: number): number {
    return this.write(this.entries(partition).map(({ key }) => ({ partition, key, record: null })));
  }

  #show(name: Name, state: State): void {
    const states = this.#states.get(name) ?? [NOTHING];
    const before = states.filter(({ token }) => token !== state.token); // of one batch the last change counts
    this.#states.set(name, [...before, state]);
    this.#written.set(name, [...this.#written.get(name) ?? [NOTHING], state]);
  }

  /** A write has certainly happened. */
  acknowledge(token: number): void {
    for (const name of this.#open.get(token) ?? []) {
      const states = this.#states.get(name)!;
      const at = states.findLastIndex((state) => state.token === token);
      if (at > 0) this.#states.set(name, states.slice(at));
    }
    this.#open.delete(token);
  }

  /** Everything written so far has certainly happened. */
  acknowledgeAll(): void {
    for (const token of [...this.#open.keys()]) this.acknowledge(token);
  }

  /** After a crash: every key that was ever written shows something possible, and that is known from now on. */
  async observe(get: (partition: number, key: Uint8Array) => Promise<Uint8Array | null>): Promise<void> {
    const seen = new Map<Name, State>();
    for (const [name, states] of this.#states) {
      const { partition, key } = placeOf(name);
      const record = await get(partition, key);
      const state = states.findLast((state) => isSame(state.record, record));
      assert(
        state,
        `${name} shows ${serialOf(record)}, which is none of ${states.map(({ record }) => serialOf(record))}`,
      );
      seen.set(name, state);
    }
    for (const { token, record } of seen.values()) {
      if (record === null) continue;
      for (const other of this.#open.get(token) ?? []) {
        assert(seen.get(other)!.token >= token, `write ${token} was torn: of it ${other} is missing`);
      }
    }
    for (const [name, state] of seen) this.#states.set(name, [state]);
    this.#open.clear();
  }

  /** What is known to have happened, to be given to {@link Twin.couldShow} later. */
  known(): ReadonlyMap<Name, number> {
    return new Map([...this.#states].map(([name, states]) => [name, states[0]!.token]));
  }

  /** Every key shows what it may show of a store that was copied some time after something was known. */
  async couldShow(
    known: ReadonlyMap<Name, number>,
    get: (partition: number, key: Uint8Array) => Promise<Uint8Array | null>,
  ): Promise<void> {
    for (const [name, written] of this.#written) {
      const { partition, key } = placeOf(name);
      const record = await get(partition, key);
      const possible = written.filter(({ token }) => token >= (known.get(name) ?? 0));
      assert(
        possible.some((state) => isSame(state.record, record)),
        `${name} shows ${serialOf(record)} in a copy, which is none of ${
          possible.map((one) => serialOf(one.record))
        }`,
      );
    }
  }

  /** What is visible in a partition, in the order of keys. */
  entries(partition: number): Entry[] {
    const found: Entry[] = [];
    for (const [name, states] of this.#states) {
      const { record } = states.at(-1)!;
      const place = placeOf(name);
      if (record && place.partition === partition) found.push({ key: place.key, record });
    }
    return found.sort((a, b) => compareBytes(a.key, b.key));
  }

  /** Partitions with something visible in them. */
  partitions(): number[] {
    const visible = [...this.#states].filter(([, states]) => states.at(-1)!.record !== null);
    return [...new Set(visible.map(([name]) => placeOf(name).partition))].sort((a, b) => a - b);
  }
}

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}

/** The number in a record, for people. */
function serialOf(record: Uint8Array | null): number | string {
  return record
    ? `${new DataView(record.buffer, record.byteOffset).getUint32(0)} (${record.length} bytes)`
    : "nothing";
}

/** What a page is measured by. */
export interface PageLimits {
  /** See `ScanOptions`. */
  readonly limit: number;
  /** See `ScanOptions`. */
  readonly limitBytes: number;
}

/** What is wrong with a page, if `expected` is all that was there to scan; null when nothing is. */
export function faultOfPage(
  { entries, done }: ScanPage,
  expected: readonly Entry[],
  limits: PageLimits,
): string | null {
  if (entries.length > limits.limit) return "longer than its limit";
  if (entries.length === 0 && !done) return "empty, and not the last";
  const sizeBytes = entries.slice(0, -1).reduce(
    (sum, { key, record }) => sum + key.length + record.length,
    0,
  );
  if (sizeBytes >= limits.limitBytes && entries.length > 1) return "more bytes than its limit";
  for (const [i, { key, record }] of entries.entries()) {
    const other = expected[i];
    if (!other || !equalBytes(key, other.key)) {
      return `entry ${i} has key ${toHex(key)}, not ${other && toHex(other.key)}`;
    }
    if (!equalBytes(record, other.record)) {
      return `entry ${i} has record ${serialOf(record)}, not ${serialOf(other.record)}`;
    }
  }
  if (done !== (entries.length === expected.length)) {
    return `${done ? "" : "not "}the last after ${entries.length} entries`;
  }
  return null;
}
