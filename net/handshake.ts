/**
 * Who may talk to whom: decided once, when a connection begins. Pure.
 *
 * @module
 */

import type { NodeId } from "../actors/replica_store/protocol.ts";
import { HASH_NAME } from "../actors/ring_manager/ring.ts";
import type { Introduction, ProcessLife } from "./lives.ts";
import {
  type Facts,
  type Hello,
  PROTOCOL_VERSION,
  type Refused,
  type Version,
} from "./messages/handshake.ts";

/** What a node can say of itself at any moment. Read anew for every handshake: a join changes it. */
export interface NodeFacts extends Omit<Facts, "hash"> {
  /** A life that is known of a node and that it does not know of itself; null: there is none. */
  lifeForgottenBy(theirs: Introduction): ProcessLife | null;
  /** Whether this id was a member once and never may be again. */
  isRemoved(id: NodeId): boolean;
  /** Whether this id is a member of this node's ring. */
  isMember(id: NodeId): boolean;
}

/** The part of the facts that travels. */
export function wireFacts(facts: NodeFacts): Facts {
  const { nodeId, bootId, life, pastBootIds, address, cluster, clusterId, partitions, n, epoch } = facts;
  return {
    nodeId,
    bootId,
    life,
    pastBootIds,
    address,
    cluster,
    clusterId,
    partitions,
    n,
    epoch,
    hash: HASH_NAME,
  };
}

/** The version both sides speak, null when the major numbers differ. */
export function negotiate(theirs: Version): Version | null {
  const { major, minor } = PROTOCOL_VERSION;
  return theirs.major === major ? { major, minor: Math.min(minor, theirs.minor) } : null;
}

/** Why the side that connected may not talk, or the version to speak. */
export function judgeHello(hello: Hello, own: NodeFacts): Refused | Version {
  if (!hello.magic) return { code: "bad-magic", message: "this is denamo's native port" };
  const version = negotiate(hello.version);
  if (!version) {
    const { major, minor } = PROTOCOL_VERSION;
    return {
      code: "version",
      message:
        `protocol ${hello.version.major}.${hello.version.minor} is not spoken here, ${major}.${minor} is`,
    };
  }
  return hello.facts && judgePeer(hello.facts, own) || version;
}

/** Why a node may not be a peer of this one, or null. */
export function judgePeer(theirs: Facts, own: NodeFacts): Refused | null {
  const mismatch = (code: Refused["code"], what: string, here: unknown, there: unknown): Refused => ({
    code,
    message: `${what} is ${here} here and ${there} there`,
  });
  if (theirs.cluster !== own.cluster) return mismatch("cluster", "cluster", own.cluster, theirs.cluster);
  if (theirs.clusterId !== own.clusterId) {
    return mismatch("cluster-id", `the id of cluster ${own.cluster}`, own.clusterId, theirs.clusterId);
  }
  if (theirs.partitions !== own.partitions) {
    return mismatch("partitions", "the partition count", own.partitions, theirs.partitions);
  }
  if (theirs.n !== own.n) return mismatch("n", "N", own.n, theirs.n);
  if (theirs.hash !== HASH_NAME) return mismatch("hash", "the key hash", HASH_NAME, theirs.hash);
  if (own.isRemoved(theirs.nodeId)) {
    return { code: "removed", message: `node ${theirs.nodeId} was removed from this cluster` };
  }
  if (theirs.nodeId === own.nodeId) {
    const who = theirs.bootId === own.bootId ? "this very process" : `another process, at ${theirs.address},`;
    return { code: "duplicate-id", message: `${who} goes by this node's id ${own.nodeId}` };
  }
  // One with a newer ring may have become a member by that; it is let in to tell of it.
  if (!own.isMember(theirs.nodeId) && theirs.epoch <= own.epoch) {
    return {
      code: "not-a-member",
      message: `node ${theirs.nodeId} is not in the ring of epoch ${own.epoch}`,
    };
  }
  const forgotten = own.lifeForgottenBy(theirs);
  if (forgotten === null) return null;
  const message = `life ${forgotten.life} of node ${theirs.nodeId} is known here, but not there`;
  return { code: "forgotten-life", forgotten, message };
}
