/**
 * What checkers judge, and what they find: plain data, so that a test can write it by hand.
 *
 * @module
 */

import type { Operation } from "../history.ts";

/** What a node says of itself and its cluster; no more of it than is checked or counted. */
export interface NodeView {
  /** `denamo status`. */
  readonly status: {
    readonly node: string;
    readonly state: string;
    readonly coordinator: {
      readonly inFlight: number;
      readonly failures: Readonly<Record<string, number>>;
      readonly failovers: number;
      readonly readRepairs: number;
      readonly sloppyPuts: number;
    };
    readonly store: {
      readonly engine: { readonly keys: number; readonly refusing: string | null };
      readonly notWhole: number;
      readonly damage: number;
      readonly alarms: number;
      readonly trees: { readonly wrong: number };
    };
    readonly hints: {
      readonly count: number;
      readonly taken: number;
      readonly delivered: number;
      readonly refused: number;
      readonly bytes: number;
    };
    readonly background: { readonly waiting: number };
    readonly connections: { readonly clients: number; readonly peers: number };
    readonly actors: readonly { readonly name: string; readonly waiting: number }[];
  };
  /** `denamo cluster-state`. */
  readonly state: {
    readonly clusterId: string;
    readonly ring: { readonly epoch: number; readonly checksum: number };
    readonly quorum: { readonly n: number };
    readonly members: readonly { readonly id: string; readonly liveness: string }[];
  };
  /** `denamo ring`. `owners`: per partition, indexes into `members`. */
  readonly ring: {
    readonly epoch: number;
    readonly checksum: number;
    readonly members: readonly { readonly id: string }[];
    readonly owners: readonly (readonly number[])[];
  };
}

/** What one replica says that it holds of a key: a line of `denamo explain`. */
export interface ReplicaState {
  /** The key. */
  readonly key: string;
  /** Which replica. */
  readonly node: string;
  /** `found`, `missing`, or why it cannot say. */
  readonly answer: string;
  /** Its clock, as `actor:counter` pairs. */
  readonly version: readonly string[];
  /** Its siblings, tombstones too. */
  readonly siblings: readonly {
    readonly dot: string;
    readonly sizeBytes: number;
    readonly tombstone: boolean;
  }[];
}

/** What one owner says that it holds of a partition: a line of `partitions`. */
export interface TreeState {
  /** Whose. */
  readonly node: string;
  /** Of what. */
  readonly partition: number;
  /** How many keys; null: it does not know. */
  readonly keys: number | null;
  /** The root of its hash tree; null: it does not know. */
  readonly digest: string | null;
}

/** What is left once everything has healed. */
export interface Ending {
  /**
   * Every owner of every partition, as soon as they agreed or the time for it was over, and before anybody read what
   * they hold; absent: nobody looked.
   */
  readonly trees?: readonly TreeState[];
  /** Every member. */
  readonly nodes: readonly NodeView[];
  /** Every replica of every key. */
  readonly replicas: readonly ReplicaState[];
}

/** Everything that checkers judge. */
export interface Evidence {
  /** Replicas of a key, as configured. */
  readonly n: number;
  /** Whether one node may have lost what it had made durable. */
  readonly losses: boolean;
  /**
   * Whether that may be an older copy of its disk, put back (default false). Such a node serves what it finds until
   * it hears from somebody who knew a later life of it; a read at R = 1 may hear no one else.
   */
  readonly restores?: boolean;
  /**
   * Whether nodes stood in for replicas that were away (default false). What was acknowledged by them is promised to
   * be read once they have given it back.
   */
  readonly sloppy?: boolean;
  /**
   * How often a store that makes versions took an actor id, all nodes together, at most: each start of a replica store
   * takes one and each partition it hands over, and a hint store each time that it has given something back.
   */
  readonly starts: number;
  /** How many nodes were away or slow at times, where nothing else went wrong; absent: it did. */
  readonly troubled?: number;
  /** What clients saw. */
  readonly operations: readonly Operation[];
  /** What is left. */
  readonly ending: Ending;
}

/** Something that must never happen, and did. */
export interface Violation {
  /** Which checker says so. */
  readonly checker: string;
  /** What, for people. */
  readonly detail: string;
  /** The key, where there is one. */
  readonly key?: string;
}
