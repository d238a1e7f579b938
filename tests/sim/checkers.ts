/**
 * Checkers: what must hold of every history, whatever went wrong while it was made (DESIGN, section 9). They
 * import nothing of what they judge.
 *
 * A client cannot look into a context, but what it covers can be bounded from outside. `atLeast(read)`: what the
 * read answered with, whatever it must know of ({@link KeyHistory.wasKnown}), and what all those had replaced.
 * `atMost(read)`: what it answered with, any delete that may have happened by then (a tombstone is not shown),
 * and what those may have replaced. A write that is not there is lost if not even `atMost` explains its absence;
 * a value that is there came back, or should never have been a sibling, if `atLeast` says that it was replaced.
 *
 * @module
 */

import { describe, type Operation } from "./history.ts";

/** What a node says of itself and its cluster; no more of it than is checked. */
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
    };
    readonly store: { readonly notWhole: number; readonly damage: number; readonly alarms: number };
    readonly actors: readonly { readonly name: string; readonly waiting: number }[];
  };
  /** `denamo cluster-state`. */
  readonly state: {
    readonly clusterId: string;
    readonly ring: { readonly epoch: number; readonly checksum: number };
    readonly quorum: { readonly n: number };
    readonly members: readonly { readonly id: string; readonly liveness: string }[];
  };
  /** `denamo ring`. */
  readonly ring: { readonly owners: readonly (readonly number[])[] };
}

/** What is left once everything has healed. */
export interface Ending {
  /** Every member. */
  readonly nodes: readonly NodeView[];
  /** Every replica of every key. */
  readonly replicas: readonly ReplicaState[];
}

/** Everything that checkers judge. */
export interface Evidence {
  /** Replicas of a key. */
  readonly n: number;
  /** Whether one node may have lost what it had made durable. */
  readonly losses: boolean;
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

/** How long after its deadline a client may still hear of it: the sweeps of node and client. */
const LATE_MS = 400;

type Ids = ReadonlySet<number>;

/** What was promised to all operations alike: see {@link Evidence}. */
export type Terms = Pick<Evidence, "n" | "losses">;

/** N as it was in force: no key has more replicas than there are members. */
function termsOf({ n, losses, ending: { nodes } }: Evidence): Terms {
  const members = Math.max(0, ...nodes.map(({ state }) => state.members.length));
  return { n: Math.min(n, members || n), losses };
}

/** One key's operations, and what is known of their causes. */
class KeyHistory {
  readonly reads: readonly Operation[];
  readonly writes: readonly Operation[];
  readonly #byValue = new Map<string, Operation>();
  readonly #byId = new Map<number, Operation>();
  readonly #atLeast = new Map<number, Ids>();
  readonly #atMost = new Map<number, Ids>();

  constructor(operations: readonly Operation[], readonly terms: Terms) {
    this.reads = operations.filter(({ kind, outcome }) => kind === "get" && outcome === "ok");
    this.writes = operations.filter(({ kind }) => kind !== "get");
    for (const operation of operations) this.#byId.set(operation.id, operation);
    for (const write of this.writes) if (write.value !== null) this.#byValue.set(write.value, write);
  }

  writeOf(value: string): Operation | undefined {
    return this.#byValue.get(value);
  }

  /**
   * Whether a read must have known of a write, shown or not: it was acknowledged before the read began, W of its
   * replicas and R of the read's overlap (W + R > N), and the loss of one node cannot have undone it. A write
   * that was seen and not acknowledged is not certain: a power cut may take it from the one replica that had it.
   */
  readonly wasKnown = (write: Operation, read: Operation): boolean => {
    const { n, losses } = this.terms;
    if (write.outcome !== "ok" || write.endMs >= read.startMs) return false;
    const w = Math.min(write.quorum, n);
    return w + Math.min(read.quorum, n) > n && !(losses && w < 2);
  };

  /** Writes that the context of this read certainly covers. */
  atLeast(read: Operation): Ids {
    return this.#covered(read, this.#atLeast, this.wasKnown);
  }

  /** Writes that the context of this read may cover. */
  atMost(read: Operation): Ids {
    return this.#covered(read, this.#atMost, mayBeHidden);
  }

  /** What a write certainly replaced. */
  replaced(write: Operation): Ids {
    const read = this.#causeOf(write);
    return read === undefined ? NONE : this.atLeast(read);
  }

  #causeOf({ context }: Operation): Operation | undefined {
    return context === null ? undefined : this.#byId.get(context);
  }

  #covered(read: Operation, memo: Map<number, Ids>, isUnseen: typeof mayBeHidden): Ids {
    const known = memo.get(read.id);
    if (known !== undefined) return known;
    const covered = new Set<number>();
    memo.set(read.id, covered); // causes end before their effects begin: only a broken history has a circle
    for (const write of this.writes) {
      if (!read.values.includes(write.value ?? "") && !isUnseen(write, read)) continue;
      covered.add(write.id);
      const cause = this.#causeOf(write);
      if (cause === undefined) continue;
      for (const id of this.#covered(cause, memo, isUnseen)) covered.add(id);
    }
    return covered;
  }
}

