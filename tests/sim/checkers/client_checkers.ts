/**
 * Checkers of what clients were told: invariants 1, 2, 3, the first half of 6 and of 7 (DESIGN, section 9).
 *
 * @module
 */

import { describe, type Operation } from "../history.ts";
import type { Case } from "./case.ts";
import type { Violation } from "./evidence.ts";
import { type KeyHistory, NONE } from "./key_history.ts";

/** How long after its deadline a client may still hear of it: the sweeps of node and client. */
const LATE_MS = 400;

/**
 * Invariant 1: what a read must have known of is in its answer, or was replaced by what is. "Replaced" is believed
 * as far as any context can explain it ({@link KeyHistory.atMost}); so this convicts only what is certainly lost.
 *
 * With strict quorums and W + R > N every acknowledged write meets every later read. With sloppy quorums (hints,
 * DESIGN, section 7) that is promised of reads after healing only.
 *
 * That reads are monotonic follows for acknowledged writes: what an earlier read must have known, a later one that
 * overlaps too must have known as well. It does not follow for others. One replica may have a write that nobody
 * acknowledged; a read may hear that replica and the next one not.
 */
export function acknowledgedWritesAreKept({ keys }: Case): Violation[] {
  return eachRead(keys, (read, history) => {
    const lost = history.known(read) & ~history.atMost(read);
    return lost === NONE ? [] : history.listed(lost).map((write) => ({
      checker: "an acknowledged write is lost",
      key: read.key,
      detail: `${describe(write)}; missing from ${describe(read)}`,
    }));
  });
}

/**
 * Invariants 2 and 3: no read shows a value that was replaced, or deleted, by a write that it must have known of or
 * shows itself. So this is also where contexts have to cover what was acknowledged (invariant 1): a write that took
 * one along has replaced it everywhere. Together with {@link acknowledgedWritesAreKept} the siblings of a final read
 * are exactly the writes that were concurrent: no fewer there, no more here; a write whose outcome is unknown may be
 * among them or not.
 *
 * Assumes that a write is one version once it has been acknowledged. Before that, and for ever if its outcome stays
 * unknown, a retry may make it again after it was replaced ({@link KeyHistory.settled}); `lateRetries` counts those.
 */
export function siblingsAreConcurrent({ keys }: Case): Violation[] {
  return eachRead(keys, (read, whole) => {
    const history = read.isFinal ? whole.healed : whole;
    const shown = history.shown(read);
    if ((history.stale(read) & shown) === NONE) return [];
    return history.listed(shown | history.known(read)).flatMap((write) =>
      history.listed(history.replacedBy(write) & shown).map((back) => ({
        checker: write.kind === "del" ? "a deleted value is back" : "a replaced value is a sibling",
        key: read.key,
        detail: `${describe(write)} replaced ${describe(back)}; shown by ${describe(read)}`,
      }))
    );
  });
}

/**
 * Invariant 6, and 2: what is read was written, in the past, not said to have failed for certain, and is there once.
 *
 * Assumes that no two writes of a history put the same value, and that a damaged value is none of those put.
 */
export function valuesAreReal({ keys }: Case): Violation[] {
  return eachRead(keys, (read, history) => {
    const wrong: string[] = [];
    if (new Set(read.values).size < read.values.length) wrong.push("a write shows as two siblings");
    for (const value of read.values) {
      const write = history.writeOf(value);
      if (write === undefined) wrong.push("a value that nobody wrote");
      else if (write.startMs > read.endMs) wrong.push("a value from the future");
      else if (write.outcome === "failed") wrong.push("a write that certainly failed happened");
    }
    return wrong.map((checker) => ({ checker, key: read.key, detail: describe(read) }));
  });
}

/**
 * Invariant 1, of all writes and not only those acknowledged: once everything has healed and nothing is under way,
 * nothing appears or goes away any more. Each final read merges what all N replicas hold, so any two show the same.
 *
 * Assumes that final reads begin when the last write is over, and so is what nodes still did for it.
 */
