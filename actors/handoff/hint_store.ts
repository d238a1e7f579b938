/**
 * The hint store: what this node keeps for replicas that are away (Dynamo, section 4.6, hinted handoff).
 *
 * Problem. A replica is away, and a write should still be on N nodes, W of them before it is acknowledged. Naive
 * attempt: the next node takes the object among its own. Then nobody knows that it does not belong there, or to whom it
 * should go; it is read as if it were a replica's, and never leaves. The idea: it is kept apart with the name of the
 * one it is for, and goes there when that is back (`handoff.ts`).
 *
 * A hint is a promise: it was acknowledged. So it is in an engine of its own, acknowledged when durable; it goes only
 * once it is durable where it belongs; and when there is no room for another, that one is refused, and no old one goes
 * (FAULTS 58). Objects for one target and key are merged into one hint.
 *
 * Where no primary can be reached a client's write becomes a version here. The gap rule (`../replica_store/object.ts`)
 * makes that delicate: who holds a dot of ours must hold, or know the fate of, every earlier dot of ours for that key.
 * Here an object that was delivered is forgotten. Minting the next version of its key under the same actor id, merged
 * into nothing, would tell every replica that the one before was replaced: it would vanish. So
 *  - this store has an actor id of its own, drawn at each start, as the replica store has;
 *  - a version is minted into all that is kept of the key, whomever for;
 *  - when anything was forgotten, delivered or damaged, a new id is drawn before the next version is minted.
 * That costs an entry in a clock for each time that hints were given back between two versions of one key: few, and far
 * between. Remembering for each key what was issued would cost no entries, and would have to be bounded, made durable,
 * and right.
 *
 * @module
 */

import type { ConflictPolicy } from "../replica_store/conflicts.ts";
import type { Engine } from "../../storage/engine.ts";
import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import { equalBytes, toHex } from "../runtime/bytes.ts";
import type { Random } from "../runtime/environment.ts";
import type { Handlers } from "../runtime/protocol.ts";
import type { CoordinatorProtocol } from "../coordinator/protocol.ts";
import type { CurrentRing, RingManagerProtocol } from "../ring_manager/protocol.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { type Clock, counterOf } from "../replica_store/clock.ts";
import { CommitGroups, type Waiter } from "../replica_store/commit_groups.ts";
import { decodeContext } from "../replica_store/context.ts";
import { Dots } from "../replica_store/dots.ts";
import { Minter } from "../replica_store/minter.ts";
import { merge, mint, type StoredObject, verifyValues } from "../replica_store/object.ts";
import { encodeObject } from "../replica_store/object_codec.ts";
import type {
  ActorId,
  EncodedObject,
  NodeId,
  ReadAnswer,
  ReplicaRead,
  WriteAnswer,
  WriteRefusal,
} from "../replica_store/protocol.ts";
import { Records } from "../replica_store/records.ts";
import { encodeHint } from "./hint_record.ts";
import { hasRoom } from "./hint_tally.ts";
import { KeptHints, UNREADABLE } from "./kept_hints.ts";
import type { HintedMint, HintStoreProtocol, HintStoreStatus, Keep } from "./protocol.ts";

/** The decisions the hint store leaves to pure functions; a test plants a bug by substituting one. */
export const HINT_STORE_CORE = { mint, merge, verifyValues, decodeContext, newActorId, hasRoom, mustRenew };

/** See {@link HINT_STORE_CORE}. */
export type HintStoreCore = typeof HINT_STORE_CORE;

/** A name for one who mints dots that nobody had before. */
function newActorId(random: Random): ActorId {
  return toHex(random.bytes(16));
}

/** Whether a new actor id has to be drawn once something was forgotten: not where nothing was minted under the old. */
function mustRenew(issued: number): boolean {
  return issued > 0;
}

/** What the hint store is composed of. */
export interface HintStoreOptions {
  /** This node. */
  readonly node: NodeId;
  /** Open the engine. `lossy`: hints that were acknowledged before this start may be missing from it. */
  open(): Promise<{ readonly engine: Engine; readonly lossy: boolean }>;
  /** The ring as this node has it, and whether client writes have to wait. */
  readonly current: () => CurrentRing;
  /** What becomes of concurrent writes. */
  readonly conflicts: ConflictPolicy;
  /** What time it is as most members have it; null while that is not known. */
  readonly wallMs: () => number | null;
  /** See {@link HINT_STORE_CORE}. */
  readonly core: HintStoreCore;
}

/** What could not be counted is counted again after so long. */
const COUNT_AGAIN_MS = 1_000;

/** The actor `hint_store`. */
export function hintStore(options: HintStoreOptions): ActorSpec<HintStoreProtocol> {
  return {
    name: "hint_store",
    async start(context) {
      const { engine, lossy } = await options.open();
      const store = new HintStore(options, context, engine, lossy);
      context.onStop(() => store.close());
      await store.onCount();
      return store.handlers();
    },
  };
}

