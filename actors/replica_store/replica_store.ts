/**
 * The replica store: this node's copy of every partition it owns, one actor in front of one engine.
 *
 * It turns client writes into versions (`mint`), merges what other coordinators send (`write`) and answers
 * reads. What a version is and how two of them merge is decided in `object.ts`; where bytes rest, in
 * `storage/`. This shell keeps the one actor id and counter, groups acknowledgements by commit group, and
 * says `not-whole` while it may have lost data.
 *
 * The actor id is drawn afresh at every start, even after an orderly stop: whoever died may have sent dots it
 * never stored, and whoever stopped may be started again from a copy of its directory, on an emptied disk or
 * without its disk at all. Counting on under the old id would let two different values share one version, or
 * claim to know the fate of dots that are gone (Riak's kv679). It costs one clock entry for each life of a
 * process in which it wrote the key.
 *
 * @module
 */

import { type Engine, EngineError } from "../../storage/engine.ts";
import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import type { Random } from "../runtime/environment.ts";
import type { Handlers, Ref } from "../runtime/protocol.ts";
import type { CoordinatorProtocol } from "../coordinator/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { preferenceList } from "../ring_manager/ring.ts";
import type { CurrentRing, RingManagerProtocol } from "../ring_manager/protocol.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { equalBytes, toHex } from "../runtime/bytes.ts";
import { counterOf } from "./clock.ts";
import { decodeContext } from "./context.ts";
import { merge, mint, type StoredObject, verifyValues } from "./object.ts";
import { decodeObject, encodeObject } from "./object_codec.ts";
import type {
  ActorId,
  EncodedObject,
  Mint,
  MintAnswer,
  NodeId,
  PartitionEntry,
  PartitionPage,
  Placement,
  ReadAnswer,
  ReplicaRead,
  ReplicaStoreProtocol,
  ReplicaWrite,
  WriteAnswer,
} from "./protocol.ts";
import { PAGE_ENTRIES } from "./protocol.ts";

/** The decisions the store leaves to pure functions; a test plants a bug by substituting one. */
export const REPLICA_STORE_CORE = { mint, merge, verifyValues, decodeContext, newActorId };

/** See {@link REPLICA_STORE_CORE}. */
export type ReplicaStoreCore = typeof REPLICA_STORE_CORE;

/** A name for one who mints dots that nobody had before. */
function newActorId(random: Random, _node: NodeId): ActorId {
  return toHex(random.bytes(16));
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
  /** Every partition is whole again after a lossy start. */
  readonly onWhole: () => void;
  /** The ring as this node has it, and whether client writes have to wait, at a start. */
  readonly current: () => CurrentRing;
  /** See {@link REPLICA_STORE_CORE}. */
  readonly core: ReplicaStoreCore;
}

/** A page of a partition on its way to another owner holds about so much. */
const PAGE_BYTES = 512 * 1024;

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

/** Writes that wait for one commit group. */
interface CommitGroup {
  readonly durable: Promise<void>;
  readonly waiting: { readonly ticket: number; readonly from: NodeId }[];
}

const NO_OBJECT: ReadAnswer = { ok: true, object: null };
const DONE: WriteAnswer = { ok: true };

class ReplicaStore {
  readonly #options: ReplicaStoreOptions;
  readonly #context: ActorContext<ReplicaStoreProtocol>;
  readonly #engine: Engine;
  readonly #core: ReplicaStoreCore;
  readonly #notWhole = new Set<number>();
  readonly #coordinators = new Map<NodeId, Ref<CoordinatorProtocol>>();
  #ring: Ring;
  #owned: boolean[] = [];
  #actorId: ActorId;
  #counter: number;
  #group: CommitGroup | null = null;
  #isFenced: boolean;
  #alarms = 0;
  #poisoned = false;
  /** A commit group failed, and none was durable since: what is shown may not be on disk. */
  #inDoubt = false;
  #closed = false;

