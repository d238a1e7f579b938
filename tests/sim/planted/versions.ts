/**
 * Bugs in versions: how they are minted, merged and named.
 *
 * @module
 */

import { type Clock, type Dot, EMPTY_CLOCK, withDot } from "../../../actors/replica_store/clock.ts";
import { merge, mint, type Sibling, type StoredObject } from "../../../actors/replica_store/object.ts";
import { NONE } from "../../../actors/replica_store/replaced.ts";
import type { ReplicaStoreCore } from "../../../actors/replica_store/options.ts";
import { APART, type Bug, type Plant, TORN } from "./bug.ts";

type Minted = ReturnType<typeof mint>;
type Write = Parameters<typeof mint>[1];

/** In the store of every node. */
function store(core: Partial<ReplicaStoreCore>): Plant {
  return { cores: { replicaStore: core } };
}

/** A mint whose objects go through `change` before they are kept. */
function minting(change: (object: StoredObject, write: Write) => StoredObject): typeof mint {
  return (local, write): Minted => {
    const outcome = mint(local, write);
    return outcome.ok ? { ...outcome, object: change(outcome.object, write) } : outcome;
  };
}

/** A merge whose objects go through `change` before they are kept. */
function merging(change: (object: StoredObject) => StoredObject): typeof merge {
  return (a, b) => change(merge(a, b));
}

function isSame(a: Dot, b: Dot): boolean {
  return a.actor === b.actor && a.counter === b.counter;
}

/** By dot, each once. */
function sorted(siblings: readonly Sibling[]): Sibling[] {
  const once = siblings.filter(({ dot }, index) =>
    siblings.findIndex((other) => isSame(other.dot, dot)) === index
  );
  return once.sort(({ dot: a }, { dot: b }) =>
    a.actor < b.actor ? -1 : a.actor > b.actor ? 1 : a.counter - b.counter
  );
}

/** What a clock must have at least: the siblings under all their names. */
function clockOf({ siblings }: StoredObject): Clock {
  return siblings.flatMap(({ dot, also = [] }) => [dot, ...also]).reduce(withDot, EMPTY_CLOCK);
}

/** The new version alone, without the siblings that it does not replace. */
function alone(object: StoredObject, { dot }: Write): StoredObject {
  const siblings = object.siblings.filter((sibling) => isSame(sibling.dot, dot));
  return siblings.length === 0 ? object : { ...object, siblings };
}

/** Every sibling that either has, whatever the clocks say. */
function mergeWithoutClock(a: StoredObject, b: StoredObject): StoredObject {
  return { ...merge(a, b), siblings: sorted([...a.siblings, ...b.siblings]) };
}

/**
 * An object that knows nothing of what is gone: its clock is what the siblings need, and it does not say which
 * writes were replaced.
 */
function forgetful(object: StoredObject): StoredObject {
  return { clock: clockOf(object), siblings: object.siblings, replaced: NONE };
}

/** A deleted key remembers that it is deleted, and no longer what was. */
function afterDelete(object: StoredObject): StoredObject {
  return object.siblings.every(({ tombstone }) => tombstone) ? forgetful(object) : object;
}

/** Tombstones are dropped as soon as there is anything else, and with them what they replaced. */
function withoutTombstones(object: StoredObject): StoredObject {
  const live = object.siblings.filter(({ tombstone }) => !tombstone);
  if (live.length === object.siblings.length) return object;
  return forgetful(live.length > 0 ? { ...object, siblings: live } : object);
}

/** The last sibling by the wall clock. */
function latest(object: StoredObject): StoredObject {
  const { siblings } = object;
  return { ...object, siblings: [siblings.reduce((a, b) => b.wallMs > a.wallMs ? b : a)] };
}

/** A request id of this dot's own. */
function requestOf({ actor, counter }: Dot): string {
  return actor.slice(0, 16) + counter.toString(16).padStart(16, "0");
}

/** Two versions from one request are two siblings. */
function mergeWithoutRequests(a: StoredObject, b: StoredObject): StoredObject {
  const all = [...a.siblings, ...b.siblings];
  const masked = ({ clock, siblings }: StoredObject): StoredObject => ({
    clock,
    siblings: siblings.map((one) => ({ ...one, requestId: requestOf(one.dot) })),
    replaced: NONE,
  });
  const { clock, siblings, replaced } = merge(masked(a), masked(b));
  return { clock, siblings: siblings.map(({ dot }) => all.find((one) => isSame(one.dot, dot))!), replaced };
}

/** See the module. */
export const VERSION_BUGS: readonly Bug[] = [
  {
    name: "drops the context",
    breaks: "what a client read and replaced stays as a sibling",
    plan: APART,
    plant: () => store({ decodeContext: () => [] }),
  },
  {
    name: "sends the new version alone",
    breaks: "the gap rule: a clock that covers siblings which are not there deletes them",
    plan: APART,
    plant: () => store({ mint: minting(alone) }),
  },
  {
    name: "a put without a context replaces everything",
    breaks: "concurrent writes are lost where they are minted (the last write wins)",
    plan: APART,
    plant: () =>
      store({
        mint: (local, write) =>
          mint(local, write.context.length > 0 ? write : { ...write, context: local?.clock ?? [] }),
      }),
  },
  {
    name: "a delete removes what its client has not seen",
    breaks: "a concurrent write is deleted",
    plan: APART,
    plant: () =>
      store({
        mint: (local, write) =>
          mint(local, write.value !== null ? write : { ...write, context: local?.clock ?? [] }),
      }),
  },
  {
    name: "merges without the clock",
    breaks: "what was replaced comes back from a replica that missed it",
    plan: APART,
    plant: () => store({ merge: mergeWithoutClock }),
  },
  {
    name: "a write or repair overwrites instead of merging",
    breaks: "a stale or concurrent copy wins by coming last",
    plan: APART,
    plant: () => store({ merge: (_, incoming) => incoming }),
  },
  {
    name: "a merge keeps the latest value by the wall clock",
    breaks: "concurrent writes are lost, by a clock that may be wrong (Cassandra)",
    plan: { faults: ["clock-skew", "two-way", "majority", "kill"] },
    plant: () => store({ merge: merging(latest) }),
  },
  {
    name: "a clock is pruned to what siblings need",
    breaks: "what was replaced comes back (Dynamo, section 4.4, and Riak, which prune clocks)",
    plan: APART,
    plant: () => store({ mint: minting(forgetful), merge: merging(forgetful) }),
  },
  {
    name: "a tombstone forgets what it replaced",
    breaks: "the deleted value comes back",
    plan: APART,
    plant: () => store({ mint: minting(afterDelete) }),
  },
  {
    name: "a merge forgets tombstones",
    breaks: "the deleted value comes back",
    plan: APART,
    plant: () => store({ merge: merging(withoutTombstones) }),
  },
  {
    name: "two coordinators for one request id make two versions",
    breaks: "a write that was tried again is there twice (Riak's put forwarded twice)",
    plan: TORN,
    plant: () =>
      store({ mint: (local, write) => mint(local, { ...write, requestId: requestOf(write.dot) }) }),
  },
  {
    name: "a merge does not see that two versions are one write",
    breaks: "a write that was tried again is there twice",
    plan: TORN,
    plant: () => store({ merge: mergeWithoutRequests }),
  },
  {
    name: "an actor id is used again by one who forgot its counter",
    breaks: "two writes share a dot, and one of them vanishes (Riak's kv679)",
    plan: { faults: ["wipe", "kill", "majority"] },
    plant: () => store({ newActorId: (_, node) => node }),
  },
];