/** Whether a read may have known of a write that it did not show. */
function mayBeHidden(write: Operation, read: Operation): boolean {
  return write.kind === "del" && write.outcome !== "failed" && write.startMs < read.endMs;
}

const NONE: Ids = new Set();

function byKey(operations: readonly Operation[], terms: Terms): [string, KeyHistory][] {
  return [...Map.groupBy(operations, ({ key }) => key)].map(([key, some]) => [
    key,
    new KeyHistory(some, terms),
  ]);
}

/** Invariant 1: what a read must know of is in its answer, or was replaced by what is. */
export function acknowledgedWritesAreKept(operations: readonly Operation[], terms: Terms): Violation[] {
  const violations: Violation[] = [];
  for (const [key, history] of byKey(operations, terms)) {
    for (const read of history.reads) {
      const explained = history.atMost(read);
      for (const write of history.writes) {
        if (write.kind === "del" || !history.wasKnown(write, read)) continue;
        if (explained.has(write.id)) continue;
        violations.push({
          checker: "an acknowledged write is lost",
          key,
          detail: `${describe(write)}; missing from ${describe(read)}`,
        });
      }
    }
  }
  return violations;
}

/**
 * Invariants 2 and 3: a read shows no value that a write which it must know of had replaced, or one that it shows
 * itself.
 */
export function siblingsAreConcurrent(operations: readonly Operation[], terms: Terms): Violation[] {
  const violations: Violation[] = [];
  for (const [key, history] of byKey(operations, terms)) {
    for (const read of history.reads) {
      const shown = read.values.map((value) => history.writeOf(value)?.id);
      for (const write of history.writes) {
        if (!history.wasKnown(write, read) && !shown.includes(write.id)) continue;
        const stale = history.replaced(write);
        for (const id of shown) {
          if (id === undefined || id === write.id || !stale.has(id)) continue;
          violations.push({
            checker: write.kind === "del" ? "a deleted value is back" : "a replaced value is a sibling",
            key,
            detail: `${describe(write)} replaced ${describe(operations[id]!)}; shown by ${describe(read)}`,
          });
        }
      }
    }
  }
  return violations;
}

/** What is read was written, not said to have failed for certain, and is there once. */
export function valuesAreReal(operations: readonly Operation[], terms: Terms): Violation[] {
  const violations: Violation[] = [];
  for (const [key, history] of byKey(operations, terms)) {
    for (const read of history.reads) {
      const say = (checker: string) => violations.push({ checker, key, detail: describe(read) });
      if (new Set(read.values).size < read.values.length) say("a write shows as two siblings");
      for (const value of read.values) {
        const write = history.writeOf(value);
        if (write === undefined) say("a value that nobody wrote");
        else if (write.startMs > read.endMs) say("a value from the future");
        else if (write.outcome === "failed") say("a write that certainly failed happened");
      }
    }
  }
  return violations;
}

/** Once everything has healed, and a first read had the chance to repair what is damaged, every key can be read. */
export function everythingIsReadable(operations: readonly Operation[]): Violation[] {
  const last = new Map<string, Operation>();
  for (const operation of operations) if (operation.isFinal) last.set(operation.key, operation);
  return [...last.values()]
    .filter(({ outcome }) => outcome !== "ok")
    .map((read) => ({ checker: "unreadable after healing", key: read.key, detail: describe(read) }));
}

/** Invariant 7: every call ends, and none later than its deadline. */
export function deadlinesAreKept(operations: readonly Operation[]): Violation[] {
  return operations
    .filter(({ startMs, endMs, timeoutMs }) => endMs - startMs > timeoutMs + LATE_MS)
    .map((operation) => ({ checker: "a request outlived its deadline", detail: describe(operation) }));
}

/** What one replica holds of a key, as far as equality goes. */
export interface ReplicaState {
  /** The key. */
  readonly key: string;
  /** Which replica. */
  readonly node: string;
  /** Its version and siblings, in one text. */
  readonly state: string;
}

/** After healing and a read of every replica, all replicas of a key hold the same. */
export function replicasAgree(states: readonly ReplicaState[]): Violation[] {
  const violations: Violation[] = [];
  for (const [key, replicas] of Map.groupBy(states, ({ key }) => key)) {
    if (new Set(replicas.map(({ state }) => state)).size <= 1) continue;
    const detail = replicas.map(({ node, state }) => `${node}: ${state}`).join("; ");
    violations.push({ checker: "replicas differ", key, detail });
  }
  return violations;
}

/** Everything that is checked. */
export function check(evidence: Evidence): Violation[] {
  const { operations, ending } = evidence;
  const terms = termsOf(evidence);
  return [
    ...acknowledgedWritesAreKept(operations, terms),
    ...siblingsAreConcurrent(operations, terms),
    ...valuesAreReal(operations, terms),
    ...everythingIsReadable(operations),
    ...deadlinesAreKept(operations),
    ...replicasAgree(ending.replicas),
  ];
}