  constructor(
    options: ReplicaStoreOptions,
    context: ActorContext<ReplicaStoreProtocol>,
    engine: Engine,
    lossy: boolean,
  ) {
    this.#options = options;
    this.#context = context;
    this.#engine = engine;
    this.#core = options.core;
    const { ring, isFenced } = options.current();
    this.#ring = ring;
    this.#isFenced = isFenced;
    this.#actorId = this.#newActorId();
    this.#counter = 0;
    this.#takeRing(ring);
    // With nobody else to have kept it, what is gone is gone; a lone node that refused to read would help no one.
    if (lossy && ring.members.length > 1) {
      for (let p = 0; p < ring.partitions; p++) if (this.#owned[p]) this.#notWhole.add(p);
    }
    if (engine.damageAtOpen.length > 0) {
      context.log.warn("the store was damaged and repaired while opening", {
        places: engine.damageAtOpen.length,
        first: engine.damageAtOpen[0]?.detail,
      });
    }
  }

  handlers(): Handlers<ReplicaStoreProtocol> {
    return {
      read: (body) => this.#onRead(body),
      write: (body) => this.#onWrite(body),
      mint: (body) => this.#onMint(body),
      ring: ({ ring }) => this.#takeRing(ring),
      inspect: async ({ key, partition }) => {
        const answer = await this.#answerRead(partition, key);
        const object = "object" in answer ? answer.object : null;
        return object === null || this.#decode(object) !== null ? answer : { ok: false, code: "unreadable" };
      },
      scan: ({ partition, after }) => this.#scan(partition, after),
      absorb: ({ partition, entries }) => this.#absorb(partition, entries),
      listNotWhole: () => [...this.#notWhole],
      refilled: ({ partition }) => this.#onRefilled(partition),
      fence: ({ raised, ifEmpty }) => {
        const holdsData = !this.#closed && this.#engine.partitions().length > 0;
        if (!ifEmpty || !holdsData) this.#isFenced = raised;
        return { holdsData };
      },
      describe: () => ({
        engine: this.#engine.stats(),
        actorId: this.#actorId,
        notWhole: this.#notWhole.size,
        damage: this.#engine.damageAtOpen.length,
        alarms: this.#alarms,
      }),
    };
  }

  /** Make everything durable and let go. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#engine.close();
  }

  #newActorId(): ActorId {
    return this.#core.newActorId(this.#context.environment.random, this.#options.node);
  }

  #takeRing(ring: Ring): void {
    if (ring.epoch < this.#ring.epoch && ring.clusterId === this.#ring.clusterId) return;
    this.#ring = ring;
    this.#owned = [];
    for (let p = 0; p < ring.partitions; p++) {
      this.#owned.push(preferenceList(ring, p).some((member) => member.id === this.#options.node));
      if (!this.#owned[p] || ring.members.length === 1) this.#notWhole.delete(p);
    }
  }

  /** Null when a request placed so may be served here under this node's ring. */
  #misplaced({ partition, epoch }: Placement): { code: "wrong-epoch"; epoch: number } | null {
    if (epoch >= this.#ring.epoch && this.#owned[partition] === true) return null;
    return { code: "wrong-epoch", epoch: this.#ring.epoch };
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

  #onRead(read: ReplicaRead): void | Promise<void> {
    if (this.#context.environment.clock.now() >= read.deadline) return;
    const misplaced = this.#misplaced(read);
    if (misplaced !== null) {
      this.#teachRing(read.from, read.epoch);
      return this.#sendRead(read, { ok: false, ...misplaced });
    }
    const answer = this.#answerRead(read.partition, read.key);
    if (answer instanceof Promise) return answer.then((found) => this.#sendRead(read, found));
    this.#sendRead(read, answer);
  }

  #sendRead({ ticket, from }: ReplicaRead, answer: ReadAnswer): void {
    this.#coordinator(from).tell("replicaRead", { ticket, replica: this.#options.node, answer });
  }

  /**
   * The record as it is. Whoever merges the answers verifies each, so that damage anywhere on the way is found,
   * and sends the sound object to where it was damaged; to verify here as well would find nothing more.
   */
  #answerRead(partition: number, key: Uint8Array): ReadAnswer | Promise<ReadAnswer> {
    if (this.#closed) return { ok: false, code: "unavailable" };
    try {
      const record = this.#engine.get(partition, key);
      if (!(record instanceof Promise)) return this.#judgeRecord(partition, record);
      return record.then((found) => this.#judgeRecord(partition, found), (error) => this.#unreadable(error));
    } catch (error) {
      return this.#unreadable(error);
    }
  }

  #judgeRecord(partition: number, record: EncodedObject | null): ReadAnswer {
    if (this.#poisoned || this.#notWhole.has(partition)) {
      return { ok: false, code: "not-whole", object: record };
    }
    return record === null ? NO_OBJECT : { ok: true, object: record };
  }

  #unreadable(error: unknown): ReadAnswer {
    this.#alarm("a record could not be read", { error: String(error) });
    return { ok: false, code: "unreadable" };
  }

  /** The object in a record, null (and an alarm) when it is damaged: what is damaged is never served. */
  #decode(record: EncodedObject): StoredObject | null {
    try {
      const object = decodeObject(record);
      if (this.#core.verifyValues(object)) return object;
      this.#alarm("a value does not match its CRC-32C", {});
    } catch (error) {
      this.#alarm("a record could not be decoded", { error: String(error) });
    }
    return null;
  }

  #alarm(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#alarms++;
    this.#context.log.error(message, fields);
  }

  // --- writing ---------------------------------------------------------------------------------------------

  #onWrite(body: ReplicaWrite): void | Promise<void> {
    const refuse = (answer: WriteAnswer) => this.#acknowledge(body.from, body.ticket, answer);
    const misplaced = this.#misplaced(body);
    if (misplaced !== null) {
      this.#teachRing(body.from, body.epoch);
      return refuse({ ok: false, definite: true, ...misplaced });
    }
    const incoming = this.#decode(body.object);
    if (incoming === null) return refuse({ ok: false, code: "corrupt", definite: true });
    const issued = counterOf(incoming.clock, this.#actorId);
    if (issued > this.#counter) {
      this.#onFutureDot(issued);
      return refuse({ ok: false, code: "future-dot", definite: true });
    }
    return this.#withLocal(
      body,
      (local) => this.#store(body, local, incoming),
      (code) => refuse({ ok: false, code, definite: true }),
    );
  }

  #store(
    { partition, key, object, ticket, from }: Omit<ReplicaWrite, "epoch">,
    local: EncodedObject | null,
    incoming: StoredObject,
  ): void {
    let record = object;
    if (local !== null && !equalBytes(local, object)) {
      const held = this.#decode(local);
      // A damaged record gives way to the peer's. It may have held dots of ours that nobody else has.
      if (held === null) this.#renewActorId();
      else record = encodeObject(this.#core.merge(held, incoming));
    }
    const isHeld = local !== null && equalBytes(record, local);
    if (isHeld && !this.#inDoubt) return this.#whenDurable(this.#group, ticket, from);
    if (!this.#commit(partition, key, record, ticket, from)) {
      this.#acknowledge(from, ticket, { ok: false, code: "unavailable", definite: !isHeld });
    }
  }

  #onMint(body: Mint): void | Promise<void> {
    const answer = (reply: MintAnswer) =>
      void this.#coordinator(this.#options.node).tell("minted", { ticket: body.ticket, answer: reply });
    const refuse = (code: (MintAnswer & { ok: false })["code"], message: string) =>
      answer({ ok: false, code, message });
    if (this.#context.environment.clock.now() >= body.deadline) {
      return refuse("unavailable", "the deadline passed before a version was made");
    }
    if (this.#misplaced(body) !== null) {
      return refuse("wrong-epoch", "the ring changed while the request was on its way");
    }
    if (this.#isFenced) {
      return refuse("ring-changing", "the ring is being changed; try again");
    }
    if (body.value !== null && crc32c(body.value) !== body.crc32c) {
      return refuse("corrupt", "the value does not match its CRC-32C");
    }
    const context = body.context === null
      ? []
      : this.#core.decodeContext(body.context, body.key, this.#ring.clusterId);
    if (context === null) {
      return refuse("bad-context", "the context is damaged, or belongs to another key or cluster");
    }
    const issued = counterOf(context, this.#actorId);
    if (issued > this.#counter) {
      this.#onFutureDot(issued);
      return refuse("bad-context", "the context names a version that this node never issued");
    }
    return this.#withLocal(
      body,
      (local) => {
        const held = local === null ? null : this.#decode(local);
        if (local !== null && held === null) {
          return refuse("unreadable", "the local replica of the key is damaged");
        }
        const minted = this.#core.mint(held, {
          context,
          value: body.value,
          crc32c: body.crc32c,
          requestId: body.requestId,
          wallMs: this.#context.environment.clock.wall(),
          dot: { actor: this.#actorId, counter: this.#counter + 1 },
        });
        if (!minted.ok) {
          if (minted.code === "future-dot") this.#onFutureDot(this.#counter + 1);
          return refuse(minted.code, minted.message);
        }
        this.#counter++;
        const object = minted.applied ? encodeObject(minted.object) : local ?? encodeObject(minted.object);
        if (!this.#commit(body.partition, body.key, object, body.ticket, this.#options.node)) {
          return refuse("unavailable", "the local store takes no writes");
        }
        answer({ ok: true, object });
      },
      (code) => refuse(code, "the local store cannot be read or written now"),
    );
  }

