/**
 * What to compact next.
 *
 * Level 0 is due when it has so many tables, each other level when it has more bytes than it may. The level that is
 * most over its measure comes first. Of level 0 all tables go down together, for any of them may have any key; of
 * another level one, and each time the one behind the last one, so that no part of the keys is forgotten (LevelDB's
 * `doc/impl.md`). A table that nothing in the next level overlaps is moved there without being read.
 *
 * What is not to be touched, because damage was seen in it, is in the way of everything younger. So that reads need not
 * look into ever more tables meanwhile, and writes are not refused for it, the youngest ones of level 0 are made one.
 *
 * @module
 */

import { compareBytes } from "../../actors/runtime/bytes.ts";
import type { LsmSettings } from "./options.ts";
import { LEVELS, overlapping, type TableMeta, type Version } from "./version.ts";

/** How many times as much a level may hold as the one before. */
const RATIO = 10;

/** Tables of level 0 that are made one are no longer than this together: offsets in a table have 32 bits. */
const GATHERED_BYTES = 2 ** 30;

/** Tables to become others. */
export interface Job {
  /** Their level. */
  readonly level: number;
  /** Tables of that level, in its order. */
  readonly tables: readonly TableMeta[];
  /** Tables of the level they go to that overlap them. */
  readonly below: readonly TableMeta[];
  /** The level they go to. */
  readonly into: number;
  /** Whether they can go there as they are. */
  readonly isMove: boolean;
}

/** All tables that a job replaces. */
export function jobTables({ tables, below }: Job): TableMeta[] {
  return [...tables, ...below];
}

/** What a level may hold. */
export function levelLimit(level: number, { levelBytes }: LsmSettings): number {
  return levelBytes * RATIO ** (level - 1);
}

/** How far a level is over its measure: due from 1 on. The last level has none. */
function scoreOf(version: Version, level: number, settings: LsmSettings): number {
  if (level === LEVELS - 1) return 0;
  if (level === 0) return version.levels[0]!.length / settings.level0Tables;
  return version.levelBytes(level) / levelLimit(level, settings);
}

/**
 * The next job, null when nothing is due. `lastKeys`: by level, up to which key it has been compacted. Tables in which
 * damage was seen are left alone, and so is what cannot go without them.
 */
export function pickJob(
  version: Version,
  settings: LsmSettings,
  lastKeys: readonly Uint8Array[],
): Job | null {
  const due = version.levels
    .map((_, level) => ({ level, score: scoreOf(version, level, settings) }))
    .filter(({ score }) => score >= 1)
    .sort((a, b) => b.score - a.score);
  for (const { level } of due) {
    const job = level === 0
      ? jobOfLevel0(version) ?? gathered(version, settings)
      : jobOfLevel(version, level, lastKeys[level]);
    if (job !== null) return job;
  }
  return null;
}

/** Bytes that have to be compacted before nothing is due any more, or more. */
export function debtBytes(version: Version, settings: LsmSettings): number {
  let debt = version.levels[0]!.length < settings.level0Tables ? 0 : version.levelBytes(0);
  for (let level = 1; level < LEVELS - 1; level++) {
    debt += Math.max(0, version.levelBytes(level) - levelLimit(level, settings));
  }
  return debt;
}

/**
 * The next job until nothing is left that could go: tables of `before` or an earlier age all in one level, the deepest
 * there is, without removals and hidden entries. Null when it is done.
 */
export function pickFully(version: Version, settings: LsmSettings, before: number): Job | null {
  const deepest = Math.max(1, version.levels.findLastIndex((tables) => tables.length > 0));
  const isDue = scoreOf(version, 0, settings) >= 1 || version.levels[0]!.some(({ age }) => age <= before);
  const ofLevel0 = isDue ? jobOfLevel0(version) : null;
  if (ofLevel0 !== null) return ofLevel0;
  for (let level = 1; level < deepest; level++) {
    const job = jobOfLevel(version, level, undefined);
    if (job !== null) return job;
  }
  const table = version.levels[deepest]!.find((table) =>
    !version.suspects.has(table.number) && hasDead(version, table)
  );
  return table ? { level: deepest, tables: [table], below: [], into: deepest, isMove: false } : null;
}

/** Whether a table of the deepest level holds what nobody needs. */
function hasDead(version: Version, { contents, age }: TableMeta): boolean {
  return contents.some(({ partition, removed }) => removed > 0 || age <= version.lineOf(partition));
}

/** Level 0, from the oldest table on to the first one that is not to be touched. */
function jobOfLevel0(version: Version): Job | null {
  const level = version.levels[0]!;
  const tables = level.slice(level.findLastIndex(({ number }) => version.suspects.has(number)) + 1);
  const oldest = tables.at(-1);
  if (!oldest) return null;
  if (overlapping(version.levels[1]!, oldest.first, oldest.last).length === 0) {
    // What is younger stays above it.
    const others = tables.slice(0, -1);
    if (overlapping(others, oldest.first, oldest.last).length === 0) return job(version, 0, [oldest]);
  }
  return job(version, 0, tables);
}

/**
 * The youngest tables of level 0, to be one; with older ones as long as those are no larger than what is younger, so
 * that a byte is not written more often than tables double.
 */
function gathered(version: Version, { level0Tables }: LsmSettings): Job | null {
  const tables: TableMeta[] = [];
  let sizeBytes = 0;
  for (const table of version.levels[0]!) {
    if (version.suspects.has(table.number) || sizeBytes + table.sizeBytes > GATHERED_BYTES) break;
    if (tables.length >= level0Tables && table.sizeBytes > sizeBytes) break;
    tables.push(table);
    sizeBytes += table.sizeBytes;
  }
  if (tables.length < Math.max(2, level0Tables)) return null;
  return { level: 0, tables, below: [], into: 0, isMove: false };
}

/** One table of a level, the first behind a key that can go. */
function jobOfLevel(version: Version, level: number, lastKey: Uint8Array | undefined): Job | null {
  const tables = version.levels[level]!;
  const from = lastKey ? tables.findIndex(({ first }) => compareBytes(first, lastKey) > 0) : 0;
  for (let i = 0; i < tables.length; i++) {
    const found = job(version, level, [tables[(Math.max(0, from) + i) % tables.length]!]);
    if (found !== null) return found;
  }
  return null;
}

/** The job of these tables, null when one that it needs is not to be touched. */
function job(version: Version, level: number, tables: readonly TableMeta[]): Job | null {
  const first = tables.map((table) => table.first).reduce((a, b) => compareBytes(a, b) <= 0 ? a : b);
  const last = tables.map((table) => table.last).reduce((a, b) => compareBytes(a, b) >= 0 ? a : b);
  const into = level + 1;
  const below = overlapping(version.levels[into]!, first, last);
  if ([...tables, ...below].some(({ number }) => version.suspects.has(number))) return null;
  return { level, tables, below, into, isMove: tables.length === 1 && below.length === 0 };
}
