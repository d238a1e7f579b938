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
import { DIGEST_BYTES } from "../actors/repair/hash_tree.ts";
import { HASH_BYTES } from "../actors/replica_store/object_hash.ts";
import { PAGE_ENTRIES } from "../actors/replica_store/protocol.ts";
import { TREE_ITEMS } from "../actors/replica_store/tree_protocol.ts";
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

const partition = integer(0, LIMITS.partitions - 1);
const key = bytes(LIMITS.keyBytes, 1);
const entries = list(record({ key, object: bytes(LIMITS.messageBytes) }), PAGE_ENTRIES);
const placement = { partition, epoch: integer(1) };
const cut = nullable(key);
const scan = record({ ...placement, after: cut, since: integer(1) });
const digests = list(nullable(bytes(DIGEST_BYTES, DIGEST_BYTES)), TREE_ITEMS);

/** Between stores about their hash trees. */
const TREES: ControlRegistry[string] = {
  treeRoots: {
    body: record({ epoch: integer(1), partitions: list(partition, TREE_ITEMS) }),
    reply: record({ ok: flag, digests }),
  },
  treeDigests: {
    body: record({ ...placement, cuts: list(cut, TREE_ITEMS) }),
    reply: record({ ok: flag, digests }),
  },
  treeKeys: {
    body: record({ ...placement, after: cut, upTo: cut }),
    reply: record({
      ok: flag,
      keys: list(record({ key, hash: bytes(HASH_BYTES, HASH_BYTES) }), PAGE_ENTRIES),
      next: cut,
      isDamaged: flag,
    }),
  },
  treeObjects: {
    body: record({ ...placement, keys: list(key, PAGE_ENTRIES) }),
    reply: record({ ok: flag, entries, done: integer(0, PAGE_ENTRIES) }),
  },
  treeMerge: {
    body: record({ ...placement, entries }),
    reply: oneOf("taken", "busy", "refused"),
  },
};

/** See the module. */
export const CONTROL: ControlRegistry = {
  gossiper: {
    gossip: { body: record({ message: bytes(GOSSIP_BYTES), wallMs: integer(0) }) },
  },
  ring_manager: {
    learn: { body: record({ ring: bytes(LIMITS.frameBytes) }) },
    prepare: { body: prepareRequest, reply: prepareReply },
    accept: { body: acceptRequest, reply: acceptReply },
  },
  hint_store: {
    left: { body: record({}), reply: record({ epoch: integer(1), count: nullable(integer(0)) }) },
  },
  replica_store: {
    progress: {
      body: record({}),
      reply: record({
        epoch: integer(1),
        since: integer(1),
        ready: list(partition, LIMITS.partitions),
        waiting: integer(0, LIMITS.partitions),
      }),
    },
    weigh: {
      body: record({}),
      reply: record({
        partitions: list(partition, LIMITS.partitions),
        keys: list(integer(0), LIMITS.partitions),
        bytes: list(integer(0), LIMITS.partitions),
      }),
    },
    scan: {
      body: scan,
      reply: record({ ok: flag, entries, next: cut }),
    },
    inspect: {
      body: record({ key, partition }),
      reply: readAnswer,
    },
    ...TREES,
  },
};
