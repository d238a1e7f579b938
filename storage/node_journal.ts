/**
 * The few facts that a node itself must not forget: who it is, how often it has started, the ring, what it promised
 * and accepted as a Paxos acceptor, whether its store is whole.
 *
 * A table of names and bytes, small enough to be kept in memory and replayed from a journal, the last write of a
 * name winning. It shows durable facts only: who acts on one acts on what a crash cannot take back. Two facts are
 * the table's own business:
 *
 * - The identity is 16 random bytes, made when there is none: a wiped directory is a new node. A damaged one is not:
 *   when damage has taken the identity, the journal does not open and stays as it was found.
 * - The incarnation counts openings, and each draws 8 random bytes, its boot id. Both are durable before
 *   {@link openNodeJournal} returns, so no two lives of a node ever share a number; but for damage, or an older copy of
 *   the directory put back. Who learns of that from others says so ({@link NodeJournal.outlive}).
 *
 * The table also knows whether it is where it was ({@link NodeJournal.isCopy}): a copy may be an older one. After
 * damage, or in an older copy, any fact may be older than what was promised. Which facts say so is its owner's to
 * choose ({@link NodeJournalOptions.doubts}); they are set by the same stroke that cuts the damage out.
 *
 * @module
 */

import { concatBytes, decodeUtf8, encodeUtf8, equalBytes, fromHex, toHex } from "../actors/runtime/bytes.ts";
import { type Damage, EngineError, type SyncPolicy } from "./engine.ts";
import {
  asEngineError,
  type Journal,
  type JournalOptions,
  type JournalRecord,
  openJournal,
  recordBytes,
} from "./journal.ts";

const FACT_RECORD = 1;
const IDENTITY = "identity";
const INCARNATION = "incarnation";
const BOOTS = "boots";
const BIRTH = "birth";
const OWN = new Set([IDENTITY, INCARNATION, BOOTS, BIRTH]);
const BOOT_BYTES = 8;
/** So many boot ids are kept: of this life, and of the latest before it. */
const MOST_BOOTS = 200;
/** The journal is rewritten when it is this long and four times what it need be. */
const REWRITE_BYTES = 1024 * 1024;
/** Then every fact is written so often, so that one damaged place costs none. */
const COPIES = 2;

/** What {@link openNodeJournal} wants to know; spread an `Environment` into it. */
export interface NodeJournalOptions extends Omit<JournalOptions, "sync"> {
  /** When a fact counts as durable. Default `always`: a promise that is forgotten was never one. */
  readonly sync?: SyncPolicy;
  /** Facts to be set once any other may be older than it should be. Default none. */
  readonly doubts?: readonly Fact[];
  /** Names of facts that damage may not take: then the journal does not open. The identity is one of them. */
  readonly vital?: readonly string[];
}

/** A name, at most 255 bytes of UTF-8, and the bytes under it, less than 16 MiB. */
export type Fact = readonly [name: string, bytes: Uint8Array];

/**
 * Open the node's own journal.
 *
 * @throws {EngineError} as `openJournal`
 * @example
 * ```ts
 * import { openNodeJournal } from "./node_journal.ts";
 * import { realEnvironment } from "../actors/runtime/real/mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const options = { ...realEnvironment({ node: "n1" }), directory: `${Deno.makeTempDirSync()}/node` };
 * const first = await openNodeJournal(options);
 * await first.set("ring", Uint8Array.of(1, 2, 3));
 * await first.close();
 *
 * const second = await openNodeJournal(options);
 * assertEquals(second.identity, first.identity);
 * assertEquals(second.incarnation, first.incarnation + 1);
 * assertEquals(second.get("ring"), Uint8Array.of(1, 2, 3));
 * await second.close();
 * ```
 */
export async function openNodeJournal(options: NodeJournalOptions): Promise<NodeJournal> {
  const { doubts = [], vital = [], directory } = options;
  const facts = new Map<string, Uint8Array>();
  const scar = () => {
    const lost = [IDENTITY, ...vital].find((name) => !facts.has(name));
    if (lost === undefined) return { type: FACT_RECORD, payload: concatBytes(...doubts.flatMap(encodeFact)) };
    const detail =
      `${directory} is damaged and has lost the node's ${lost}; nothing was changed. Should it read no ` +
      "better later, bring it back from a backup";
    throw new EngineError("corrupt", detail);
  };
  const journal = await openJournal({ sync: "always", ...options, scar }, (record) => replay(facts, record));
  try {
    const identity = facts.get(IDENTITY) ?? options.random.bytes(16);
    const incarnation = decodeCount(facts.get(INCARNATION)) + 1;
    const boots = withBoot(facts.get(BOOTS), options.random.bytes(BOOT_BYTES));
    facts.set(IDENTITY, identity).set(INCARNATION, encodeCount(incarnation)).set(BOOTS, boots);
    const birth = journal.birthMs === null ? null : encodeUtf8(String(journal.birthMs));
    if (incarnation === 1 && birth !== null) facts.set(BIRTH, birth);
    // All of them, once more: then it takes damage in two places to lose one of an earlier life.
    for (const fact of facts) journal.append(FACT_RECORD, encodeFact(fact));
    await journal.sync();
    return new NodeJournal(journal, facts, { identity: toHex(identity), incarnation, boots, birth, doubts });
  } catch (error) {
    await journal.close().catch(() => {});
    throw asEngineError(error);
  }
}

