/**
 * Everything nodes may say to each other besides requests: the registry of control messages.
 *
 * @module
 */

import {
  acceptReply,
  acceptRequest,
  prepareReply,
  prepareRequest,
} from "../actors/ring_manager/commit_codec.ts";
import { GOSSIP_BYTES } from "../actors/gossiper/gossip_codec.ts";
import { PAGE_ENTRIES } from "../actors/replica_store/protocol.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import {
  bytes,
  flag,
  integer,
  list,
  nullable,
  oneOf,
  optional,
  record,
  type Shape,
} from "../actors/runtime/shape.ts";
import type { ReadAnswer } from "../actors/replica_store/protocol.ts";
import type { ControlRegistry } from "./control_codec.ts";

const readAnswer: Shape<ReadAnswer> = (value, path) => {
  const object = nullable(bytes(LIMITS.messageBytes));
  const { ok } = loose(value, path);
  if (ok) return record({ ok: flag, object })(value, path) as ReadAnswer;
  const { code } = loose(value, path);
  if (code === "not-whole") {
    return record({ ok: flag, code: oneOf("not-whole"), object })(value, path) as ReadAnswer;
  }
  const refused = record({
    ok: flag,
    code: oneOf("unreadable", "wrong-epoch", "overloaded", "unavailable"),
    epoch: optional(integer(1)),
  });
  return refused(value, path) as ReadAnswer;
};

/** The fields that tell the variants apart, whatever else is there. */
function loose(value: unknown, path: string): { ok: boolean; code: unknown } {
  const map = typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
  return { ok: flag(map.ok, `${path}.ok`), code: map.code };
}

const scan = record({
  partition: integer(0, LIMITS.partitions - 1),
  after: nullable(bytes(LIMITS.keyBytes, 1)),
  epoch: integer(1),
  since: integer(1),
});

/** See the module. */
export const CONTROL: ControlRegistry = {
  gossiper: {
    gossip: { body: record({ message: bytes(GOSSIP_BYTES) }) },
  },
  ring_manager: {
    learn: { body: record({ ring: bytes(LIMITS.frameBytes) }) },
    prepare: { body: prepareRequest, reply: prepareReply },
    accept: { body: acceptRequest, reply: acceptReply },
  },
  replica_store: {
    progress: {
      body: record({}),
      reply: record({
        epoch: integer(1),
        since: integer(1),
        ready: list(integer(0, LIMITS.partitions - 1), LIMITS.partitions),
        waiting: integer(0, LIMITS.partitions),
      }),
    },
    weigh: {
      body: record({}),
      reply: record({
        partitions: list(integer(0, LIMITS.partitions - 1), LIMITS.partitions),
        keys: list(integer(0), LIMITS.partitions),
        bytes: list(integer(0), LIMITS.partitions),
      }),
    },
    digest: {
      body: scan,
      reply: record({
        ok: flag,
        checksum: integer(0, 2 ** 32 - 1),
        keys: integer(0, PAGE_ENTRIES),
        next: nullable(bytes(LIMITS.keyBytes, 1)),
      }),
    },
    scan: {
      body: scan,
      reply: record({
        ok: flag,
        entries: list(
          record({ key: bytes(LIMITS.keyBytes, 1), object: bytes(LIMITS.messageBytes) }),
          PAGE_ENTRIES,
        ),
        next: nullable(bytes(LIMITS.keyBytes, 1)),
      }),
    },
    inspect: {
      body: record({ key: bytes(LIMITS.keyBytes, 1), partition: integer(0, LIMITS.partitions - 1) }),
      reply: readAnswer,
    },
  },
};
