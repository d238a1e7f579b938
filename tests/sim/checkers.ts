/**
 * Checkers: what must hold of every history, whatever went wrong while it was made (DESIGN, section 9). They judge
 * what clients saw and what is left in the end, and import nothing of what they judge.
 *
 * None of them may cry wolf: a violation is reported only where no honest cluster could have told clients what they
 * were told. What follows from a history is worked out in `key_history.ts`; each checker says what it assumes.
 *
 * @module
 */

import { type Case, caseOf } from "./checkers/case.ts";
import {
  acknowledgedWritesAreKept,
  deadlinesAreKept,
  everythingIsReadable,
  everythingIsWritable,
  finalReadsAgree,
  quorumsAreFound,
  siblingsAreConcurrent,
  valuesAreReal,
} from "./checkers/client_checkers.ts";
import {
  nodesAreSound,
  nothingPilesUp,
  replicasAgree,
  replicasHoldWhatIsRead,
  ringIsAgreed,
  tombstonesGo,
  treesAgree,
} from "./checkers/ending_checkers.ts";
import type { Evidence, Violation } from "./checkers/evidence.ts";

export type { Ending, Evidence, NodeView, ReplicaState, TreeState, Violation } from "./checkers/evidence.ts";

/** Every checker, with the invariants of DESIGN, section 9, that it holds. What clients were told comes first. */
export const CHECKERS: readonly {
  /** By their numbers. */
  readonly invariants: readonly number[];
  /** What is wrong; nothing is the answer wanted. */
  readonly check: (evidence: Case) => Violation[];
}[] = [
  { invariants: [1], check: acknowledgedWritesAreKept },
  { invariants: [1, 2, 3], check: siblingsAreConcurrent },
  { invariants: [2, 6], check: valuesAreReal },
  { invariants: [1], check: finalReadsAgree },
  { invariants: [4, 6], check: everythingIsReadable },
  { invariants: [4], check: everythingIsWritable },
  { invariants: [7], check: deadlinesAreKept },
  { invariants: [], check: quorumsAreFound },
  { invariants: [4], check: replicasAgree },
  { invariants: [4], check: treesAgree },
  { invariants: [2, 4, 6], check: replicasHoldWhatIsRead },
  { invariants: [5], check: ringIsAgreed },
  { invariants: [6], check: nodesAreSound },
  { invariants: [7], check: nothingPilesUp },
  { invariants: [3, 7], check: tombstonesGo },
];

/** Everything that is checked. */
export function check(evidence: Evidence): Violation[] {
  const prepared = caseOf(evidence);
  return CHECKERS.flatMap(({ check }) => check(prepared));
}

/**
 * How many values reads showed that had been replaced while nobody knew yet whether they were written, and were then
 * made again by a retry. Not promised otherwise (README, "What it promises"), but counted, so that it stays rare.
 */
export function lateRetries(evidence: Evidence): number {
  const convicted = (strict: boolean) => siblingsAreConcurrent(caseOf(evidence, strict)).length;
  return convicted(true) - convicted(false);
}