class HintStore {
  readonly #options: HintStoreOptions;
  readonly #context: ActorContext<HintStoreProtocol>;
  readonly #engine: Engine;
  readonly #core: HintStoreCore;
  readonly #lossy: boolean;
  readonly #dots: Dots;
  readonly #records: Records;
  readonly #hints: KeptHints;
  readonly #groups: CommitGroups;
  #ring: Ring;
  #taken = 0;
  #delivered = 0;
  #refused = 0;

  constructor(
    options: HintStoreOptions,
    context: ActorContext<HintStoreProtocol>,
    engine: Engine,
    lossy: boolean,
  ) {
    const { log, environment: { random } } = context;
    this.#options = options;
    this.#context = context;
    this.#engine = engine;
    this.#lossy = lossy;
    const core = this.#core = options.core;
    this.#ring = options.current().ring;
    this.#dots = new Dots(() => core.newActorId(random));
    this.#records = new Records(engine, log, core.verifyValues);
    this.#hints = new KeptHints(engine, log, () => this.#onForgotten());
    this.#groups = new CommitGroups(engine, log, (waiter, answer) => this.#acknowledge(waiter, answer));
    if (lossy) {
      log.error("hints that were kept for others may be lost", { damage: engine.damageAtOpen.length });
    }
  }

