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
import type { Handlers, Ref } from "../runtime/protocol.ts";
import type { CoordinatorProtocol } from "../coordinator/protocol.ts";
import type { RefillerProtocol } from "../repair/refiller.ts";
import { preferenceList, type Ring } from "../ring_manager/ring.ts";
import { sourcesOf } from "../ring_manager/moves.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import { equalBytes, toHex } from "../runtime/bytes.ts";
import { type Clock, counterOf } from "./clock.ts";
import { CommitGroups, type Waiter } from "./commit_groups.ts";
import { Dots } from "./dots.ts";
import { Minter } from "./minter.ts";
import type { StoredObject } from "./object.ts";
import type { ReplicaStoreCore, ReplicaStoreOptions } from "./options.ts";
import { Expiry, type ExpiryStep } from "./expiry.ts";
import { Holdings } from "./holdings.ts";
import { encodeObject } from "./object_codec.ts";
import { Ownership } from "./ownership.ts";
import {
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
  type WriteAnswer,
} from "./protocol.ts";
import type { ReaperProtocol } from "./reaper_protocol.ts";
import { Records } from "./records.ts";
import { Refill } from "./refill.ts";
import { treeHandlers } from "./tree_handlers.ts";
import type { TreeProtocol } from "./tree_protocol.ts";
import { Trees } from "./trees.ts";
import type { Collection } from "./collection.ts";
import { Reaper } from "./reaper.ts";
import { Suspects } from "./suspects.ts";
import { Tombstones } from "./tombstones.ts";
import { Wholeness } from "./wholeness.ts";

/** The actor `replica_store`. */
export function replicaStore(options: ReplicaStoreOptions): ActorSpec<ReplicaStoreProtocol> {
  return {
    name: "replica_store",
    async start(context) {
      const opened = await options.open();
      const store = new ReplicaStore(options, context, opened);
      context.onStop(() => store.close());
      return store.handlers();
    },
  };
}

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

