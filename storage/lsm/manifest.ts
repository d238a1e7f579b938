/**
 * The manifest: which version of the store is the present one, durably.
 *
 * It is a journal of edits. An edit is one record, so a version is replaced by the next one as a whole or not at all,
 * and the order of writing needs no other file to tell it. Each edit is written twice, a sector apart: where one is
 * damaged the other counts, and edits are numbered so that none counts twice. When the edits have become many, the
 * present version is written as one edit that needs nothing before it, and they go.
 *
 * An edit that is missing would bring back removed keys. So where both copies of one are damaged, nothing is opened and
 * nothing changed. When it is the last ones that are missing, an earlier version is left, which is as good as long as
 * nothing that it needs has been removed; `inspect.ts` sees to that.
 *
 * @module
 */

import { LIMITS } from "../../actors/runtime/limits.ts";
import { type Damage, EngineError } from "../engine.ts";
import { type Journal, openJournal, type Replay } from "../journal.ts";
import { decodeEdit, EDIT_VERSION, editVersion, encodeEdit } from "./edit_codec.ts";
import { DEFAULTS, type LsmOptions } from "./options.ts";
import { type Changes, type Edit, Version } from "./version.ts";

const EDIT_RECORD = 1;
/** Stands between the two copies of an edit, so that no sector holds bytes of both. */
const SPACER_RECORD = 2;
const SPACER = new Uint8Array(4096).fill(0xff);
/** Takes edits as they are replayed. */
class Reading {
  version: Version | null = null;
  /** The edit after which some are missing, null when none are. */
  gapAfter: number | null = null;

  readonly replay: Replay = ({ payload, type }) => {
    if (type === SPACER_RECORD) return true;
    if (type !== EDIT_RECORD) return false;
    if (editVersion(payload) > EDIT_VERSION) {
      throw new EngineError(
        "newer",
        `the manifest has format ${editVersion(payload)}, this release reads ${EDIT_VERSION}: ` +
          "it was written by a newer one; nothing was changed",
      );
    }
    const edit = decodeEdit(payload);
    if (edit !== null) this.#take(edit);
    return edit !== null;
  };

  #take(edit: Edit): void {
    const last = this.version?.edit.number ?? 0;
    if (edit.number <= last) return; // the second copy
    if (edit.isWhole) {
      this.version = new Version(edit, null);
      this.gapAfter = null;
    } else if (edit.number === last + 1) this.version = new Version(edit, this.version);
    else this.gapAfter ??= last;
  }
}

/**
 * Open the manifest of a store. `inspect` is told the version that it has, null for a new store, before anything is
 * changed; it may throw.
 *
 * @throws {EngineError} as `openJournal`; `corrupt` when edits are missing
 */
export async function openManifest(
  options: LsmOptions,
  inspect: (version: Version | null) => void,
): Promise<Manifest> {
  const directory = `${options.directory}/manifest`;
  const reading = new Reading();
  const onReplayed = () => {
    if (reading.gapAfter !== null) {
      throw new EngineError(
        "corrupt",
        `${directory}: edits after number ${reading.gapAfter} are missing, so the tables cannot be told apart; ` +
          `nothing was changed. Restore ${options.directory} from a backup, or move it away and let it be refilled`,
      );
    }
    inspect(reading.version);
  };
  const { disk, clock, random, log } = options;
  const journal = await openJournal(
    { disk, clock, random, log, directory, sync: "always", onReplayed },
    reading.replay,
  );
  return new Manifest(options, journal, reading.version);
}

/** An open manifest; made by {@link openManifest}. */
export class Manifest {
  readonly #options: LsmOptions;
  readonly #journal: Journal;
  #version: Version | null;
  /** The edit that is being made durable, and those behind it. */
  #committing: Promise<void> = Promise.resolve();
  readonly #rewriteBytes: number;
  #nextFile: number;
  /** Size after the last rewriting. */
  #wholeBytes = 0;
  #closing = false;
  /** Called when the disk is too full for an edit, which is tried again and again. Null: then it fails. */
  onFull: (() => void) | null = null;

