/**
 * What of the operator people and tools may ask from outside, and what their questions must look like.
 *
 * @module
 */

import { CONFLICT_POLICIES } from "../../actors/replica_store/conflicts.ts";
import type { OperatorProtocol } from "../../actors/operator/protocol.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import type { Body, Kind } from "../../actors/runtime/protocol.ts";
import {
  bytes,
  flag,
  hexId,
  integer,
  nullable,
  oneOf,
  optional,
  real,
  record,
  type Shape,
  text,
} from "../../actors/runtime/shape.ts";

const nothing = record({});
const member = record({
  id: hexId(16),
  address: text(LIMITS.nameBytes, 1),
  zone: text(LIMITS.nameBytes),
  weight: real(Number.MIN_VALUE, 1e6),
});

/** Kind to the shape of its body: every kind of the operator. */
export const ADMIN_BODIES: { readonly [K in Kind<OperatorProtocol>]: Shape<Body<OperatorProtocol, K>> } = {
  status: nothing,
  clusterState: nothing,
  ring: nothing,
  partitions: nothing,
  explain: record({ key: bytes(LIMITS.keyBytes, 1), timeoutMs: integer(1, LIMITS.deadlineMs) }),
  join: record({ known: text(LIMITS.nameBytes, 1) }),
  replace: record({ known: text(LIMITS.nameBytes, 1), old: hexId(16) }),
  leave: nothing,
  forceRemove: record({ id: hexId(16), alive: optional(flag) }),
  cancel: nothing,
  preview: record({
    kind: oneOf("join", "leave", "replace", "force-remove"),
    id: nullable(hexId(16)),
    member: nullable(member),
    known: nullable(text(LIMITS.nameBytes, 1)),
  }),
  admit: record({
    member,
    cluster: text(LIMITS.nameBytes),
    partitions: integer(1, LIMITS.partitions),
    n: integer(1, LIMITS.replicas),
    hash: text(LIMITS.nameBytes),
    holdsData: flag,
    conflicts: oneOf(...CONFLICT_POLICIES),
    replaces: optional(hexId(16)),
  }),
  backup: record({ directory: text(LIMITS.pathBytes, 1) }),
  backupProgress: record({ number: integer(1) }),
  background: record({ set: nullable(record({ mostBytesPerS: nullable(integer(1)), isPaused: flag })) }),
};