type Opened = Awaited<ReturnType<ReplicaStoreOptions["open"]>>;

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
  readonly #collection: Collection;
  readonly #tombstones = new Tombstones();
  readonly #reaper: Reaper;
  readonly #suspects: Suspects;
  readonly #holdings: Holdings;
  /** What is missing may have been acknowledged. */
  #isSerious: boolean;
  /** See `StoreLife`. */
  #life = "";
  #isFenced: boolean;
  /** A slice of a survey is to come. */
  #isSurveying = false;
  /** Records found damaged. */
  #damaged = 0;

  constructor(
    options: ReplicaStoreOptions,
    context: ActorContext<ReplicaStoreProtocol>,
    { engine, lossy, isSerious, suspects }: Opened,
  ) {
    this.#options = options;
    this.#context = context;
    this.#engine = engine;
    this.#collection = options.collection;
    this.#isSerious = isSerious;
    this.#suspects = new Suspects(suspects, options.onSuspects);
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
      onWhole: () => {
        this.#isSerious = false;
        options.onWhole();
      },
    }, ring);
    this.#refill = new Refill({
      engine,
      records: this.#records,
      groups: this.#groups,
      wholeness: this.#wholeness,
      log,
      isFromFuture: (clock) => this.#isFromFuture(clock),
      mayTake: (...of) => this.#mayTake(...of),
      store: (entry, local, incoming) => this.#store(entry, local, incoming),
    });
    this.#holdings = new Holdings({
      node: options.node,
      mayDrop: core.mayDrop,
      engine,
      log,
      ring: () => this.#ownership.ring,
      isClosed: () => this.#records.isClosed,
      onStrays: () => this.#dots.renew(),
      onDrop: (partition) => {
        this.#tombstones.forget(partition);
        this.#trees.forget(partition);
      },
      tryAgain: () => void context.after(TIDY_MS, "tidy", {}),
    });
    this.#expiry = new Expiry(engine, this.#records);
    this.#trees = new Trees({
      core,
      engine,
      records: this.#records,
      log,
      wake: () => this.#wakeSurvey(0),
      onMet: (partition, key, object) => this.#onHeld(partition, key, object),
    });
    this.#reaper = new Reaper({
      core,
      engine,
      records: this.#records,
      tombstones: this.#tombstones,
      trees: this.#trees,
      log,
      isFirst: (partition) => this.#isFirst(partition),
      isSound: (placement) => this.#isSound(placement),
      onDamaged: (partition) => this.#onDamaged(partition),
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
      onStored: (...held) => this.#onHeld(...held),
      isBarred: (partition) => this.#isBarred(partition),
      stamp: () => this.#collection.announced,
      ring: () => this.#ownership.ring,
      isFenced: () => this.#isFenced,
      isMisplaced: (placement) => this.#misplaced(placement) !== null,
      onFutureDot: (clock) => this.#onFutureDot(clock),
      onDamaged: (partition) => this.#onDamaged(partition),
      onCommit: (...commit) => this.#trees.onCommit(...commit),
      answer: (ticket, answer) => this.#coordinator(options.node).tell("minted", { ticket, answer }),
    });
    this.#takeRing(ring);
    this.#drawLife();
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
      scan: (scan) => {
        if (!this.#mayGive(scan)) return NO_PAGE;
        return this.#refill.scan(scan.partition, scan.after, this.#collection.announced);
      },
      progress: () => this.#progress(),
      weigh: () => this.#holdings.weigh(),
      tidy: () => this.#holdings.dropStrays(),
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
      ...this.#reaperHandlers(),
    };
  }

  #reaperHandlers(): Handlers<ReaperProtocol> {
    return {
      life: () => {
        const isWhole = this.#wholeness.size + this.#wholeness.awaited + this.#suspects.list().length === 0;
        const isWell = isWhole && !this.#groups.isPoisoned && this.#engine.stats().refusing === null;
        return { life: this.#life, isWell, tombstones: this.#tombstones.size };
      },
      graves: ({ most }) => this.#reaper.list(most),
      hashes: ({ keys, ...placement }) => this.#reaper.hashes(placement, keys),
      reap: async (body) => {
        const removed = await this.#reaper.reap(body);
        const exhausted = this.#tombstones.takeExhausted();
        if (exhausted !== null) this.#trees.resurvey(exhausted);
        return removed;
      },
      standing: () => ({
        isSerious: this.#isSerious,
        notWhole: this.#wholeness.list().losses.map(({ partition }) => partition),
        sealed: this.#collection.sealed,
      }),
      suspects: () => ({ ring: this.#ownership.ring, partitions: this.#suspects.list() }),
      resolve: ({ partition, isRebuilt }) =>
        isRebuilt ? this.#rebuild(partition) : this.#suspects.clear(partition),
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
    const isMine = (place: Placement) =>
      this.#misplaced(place) === null && !this.#suspects.has(place.partition);
    return treeHandlers({
      trees: this.#trees,
      refill: this.#refill,
      isMine,
      isPoisoned: () => this.#groups.isPoisoned,
      mayMerge: (place) =>
        !this.#groups.isPoisoned && isMine(place) && this.#mayTake(place.partition, place.stamp),
      stamp: () => this.#collection.announced,
      onSurveyed: (came) => {
        this.#isSurveying = false;
        if (came !== "done") this.#wakeSurvey(came === "more" ? SURVEY_PAUSE_MS : SURVEY_AGAIN_MS);
      },
    });
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
      suspects: this.#suspects.list().length,
      tombstones: { known: this.#tombstones.size, collected: this.#tombstones.collected },
    };
  }

  // --- what may be older than it should be --------------------------------------------------------------------

  /** Another life begins for whoever agreed on something with this one. */
  #drawLife(): void {
    this.#life = toHex(this.#context.environment.random.bytes(LOSS_ID_BYTES));
  }

  /** Something is held, or has been met by the survey. */
  #onHeld(partition: number, key: Uint8Array, object: StoredObject): void {
    this.#expiry.note(partition, object);
    this.#tombstones.note(partition, key, object);
  }

  /** Whether nothing is taken into a partition now: what is there may be too old, or what comes. */
  #isBarred(partition: number): boolean {
    return this.#suspects.has(partition) || !this.#collection.mayTake || !this.#options.isVouchedFor();
  }

  /** Whether objects of this stamp may be merged into a partition. */
  #mayTake(partition: number, stamp: number): boolean {
    return !this.#isBarred(partition) && !this.#core.isStale(stamp, this.#collection.sealed);
  }

  #isFirst(partition: number): boolean {
    return preferenceList(this.#ownership.ring, partition)[0]?.id === this.#options.node;
  }

  /** See `ReaperDesk.isSound`. */
  #isSound({ partition, epoch }: Placement): boolean {
    const { ring } = this.#ownership;
    const isAtRest = ring.epoch === epoch && ring.change === null && this.#ownership.has(partition);
    const isWhole = !this.#wholeness.lacks(partition) && !this.#isBarred(partition);
    return isAtRest && isWhole && !this.#groups.isPoisoned && !this.#isFenced;
  }

  /** Drop a copy that may be older than it should be; the refiller fetches it anew. */
  async #rebuild(partition: number): Promise<void> {
    if (!this.#suspects.has(partition) || this.#holdings.isDropping(partition)) return;
    this.#dots.renew();
    this.#context.log.warn("a copy that may be too old is dropped, to be fetched anew", { partition });
    if (!await this.#wholeness.lose(partition)) return;
    // Not awaited: it may take its time. Until it is done nothing is taken.
    void this.#holdings.drop(partition).then((isDropped) => {
      if (!isDropped) return;
      this.#suspects.clear(partition);
      this.#context.ref<RefillerProtocol>("refiller").tell("refill", {});
    });
  }

  #takeRing(ring: Ring): void {
    const before = this.#ownership.ring;
    if (ring.epoch < before.epoch && ring.clusterId === before.clusterId) return;
    const gained = this.#ownership.takeRing(ring);
    const { awaited, incoming } = this.#ownership;
    this.#wholeness.takeRing(ring, awaited, incoming);
    // Who copies sees every ring on the way: where one is missed this directory is older than the copy that was made.
    const isUnseen = ring.clusterId === before.clusterId && ring.epoch > before.epoch + 1;
    const unfetched = new Set(gained.filter((partition) => isUnseen || incoming.has(partition)));
    this.#wholeness.lack([...unfetched].filter((partition) => !incoming.has(partition)));
    if (this.#wholeness.awaited + unfetched.size > 0) {
      this.#context.ref<RefillerProtocol>("refiller").tell("refill", {});
    }
    for (const partition of this.#suspects.list()) {
      if (!this.#ownership.has(partition)) this.#suspects.clear(partition);
    }
    // What is left of a partition that was this node's once is older than it should be.
    const left = this.#engine.partitions().filter((partition) => unfetched.has(partition));
    this.#suspects.add(left);
    const self = this.#context.ref<ReplicaStoreProtocol>("replica_store");
    for (const partition of left) self.tell("resolve", { partition, isRebuilt: true });
    this.#holdings.dropStrays();
  }

  /** Null when a request placed so may be served here under this node's ring. */
  #misplaced(placement: Placement): { code: "wrong-epoch"; epoch: number } | null {
    if (!this.#ownership.isMisplaced(placement)) return null;
    return { code: "wrong-epoch", epoch: this.#ownership.ring.epoch };
  }

  // --- partitions that come and go -------------------------------------------------------------------------

  /** Whether another owner may have pieces of a partition: see `scan` in the protocol. */
  #mayGive({ partition, epoch, since }: Scan): boolean {
    return !this.#suspects.has(partition) && !this.#ownership.isMisplaced({ partition, epoch }) &&
      this.#ownership.ring.epoch >= since;
  }

  /** What of the change under way is done here. */
  #progress(): MoveProgress {
    const { ring, awaited } = this.#ownership;
    const ready = this.#groups.isPoisoned ? [] : [...awaited].filter((p) => !this.#wholeness.lacks(p));
    const since = ring.change?.since ?? ring.epoch;
    return { epoch: ring.epoch, since, ready, waiting: awaited.size - ready.length };
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
    const stamp = this.#collection.announced;
    return this.#records.read(
      partition,
      key,
      (record) => this.#sendRead(read, this.#judge(partition, record, stamp)),
      (code) => this.#sendRead(read, { ok: false, code }),
    );
  }

  #sendRead({ ticket, from }: ReplicaRead, answer: ReadAnswer): void {
    this.#coordinator(from).tell("replicaRead", { ticket, replica: this.#options.node, answer });
  }

  #judge(partition: number, record: EncodedObject | null, stamp: number): ReadAnswer {
    if (this.#suspects.has(partition)) return { ok: false, code: "not-whole", object: null };
    const { isPoisoned } = this.#groups;
    const isUnknown = !this.#options.isVouchedFor();
    const doubts = {
      isPoisoned,
      isLost: this.#wholeness.has(partition),
      isFenced: this.#isFenced,
      isUnknown,
    };
    if (!this.#core.isSure(doubts)) {
      return { ok: false, code: "not-whole", object: record, stamp };
    }
    return { ok: true, object: record, stamp };
  }

  #inspect(partition: number, key: Uint8Array): ReadAnswer | Promise<ReadAnswer> {
    const stamp = this.#collection.announced;
    return this.#records.read<ReadAnswer>(
      partition,
      key,
      (record) => {
        if (record === null || this.#records.decode(record) !== null) {
          return this.#judge(partition, record, stamp);
        }
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
    if (this.#core.isStale(body.stamp, this.#collection.sealed)) {
      return refuse({ ok: false, code: "collected", definite: true });
    }
    if (this.#isBarred(body.partition)) return refuse({ ok: false, code: "unavailable", definite: true });
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
    if (local === null) return this.#commit(entry, incoming, entry.object, null);
    if (equalBytes(local, entry.object)) return this.#commit(entry, incoming, entry.object, entry.object);
    const held = this.#records.decode(local);
    if (held === null) return this.#replaceDamaged(entry, incoming);
    const object = this.#core.merge(held, incoming);
    const record = encodeObject(object);
    return this.#commit(entry, object, record, equalBytes(record, local) ? record : local);
  }

  /** Write a record in the place of another one, of none (null), or of one of which nothing is known (undefined). */
  #commit(
    entry: Entry,
    object: StoredObject,
    record: EncodedObject,
    before: EncodedObject | null | undefined,
  ): boolean {
    const isHeld = before === record;
    const waiter = { ticket: entry.ticket ?? 0, from: entry.from ?? this.#options.node };
    if (isHeld && this.#groups.join(waiter)) return true;
    const refusal = this.#groups.write(entry.partition, entry.key, record, waiter);
    if (refusal === null) {
      this.#onHeld(entry.partition, entry.key, object);
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
  async #replaceDamaged(entry: Entry, incoming: StoredObject): Promise<boolean> {
    this.#dots.renew();
    if (await this.#onDamaged(entry.partition)) return this.#commit(entry, incoming, entry.object, undefined);
    this.#acknowledge(
      { ticket: entry.ticket ?? 0, from: entry.from ?? this.#options.node },
      { ok: false, code: "unreadable", definite: true },
    );
    return false;
  }

  /** What was issued under our id since the copy was made is not known, either. */
  #loseAll(): void {
    this.#dots.renew();
    this.#drawLife();
    this.#isSerious = true;
    this.#wholeness.loseAll();
    this.#suspects.add(this.#engine.partitions().filter((partition) => this.#wholeness.lacks(partition)));
    this.#context.ref<RefillerProtocol>("refiller").tell("refill", {});
  }

  /** Reads of the partition do not count until all other owners were asked. False when that cannot be remembered. */
  #onDamaged(partition: number): Promise<boolean> {
    this.#damaged++;
    this.#drawLife();
    this.#isSerious = true;
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
