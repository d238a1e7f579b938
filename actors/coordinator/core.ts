/**
 * The decisions a coordinator leaves to pure functions, gathered where a test can plant a bug by
 * substituting one.
 *
 * @module
 */

import { ownersOf, partitionOf, preferenceList } from "../ring_manager/ring.ts";
import { nextCoordinator } from "./candidate.ts";
import { fallbacksOf, keepersOf, nextStandIn } from "./fallbacks.ts";
import { ReadQuorum } from "./read_quorum.ts";
import { expiry, WriteQuorum } from "./write_quorum.ts";

/** See the module. */
export const COORDINATOR_CORE = {
  /** The partition of a key. */
  partitionOf,
  /** The replicas of a partition, in order. */
  preferenceList,
  /** Who may keep hints of a partition, in order. */
  fallbacksOf,
  /** Who stands in for the replicas of a partition, in order. */
  keepersOf,
  /** Who stands in for a replica next. */
  nextStandIn,
  /** Who has a part in requests for a partition besides its replicas: its other owners while it moves. */
  othersOf: (...of: Parameters<typeof ownersOf>): ReturnType<typeof ownersOf>["others"] =>
    ownersOf(...of).others,
  /** Who coordinates a write next. */
  nextCoordinator,
  /** What a write that outlived its deadline is answered. */
  expiry,
  /** A fresh read quorum. */
  readQuorum: (options: ConstructorParameters<typeof ReadQuorum>[0]): ReadQuorum => new ReadQuorum(options),
  /** A fresh write quorum. */
  writeQuorum: (options: ConstructorParameters<typeof WriteQuorum>[0]): WriteQuorum =>
    new WriteQuorum(options),
};

/** See {@link COORDINATOR_CORE}. */
export type CoordinatorCore = typeof COORDINATOR_CORE;
