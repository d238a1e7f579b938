/**
 * Which names a disk knows, twice: as everyone sees them, and as a power cut would leave them.
 *
 * A new, renamed or removed name is a change to its directory, and durable only once the directory is synced;
 * syncing the file is not enough (Pillai et al., "All File Systems Are Not Created Equal", 2014). Until then a
 * crash keeps, of each directory, some first part of what was done in it. A rename is atomic: in both
 * directories or in neither.
 *
 * @module
 */

import type { SimulatedFile } from "./file.ts";
import type { SimulatedRandom } from "./random.ts";

/** What a name stands for. */
export type Entry = SimulatedFile | "directory";

/** A change of names that is not durable yet. */
interface Change {
  readonly sequence: number;
  /** The directories it changes. */
  readonly directories: readonly string[];
  /** The name that goes. */
  readonly from?: string;
  /** The name that comes, and what it stands for. */
  readonly to?: string;
  readonly entry?: Entry;
}

/** The directory that holds `path`; the root is the empty path. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** One spelling for each path: no leading, doubled or trailing slash, no dot. */
export function normalize(path: string): string {
  return path.split("/").filter((part) => part !== "" && part !== ".").join("/");
}

/** All names of one disk. Paths are normalized. */
export class Names {
  #visible = new Map<string, Entry>([["", "directory"]]);
  #durable = new Map<string, Entry>([["", "directory"]]);
  #pending: Change[] = [];
  #sequence = 0;

  /** What a path stands for, undefined when it is nothing. */
  get(path: string): Entry | undefined {
    return this.#visible.get(path);
  }

  /** Names in a directory, sorted. */
  list(directory: string): string[] {
    const paths = [...this.#visible.keys()].filter((path) => path !== "" && parentOf(path) === directory);
    return paths.map((path) => path.slice(path.lastIndexOf("/") + 1)).sort();
  }

  /** Every file that has a name, once. */
  files(): Set<SimulatedFile> {
    return new Set([...this.#visible.values()].filter((entry) => entry !== "directory"));
  }

  /** Every visible path and what it stands for. */
  entries(): IterableIterator<[string, Entry]> {
    return this.#visible.entries();
  }

  /** A new name, or one that now stands for something else. */
  set(to: string, entry: Entry): void {
    this.#change({ sequence: ++this.#sequence, directories: [parentOf(to)], to, entry });
  }

  /** A name goes. */
  delete(from: string): void {
    this.#change({ sequence: ++this.#sequence, directories: [parentOf(from)], from });
  }

  /** What `from` stands for is now called `to`. */
  rename(from: string, to: string, entry: Entry): void {
    const directories = [parentOf(to), parentOf(from)];
    this.#change({ sequence: ++this.#sequence, directories, from, to, entry });
  }

  /** A mark for {@link Names.synced}: everything done so far. */
  mark(): number {
    return this.#sequence;
  }

  /** A sync of `directory` that began at `mark` has succeeded. */
  synced(directory: string, mark: number): void {
    this.#commit(new Map([[directory, mark]]));
  }

  /** The power went. */
  crash(random: SimulatedRandom): void {
    const directories = new Set(this.#pending.flatMap((change) => change.directories));
    const moment = () => random.pick([0, ...this.#pending.map((change) => change.sequence)]);
    const together = random.chance(0.5) ? moment() : null;
    this.#commit(new Map([...directories].map((directory) => [directory, together ?? moment()])));
    this.#pending = [];
    for (const path of [...this.#durable.keys()].sort()) {
      if (path !== "" && this.#durable.get(parentOf(path)) !== "directory") this.#durable.delete(path);
    }
    this.#visible = new Map(this.#durable);
  }

  #change(change: Change): void {
    apply(this.#visible, change);
    this.#pending.push(change);
  }

  /** Make durable what each directory saw up to its moment, and what a rename in it drags along. */
  #commit(moments: Map<string, number>): void {
    const kept = new Set<Change>();
    for (const change of this.#pending.toReversed()) {
      const { directories, sequence } = change;
      if (!directories.some((directory) => (moments.get(directory) ?? 0) >= sequence)) continue;
      kept.add(change);
      for (const directory of directories) {
        moments.set(directory, Math.max(moments.get(directory) ?? 0, sequence));
      }
    }
    for (const change of this.#pending) if (kept.has(change)) apply(this.#durable, change);
    this.#pending = this.#pending.filter((change) => !kept.has(change));
  }
}

function apply(names: Map<string, Entry>, change: Change): void {
  if (change.from !== undefined) names.delete(change.from);
  if (change.to !== undefined && change.entry !== undefined) names.set(change.to, change.entry);
}
