/**
 * Bugs in hash trees, and in what a node makes of comparing them.
 *
 * @module
 */

import { ANTI_ENTROPY_CORE } from "../../../actors/repair/anti_entropy.ts";
import { REPLICA_STORE_CORE } from "../../../actors/replica_store/options.ts";
import { APART, type Bug } from "./bug.ts";

const { objectHash, changeTree } = REPLICA_STORE_CORE;
const { exchange } = ANTI_ENTROPY_CORE;

/** See the module. */
export const TREE_BUGS: readonly Bug[] = [
  {
    name: "a hash tree does not hear of overwrites",
    breaks: "replicas differ, and their trees do not",
    plan: APART,
    plant: () => ({
      cores: {
        replicaStore: {
          changeTree: (tree, key, before, after) => {
            if (before === null) changeTree(tree, key, before, after);
          },
        },
      },
    }),
  },
  {
    name: "a hash tree does not hear of new keys",
    breaks: "a key that a replica lacks is never missed",
    plan: APART,
    plant: () => ({
      cores: {
        replicaStore: {
          changeTree: (tree, key, before, after) => {
            if (before !== null) changeTree(tree, key, before, after);
          },
        },
      },
    }),
  },
  {
    name: "a hash tree hashes something of its replica",
    breaks: "equal replicas never find that they are, and exchange for ever",
    plan: APART,
    plant: () => ({
      cores: (index: number) => ({
        replicaStore: {
          objectHash: (key, record) => {
            const { low, high } = objectHash(key, record);
            return { low, high: (high + index) >>> 0 };
          },
        },
      }),
    }),
  },
  {
    name: "an exchange that breaks off counts as one",
    breaks: "what was not exchanged is missing (Riak's anti-entropy counted failed exchanges as repaired)",
    plan: APART,
    plant: () => ({
      cores: {
        antiEntropy: {
          exchange: (options) => {
            const broken = { ask: () => Promise.reject(new Error("broken off")) };
            return exchange({ ...options, mine: broken }).then((outcome) => ({ ...outcome, ok: true }));
          },
        },
      },
    }),
  },
  {
    name: "trees that differ pass for equal",
    breaks: "what replicas missed they miss until somebody reads it",
    plan: APART,
    plant: () => ({ cores: { antiEntropy: { isEqual: () => true } } }),
  },
];