  /** Someone knows a dot of ours that we never issued: our id was used before us, or is in use elsewhere. */
  #onFutureDot(issued: number): void {
    this.#alarm("a clock is ahead of what this node issued under its own actor id; taking a new id", {
      actor: this.#actorId,
      issued,
      counter: this.#counter,
    });
    this.#renewActorId();
  }

  #renewActorId(): void {
    this.#actorId = this.#newActorId();
    this.#counter = 0;
  }

  /** Reads the local record, synchronously where the engine can, so that nothing comes between. */
  #withLocal(
    { partition, key }: { partition: number; key: Uint8Array },
    then: (local: EncodedObject | null) => void,
    otherwise: (code: "unreadable" | "unavailable") => void,
  ): void | Promise<void> {
    if (this.#closed) return otherwise("unavailable");
    let record;
    try {
      record = this.#engine.get(partition, key);
    } catch (error) {
      this.#unreadable(error);
      return otherwise("unreadable");
    }
    if (!(record instanceof Promise)) return then(record);
    return record.then(then, (error) => {
      this.#unreadable(error);
      otherwise("unreadable");
    });
  }

  /** Hand a record to the engine and acknowledge it with its commit group. False when refused at once. */
  #commit(partition: number, key: Uint8Array, record: EncodedObject, ticket: number, from: NodeId): boolean {
    let durable: Promise<void>;
    try {
      durable = this.#engine.write([{ partition, key, record }]);
    } catch (error) {
      this.#context.log.warn("the engine refused a write", { error: String(error) });
      return false;
    }
    if (this.#group?.durable !== durable) this.#openGroup(durable);
    this.#whenDurable(this.#group, ticket, from);
    return true;
  }

  #openGroup(durable: Promise<void>): void {
    const group: CommitGroup = { durable, waiting: [] };
    this.#group = group;
    const settle = (answer: WriteAnswer) => {
      if (this.#group === group) this.#group = null;
      for (const { ticket, from } of group.waiting) this.#acknowledge(from, ticket, answer);
    };
    const onDurable = () => {
      this.#inDoubt = false;
      settle(DONE);
    };
    durable.then(onDurable, (error) => {
      this.#inDoubt = true;
      // The engine is poisoned until a new process reopens it: its reads no longer count towards R.
      this.#poisoned ||= error instanceof EngineError && error.code === "poisoned";
      this.#context.log.error("a commit group did not become durable", { error: String(error) });
      settle({ ok: false, code: "unavailable", definite: false });
    });
  }

  /** What equals the stored record is durable once the group that wrote it is: at latest the newest one. */
  #whenDurable(group: CommitGroup | null, ticket: number, from: NodeId): void {
    if (group === null) this.#acknowledge(from, ticket, DONE);
    else if (ticket !== 0) group.waiting.push({ ticket, from });
  }

  #acknowledge(from: NodeId, ticket: number, answer: WriteAnswer): void {
    if (ticket === 0) return;
    this.#coordinator(from).tell("replicaWrote", { ticket, replica: this.#options.node, answer });
  }

  // --- refilling -------------------------------------------------------------------------------------------

  async #scan(partition: number, after: Uint8Array | null): Promise<PartitionPage> {
    const limits = { limit: PAGE_ENTRIES, limitBytes: PAGE_BYTES };
    try {
      const page = await this.#engine.scan({ partition, ...(after && { after }), ...limits });
      const next = page.done ? null : page.entries.at(-1)?.key ?? null;
      const sound = page.entries.filter(({ record }) => this.#decode(record) !== null);
      return { ok: true, entries: sound.map(({ key, record }) => ({ key, object: record })), next };
    } catch (error) {
      this.#unreadable(error);
      return { ok: false, entries: [], next: null };
    }
  }

  async #absorb(partition: number, entries: readonly PartitionEntry[]): Promise<{ ok: boolean }> {
    for (const { key, object } of entries) {
      const incoming = this.#decode(object);
      if (incoming === null) return { ok: false };
      let ok = true;
      const from = this.#options.node;
      const merge = (local: EncodedObject | null) =>
        this.#store({ partition, key, object, ticket: 0, from }, local, incoming);
      await this.#withLocal({ partition, key }, merge, () => void (ok = false));
      if (!ok) return { ok };
    }
    return { ok: true };
  }

  #onRefilled(partition: number): void {
    const done = () => {
      this.#notWhole.delete(partition);
      if (this.#notWhole.size === 0) this.#options.onWhole();
    };
    // What came from the others counts once it would survive the next start.
    this.#engine.sync().then(done, (error) => {
      this.#context.log.warn("a refilled partition is not durable yet", { partition, error: String(error) });
    });
  }

  #teachRing(node: NodeId, epoch: number): void {
    if (epoch < this.#ring.epoch) {
      this.#context.ref<RingManagerProtocol>("ring_manager").tell("teach", { node });
    }
  }
}
