/**
 * The present state of a store: the log, memtables, the manifest's version, open tables.
 *
 * A memtable that is full is frozen: a new one takes the writes, and the log begins a new segment with it, so that the
 * segments before can go when the frozen one has been flushed. A view of the present that somebody holds on to pins
 * its tables, and freezes the memtable before the next write.
 *
 * @module
 */

import { type Change, EngineError } from "../engine.ts";
import type { Journal } from "../journal.ts";
import { CHANGES_RECORD } from "../memory/codec.ts";
import type { Manifest } from "./manifest.ts";
import { Memtable } from "./memtable.ts";
import type { LsmOptions, LsmSettings } from "./options.ts";
import type { Tables } from "./tables.ts";
import type { Changes, Version } from "./version.ts";
import { View } from "./view.ts";

/** What a {@link Tree} is made of. */
export interface TreeParts {
  /** As given. */
  readonly options: LsmOptions;
  /** With what was not given. */
  readonly settings: LsmSettings;
  /** The write-ahead log. */
  readonly wal: Journal;
  /** Which tables there are. */
  readonly manifest: Manifest;
  /** They themselves. */
  readonly tables: Tables;
  /** What was replayed. */
  readonly memtable: Memtable;
}

/** See the module. */
export class Tree {
  /** As given. */
  readonly options: LsmOptions;
  /** With what was not given. */
  readonly settings: LsmSettings;
  /** The write-ahead log. */
  readonly wal: Journal;
  /** Which tables there are. */
  readonly manifest: Manifest;
  /** They themselves. */
  readonly tables: Tables;
  /** Bytes written: by users, to tables. */
  readonly written = { userBytes: 0, tableBytes: 0 };
  #view: View;
  #refusal: EngineError | null = null;
  readonly #pinned = new Set<View>();
  /** Numbers of tables that are not in the present version, and still on disk. */
  readonly #obsolete = new Set<number>();

  /** @param parts what it is made of */
  constructor({ options, settings, wal, manifest, tables, memtable }: TreeParts) {
    this.options = options;
    this.settings = settings;
    this.wal = wal;
    this.manifest = manifest;
    this.tables = tables;
    this.#view = new View([memtable], manifest.version, tables);
  }

  /** The present. */
  get view(): View {
    return this.#view;
  }

  /** The present version. */
  get version(): Version {
    return this.#view.version;
  }

  /** Memtables that wait to be flushed, the youngest first. */
  get waiting(): readonly Memtable[] {
    return this.#view.memtables.slice(1);
  }

  /** Bytes that were written to them. */
  get waitingBytes(): number {
    const { memtables } = this.#view;
    let sizeBytes = 0;
    for (let i = 1; i < memtables.length; i++) sizeBytes += memtables[i]!.writtenBytes;
    return sizeBytes;
  }

  /** Why nothing is written any more, null while something is. A full log is another matter: that passes. */
  get refusal(): EngineError | null {
    if (this.#refusal !== null) return this.#refusal;
    // What the log takes can never be flushed where the manifest takes nothing.
    const reason = [this.wal.refusing, this.manifest.refusing].find((one) => one?.startsWith("poisoned"));
    return reason ? new EngineError("poisoned", reason) : null;
  }

  /** Apply changes that the log has. */
  apply(changes: readonly Change[]): void {
    const memtable = this.#active();
    for (const change of changes) {
      memtable.apply(change);
      this.written.userBytes += change.key.length + (change.record?.length ?? 0);
    }
  }

  /** Drop a partition; the log has it. */
  drop(partition: number): void {
    this.#active().drop(partition);
  }

  /** Have a new memtable take the writes, unless the present one is empty or the log takes nothing. */
  freeze(): void {
    const active = this.#active();
    if (active.isEmpty) return;
    try {
      this.wal.seal();
      this.wal.append(CHANGES_RECORD, []); // no change, but the first record of a new segment
    } catch (error) {
      if (error instanceof EngineError) return; // the next write tries again
      throw error;
    }
    const memtables = [new Memtable(active.age + 1, this.wal.segment), ...this.#view.memtables];
    this.#view = new View(memtables, this.version, this.tables);
  }

  /** Before the next write: what is pinned must not see it. True when there is a memtable more. */
  freezeIfPinned(): boolean {
    const active = this.#active();
    for (const view of this.#pinned) {
      if (view.memtables[0] !== active) continue;
      this.freeze();
      return true;
    }
    return false;
  }

  /** Make a change of the version durable and present. `flushed`: memtables that are in its tables. */
  async commit(changes: Changes, flushed: readonly Memtable[] = []): Promise<void> {
    await this.manifest.commit(changes, () => {
      const memtables = this.#view.memtables.filter((memtable) => !flushed.includes(memtable));
      this.#view = new View(memtables, this.manifest.version, this.tables);
      const added = new Set(changes.added?.map(({ table }) => table.number));
      for (const number of changes.removed ?? []) if (!added.has(number)) this.#obsolete.add(number);
    });
    this.#sweep();
  }

  /** The present, to be held on to until {@link Tree.unpin}. */
  pin(): View {
    // A memtable that is empty goes on taking writes.
    const memtables = this.#active().isEmpty ? this.waiting : this.#view.memtables;
    const view = new View(memtables, this.version, this.tables);
    this.#pinned.add(view);
    return view;
  }

  /** A view is not needed any more. */
  unpin(view: View): void {
    if (this.#pinned.delete(view)) this.#sweep();
  }

  /** Let go of everything that is pinned, and of the tables. */
  release(): void {
    this.#pinned.clear();
    this.#sweep();
    this.tables.close();
  }

  /** Write nothing more. */
  poison(error: EngineError): void {
    if (this.#refusal) return;
    const { log, directory } = this.options;
    log.error("the store takes no more writes until a new process opens it", {
      directory,
      detail: error.message,
    });
    this.#refusal = error;
  }

  #active(): Memtable {
    return this.#view.memtables[0]!;
  }

  /** Remove tables that nobody needs. What cannot be removed is rubbish for the next start. */
  #sweep(): void {
    for (const number of this.#obsolete) {
      const isPinned = [...this.#pinned].some((view) => view.version.has(number));
      if (isPinned) continue;
      this.#obsolete.delete(number);
      try {
        this.tables.remove(number);
      } catch (error) {
        const { log, directory } = this.options;
        log.warn("a table that is not needed any more stays", { directory, number, reason: String(error) });
      }
    }
  }
}
