/**
 * Backups as people ask for them: one at a time, each with a number under which its progress is told. A backup may
 * take longer than any request, so nobody waits for it: who began it asks again and again how far it is.
 *
 * @module
 */

import type { BackupBegun, BackupOutcome, BackupProgress } from "./protocol.ts";

/** Makes a backup in a directory; rejects only for bugs. */
export type BackUp = (directory: string, onProgress: (fraction: number) => void) => Promise<BackupOutcome>;

/** The backups of one node. */
export class Backups {
  readonly #backUp: BackUp;
  readonly #last = { number: 0, fraction: 0, outcome: null as BackupOutcome | null };

  /** @param backUp makes one */
  constructor(backUp: BackUp) {
    this.#backUp = backUp;
  }

  /** Begin one. */
  begin(directory: string): BackupBegun {
    const last = this.#last;
    if (last.number > 0 && last.outcome === null) {
      return { ok: false, code: "busy", message: "another backup is being made; try again when it is there" };
    }
    const number = last.number + 1;
    Object.assign(last, { number, fraction: 0, outcome: null });
    const failed = (error: unknown): BackupOutcome => ({ ok: false, code: "failed", message: String(error) });
    void this.#backUp(directory, (fraction) => last.fraction = fraction)
      .catch(failed)
      .then((outcome) => last.outcome = outcome);
    return { ok: true, number };
  }

  /** How far one is. */
  progress(asked: number): BackupProgress {
    const { number, fraction, outcome } = this.#last;
    if (asked === number) return { ok: true, fraction, outcome };
    return {
      ok: false,
      code: "unknown",
      message: `nothing is known of backup ${asked}: the node was restarted`,
    };
  }
}
