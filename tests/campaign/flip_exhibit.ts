/**
 * Files to flip bits in, and what a store made of them must then show.
 *
 * @module
 */

import { fromHex } from "../../actors/runtime/bytes.ts";
import { type Damage, EngineError } from "../../storage/engine.ts";
import type { Files } from "./memory_disk.ts";

/** What was looked at, and whether it can be told from others. */
export interface Seen {
  /** Why the store did not open, null when it did. */
  readonly refusal: EngineError | null;
  /** Which store it says it is. */
  readonly id: string | null;
  /** What opening reported. */
  readonly damageAtOpen: readonly Damage[];
  /** What each name shows, of those that were ever written and those that a scan came upon. */
  readonly values: ReadonlyMap<string, Uint8Array | null | EngineError>;
  /** What verifying reported. */
  readonly damage: readonly Damage[];
  /** Warnings and errors logged. */
  readonly troubles: number;
}

/** What was written to a store. */
export class Truth {
  /** By name, everything ever written; the last is what it holds. */
  readonly written: Map<string, (Uint8Array | null)[]> = new Map();
  /** Names in what was written last. */
  last: ReadonlySet<string> = new Set();

  #places: { readonly name: string; readonly partition: number; readonly key: Uint8Array }[] | null = null;

  /** Where the names of an engine's keys are. */
  places(): readonly { readonly name: string; readonly partition: number; readonly key: Uint8Array }[] {
    return this.#places ??= [...this.written.keys()].map((name) => {
      const [partition, hex] = name.split("/");
      return { name, partition: Number(partition), key: fromHex(hex!)! };
    });
  }

  /** Something was written, in one go. */
  write(changes: readonly (readonly [name: string, value: Uint8Array | null])[]): void {
    for (const [name, value] of changes) this.written.set(name, [...this.written.get(name) ?? [null], value]);
    this.last = new Set(changes.map(([name]) => name));
  }
}

/** See the module. */
export interface Exhibit {
  /** Whose file of what kind. */
  readonly name: string;
  /** All files. */
  readonly files: Files;
  /** The one to flip bits in. */
  readonly path: string;
  /** What is in them. */
  readonly truth: Truth;
  /** Make a store of files and look at everything in it; the files stay as they are. */
  look(files: Files, truth: Truth): Promise<Seen>;
}

/** The path of the largest file of a kind. */
export function largest(files: Files, kind: RegExp): string {
  const paths = [...files.keys()].filter((path) => kind.test(path) && files.get(path));
  return paths.sort((a, b) => files.get(b)!.length - files.get(a)!.length)[0]!;
}

/** A store that did not open. */
export function refused(error: unknown, troubles: number): Seen {
  if (!(error instanceof EngineError)) throw error;
  return { refusal: error, id: null, damageAtOpen: [], values: new Map(), damage: [], troubles };
}
