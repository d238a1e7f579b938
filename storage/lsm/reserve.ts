/**
 * Space kept for a full disk: a file of zeros that is given up, so that a flush, a compaction or an edit that is under
 * way can be finished, and with it space be made.
 *
 * @module
 */

import type { DiskFile, Timer } from "../../actors/runtime/environment.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { writeAll } from "../journal/batch.ts";
import type { LsmOptions } from "./options.ts";

/** It is filled piece by piece, with a pause after each. */
const PIECE = new Uint8Array(64 * 1024);

/** The reserve of a store. */
export class Reserve {
  readonly #options: LsmOptions;
  readonly #path: string;
  readonly #fullBytes: number;
  #sizeBytes = 0;
  #making: Promise<void> | null = null;
  #again: Timer | null = null;
  #isStopped = false;

  /** @param options of the engine @param sizeBytes how much to keep; 0: nothing */
  constructor(options: LsmOptions, sizeBytes: number) {
    this.#options = options;
    this.#path = `${options.directory}/reserve`;
    this.#fullBytes = sizeBytes;
  }

  /** Bytes it takes. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Put the space aside, as soon as there is so much. */
  keep(): void {
    if (this.#fullBytes === 0 || this.#isStopped) return;
    this.#making ??= this.#make().catch(() => this.giveUp()).finally(() => this.#making = null);
  }

  /** The disk is full: let others have the space. It is put aside again after a while. */
  giveUp(): void {
    this.#sizeBytes = 0;
    try {
      this.#options.disk.remove(this.#path);
    } catch {
      // It was not there, or cannot be helped.
    }
    if (this.#isStopped) return;
    this.#again ??= this.#options.clock.after(LIMITS.reserveAgainMs, () => {
      this.#again = null;
      this.keep();
    });
  }

  /** Leave it as it is. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#again?.cancel();
    await this.#making;
  }

  async #make(): Promise<void> {
    const file = this.#options.disk.open(this.#path, { write: true, create: true });
    try {
      await this.#fill(file);
    } finally {
      file.close();
    }
  }

  async #fill(file: DiskFile): Promise<void> {
    const from = file.size();
    for (let at = from; at < this.#fullBytes && !this.#isStopped; at += PIECE.length) {
      writeAll(file, [PIECE.subarray(0, Math.min(PIECE.length, this.#fullBytes - at))], at);
      this.#sizeBytes = file.size();
      await new Promise<void>((resolve) => void this.#options.clock.after(0, resolve));
    }
    this.#sizeBytes = file.size();
    if (from < this.#fullBytes) await file.sync();
  }
}
