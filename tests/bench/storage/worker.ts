/**
 * Measures one store in a process of its own: what the garbage of one leaves behind is not the next one's.
 *
 * @module
 */

import { RealTerminal } from "../../../cli/terminal.ts";
import { openSubject, type Pair, type Subject, type SubjectName } from "./subjects.ts";

/** What is to be measured. */
export interface StoragePlan {
  readonly subject: SubjectName;
  /** An empty directory. */
  readonly directory: string;
  readonly keys: number;
  readonly valueBytes: number;
  /** Reads of each kind. */
  readonly reads: number;
  /** Synced writes of each kind. */
  readonly synced: number;
}

/** What came out: things per second, by what was done; milliseconds where the name says so. */
export interface StorageFigures {
  readonly subject: SubjectName;
  readonly perSecond: Readonly<Record<string, number>>;
  readonly openMs: number;
  readonly memoryBytesPerKey: number;
  readonly notes: Readonly<Record<string, number>>;
}

const BATCH = 100;
const KEY_BYTES = 16;
/** Hot reads go to one key in so many. */
const HOT = 100;

/** The n-th key: spread like a hash, the same in every run. Past the number of keys: a missing one. */
function keyOf(n: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  const view = new DataView(key.buffer);
  for (let word = 0; word < KEY_BYTES / 4; word++) view.setUint32(word * 4, mixed(n * 4 + word + 1));
  return key;
}

/** The same in ascending order. */
function sequentialKeyOf(n: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  new DataView(key.buffer).setUint32(0, n);
  return key;
}

/** 32 bits that depend on all of `n`'s (the finalizer of MurmurHash3). */
function mixed(n: number): number {
  let h = n | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Half of a value is random, so that it can be compressed to about one half, as LevelDB's own benchmark has it. */
function valueMaker(valueBytes: number): (n: number) => Uint8Array {
  const pool = new Uint8Array(1 << 20);
  for (let at = 0; at < pool.length; at += 4) new DataView(pool.buffer).setUint32(at, mixed(at));
  return (n) => {
    const value = new Uint8Array(valueBytes);
    const half = valueBytes >>> 1;
    const at = (n * 61) % (pool.length - half);
    value.set(pool.subarray(at, at + half));
    value.set(value.subarray(0, valueBytes - half), half);
    return value;
  };
}

if (import.meta.main) {
  const plan: StoragePlan = JSON.parse(Deno.args[0]!);
  new RealTerminal().out(`${JSON.stringify(await measure(plan))}\n`);
}

async function measure(plan: StoragePlan): Promise<StorageFigures> {
  const { subject: name, directory, keys, valueBytes } = plan;
  const value = valueMaker(valueBytes);
  const perSecond: Record<string, number> = {};
  const timed = async (what: string, count: number, task: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await task();
    perSecond[what] = Math.round(count / (performance.now() - startedAt) * 1000);
  };
  const sequential = await openSubject(name, `${directory}/sequential`, false);
  await timed("fill sequential", keys, () => fill(sequential, keys, sequentialKeyOf, value));
  await sequential.close();
  Deno.removeSync(`${directory}/sequential`, { recursive: true });

  const heapBefore = memoryBytes();
  let random = await openSubject(name, `${directory}/random`, false);
  await timed("fill random", keys, () => fill(random, keys, keyOf, value));
  const memoryBytesPerKey = Math.round((memoryBytes() - heapBefore) / keys);
  const some = Math.floor(keys / 2);
  await timed(
    "overwrite",
    some,
    () => fill(random, some, (n) => keyOf(mixed(n) % keys), (n) => value(n + 1)),
  );
  const { write } = random.notes();
  await random.close();
  const openedAt = performance.now();
  random = await openSubject(name, `${directory}/random`, false);
  const openMs = performance.now() - openedAt;
  await timed(
    "read hot",
    plan.reads,
    () => read(random, plan.reads, (n) => (mixed(n) % Math.ceil(keys / HOT)) * HOT),
  );
  await timed("read cold", plan.reads, () => read(random, plan.reads, (n) => mixed(n) % keys));
  await timed(
    "read missing",
    plan.reads,
    () => read(random, plan.reads, (n) => keys + mixed(n) % keys, true),
  );
  await timed("scan", keys, async () => {
    const found = await random.scan();
    if (found !== keys) throw new Error(`${name}: a scan gave ${found} of ${keys} keys`);
  });
  const notes = { ...random.notes(), ...(write && { write }) };
  await random.close();

  const synced = await openSubject(name, `${directory}/synced`, true);
  await timed("put synced, 1 at a time", plan.synced, () => puts(synced, plan.synced, 1, value));
  await timed("put synced, 64 at a time", plan.synced * 8, () => puts(synced, plan.synced * 8, 64, value));
  await synced.close();
  return { subject: name, perSecond, openMs, memoryBytesPerKey, notes };
}

/** Bytes the process holds, once what is rubbish is gone. */
function memoryBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

async function fill(
  subject: Subject,
  count: number,
  key: (n: number) => Uint8Array,
  value: (n: number) => Uint8Array,
): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    const pairs: Pair[] = [];
    for (let n = from; n < Math.min(count, from + BATCH); n++) pairs.push([key(n), value(n)]);
    await subject.write(pairs);
  }
}

async function read(
  subject: Subject,
  count: number,
  pick: (n: number) => number,
  isMissing = false,
): Promise<void> {
  for (let n = 0; n < count; n++) {
    if ((subject.get(keyOf(pick(n))) === null) !== isMissing) throw new Error(`key ${pick(n)}: unexpected`);
    if (n % 1000 === 0) await new Promise((resolve) => setTimeout(resolve, 0)); // whatever waits behind gets its turn
  }
}

/** `count` puts, so many of them at the same time. */
async function puts(
  subject: Subject,
  count: number,
  atOnce: number,
  value: (n: number) => Uint8Array,
): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) {
      const n = next++;
      await subject.put([keyOf(n), value(n)]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}
