/**
 * Turning a client's write into a version: the checks that need this replica, the local merge, and the commit.
 *
 * It happens where a replica of the key is, because the new version is merged into what that holds before it is
 * sent to anybody (the gap rule, `object.ts`), and in one turn with reading it, so that nothing comes between.
 *
 * @module
 */

import type { StoredObject } from "./object.ts";
import type { Ring } from "../ring_manager/ring.ts";
import { crc32c } from "../runtime/crc32c.ts";
import type { Clock as Time } from "../runtime/environment.ts";
import { type Clock, descends, EMPTY_CLOCK } from "./clock.ts";
import type { Waiter } from "./commit_groups.ts";
import type { decodeContext } from "./context.ts";
import type { Dots } from "./dots.ts";
import type { mint } from "./object.ts";
import { encodeObject } from "./object_codec.ts";
import { type ConflictPolicy, replacedBy, unseen } from "./conflicts.ts";
import type { EncodedObject, Mint, MintAnswer, NodeId, Placement, WriteRefusal } from "./protocol.ts";
import type { Records } from "./records.ts";

/** What {@link Minter} needs of the store it runs in. */
export interface MintDesk {
  /** Pure decisions, substitutable. */
  readonly core: { readonly mint: typeof mint; readonly decodeContext: typeof decodeContext };
  /** Names for versions. */
  readonly dots: Dots;
  /** What is held. */
  readonly records: Pick<Records, "read" | "decode">;
  /** How it becomes durable; why it is not taken, else null. */
  readonly groups: {
    write(partition: number, key: Uint8Array, object: EncodedObject, waiter: Waiter): WriteRefusal | null;
  };
  /** Time. */
  readonly clock: Time;
  /** This node. */
  readonly node: NodeId;
  /** What becomes of concurrent writes. */
  readonly conflicts: ConflictPolicy;
  /** What time it is as most members have it; null while that is not known. */
  wallMs(): number | null;
  /** An object was stored. */
  onStored(partition: number, key: Uint8Array, object: StoredObject): void;
  /** The ring now. */
  ring(): Ring;
  /** Whether client writes have to wait for a change of the ring. */
  isFenced(): boolean;
  /** Whether nothing is taken into a partition now. */
  isBarred(partition: number): boolean;
  /** What goes with what is minted: see `collection.ts`. Asked before anything is read. */
  stamp(): number;
  /** Whether a request placed so is not for this node. */
  isMisplaced(placement: Placement): boolean;
  /** A clock knows a dot of ours that was never issued. */
  onFutureDot(clock: Clock): void;
  /** A record of the partition is damaged. */
  onDamaged(partition: number): Promise<boolean>;
  /** A record was written where that before it, if any, was. */
  onCommit(partition: number, key: Uint8Array, before: EncodedObject | null, after: EncodedObject): void;
  /** Tell the coordinator, once for each mint. */
  answer(ticket: number, answer: MintAnswer): void;
}

type Refusal = MintAnswer & { readonly ok: false };

/** Mints versions. */
export class Minter {
  /** Values that were replaced by writes that had not seen them, for the policy wants it so. */
  overwritten = 0;
  readonly #desk: MintDesk;

  /** @param desk its store */
  constructor(desk: MintDesk) {
    this.#desk = desk;
  }

  /** Mint a version, or say why not. */
  onMint(body: Mint): void | Promise<void> {
    const desk = this.#desk;
    const { core, dots, records, clock } = desk;
    if (clock.now() >= body.deadline) {
      return this.#refuse(body, "unavailable", "the deadline passed before a version was made");
    }
    if (desk.isMisplaced(body)) {
      return this.#refuse(body, "wrong-epoch", "the ring changed while the request was on its way");
    }
    if (desk.isFenced()) return this.#refuse(body, "ring-changing", "the ring is being changed; try again");
    if (desk.isBarred(body.partition)) {
      return this.#refuse(
        body,
        "unavailable",
        "this node cannot tell yet whether its copy is older than it should be",
      );
    }
    if (body.value !== null && crc32c(body.value) !== body.crc32c) {
      return this.#refuse(body, "corrupt", "the value does not match its CRC-32C");
    }
    const context = body.context === null
      ? []
      : core.decodeContext(body.context, body.key, desk.ring().clusterId);
    if (context === null) {
      const message = "the context is damaged, or belongs to another key or cluster";
      return this.#refuse(body, "bad-context", message);
    }
    if (dots.isAhead(context)) {
      desk.onFutureDot(context);
      return this.#refuse(body, "bad-context", "the context names a version that this node never issued");
    }
    const stamp = desk.stamp();
    return records.read(
      body.partition,
      body.key,
      (local) => this.#mint(body, context, local, stamp),
      (code) => this.#refuse(body, code, "the local store cannot be read or written now"),
    );
  }

  #mint(body: Mint, context: Clock, local: EncodedObject | null, stamp: number): void | Promise<void> {
    const { core, dots, records, groups, clock, node, conflicts } = this.#desk;
    const { partition, key, value, crc32c, requestId, ticket } = body;
    const held = local === null ? null : records.decode(local);
    if (local !== null && held === null) {
      this.#refuse(body, "unreadable", "the local replica of the key is damaged");
      return this.#desk.onDamaged(partition).then(() => {});
    }
    if (!body.caughtUp && !descends(held?.clock ?? EMPTY_CLOCK, context)) {
      return this.#refuse(body, "behind", "the local replica has not seen what the context has");
    }
    const now = body.ttlMs === undefined ? null : this.#desk.wallMs();
    if (body.ttlMs !== undefined && now === null) {
      return this.#refuse(body, "unavailable", "it is not known yet what time most members have");
    }
    const minted = core.mint(held, {
      ...(now !== null && { expiresMs: now + body.ttlMs! }),
      context: replacedBy(conflicts, context, held),
      value,
      crc32c,
      requestId,
      wallMs: clock.wall(),
      dot: dots.next(),
    });
    if (!minted.ok) {
      if (minted.code === "future-dot") this.#desk.onFutureDot(held?.clock ?? context);
      return this.#refuse(body, minted.code, minted.message);
    }
    dots.issue();
    if (minted.applied) this.overwritten += unseen(conflicts, context, held);
    const object = minted.applied ? encodeObject(minted.object) : local ?? encodeObject(minted.object);
    const refusal = groups.write(partition, key, object, { ticket, from: node });
    if (refusal !== null) {
      return this.#refuse(body, refusal, "the local store takes no writes now", minted.applied);
    }
    this.#desk.onStored(partition, key, minted.object);
    if (minted.applied) this.#desk.onCommit(partition, key, local, object);
    this.#desk.answer(ticket, { ok: true, object, stamp });
  }

  #refuse({ ticket }: Mint, code: Refusal["code"], message: string, definite = true): void {
    this.#desk.answer(ticket, { ok: false, code, message, definite });
  }
}
