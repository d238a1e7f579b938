/**
 * The replica store: this node's copy of every partition it owns, one actor in front of one engine.
 *
 * It turns client writes into versions (`mint`), merges what other coordinators send (`write`) and answers
 * reads. What a version is and how two of them merge is decided in `object.ts`; where bytes rest, in `storage/`.
 * Around this shell stand `minter.ts` and `dots.ts` (versions and their names), `records.ts` (reading the engine),
 * `commit_groups.ts` (acknowledging what is durable), `wholeness.ts` and `refill.ts` (what was lost, and getting it
 * back), `trees.ts` (what tells others where this copy differs from theirs).
 *
 * @module
 */

import type { Engine } from "../../storage/engine.ts";
import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import type { Random } from "../runtime/environment.ts";
import type { Handlers, Ref } from "../runtime/protocol.ts";
import type { CoordinatorProtocol } from "../coordinator/protocol.ts";
import type { RefillerProtocol } from "../repair/refiller.ts";
import { preferenceList, type Ring } from "../ring_manager/ring.ts";
import { sourcesOf } from "../ring_manager/moves.ts";
import type { CurrentRing, RingManagerProtocol } from "../ring_manager/protocol.ts";
import { equalBytes, toHex } from "../runtime/bytes.ts";
import { type Clock, counterOf } from "./clock.ts";
import { CommitGroups, type Waiter } from "./commit_groups.ts";
import { decodeContext } from "./context.ts";
import { Dots } from "./dots.ts";
import { Minter } from "./minter.ts";
import { merge, mint, type StoredObject, verifyValues } from "./object.ts";
import type { ConflictPolicy } from "./conflicts.ts";
import { Expiry, type ExpiryStep } from "./expiry.ts";
import { encodeObject } from "./object_codec.ts";
import { objectHash } from "./object_hash.ts";
import { mayDrop, Ownership } from "./ownership.ts";
import {
  type ActorId,
  type EncodedObject,
  type MoveProgress,
  NO_PAGE,
  type NodeId,
  type Placement,
  type ReadAnswer,
  type ReplicaRead,
  type ReplicaStoreProtocol,
  type ReplicaStoreStatus,
  type ReplicaWrite,
  type Scan,
  type StoreWeights,
  type WriteAnswer,
} from "./protocol.ts";
import { Records } from "./records.ts";
import { Refill } from "./refill.ts";
import { NO_DIGESTS, NO_KEYS, NO_OBJECTS, NO_PIECES, type TreeProtocol } from "./tree_protocol.ts";
import { changeTree, Trees } from "./trees.ts";
import { Wholeness } from "./wholeness.ts";

/** The decisions the store leaves to pure functions; a test plants a bug by substituting one. */
export const REPLICA_STORE_CORE = {
  mint,
  merge,
  verifyValues,
  decodeContext,
  newActorId,
  isSure,
  objectHash,
  changeTree,
  mayDrop,
};

/** See {@link REPLICA_STORE_CORE}. */
export type ReplicaStoreCore = typeof REPLICA_STORE_CORE;

/** A name for one who mints dots that nobody had before. */
function newActorId(random: Random, _node: NodeId): ActorId {
  return toHex(random.bytes(16));
}

/** What may make a store miss what was acknowledged. */
export interface Doubts {
  /** The engine shows what may not be on disk. */
  readonly isPoisoned: boolean;
  /** The partition may lack what this store once acknowledged. */
  readonly isLost: boolean;
  /** It promised to write nothing until it hears of the next ring, which may be in force elsewhere already. */
  readonly isFenced: boolean;
  /** No member has had the chance yet to say that the directory is an older copy. */
  readonly isUnknown: boolean;
}

/** Whether what a store holds of a partition counts towards R. */
function isSure({ isPoisoned, isLost, isFenced, isUnknown }: Doubts): boolean {
  return !isPoisoned && !isLost && !isFenced && !isUnknown;
}

