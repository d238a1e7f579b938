/**
 * Making a data directory from a backup.
 *
 * The backup is verified first, all of it, and its files are copied, never linked: it is there to survive what happens
 * to the node. The node's own journal is copied last, its newest segment first, for that one holds every fact. So of a
 * restore that was interrupted no node starts as if it were whole: a store without a journal is refused.
 *
 * Whoever starts on the copy knows that it may be older than what the node has promised and acknowledged since; the
 * backup says so (`net/backup.ts`). Only its operator can know that nobody lives who remembers more.
 *
 * @module
 */

import type { Damage } from "../../storage/engine.ts";
import { type BackupManifest, MANIFEST, readManifest } from "../backup_manifest.ts";
import { copyFiles, type FileBelow, namesIn } from "../files.ts";
import { letVote } from "../node_memory.ts";
import { type OnProgress, Refused, type Tools } from "./directory.ts";
import { verifyDirectory } from "./verify.ts";

/** What to restore, and to where. */
export interface RestoreOptions {
  /** The backup's directory. */
  readonly backup: string;
  /** The data directory, which must be empty or not there. */
  readonly path: string;
  /** No member lives that could remember what the backup does not know of: the node votes on rings again. */
  readonly wholeCluster: boolean;
}

/** What came of it. `damage` is what keeps the backup from being restored; then nothing was written. */
export interface Restoration {
  /** What the backup says of itself. */
  readonly manifest: BackupManifest;
  /** Empty when all is well. */
  readonly damage: readonly Damage[];
}

/** Make a data directory from a backup. @throws {Refused} @throws {DiskError} */
export async function restore(
  tools: Tools,
  options: RestoreOptions,
  onProgress: OnProgress,
): Promise<Restoration> {
  const { disk } = tools;
  const { backup, path, wholeCluster } = options;
  refuseTarget(tools, path);
  const manifest = manifestOf(tools, backup);
  const { damage } = await verifyDirectory(tools, backup, (fraction) => onProgress(fraction / 2));
  if (damage.length > 0) return { manifest, damage };
  await copyFiles(tools, inOrder(manifest.files), backup, path, (fraction) => onProgress((1 + fraction) / 2));
  if (wholeCluster) await letVote(path, tools);
  await disk.syncDirectory(path);
  return { manifest, damage };
}

function refuseTarget({ disk }: Tools, path: string): void {
  const names = namesIn(disk, path);
  if (names === null && disk.exists(path)) throw new Refused(`${path} is a file`);
  if (names !== null && names.length > 0) throw new Refused(`${path} is not empty; a restore does not mix`);
}

function manifestOf({ disk }: Tools, backup: string): BackupManifest {
  try {
    return readManifest(disk, backup);
  } catch (error) {
    throw new Refused(error instanceof Error ? error.message : String(error));
  }
}

/** The store before the node's own journal, and that from its newest segment on. */
function inOrder(files: readonly FileBelow[]): FileBelow[] {
  const isJournal = ({ path }: FileBelow) => path.startsWith("node/");
  const journal = files.filter(isJournal).sort((a, b) => a.path < b.path ? 1 : -1);
  return [...files.filter((file) => !isJournal(file) && file.path !== MANIFEST), ...journal];
}
