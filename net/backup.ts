/**
 * A backup of a node, made while it serves.
 *
 * The copy of the store is consistent by itself (`Engine.copyTo`), and so is that of the node's own journal. What is
 * hard is what a copy is taken for when it is put back. Naive: the node whose directory it is. But since the copy was
 * made the original has acknowledged writes and given votes, and perhaps in the same life of its process, so that not
 * even members who have met every one of its lives (`lives.ts`) can tell the copy that it has forgotten any. Its reads
 * would count, and miss what was acknowledged; it would vote twice. So a backup says of itself that it may be older
 * than it should be: with the facts that a journal gets once it is known to have lost something. Who starts on it
 * fetches everything from all other members before its reads count, and does not vote, however the files came there.
 *
 * Files that do not change any more are hard links of the node's own, which costs neither time nor space, as long as
 * both are on one file system. To another one, a snapshot is made of such links first, beside the data, and copied
 * from there at leisure: what the node removes meanwhile stays in the snapshot.
 *
 * @module
 */

import { isAbsolute, relative, resolve } from "node:path";
import type { BackupOutcome } from "../actors/operator/protocol.ts";
import { type Disk, DiskError, type Environment } from "../actors/runtime/environment.ts";
import { EngineError, type EngineStats } from "../storage/engine.ts";
import { storeDirectory } from "../storage/engines.ts";
import { makeDurableDirectory } from "../storage/journal/open.ts";
import type { NodeJournal } from "../storage/node_journal.ts";
import { type BackupManifest, writeManifest } from "./backup_manifest.ts";
import { copyFiles, filesBelow, namesIn, removeTree } from "./files.ts";
import { castDoubt, journalDirectory } from "./node_memory.ts";
import type { Settings } from "./node_options.ts";

/** What a backup is made of. */
export interface BackupSource {
  /** How the node is configured. */
  readonly settings: Settings;
  /** Its environment. */
  readonly environment: Environment;
  /** Its own journal. */
  readonly journal: NodeJournal;
  /** Copy its store; resolves to what was in it. */
  copyStore(directory: string, onProgress: (fraction: number) => void): Promise<EngineStats>;
  /** What the backup says of the node. */
  describe(): Pick<BackupManifest, "denamo" | "node" | "address" | "cluster">;
}

/** Where the links of a backup to another file system are, in the node's data directory. */
const SNAPSHOT = "snapshot";

/** Make a backup in `directory`. Never rejects: what goes wrong is a refusal. */
export async function backUp(
  source: BackupSource,
  directory: string,
  onProgress: (fraction: number) => void,
): Promise<BackupOutcome> {
  const { settings, environment: { disk, log } } = source;
  try {
    const problem = problemOf(settings, disk, directory);
    if (problem !== null) return problem;
    await makeDurableDirectory(disk, directory);
    const manifest = isNear(disk, settings.path, directory)
      ? await fill(source, directory, onProgress)
      : await copyAway(source, directory, onProgress);
    await writeManifest(disk, directory, manifest);
    const { files, keys } = manifest;
    const sizeBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    log.info("a backup was made", { directory, files: files.length, sizeBytes });
    return { ok: true, directory, files: files.length, sizeBytes, keys };
  } catch (error) {
    log.error("a backup could not be made", { directory, error: String(error) });
    discard(source, directory);
    if (!(error instanceof EngineError || error instanceof DiskError)) throw error;
    return { ok: false, code: "disk", message: error.message };
  } finally {
    clearSnapshot(source);
  }
}

/** Leave nothing of what was begun, and whatever else has come there since. */
function discard(
  { settings: { engine }, environment: { disk, log } }: BackupSource,
  directory: string,
): void {
  try {
    for (const part of [journalDirectory(directory), storeDirectory(directory, engine)]) {
      removeTree(disk, part);
    }
    if (namesIn(disk, directory)?.length === 0) disk.remove(directory);
  } catch (error) {
    log.warn("what was begun of a backup is still there, and is none", { directory, error: String(error) });
  }
}

/** Forget the snapshot of a backup that was interrupted. */
export function clearSnapshot(
  { settings, environment: { disk, log } }: Pick<BackupSource, "settings" | "environment">,
): void {
  try {
    removeTree(disk, `${settings.path}/${SNAPSHOT}`);
  } catch (error) {
    log.warn("the snapshot of a backup is still there", { path: settings.path, error: String(error) });
  }
}

/** Why there can be no backup there. */
function problemOf({ path, persist }: Settings, disk: Disk, directory: string): BackupOutcome | null {
  const refusal = (code: string, message: string) => ({ ok: false, code, message }) as const;
  if (!persist) return refusal("volatile", "this node keeps nothing on disk: there is nothing to back up");
  if (!isAbsolute(directory)) {
    return refusal("bad-path", `${directory}: give the whole path, from the root on`);
  }
  const inside = relative(resolve(path), resolve(directory));
  if (inside === "" || !inside.startsWith("..") && !isAbsolute(inside)) {
    return refusal(
      "bad-path",
      `${directory} is in the node's own data directory, ${path}: it would be lost with it`,
    );
  }
  const names = namesIn(disk, directory);
  if (names === null && disk.exists(directory)) return refusal("bad-path", `${directory} is a file`);
  if (names !== null && names.length > 0) return refusal("not-empty", `${directory} is not empty`);
  return null;
}

/** Whether files of the data directory can have a second name in `directory`. */
function isNear(disk: Disk, path: string, directory: string): boolean {
  const probe = `${directory}/probe`;
  try {
    disk.link(`${journalDirectory(path)}/lock`, probe);
  } catch {
    return false;
  }
  disk.remove(probe);
  return true;
}

/** Copy journal and store into a directory, on the same file system. */
async function fill(
  { settings: { engine }, environment, journal, copyStore, describe }: BackupSource,
  directory: string,
  onProgress: (fraction: number) => void,
): Promise<Omit<BackupManifest, "format">> {
  const { disk, clock } = environment;
  const takenAt = new Date(clock.wall()).toISOString();
  await journal.copyTo(journalDirectory(directory));
  await castDoubt(directory, environment);
  disk.remove(`${journalDirectory(directory)}/lock`); // it may be read where nothing can be written
  const { keys } = await copyStore(storeDirectory(directory, engine), onProgress);
  await disk.syncDirectory(directory);
  return { ...describe(), takenAt, engine, keys, files: filesBelow(disk, directory) };
}

/** The same to another file system, by way of a snapshot. */
async function copyAway(
  source: BackupSource,
  directory: string,
  onProgress: (fraction: number) => void,
): Promise<Omit<BackupManifest, "format">> {
  const { settings: { path }, environment } = source;
  const snapshot = `${path}/${SNAPSHOT}`;
  removeTree(environment.disk, snapshot);
  const manifest = await fill(source, snapshot, () => {});
  await copyFiles(environment, manifest.files, snapshot, directory, onProgress);
  return manifest;
}