/** What {@link openNodeJournal} has found out. */
interface Own {
  readonly identity: string;
  readonly incarnation: number;
  readonly boots: Uint8Array;
  /** When the directory was made, null when nobody knows. */
  readonly birth: Uint8Array | null;
  readonly doubts: readonly Fact[];
}

/** A node's own facts; made by {@link openNodeJournal}. */
export class NodeJournal {
  /** The node's id: 32 hex digits, the same for as long as the directory is. */
  readonly identity: string;
  readonly #journal: Journal;
  readonly #doubts: readonly Fact[];
  readonly #birth: Uint8Array | null;
  /** What is durable. */
  readonly #facts: Map<string, Uint8Array>;
  /**
   * What is not known to be, in the order of appending. A fact that found the disk full stays here, for the journal
   * keeps its record and writes it before any later one: it counts from when a later fact is durable, as it would
   * after a restart. Until then, and for ever after a failed sync, its outcome is open and the old fact is shown.
   */
  #pending: Fact[] = [];
  #liveBytes = 0;
  #rewriting: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  #incarnation: number;
  #boots: Uint8Array;

  /**
   * What {@link openNodeJournal} does in the end.
   *
   * @param journal where facts go @param facts what is known @param own what the last life left
   */
  constructor(
    journal: Journal,
    facts: Map<string, Uint8Array>,
    own: Own,
  ) {
    this.#journal = journal;
    this.#facts = facts;
    this.#doubts = own.doubts;
    this.#birth = own.birth;
    this.identity = own.identity;
    this.#incarnation = own.incarnation;
    this.#boots = own.boots;
    for (const fact of facts) this.#liveBytes += factBytes(fact);
  }

  /** The number of this life: how often it has been opened, this time included, or what was skipped to be later. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** 8 random bytes of this life, as 16 hex digits. */
  get bootId(): string {
    return this.#bootIds()[0]!;
  }

  /** The boot ids of the lives before it, the latest first, as many as are kept. */
  get pastBootIds(): readonly string[] {
    return this.#bootIds().slice(1);
  }

  #bootIds(): string[] {
    const count = this.#boots.length / BOOT_BYTES;
    return Array.from(
      { length: count },
      (_, n) => toHex(this.#boots.subarray(n * BOOT_BYTES, (n + 1) * BOOT_BYTES)),
    );
  }

  /** What opening it cut or skipped. */
  get damageAtOpen(): readonly Damage[] {
    return this.#journal.damageAtOpen;
  }

  /** Why it takes no facts, null when it does. */
  get refusing(): string | null {
    return this.#journal.refusing;
  }

  /** The bytes last made durable under a name, null when there are none; not to be changed. */
  get(name: string): Uint8Array | null {
    return this.#facts.get(name) ?? null;
  }

  /**
   * Set the bytes under a name. The promise resolves when they are durable, and {@link NodeJournal.get} shows them
   * from then on.
   *
   * @throws {EngineError} rejects with what the journal throws; then the old bytes are shown, but after `full` or
   * `poisoned` the new ones may be what the next process finds
   */
  async set(name: string, bytes: Uint8Array): Promise<void> {
    if (OWN.has(name)) throw new RangeError(`${name} is the journal's own`);
    await this.#set([[name, bytes.slice()]]);
  }