/** What the store is composed of. */
export interface ReplicaStoreOptions {
  /** This node. */
  readonly node: NodeId;
  /**
   * Open the engine. `lossy`: whatever was acknowledged before this start may be missing from it (volatile
   * memory after its first start, damage in mid-file).
   */
  open(): Promise<{ readonly engine: Engine; readonly lossy: boolean }>;
  /** Every partition is whole again: a start after this is not lossy. */
  readonly onWhole: () => void;
  /** Something is being lost: a start after this is lossy. Rejects when that cannot be remembered. */
  readonly onNotWhole: () => Promise<void>;
  /** Whether a member has let this life of the node in, or there is no other member. */
  readonly isVouchedFor: () => boolean;
  /** The ring as this node has it, and whether client writes have to wait, at a start. */
  readonly current: () => CurrentRing;
  /** What becomes of concurrent writes. */
  readonly conflicts: ConflictPolicy;
  /** What time it is as most members have it; null while that is not known. */
  readonly wallMs: () => number | null;
  /** See {@link REPLICA_STORE_CORE}. */
  readonly core: ReplicaStoreCore;
}

/** The actor `replica_store`. */
export function replicaStore(options: ReplicaStoreOptions): ActorSpec<ReplicaStoreProtocol> {
  return {
    name: "replica_store",
    async start(context) {
      const { engine, lossy } = await options.open();
      const store = new ReplicaStore(options, context, engine, lossy);
      context.onStop(() => store.close());
      return store.handlers();
    },
  };
}

const NO_OBJECT: ReadAnswer = { ok: true, object: null };
const UNREADABLE: ReadAnswer = { ok: false, code: "unreadable" };
/** Eight random bytes tell a loss from all others. */
const LOSS_ID_BYTES = 8;
/** Between two slices of a survey, and after one that could not be read. */
const SURVEY_PAUSE_MS = 1;
const SURVEY_AGAIN_MS = 1_000;
/** What could not be dropped is tried again after so long. */
const TIDY_MS = 10_000;

/** What of a {@link ReplicaWrite} is needed to store it. */
type Entry =
  & Pick<ReplicaWrite, "partition" | "key" | "object">
  & Partial<Pick<ReplicaWrite, "ticket" | "from">>;

class ReplicaStore {
  readonly #options: ReplicaStoreOptions;
  readonly #context: ActorContext<ReplicaStoreProtocol>;
  readonly #engine: Engine;
  readonly #core: ReplicaStoreCore;
  readonly #coordinators = new Map<NodeId, Ref<CoordinatorProtocol>>();
  readonly #dots: Dots;
  readonly #records: Records;
  readonly #groups: CommitGroups;
  readonly #wholeness: Wholeness;
  readonly #refill: Refill;
  readonly #minter: Minter;
  readonly #expiry: Expiry;
  readonly #trees: Trees;
  readonly #ownership: Ownership;
  /** Partitions that are being dropped. */
  readonly #dropping = new Set<number>();
  #isFenced: boolean;
  /** A slice of a survey is to come. */
  #isSurveying = false;
  /** Records found damaged. */
  #damaged = 0;