  /** @param options of the engine @param journal of edits @param version the one that they make, if any */
  constructor(options: LsmOptions, journal: Journal, version: Version | null) {
    this.#options = options;
    this.#journal = journal;
    this.#version = version;
    this.#rewriteBytes = options.manifestBytes ?? DEFAULTS.manifestBytes;
    this.#nextFile = version?.edit.nextFile ?? 1;
  }

  /** The present version. */
  get version(): Version {
    if (this.#version === null) throw new Error("a new store has no version before its first edit");
    return this.#version;
  }

  /** Whether the store has no version yet: {@link Manifest.begin}. */
  get isNew(): boolean {
    return this.#version === null;
  }

  /** What opening it cut or skipped. */
  get damageAtOpen(): readonly Damage[] {
    return this.#journal.damageAtOpen;
  }

  /** Why it takes no more edits, null while it does. */
  get refusing(): string | null {
    return this.#journal.refusing;
  }

  /** Bytes and files on disk. */
  get size(): { readonly sizeBytes: number; readonly files: number } {
    return { sizeBytes: this.#journal.sizeBytes, files: this.#journal.files };
  }

  /** A number for a new table. */
  nextFile(): number {
    return this.#nextFile++;
  }

  /** The first edit of a new store. */
  async begin(edit: Edit): Promise<void> {
    await this.#append(edit);
    this.#version = new Version(edit, null);
  }

  /**
   * Make a change durable, and the version with it the present one; then `onChanged` is called at once. One after the
   * other. A full disk is waited for, once there is somebody who can make space ({@link Manifest.onFull}).
   *
   * @throws {EngineError} rejects with `poisoned`, `closed` or `full`; it is not known then which version counts
   */
  commit(changes: Changes, onChanged: () => void = () => {}): Promise<void> {
    const committed = this.#committing.then(() => this.#commit(changes, onChanged));
    this.#committing = committed.catch(() => {});
    return committed;
  }

  async #commit(changes: Changes, onChanged: () => void): Promise<void> {
    const { version } = this;
    const nothing = { added: [], removed: [], drops: [], suspects: [] };
    const number = version.edit.number + 1;
    const edit = {
      ...version.edit,
      ...nothing,
      ...changes,
      number,
      isWhole: false,
      nextFile: this.#nextFile,
    };
    await this.#append(edit);
    this.#version = new Version(edit, version);
    onChanged();
    if (this.#journal.sizeBytes > Math.max(this.#rewriteBytes, 4 * this.#wholeBytes)) await this.#rewrite();
  }

  /** Replace all edits by one. */
  async #rewrite(): Promise<void> {
    const whole = this.version.asWhole(this.version.edit.number + 1);
    this.#journal.seal();
    await this.#append(whole);
    this.#version = new Version(whole, null);
    try {
      await this.#journal.removeBefore(this.#journal.segment);
    } catch (error) {
      this.#options.log.warn("edits that are not needed any more stay for now", { reason: String(error) });
    }
    this.#wholeBytes = this.#journal.sizeBytes;
  }

  async #append(edit: Edit): Promise<void> {
    const bytes = encodeEdit(edit);
    this.#journal.append(EDIT_RECORD, [bytes]);
    this.#journal.append(SPACER_RECORD, [SPACER]);
    let durable = this.#journal.append(EDIT_RECORD, [bytes]);
    for (;;) {
      try {
        await durable;
        return;
      } catch (error) {
        const isFull = error instanceof EngineError && error.code === "full";
        if (!isFull || this.#closing || this.onFull === null) throw error;
        // The journal keeps it and will write it as soon as there is space.
        this.onFull();
        await new Promise<void>((resolve) => void this.#options.clock.after(LIMITS.fullProbeMs, resolve));
        durable = this.#journal.sync();
      }
    }
  }

  /** See `Engine.verify`. */
  verify(onProgress: (fraction: number) => void): Promise<readonly Damage[]> {
    return this.#journal.verify(onProgress);
  }

  /** Let go of the files. Rejects, all let go the same, when not everything could be made durable. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#journal.close();
  }
}
