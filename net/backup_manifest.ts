/**
 * The list of what is in a backup. It is written last: a directory without it is no backup, or half of one; and it
 * tells when a file is missing or has been cut, which a journal alone may not show.
 *
 * It is a file of JSON, `backup.json`; an example is in `storage/FORMAT.md`.
 *
 * @module
 */

import { decodeUtf8, encodeUtf8 } from "../actors/runtime/bytes.ts";
import type { Disk } from "../actors/runtime/environment.ts";
import { hexId, integer, list, oneOf, record, shape, type Shaped, text } from "../actors/runtime/shape.ts";
import type { Damage } from "../storage/engine.ts";
import { ENGINES } from "../storage/engines.ts";
import { writeAll } from "../storage/journal/batch.ts";
import { filesBelow } from "./files.ts";

/** The name of the file. */
export const MANIFEST = "backup.json";
/** The only version of the file that this release reads and writes. */
const FORMAT = 1;
const MOST_FILES = 10_000_000;
const SHORT = 4096;

const manifest = record({
  format: integer(FORMAT, FORMAT),
  denamo: text(SHORT),
  takenAt: text(SHORT),
  node: hexId(16),
  address: text(SHORT),
  cluster: text(SHORT),
  engine: oneOf(...ENGINES),
  keys: integer(0),
  files: list(record({ path: text(SHORT, 1), sizeBytes: integer(0) }), MOST_FILES),
});

/** What a backup says of itself. */
export type BackupManifest = Shaped<typeof manifest>;

/** Write it, durably, to a directory that has none. */
export async function writeManifest(
  disk: Disk,
  directory: string,
  contents: Omit<BackupManifest, "format">,
): Promise<void> {
  const path = `${directory}/${MANIFEST}`;
  const file = disk.open(`${path}.tmp`, { write: true, create: true });
  try {
    file.truncate(0);
    writeAll(file, [encodeUtf8(`${JSON.stringify({ format: FORMAT, ...contents }, null, 2)}\n`)], 0);
    await file.sync();
  } finally {
    file.close();
  }
  disk.rename(`${path}.tmp`, path);
  await disk.syncDirectory(directory);
}

/**
 * Read it.
 *
 * @throws {Error} when it cannot be read, saying why
 */
export function readManifest(disk: Disk, directory: string): BackupManifest {
  const path = `${directory}/${MANIFEST}`;
  if (!disk.exists(path)) {
    throw new Error(`${directory} is no backup, or one that was not finished: it has no ${MANIFEST}`);
  }
  const file = disk.open(path);
  const bytes = new Uint8Array(file.size());
  try {
    file.read(bytes, 0);
  } finally {
    file.close();
  }
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes));
  } catch {
    throw new Error(`${path} is damaged: it is not JSON`);
  }
  const { format } = value as { readonly format?: unknown };
  if (typeof format === "number" && format > FORMAT) {
    throw new Error(
      `${path} has format ${format}, this release reads ${FORMAT}: it was written by a newer one`,
    );
  }
  try {
    return shape(manifest, value);
  } catch (error) {
    throw new Error(`${path} is damaged: ${error instanceof Error ? error.message : error}`);
  }
}

/** What is not as the list says, in a directory that has one: files that are missing, or longer or shorter. */
export function missingFrom(disk: Disk, directory: string): Damage[] {
  const path = `${directory}/${MANIFEST}`;
  if (!disk.exists(path)) return [];
  let listed: BackupManifest["files"];
  try {
    listed = readManifest(disk, directory).files;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return [{ kind: "corrupt", path, offset: 0, detail }];
  }
  const there = new Map(filesBelow(disk, directory).map(({ path, sizeBytes }) => [path, sizeBytes]));
  return listed.flatMap(({ path, sizeBytes }): Damage[] => {
    const found = there.get(path);
    if (found === sizeBytes) return [];
    const detail = found === undefined ? "is missing" : `has ${found} bytes, and had ${sizeBytes}`;
    return [{ kind: "corrupt", path: `${directory}/${path}`, offset: 0, detail }];
  });
}