  constructor(
    options: ReplicaStoreOptions,
    context: ActorContext<ReplicaStoreProtocol>,
    engine: Engine,
    lossy: boolean,
  ) {
    this.#options = options;
    this.#context = context;
    this.#engine = engine;
    const core = this.#core = options.core;
    const { log, environment: { random } } = context;
    this.#dots = new Dots(() => core.newActorId(random, options.node));
    this.#records = new Records(engine, log, core.verifyValues);
    this.#groups = new CommitGroups(engine, log, (waiter, answer) => this.#acknowledge(waiter, answer));
    const { ring, isFenced } = options.current();
    this.#ownership = new Ownership(options.node, ring);
    this.#isFenced = isFenced;
    this.#wholeness = new Wholeness({
      isOwner: (partition) => this.#ownership.has(partition),
      sourcesOf: (of, partition) => sourcesOf(of, partition, options.node),
      since: (partition) => this.#ownership.since(partition),
      newLossId: () => toHex(random.bytes(LOSS_ID_BYTES)),
      onNotWhole: options.onNotWhole,
      onWhole: options.onWhole,
    }, ring);
    this.#refill = new Refill({
      engine,
      records: this.#records,
      groups: this.#groups,
      wholeness: this.#wholeness,
      log,
      isFromFuture: (clock) => this.#isFromFuture(clock),
      store: (entry, local, incoming) => this.#store(entry, local, incoming),
    });
    this.#expiry = new Expiry(engine, this.#records);
    this.#trees = new Trees({
      core,
      engine,
      records: this.#records,
      log,
      wake: () => this.#wakeSurvey(0),
    });
    this.#minter = new Minter({
      core,
      dots: this.#dots,
      records: this.#records,
      groups: this.#groups,
      clock: context.environment.clock,
      node: options.node,
      conflicts: options.conflicts,
      wallMs: options.wallMs,
      onStored: (partition, object) => this.#expiry.note(partition, object),
      ring: () => this.#ownership.ring,
      isFenced: () => this.#isFenced,
      isMisplaced: (placement) => this.#misplaced(placement) !== null,
      onFutureDot: (clock) => this.#onFutureDot(clock),
      onDamaged: (partition) => this.#onDamaged(partition),
      onCommit: (...commit) => this.#trees.onCommit(...commit),
      answer: (ticket, answer) => this.#coordinator(options.node).tell("minted", { ticket, answer }),
    });
    this.#takeRing(ring);
    if (lossy) this.#wholeness.loseAll();
    if (engine.damageAtOpen.length > 0) {
      log.warn("the store was damaged and repaired while opening", {
        places: engine.damageAtOpen.length,
        first: engine.damageAtOpen[0]?.detail,
      });
    }
  }

  handlers(): Handlers<ReplicaStoreProtocol> {
    return {
      read: (body) => this.#onRead(body),
      write: (body) => this.#onWrite(body),
      mint: (body) => this.#minter.onMint(body),
      ring: ({ ring }) => this.#takeRing(ring),
      inspect: ({ key, partition }) => this.#inspect(partition, key),
      scan: (scan) => this.#mayGive(scan) ? this.#refill.scan(scan.partition, scan.after) : NO_PAGE,
      progress: () => this.#progress(),
      weigh: () => this.#weigh(),
      tidy: () => this.#dropStrays(),
      absorb: (page) => this.#refill.absorb(page),
      loseAll: () => this.#loseAll(),
      listNotWhole: () => this.#wholeness.list(),
      // Not awaited: nobody waits for it, and clients would have to.
      refilled: ({ partition, lossId }) => void this.#refill.onRefilled(partition, lossId),
      fence: ({ raised, ifEmpty }) => {
        const holdsData = !this.#records.isClosed && this.#engine.partitions().length > 0;
        if (!ifEmpty || !holdsData) this.#isFenced = raised;
        return { holdsData };
      },
      copyStore: ({ directory, onProgress }) => {
        const stats = this.#engine.stats();
        const copied = this.#engine.copyTo(directory, onProgress).then(() => stats);
        copied.catch(() => {}); // whoever asked may have gone
        return { copied };
      },
      expired: ({ nowMs }) => this.#expired(nowMs),
      describe: () => this.#describe(),
      ...this.#treeHandlers(),
    };
  }

  async #expired(nowMs: number): Promise<ExpiryStep | null> {
    if (this.#records.isClosed) return null;
    const { ring } = this.#ownership;
    const turnOf = (partition: number) =>
      preferenceList(ring, partition).findIndex(({ id }) => id === this.#options.node);
    try {
      return await this.#expiry.step(ring.partitions, nowMs, turnOf);
    } catch (error) {
      if (!this.#records.isClosed) this.#records.unreadable("expired keys could not be looked for", error);
      return null;
    }
  }

  #treeHandlers(): Handlers<TreeProtocol> {
    const trees = this.#trees;
    const isMine = (place: Placement) => this.#misplaced(place) === null;
    const mayMerge = (place: Placement) => !this.#groups.isPoisoned && isMine(place);
    return {
      treeRoots: ({ epoch, partitions }) => {
        if (this.#groups.isPoisoned) return NO_DIGESTS;
        const rootOf = (partition: number) =>
          this.#ownership.isMisplaced({ partition, epoch }) ? null : trees.root(partition);
        return { ok: true, digests: partitions.map(rootOf) };
      },
      treePieces: (body) => isMine(body) ? trees.pieces(body, body.most) : NO_PIECES,
      treeDigests: (body) => isMine(body) ? trees.digests(body.partition, body.cuts) : NO_DIGESTS,
      treeKeys: (body) => isMine(body) ? trees.keys(body) : NO_KEYS,
      treeObjects: (body) => isMine(body) ? trees.objects(body.partition, body.keys) : NO_OBJECTS,
      treeMerge: (body) =>
        mayMerge(body) ? this.#refill.merge(body.partition, body.entries, () => mayMerge(body)) : "refused",
      survey: async () => {
        this.#isSurveying = false;
        const came = await trees.survey();
        if (came !== "done") this.#wakeSurvey(came === "more" ? SURVEY_PAUSE_MS : SURVEY_AGAIN_MS);
      },
    };
  }

  /** Whoever waits for a store waits for a slice of a survey at most: others have their turn between two. */
  #wakeSurvey(afterMs: number): void {
    if (this.#isSurveying) return;
    this.#isSurveying = true;
    this.#context.after(afterMs, "survey", {});
  }

  /** Make everything durable and let go. */
  async close(): Promise<void> {
    this.#records.isClosed = true;
    await this.#engine.close();
  }

  #describe(): ReplicaStoreStatus {
    return {
      engine: this.#engine.stats(),
      actorId: this.#dots.actorId,
      notWhole: this.#wholeness.size,
      awaited: this.#wholeness.awaited,
      damage: this.#engine.damageAtOpen.length + this.#damaged,
      alarms: this.#records.alarms,
      overwritten: this.#minter.overwritten,
      trees: this.#trees.describe(),
    };
  }

  #takeRing(ring: Ring): void {
    const before = this.#ownership.ring;
    if (ring.epoch < before.epoch && ring.clusterId === before.clusterId) return;
    this.#ownership.takeRing(ring);
    this.#wholeness.takeRing(ring, this.#ownership.awaited, this.#ownership.incoming);
    if (this.#wholeness.awaited > 0) this.#context.ref<RefillerProtocol>("refiller").tell("refill", {});
    this.#dropStrays();
  }

  /** Null when a request placed so may be served here under this node's ring. */
  #misplaced(placement: Placement): { code: "wrong-epoch"; epoch: number } | null {
    if (!this.#ownership.isMisplaced(placement)) return null;
    return { code: "wrong-epoch", epoch: this.#ownership.ring.epoch };
  }

  // --- partitions that come and go -------------------------------------------------------------------------

  /** Whether another owner may have pieces of a partition: see `scan` in the protocol. */
  #mayGive({ partition, epoch, since }: Scan): boolean {
    return !this.#ownership.isMisplaced({ partition, epoch }) && this.#ownership.ring.epoch >= since;
  }

  /** What of the change under way is done here. */
  #progress(): MoveProgress {
    const { ring, awaited } = this.#ownership;
    const ready = this.#groups.isPoisoned ? [] : [...awaited].filter((p) => !this.#wholeness.lacks(p));
    const since = ring.change?.since ?? ring.epoch;
    return { epoch: ring.epoch, since, ready, waiting: awaited.size - ready.length };
  }

  #weigh(): StoreWeights {
    if (this.#records.isClosed) return { partitions: [], keys: [], bytes: [] };
    const { keys: all, liveBytes } = this.#engine.stats();
    const partitions = this.#engine.partitions();
    const keys = partitions.map((partition) => this.#engine.count(partition));
    return { partitions, keys, bytes: keys.map((count) => Math.round(count * liveBytes / Math.max(1, all))) };
  }

  /**
   * Drop what is not this node's any more. Its new owners have all of it, and all that asked here have heard so
   * (`moves.ts`). With it go dots of ours that nobody may have: none is minted under that id again.
   */
  #dropStrays(): void {
    if (this.#records.isClosed) return;
    const { ring } = this.#ownership;
    const strays = this.#engine.partitions().filter((partition) =>
      !this.#dropping.has(partition) && this.#core.mayDrop(ring, partition, this.#options.node)
    );
    if (strays.length === 0) return;
    this.#dots.renew();
    for (const partition of strays) void this.#drop(partition);
    this.#context.log.info("partitions that belong to others now are dropped", { partitions: strays.length });
  }

  async #drop(partition: number): Promise<void> {
    this.#dropping.add(partition);
    try {
      const dropped = this.#engine.dropPartition(partition);
      this.#trees.forget(partition);
      await dropped;
    } catch (error) {
      if (this.#records.isClosed) return;
      this.#context.log.warn("a partition was not dropped", { partition, error: String(error) });
      this.#context.after(TIDY_MS, "tidy", {});
    } finally {
      this.#dropping.delete(partition);
    }
  }

  #teachRing(node: NodeId, epoch: number): void {
    if (epoch < this.#ownership.ring.epoch) {
      this.#context.ref<RingManagerProtocol>("ring_manager").tell("teach", { node });
    }
  }

  #coordinator(node: NodeId): Ref<CoordinatorProtocol> {
    let ref = this.#coordinators.get(node);
    if (ref === undefined) {
      ref = this.#context.ref<CoordinatorProtocol>({ node, actor: "coordinator" });
      this.#coordinators.set(node, ref);
    }
    return ref;
  }

  // --- reading ---------------------------------------------------------------------------------------------

  /**
   * The record as it is. Whoever merges the answers verifies each, so that damage anywhere on the way is found,
   * and sends the sound object to where it was damaged; to verify here as well would find nothing more.
   */
  #onRead(read: ReplicaRead): void | Promise<void> {
    if (this.#context.environment.clock.now() >= read.deadline) return;
    const { partition, key } = read;
    const misplaced = this.#misplaced(read);
    if (misplaced !== null) {
      this.#teachRing(read.from, read.epoch);
      return this.#sendRead(read, { ok: false, ...misplaced });
    }
    return this.#records.read(
      partition,
      key,
      (record) => this.#sendRead(read, this.#judge(partition, record)),
      (code) => this.#sendRead(read, { ok: false, code }),
    );
  }

  #sendRead({ ticket, from }: ReplicaRead, answer: ReadAnswer): void {
    this.#coordinator(from).tell("replicaRead", { ticket, replica: this.#options.node, answer });
  }

  #judge(partition: number, record: EncodedObject | null): ReadAnswer {
    const { isPoisoned } = this.#groups;
    const isUnknown = !this.#options.isVouchedFor();
    const doubts = {
      isPoisoned,
      isLost: this.#wholeness.has(partition),
      isFenced: this.#isFenced,
      isUnknown,
    };
    if (!this.#core.isSure(doubts)) {
      return { ok: false, code: "not-whole", object: record };
    }
    return record === null ? NO_OBJECT : { ok: true, object: record };
  }

  #inspect(partition: number, key: Uint8Array): ReadAnswer | Promise<ReadAnswer> {
    return this.#records.read<ReadAnswer>(
      partition,
      key,
      (record) => {
        if (record === null || this.#records.decode(record) !== null) return this.#judge(partition, record);
        return this.#onDamaged(partition).then(() => UNREADABLE);
      },
      (code) => ({ ok: false, code }),
    );
  }

  // --- writing ---------------------------------------------------------------------------------------------

  #onWrite(body: ReplicaWrite): void | Promise<void> {
    const refuse = (answer: WriteAnswer) => this.#acknowledge(body, answer);
    const misplaced = this.#misplaced(body);
    if (misplaced !== null) {
      this.#teachRing(body.from, body.epoch);
      return refuse({ ok: false, definite: true, ...misplaced });
    }
    const incoming = this.#records.decode(body.object);
    if (incoming === null) return refuse({ ok: false, code: "corrupt", definite: true });
    if (this.#isFromFuture(incoming.clock)) {
      return refuse({ ok: false, code: "future-dot", definite: true });
    }
    const stored = this.#records.read(
      body.partition,
      body.key,
      (local) => this.#store(body, local, incoming),
      (code) => {
        refuse({ ok: false, code, definite: true });
        return false;
      },
    );
    if (stored instanceof Promise) return stored.then(() => {});
  }

  /** Merge an object into what is held; whoever waits for it is told. False when it was refused. */
  #store(entry: Entry, local: EncodedObject | null, incoming: StoredObject): boolean | Promise<boolean> {
    this.#expiry.note(entry.partition, incoming);
    if (local === null) return this.#commit(entry, entry.object, null);
    if (equalBytes(local, entry.object)) return this.#commit(entry, entry.object, entry.object);
    const held = this.#records.decode(local);
    if (held === null) return this.#replaceDamaged(entry);
    const record = encodeObject(this.#core.merge(held, incoming));
    return this.#commit(entry, record, equalBytes(record, local) ? record : local);
  }

  /** Write a record in the place of another one, of none (null), or of one of which nothing is known (undefined). */
  #commit(entry: Entry, record: EncodedObject, before: EncodedObject | null | undefined): boolean {
    const isHeld = before === record;
    const waiter = { ticket: entry.ticket ?? 0, from: entry.from ?? this.#options.node };
    if (isHeld && this.#groups.join(waiter)) return true;
    const refusal = this.#groups.write(entry.partition, entry.key, record, waiter);
    if (refusal === null) {
      if (before === undefined) this.#trees.doubt(entry.partition, entry.key);
      else if (!isHeld) this.#trees.onCommit(entry.partition, entry.key, before, record);
      return true;
    }
    this.#acknowledge(waiter, { ok: false, code: refusal, definite: !isHeld });
    return false;
  }

  /**
   * A damaged record gives way to another's object, and with it whatever acknowledged sibling only it had: that
   * one may be with any other owner. It may have held dots of ours that nobody else has, too.
   */
  async #replaceDamaged(entry: Entry): Promise<boolean> {
    this.#dots.renew();
    if (await this.#onDamaged(entry.partition)) return this.#commit(entry, entry.object, undefined);
    this.#acknowledge(
      { ticket: entry.ticket ?? 0, from: entry.from ?? this.#options.node },
      { ok: false, code: "unreadable", definite: true },
    );
    return false;
  }

  /** What was issued under our id since the copy was made is not known, either. */
  #loseAll(): void {
    this.#dots.renew();
    this.#wholeness.loseAll();
    this.#context.ref<RefillerProtocol>("refiller").tell("refill", {});
  }

  /** Reads of the partition do not count until all other owners were asked. False when that cannot be remembered. */
  #onDamaged(partition: number): Promise<boolean> {
    this.#damaged++;
    const wasWhole = !this.#wholeness.has(partition);
    const remembered = this.#wholeness.lose(partition);
    if (wasWhole) {
      // Its tree says what was written, and would find nothing missing.
      this.#trees.resurvey(partition);
      this.#context.ref<RefillerProtocol>("refiller").tell("refill", {});
    }
    return remembered;
  }

  #isFromFuture(clock: Clock): boolean {
    if (!this.#dots.isAhead(clock)) return false;
    this.#onFutureDot(clock);
    return true;
  }

  /** Someone knows a dot of ours that we never issued: our id was used before us, or is in use elsewhere. */
  #onFutureDot(seen: Clock): void {
    const { actorId, issued } = this.#dots;
    this.#records.alarm("a clock is ahead of what this node issued under its own actor id; taking a new id", {
      actor: actorId,
      issued,
      seen: counterOf(seen, actorId),
    });
    this.#dots.renew();
  }

  #acknowledge({ ticket, from }: Waiter, answer: WriteAnswer): void {
    if (ticket === 0) return;
    this.#coordinator(from).tell("replicaWrote", { ticket, replica: this.#options.node, answer });
  }
}
