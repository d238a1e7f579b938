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
  text,
} from "../actors/runtime/shape.ts";
import type { ReadAnswer } from "../actors/replica_store/protocol.ts";
import type { ControlRegistry } from "./control_codec.ts";

const readAnswer: Shape<ReadAnswer> = (value, path) => {
  const object = nullable(bytes(LIMITS.messageBytes));
  const { ok } = loose(value, path);
  if (ok) return record({ ok: flag, object, stamp: optional(integer(0)) })(value, path) as ReadAnswer;
  const { code } = loose(value, path);
  if (code === "not-whole") {
    const held = record({ ok: flag, code: oneOf("not-whole"), object, stamp: optional(integer(0)) });
    return held(value, path) as ReadAnswer;
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
    reply: record({ ok: flag, entries, done: integer(0, PAGE_ENTRIES), stamp: integer(0) }),
  },
  treeMerge: {
    body: record({ ...placement, entries, stamp: integer(0) }),
    reply: oneOf("taken", "busy", "refused"),
  },
};

const hash = bytes(HASH_BYTES, HASH_BYTES);

/** Between stores about tombstones. */
const REAPER: ControlRegistry[string] = {
  hashes: {
    body: record({ ...placement, keys: list(key, PAGE_ENTRIES) }),
    reply: record({ ok: flag, hashes: list(nullable(hash), PAGE_ENTRIES) }),
  },
  reap: {
    body: record({ ...placement, graves: list(record({ key, hash }), PAGE_ENTRIES) }),
    reply: record({ removed: integer(0, PAGE_ENTRIES) }),
  },
  standing: {
    body: record({}),
    reply: record({
      isSerious: flag,
      notWhole: list(partition, LIMITS.partitions),
      sealed: integer(0),
    }),
  },
};

const life = text(64);
const step = { body: record({ epoch: integer(1), ring: integer(1), life }), reply: record({ ok: flag }) };

/** Between collectors. */
const COLLECTOR: ControlRegistry[string] = {
  list: {
    body: record({ ring: integer(1) }),
    reply: record({
      ring: integer(1),
      isWell: flag,
      announced: integer(0),
      life,
      listed: integer(0),
    }),
  },
  announce: step,
  close: step,
  seal: step,
  collect: { body: step.body, reply: record({ removed: integer(0) }) },
};

/** See the module. */
export const CONTROL: ControlRegistry = {
  gossiper: {
    gossip: {
      body: record({
        message: bytes(GOSSIP_BYTES),
        wallMs: integer(0),
        collection: record({
          announced: integer(0),
          closed: integer(0),
          sealed: integer(0),
          isSure: flag,
        }),
      }),
    },
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
      reply: record({ ok: flag, entries, next: cut, stamp: integer(0) }),
    },
    inspect: {
      body: record({ key, partition }),
      reply: readAnswer,
    },
    ...TREES,
    ...REAPER,
  },
  collector: COLLECTOR,
};