  handlers(): Handlers<HintStoreProtocol> {
    return {
      keep: (body) => this.#onKeep(body),
      read: (body) => this.#onRead(body),
      mint: (body) => this.#onMint(body),
      ring: ({ ring }) => {
        this.#ring = ring;
      },
      count: () => this.onCount(),
      targets: async () => {
        await this.#hints.catchUp();
        return this.#hints.tally?.targets().map(({ node }) => node) ?? [];
      },
      page: ({ target, after }) => this.#hints.page(target, after),
      discard: async ({ target, hints }) => {
        const gone = await this.#hints.discard(target, hints);
        this.#delivered += gone;
        if (gone > 0) this.#onForgotten();
      },
      left: () => ({ epoch: this.#ring.epoch, count: this.#hints.tally?.count ?? null }),
      held: ({ partition }) => ({ count: this.#hints.tally?.heldOf(partition) ?? Infinity }),
      describe: () => this.#describe(),
    };
  }

  async close(): Promise<void> {
    this.#records.isClosed = true;
    await this.#engine.close();
  }

  /** Count what is kept, and again until that could be read. */
  async onCount(): Promise<void> {
    await this.#hints.count();
    if (this.#hints.tally === null) this.#context.after(COUNT_AGAIN_MS, "count", {});
  }

  #describe(): HintStoreStatus {
    const { tally } = this.#hints;
    return {
      count: tally?.count ?? 0,
      bytes: tally?.bytes ?? 0,
      targets: tally?.targets() ?? [],
      taken: this.#taken,
      delivered: this.#delivered,
      refused: this.#refused,
      damage: this.#engine.damageAtOpen.length + this.#hints.damaged,
      lossy: this.#lossy,
      refusing: this.#engine.stats().refusing,
      actorId: this.#dots.actorId,
    };
  }

  /** Something that may have held dots of ours is gone from here. */
  #onForgotten(): void {
    if (this.#core.mustRenew(this.#dots.issued)) this.#dots.renew();
  }

  /** Null when a request under this epoch may be served. */
  #misplaced(
    { epoch, from }: { epoch: number; from: NodeId },
  ): { code: "wrong-epoch"; epoch: number } | null {
    if (epoch >= this.#ring.epoch) return null;
    if (from !== this.#options.node) {
      this.#context.ref<RingManagerProtocol>("ring_manager").tell("teach", { node: from });
    }
    return { code: "wrong-epoch", epoch: this.#ring.epoch };
  }

  /** Whether this node gives away what it has. */
  #isLeaving(): boolean {
    return this.#ring.change?.leaving === this.#options.node;
  }

  // --- keeping ---------------------------------------------------------------------------------------------

  async #onKeep(body: Keep): Promise<void> {
    const { target, partition, key, object } = body;
    const refuse = (answer: WriteAnswer) => this.#acknowledge(body, answer);
    const misplaced = this.#misplaced(body);
    if (misplaced !== null) return refuse({ ok: false, definite: true, ...misplaced });
    if (this.#isLeaving()) return refuse({ ok: false, code: "unavailable", definite: true });
    const incoming = this.#records.decode(object);
    if (incoming === null) return refuse({ ok: false, code: "corrupt", definite: true });
    if (this.#dots.isAhead(incoming.clock)) {
      this.#onFutureDot(incoming.clock);
      return refuse({ ok: false, code: "future-dot", definite: true });
    }
    const kept = await this.#object(target, key);
    if (kept === UNREADABLE) return refuse({ ok: false, code: "unreadable", definite: true });
    const merged = kept === null || equalBytes(kept.bytes, object)
      ? object
      : encodeObject(this.#core.merge(kept.object, incoming));
    const isHeld = kept !== null && equalBytes(kept.bytes, merged);
    if (isHeld && this.#groups.join(body)) return;
    const sizes = { before: kept?.bytes.length ?? null };
    const code = this.#put({ target, partition, key, object: merged }, sizes, body);
    if (code !== null) refuse({ ok: false, code, definite: !isHeld });
  }

  /** Hand a hint to the engine; why it is refused, else null. */
  #put(
    hint: { target: NodeId; partition: number; key: Uint8Array; object: EncodedObject },
    { before }: { readonly before: number | null },
    waiter: Waiter,
  ): WriteRefusal | null {
    const { tally } = this.#hints;
    const { target, partition, key, object } = hint;
    if (tally === null) return "unavailable";
    const record = encodeHint(hint);
    const addedBytes = before === null ? key.length + record.length : object.length - before;
    const room = { targetBytes: tally.bytesOf(target), totalBytes: tally.bytes, addedBytes };
    if (!this.#core.hasRoom(room)) {
      this.#refused++;
      return "hints-full";
    }
    const slot = tally.claim(target);
    const refusal = this.#groups.write(slot, key, record, waiter);
    if (refusal !== null) return refusal;
    tally.add({ target, partition, count: before === null ? 1 : 0, bytes: addedBytes }, slot);
    this.#taken++;
    return null;
  }

  /** What is kept of a key for one target, decoded; what is damaged is gone. */
  async #object(target: NodeId, key: Uint8Array): Promise<Kept | null | typeof UNREADABLE> {
    const hint = await this.#hints.read(target, key);
    if (hint === null || hint === UNREADABLE) return hint;
    const object = this.#records.decode(hint.object);
    if (object !== null) return { object, bytes: hint.object };
    const slot = this.#hints.tally?.slotOf(target);
    return slot === undefined ? null : await this.#hints.drop(slot, key, "its object is damaged");
  }

  /** All that is kept of a key, whomever for. */
  async #everything(key: Uint8Array): Promise<EncodedObject | null | typeof UNREADABLE> {
    if (this.#hints.tally === null) return UNREADABLE;
    let found: Kept | null = null;
    for (const { node } of this.#hints.tally.targets()) {
      const kept = await this.#object(node, key);
      if (kept === UNREADABLE) return UNREADABLE;
      if (kept === null) continue;
      if (found === null) found = kept;
      else if (!equalBytes(found.bytes, kept.bytes)) {
        const object = this.#core.merge(found.object, kept.object);
        found = { object, bytes: encodeObject(object) };
      }
    }
    return found?.bytes ?? null;
  }

  // --- reading and minting ---------------------------------------------------------------------------------

  async #onRead(read: ReplicaRead): Promise<void> {
    if (this.#context.environment.clock.now() >= read.deadline) return;
    const misplaced = this.#misplaced(read);
    if (misplaced !== null) return this.#sendRead(read, { ok: false, ...misplaced });
    // What is shown by an engine that failed may not be on disk.
    const found = this.#groups.isPoisoned ? UNREADABLE : await this.#everything(read.key);
    this.#sendRead(
      read,
      found === UNREADABLE ? { ok: false, code: "unreadable" } : { ok: true, object: found },
    );
  }

  #sendRead({ ticket, from }: ReplicaRead, answer: ReadAnswer): void {
    this.#coordinator(from).tell("replicaRead", { ticket, replica: this.#options.node, answer });
  }

  async #onMint(body: HintedMint): Promise<void> {
    const { target } = body;
    const { node, conflicts, wallMs } = this.#options;
    const kept = await this.#object(target, body.key);
    const sizes = { before: kept === null || kept === UNREADABLE ? null : kept.bytes.length };
    await new Minter({
      core: this.#core,
      dots: this.#dots,
      records: {
        decode: (record) => this.#records.decode(record),
        read: async (_partition, key, then, otherwise) => {
          const found = await this.#everything(key);
          return found === UNREADABLE ? otherwise("unreadable") : await then(found);
        },
      },
      groups: {
        write: (partition, key, object, waiter) =>
          this.#put({ target, partition, key, object }, sizes, waiter),
      },
      clock: this.#context.environment.clock,
      node,
      conflicts,
      wallMs,
      onStored: () => {},
      onCommit: () => {},
      ring: () => this.#ring,
      isFenced: () => this.#options.current().isFenced || this.#isLeaving(),
      isMisplaced: ({ epoch }) => epoch < this.#ring.epoch,
      onFutureDot: (clock) => this.#onFutureDot(clock),
      onDamaged: () => Promise.resolve(true),
      answer: (ticket, answer) => this.#coordinator(node).tell("minted", { ticket, answer }),
    }).onMint(body);
  }

  /** Someone knows a dot of ours that we never issued. */
  #onFutureDot(seen: Clock): void {
    const { actorId, issued } = this.#dots;
    this.#records.alarm("a clock is ahead of what this hint store issued under its own actor id", {
      actor: actorId,
      issued,
      seen: counterOf(seen, actorId),
    });
    this.#dots.renew();
  }

  #coordinator(node: NodeId) {
    return this.#context.ref<CoordinatorProtocol>({ node, actor: "coordinator" });
  }

  #acknowledge({ ticket, from }: Waiter, answer: WriteAnswer): void {
    if (ticket === 0) return;
    this.#coordinator(from).tell("replicaWrote", { ticket, replica: this.#options.node, answer });
  }
}

/** A hint's object. */
interface Kept {
  readonly object: StoredObject;
  readonly bytes: EncodedObject;
}
