/**
 * The expirer: deletes values whose time has come, as a client that has read them would.
 *
 * The delete is a write like any other, coordinated, versioned and repaired like any other; it replaces what was seen
 * to have expired and nothing else, so that a value that is written meanwhile stays, and one that comes back with a
 * replica that was away is gone again when they meet. What is due is found in `actors/replica_store/expiry.ts`, and
 * what time it is by the members together in `actors/gossiper/cluster_clock.ts`.
 *
 * @module
 */

import type { CoordinatorProtocol, OriginProtocol } from "../coordinator/protocol.ts";
import { encodeContext } from "../replica_store/context.ts";
import type { ExpiredKey } from "../replica_store/expiry.ts";
import type { NodeId, ReplicaStoreProtocol } from "../replica_store/protocol.ts";
import type { RingManagerProtocol } from "../ring_manager/protocol.ts";
import { toHex } from "../runtime/bytes.ts";
import { LIMITS } from "../runtime/limits.ts";
import type { ActorContext, ActorSpec } from "../runtime/mod.ts";
import type { Budget } from "./budget.ts";

/** Messages of the expirer. */
export type ExpirerProtocol = OriginProtocol & {
  /** Look whether anything has expired. Own timer. */
  look: [Record<never, never>, void];
};

/** The decisions the expirer leaves to pure functions; a test plants a bug by substituting one. */
export const EXPIRER_CORE = { contextOf };

/** See {@link EXPIRER_CORE}. */
export type ExpirerCore = typeof EXPIRER_CORE;

/** What a delete replaces: what was seen, and so nothing that was written since. */
function contextOf({ key, clock }: ExpiredKey, clusterId: string): Uint8Array {
  return encodeContext(clock, key, clusterId);
}

/** What the expirer is composed of. */
export interface ExpirerOptions {
  /** This node. */
  readonly node: NodeId;
  /** What time it is as most members have it; null while that is not known. */
  readonly wallMs: () => number | null;
  /** What is read for it is paid from it. */
  readonly budget: Pick<Budget, "spend">;
  /** See {@link EXPIRER_CORE}. */
  readonly core: ExpirerCore;
}

const LOOK_MS = 1_000;
const ASK = { timeoutMs: 5_000 };
const REQUEST_ID_BYTES = 16;

/** The actor `expirer`. */
export function expirer(options: ExpirerOptions): ActorSpec<ExpirerProtocol> {
  return {
    name: "expirer",
    start(context) {
      context.after(LOOK_MS, "look", {});
      return {
        async look() {
          await lookAll(options, context);
          context.after(LOOK_MS, "look", {});
        },
        answer() {
          // What was not deleted is found again.
        },
      };
    },
  };
}

async function lookAll(options: ExpirerOptions, context: ActorContext<ExpirerProtocol>): Promise<void> {
  const store = context.ref<ReplicaStoreProtocol>("replica_store");
  for (;;) {
    const nowMs = options.wallMs();
    const step = nowMs === null ? null : await store.ask("expired", { nowMs }, ASK).catch(() => null);
    if (step === null) return;
    await options.budget.spend(step.readBytes);
    if (step.due.length > 0) await deleteAll(options, context, step.due);
  }
}

async function deleteAll(
  { core }: ExpirerOptions,
  context: ActorContext<ExpirerProtocol>,
  due: readonly ExpiredKey[],
): Promise<void> {
  const current = await context.ref<RingManagerProtocol>("ring_manager").ask("current", {}, ASK).catch(() =>
    null
  );
  if (current === null) return;
  const { clock, random } = context.environment;
  const coordinator = context.ref<CoordinatorProtocol>("coordinator");
  due.forEach((one, ticket) =>
    coordinator.tell("put", {
      key: one.key,
      value: null,
      crc32c: 0,
      context: core.contextOf(one, current.ring.clusterId),
      w: 0,
      requestId: toHex(random.bytes(REQUEST_ID_BYTES)),
      forwarded: false,
      deadline: clock.now() + LIMITS.defaultDeadlineMs,
      origin: context.self.address,
      ticket,
    })
  );
}
