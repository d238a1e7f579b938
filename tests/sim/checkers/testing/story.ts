/**
 * Evidence made by hand: a short story of what clients did and were told, and the ending that an honest cluster
 * would have had, for a test to spoil.
 *
 * @module
 */

import { assertEquals } from "../../../../actors/runtime/testing/assert.ts";
import { check } from "../../checkers.ts";
import type { Operation, Outcome } from "../../history.ts";
import type { Ending, Evidence, NodeView, ReplicaState } from "../evidence.ts";

/** What a story may say of a call; all else is ordinary. */
export interface Told {
  /** Default `k`. */
  readonly key?: string;
  /** The read whose context it took along. Default: none. */
  readonly after?: Operation;
  /** R or W. Default 2. */
  readonly quorum?: number;
  /** Default `ok`. */
  readonly outcome?: Outcome;
  /** From when to when, in milliseconds. Default: after everything before it. */
  readonly atMs?: readonly [startMs: number, endMs: number];
}

/** What a story may say of its cluster. */
export interface Cast {
  /** Replicas of a key. Default 3. */
  readonly n?: number;
  /** Members. Default: as many as replicas. */
  readonly members?: number;
  /** See {@link Evidence.losses}. Default false. */
  readonly losses?: boolean;
  /** See {@link Evidence.restores}. Default false. */
  readonly restores?: boolean;
  /** See {@link Evidence.sloppy}. Default false. */
  readonly sloppy?: boolean;
}

const TIMEOUT_MS = 1_000;

/** Calls in the order they began, and what came of them. */
export class Story {
  /** What was told so far. */
  readonly operations: Operation[] = [];
  readonly #cast: Required<Cast>;
  #nowMs = 0;

  /** @param cast where it plays */
  constructor({ n = 3, members = n, losses = false, restores = false, sloppy = false }: Cast = {}) {
    this.#cast = { n, members, losses, restores, sloppy };
  }

  /** A value is written. */
  put(value: string, told: Told = {}): Operation {
    return this.#tell("put", { ...told, value });
  }

  /** A key is deleted. */
  del(told: Told = {}): Operation {
    return this.#tell("del", told);
  }

  /** A read shows values. */
  get(values: readonly string[], told: Told = {}): Operation {
    return this.#tell("get", { ...told, values });
  }

  /** A read of every replica, after everything has healed. */
  final(values: readonly string[], told: Told = {}): Operation {
    return this.#tell("get", { quorum: this.#cast.n, ...told, values, isFinal: true });
  }

  /** The evidence, with an honest ending: replicas hold what the last final read of each key showed. */
  evidence(): Evidence {
    const { n, members, losses, restores, sloppy } = this.#cast;
    const last = new Map<string, readonly string[]>();
    for (const { isFinal, key, values } of this.operations) if (isFinal) last.set(key, values);
    const { operations } = this;
    return {
      n,
      losses,
      restores,
      sloppy,
      starts: members,
      operations,
      ending: honestEnding(n, members, last),
    };
  }

  #tell(
    kind: Operation["kind"],
    { key = "k", after, quorum = 2, outcome = "ok", atMs, value = null, values = [], isFinal = false }:
      & Told
      & Partial<Pick<Operation, "value" | "values" | "isFinal">>,
  ): Operation {
    const [startMs, endMs] = atMs ?? [this.#nowMs + 10, outcome === "open" ? Infinity : this.#nowMs + 20];
    this.#nowMs = Math.max(this.#nowMs, Number.isFinite(endMs) ? endMs : startMs);
    const operation = {
      id: this.operations.length,
      client: "c",
      kind,
      key,
      value,
      context: after?.id ?? null,
      quorum,
      timeoutMs: TIMEOUT_MS,
      startMs,
      endMs,
      outcome,
      values,
      error: null,
      isFinal,
    };
    this.operations.push(operation);
    return operation;
  }
}

/** Assert what is wrong with a story: the names, each once, in the order of the checkers; none for an honest one. */
export function verdict(wrong: readonly string[], tell: (story: Story) => void, cast: Cast = {}): void {
  const story = new Story(cast);
  tell(story);
  assertEquals([...new Set(check(story.evidence()).map(({ checker }) => checker))], [...wrong]);
}

const PARTITIONS = 4;

/** What is left where all went well: all members agree, and all replicas hold these values, null for a tombstone. */
export function honestEnding(
  n: number,
  members: number,
  held: ReadonlyMap<string, readonly (string | null)[]>,
): Ending {
  const ids = Array.from({ length: members }, (_, index) => `${index}`.repeat(32));
  const owned = Math.min(n, members);
  const nodes = ids.map((id) => viewOf(id, ids, owned, { isSmall: members < n, keys: held.size }));
  const replicas = [...held].flatMap(([key, values]) =>
    ids.slice(0, owned).map((node): ReplicaState => {
      // What holds nothing but tombstones has been collected.
      const isGone = values.every((value) => value === null);
      const siblings = (isGone ? [] : values).map((value, index) => ({
        dot: `a:${index + 1}`,
        sizeBytes: value?.length ?? 0,
        tombstone: value === null,
      }));
      const isMissing = siblings.length === 0;
      const version = isMissing ? [] : [`a:${siblings.length}`];
      return { key, node, answer: isMissing ? "missing" : "found", version, siblings };
    })
  );
  const trees = Array.from(
    { length: PARTITIONS },
    (_, partition) =>
      Array.from({ length: owned }, (_, at) => ids[(partition + at) % ids.length]!)
        .map((node) => ({ node, partition, keys: held.size, digest: `${partition}` })),
  );
  return { nodes, replicas, trees: trees.flat() };
}

function viewOf(
  id: string,
  ids: readonly string[],
  n: number,
  { isSmall, keys }: { readonly isSmall: boolean; readonly keys: number },
): NodeView {
  const ring = { epoch: 7, checksum: 77 };
  return {
    status: {
      node: id,
      state: isSmall ? "under-replicated" : "serving",
      coordinator: { inFlight: 0, failures: {}, failovers: 0, readRepairs: 0, sloppyPuts: 0 },
      hints: { count: 0, bytes: 0, taken: 0, delivered: 0, refused: 0 },
      background: { waiting: 0 },
      store: {
        ...{ engine: { keys, refusing: null }, notWhole: 0, damage: 0, alarms: 0, trees: { wrong: 0 } },
        tombstones: { known: 0, collected: 0 },
      },
      connections: { clients: 1, peers: ids.length - 1 },
      actors: [{ name: "coordinator", waiting: 0 }],
    },
    state: {
      clusterId: "c",
      ring,
      quorum: { n },
      members: ids.map((member) => ({ id: member, liveness: "alive" })),
    },
    ring: {
      ...ring,
      members: ids.map((member) => ({ id: member })),
      owners: Array.from(
        { length: PARTITIONS },
        (_, partition) => Array.from({ length: n }, (_, at) => (partition + at) % ids.length),
      ),
    },
  };
}
