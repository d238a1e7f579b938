/**
 * Opening a store: the manifest, then the log, then what has to be repaired.
 *
 * Everything is looked at before anything is changed: what a newer release wrote, or what is not whole, stays as it was
 * found. The manifest's lock keeps other processes out from the first moment.
 *
 * @module
 */

import type { Damage } from "../engine.ts";
import { asEngineError, type Journal, openJournal } from "../journal.ts";
import { refuseUnfinished } from "../journal/copy.ts";
import { CHANGES_RECORD } from "../memory/codec.ts";
import { STORE_ID_RECORD } from "../store_id.ts";
import { inspect, listTables, type LostTable, walDirectory } from "./inspect.ts";
import { type Manifest, openManifest } from "./manifest.ts";
import { Memtable } from "./memtable.ts";
import { DEFAULTS, type LsmOptions, type LsmSettings } from "./options.ts";
import type { Workshop } from "./run_writer.ts";
import { quarantine, salvage } from "./salvage.ts";
import { tablePath } from "./table.ts";
import { Tables } from "./tables.ts";
import { Tree } from "./tree.ts";
import { type Changes, firstEdit, type StoreId } from "./version.ts";
import { encodeStoreId, WalReplay } from "./wal.ts";

/** A store that is open. */
export interface OpenedTree {
  /** Its state. */
  readonly tree: Tree;
  /** What opening it had to cut, skip or repair. */
  readonly damage: readonly Damage[];
}

/** Bytes of an id. */
const STORE_ID_BYTES = 16;

/** Open a store. @throws {EngineError} rejects as `openJournal`, and with `corrupt` as `inspect` and `openManifest` */
export async function openTree(options: LsmOptions): Promise<OpenedTree> {
  const { disk, directory } = options;
  refuseUnfinished(disk, directory);
  let lost: LostTable[] = [];
  const manifest = await openManifest(options, (version) => lost = inspect(disk, directory, version));
  let wal: Journal | null = null;
  try {
    if (manifest.isNew) await manifest.begin(firstEdit(drawId(options, 0)));
    const { age, walFrom, storeId } = manifest.version.edit;
    const memtable = new Memtable(age, walFrom);
    const replay = new WalReplay(memtable);
    const scar = () => ({ type: STORE_ID_RECORD, payload: encodeStoreId(drawId(options, storeId.serial)) });
    wal = await openJournal({ ...journalOptions(options), scar }, (record) => replay.take(record));
    removeRubbish(options, manifest); // what a repair writes may get the number of a table that was never finished
    const repaired = await repair(options, manifest, lost, replay.storeId);
    await reachSegment(wal, replay.lastSegment, manifest.version.edit.walFrom);
    removeRubbish(options, manifest);
    await wal.removeBefore(manifest.version.edit.walFrom);
    const settings: LsmSettings = { ...DEFAULTS, ...options };
    const tables = new Tables(disk, directory, settings);
    const tree = new Tree({ options, settings, wal, manifest, tables, memtable });
    return { tree, damage: [...manifest.damageAtOpen, ...wal.damageAtOpen, ...repaired] };
  } catch (error) {
    await wal?.close().catch(() => {});
    await manifest.close().catch(() => {});
    throw asEngineError(error);
  }
}

function journalOptions({ disk, clock, random, log, directory, sync, segmentBytes }: LsmOptions) {
  const size = segmentBytes === undefined ? {} : { segmentBytes };
  return { disk, clock, random, log, directory: walDirectory(directory), sync, ...size };
}

function drawId({ random }: LsmOptions, after: number): StoreId {
  return { serial: after + 1, bytes: random.bytes(STORE_ID_BYTES) };
}

/** Bring the manifest up to date with what was found: an id that the log has, damaged tables. */
async function repair(
  options: LsmOptions,
  manifest: Manifest,
  lost: readonly LostTable[],
  ofWal: StoreId | null,
): Promise<readonly Damage[]> {
  const { disk, directory, log } = options;
  const { version } = manifest;
  const { storeId, walFrom } = version.edit;
  const newest = ofWal !== null && ofWal.serial > storeId.serial ? ofWal : storeId;
  const settings: LsmSettings = { ...DEFAULTS, ...options };
  const tables = new Tables(disk, directory, settings);
  const workshop = workshopAtOpen(options, settings, manifest);
  const newId = () => drawId(options, newest.serial);
  const { changes, damage } = await salvage(workshop, tables, version, lost, newId);
  for (const one of damage) log.error("a table is damaged; the rest of it is kept", { ...one });
  const edit: Changes = {
    ...newest === storeId ? {} : { storeId: newest },
    ...walFrom === 0 ? { walFrom: 1 } : {}, // from now on there is a log
    ...changes,
  };
  if (Object.keys(edit).length === 0) return damage;
  for (const number of changes?.removed ?? []) quarantine(disk, directory, number);
  await manifest.commit(edit);
  return damage;
}

function workshopAtOpen(
  { disk, directory, random }: LsmOptions,
  settings: LsmSettings,
  manifest: Manifest,
): Workshop {
  return {
    disk,
    directory,
    random,
    settings,
    nextFile: () => manifest.nextFile(),
    turn: () => Promise.resolve(), // nobody else is here yet
    onWritten: () => {},
  };
}

/**
 * Have a durable record in segment `number` of the log, or a later one. A crash may have come before there was one;
 * what is written from now on must not go to a segment whose records do not count any more, and a log from which older
 * segments are removed must not be empty then: that would look like damage.
 */
async function reachSegment(wal: Journal, lastSegment: number, number: number): Promise<void> {
  if (lastSegment >= number) return;
  for (let reached = lastSegment; reached < number; reached = wal.segment) {
    if (wal.segment < number) wal.seal();
    wal.append(CHANGES_RECORD, []);
  }
  await wal.sync();
}

/** Remove tables that no edit ever named, or that one has replaced. */
function removeRubbish({ disk, directory }: LsmOptions, { version }: Manifest): void {
  for (const number of listTables(disk, directory)) {
    if (!version.has(number)) disk.remove(tablePath(directory, number));
  }
}