  /**
   * Somebody knows a life of this node that this journal does not: it is older than it should be. Sets the doubts, and
   * from when the promise resolves that life is one of the past, and this one a later one.
   */
  async outlive({ life, bootId }: { readonly life: number; readonly bootId: string }): Promise<void> {
    const next = Math.max(this.#incarnation, life + 1);
    const [own, past] = [this.#boots.subarray(0, BOOT_BYTES), this.#boots.subarray(BOOT_BYTES)];
    const boots = withBoot(withBoot(past, fromHex(bootId)!), own);
    await this.#set([...this.#doubts, [INCARNATION, encodeCount(next)], [BOOTS, boots]]);
    this.#incarnation = Math.max(this.#incarnation, next);
    this.#boots = boots;
  }

  /**
   * The directory is not where it was made or last settled: somebody moved it, or put back a copy of some age. A
   * snapshot of the whole disk, put back, cannot be told from the disk; nor can anything on a file system that does
   * not remember when a file was made.
   */
  get isCopy(): boolean {
    if (this.#birth === null) return false;
    const known = this.#facts.get(BIRTH);
    return known === undefined || !equalBytes(known, this.#birth);
  }

  /** It is the newest copy, and this is its place. */
  async settle(): Promise<void> {
    if (this.#birth !== null) await this.#set([[BIRTH, this.#birth]]);
  }

  /** Copy it into a directory that does not exist yet. See `Journal.copyTo`. */
  async copyTo(directory: string): Promise<void> {
    if (this.#closing) throw new EngineError("closed", "the node's journal is closed");
    await this.#journal.copyTo(directory);
  }

  /** Make everything durable and let go. Closing twice gives the same promise. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #set(facts: readonly Fact[]): Promise<void> {
    if (this.#closing) throw new EngineError("closed", "the node's journal is closed");
    const durable = this.#append(facts);
    this.#rewriteIfLong();
    await durable;
  }

  /** Facts that hold together. */
  #append(facts: readonly Fact[]): Promise<void> {
    const durable = this.#journal.append(FACT_RECORD, facts.flatMap(encodeFact));
    this.#pending.push(...facts);
    durable.then(() => this.#onDurable(facts.at(-1)!), () => {}); // whoever waits for it hears of a failure
    return durable;
  }

  /** A fact is durable, and with it all that were appended before. */
  #onDurable(fact: Fact): void {
    for (const [name, bytes] of this.#pending.splice(0, this.#pending.indexOf(fact) + 1)) {
      const old = this.#facts.get(name);
      if (old) this.#liveBytes -= factBytes([name, old]);
      this.#liveBytes += factBytes([name, bytes]);
      this.#facts.set(name, bytes);
    }
  }

  /**
   * Leave nothing in the files that was replaced: what damage takes must not give way to it. Resolves when that is
   * done, or cannot be.
   */
  async forgetReplaced(): Promise<void> {
    await this.#rewriting;
    await this.#startRewriting();
  }

  #rewriteIfLong(): void {
    const { sizeBytes } = this.#journal;
    if (this.#rewriting || sizeBytes < REWRITE_BYTES || sizeBytes < 4 * this.#liveBytes) return;
    void this.#startRewriting();
  }

  #startRewriting(): Promise<void> {
    this.#rewriting = this.#rewrite().finally(() => this.#rewriting = null);
    return this.#rewriting;
  }

  /** Write all facts to a new segment, and remove the old ones once it is durable. */
  async #rewrite(): Promise<void> {
    try {
      this.#journal.seal();
      let segment: number | null = null;
      // What is pending, too: else the old fact would be appended behind the new one, and win.
      const facts = [...new Map([...this.#facts, ...this.#pending])];
      for (const fact of Array.from({ length: COPIES }, () => facts).flat()) {
        this.#append([fact]);
        segment ??= this.#journal.segment;
      }
      if (segment === null) return;
      await this.#journal.sync();
      await this.#journal.removeBefore(segment);
    } catch {
      // The journal says why in `refusing`; the old segments are still there.
    }
  }

  async #close(): Promise<void> {
    await this.#rewriting;
    await this.#journal.close();
  }
}

function replay(facts: Map<string, Uint8Array>, { type, payload }: JournalRecord): boolean {
  if (type !== FACT_RECORD) return false;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  for (let at = 0; at < payload.length;) {
    if (at + 4 > payload.length) return false;
    const nameBytes = payload[at]!;
    const valueAt = at + 4 + nameBytes;
    const end = valueAt + (view.getUint32(at) & 0xffffff);
    if (end > payload.length) return false;
    facts.set(decodeUtf8(payload.subarray(at + 4, valueAt)), payload.slice(valueAt, end));
    at = end;
  }
  return true;
}

function factBytes([name, bytes]: Fact): number {
  return recordBytes(4 + name.length + bytes.length);
}

function encodeFact([name, bytes]: Fact): Uint8Array[] {
  const nameBytes = encodeUtf8(name);
  if (nameBytes.length > 255 || bytes.length > 0xffffff) throw new RangeError(`the fact ${name} is too long`);
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, (nameBytes.length << 24) | bytes.length);
  return [header, nameBytes, bytes];
}

/** Boot ids with one more, which is the latest. */
function withBoot(boots: Uint8Array = new Uint8Array(0), bootId: Uint8Array): Uint8Array {
  return concatBytes(bootId, boots).subarray(0, MOST_BOOTS * BOOT_BYTES);
}

function encodeCount(count: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(count));
  return bytes;
}

function decodeCount(bytes: Uint8Array | undefined): number {
  if (bytes?.length !== 8) return 0;
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0));
}