export function finalReadsAgree({ keys }: Case): Violation[] {
  const violations: Violation[] = [];
  for (const [key, { reads, writes }] of keys) {
    const [first, ...later] = reads.filter(({ isFinal }) => isFinal);
    if (first === undefined || writes.some(({ endMs }) => endMs >= first.startMs)) continue;
    const shown = [...first.values].sort().join();
    for (const read of later) {
      if ([...read.values].sort().join() === shown) continue;
      const detail = `${describe(first)}; then ${describe(read)}`;
      violations.push({ checker: "final reads differ", key, detail });
    }
  }
  return violations;
}

/**
 * Invariants 4 and 6: once everything has healed every key can be read from all N replicas, through every node. A
 * first read may find damage and fail; the last one must not, for by then it was repaired. Nor may nobody have
 * looked: a key without a final read has not been judged.
 */
export function everythingIsReadable({ operations }: Case): Violation[] {
  const last = new Map<string, Operation | null>();
  for (const operation of operations) {
    if (operation.isFinal) last.set(operation.key, operation);
    else if (!last.has(operation.key)) last.set(operation.key, null);
  }
  return [...last].flatMap(([key, read]): Violation[] => {
    if (read === null) return [{ checker: "never read after healing", key, detail: key }];
    if (read.outcome === "ok") return [];
    return [{ checker: "unreadable after healing", key, detail: describe(read) }];
  });
}

/**
 * The same of writes: once everything has healed a write through any node reaches all N replicas. A store that
 * refuses writes loses none, so that no other checker would mind.
 */
export function everythingIsWritable({ operations }: Case): Violation[] {
  return operations.filter(({ isFinal, kind, outcome }) => isFinal && kind !== "get" && outcome !== "ok")
    .map((write) => ({ checker: "not writable after healing", key: write.key, detail: describe(write) }));
}

/**
 * Invariant 7: every call ends, and none later than its deadline. Assumes that clients' clocks are true (those of
 * nodes may be wrong), and that the history was ended after the last deadline.
 */
export function deadlinesAreKept({ operations }: Case): Violation[] {
  return operations
    .filter(({ startMs, endMs, timeoutMs }) => endMs - startMs > timeoutMs + LATE_MS)
    .map((operation) => ({
      checker: operation.outcome === "open" ? "a request never ended" : "a request outlived its deadline",
      key: operation.key,
      detail: describe(operation),
    }));
}

/** Time enough for a client to give up a silent node, and for the next one to give up a silent coordinator. */
const PATIENCE_MS = 5_000;
/** How a call fails that found no quorum. */
const NO_QUORUM = /^(unavailable|quorum-unmet|timeout|connect|lost)/;

/**
 * The store stays writeable, and readable (DESIGN, section 7): where all that went wrong befell a few nodes, a call
 * that needs no more replicas than are left finds them, whichever node was asked first.
 *
 * Assumes that clients know an address of a node that is well, that few nodes are fewer than a majority, and that
 * calls have {@link PATIENCE_MS}; those with less time are not judged.
 */
export function quorumsAreFound({ operations, replicas, troubled }: Case): Violation[] {
  if (troubled === undefined) return [];
  return operations
    .filter(({ outcome, quorum, timeoutMs, error }) =>
      outcome !== "ok" && quorum <= replicas - troubled && timeoutMs >= PATIENCE_MS &&
      NO_QUORUM.test(error ?? "")
    )
    .map((operation) => ({
      checker: "a quorum was there and not found",
      key: operation.key,
      detail: describe(operation),
    }));
}

function eachRead(
  keys: ReadonlyMap<string, KeyHistory>,
  judge: (read: Operation, history: KeyHistory) => Violation[],
): Violation[] {
  return [...keys.values()].flatMap((history) => history.reads.flatMap((read) => judge(read, history)));
}
