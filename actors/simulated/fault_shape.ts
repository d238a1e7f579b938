/**
 * Faults that people wrote: what the amount of each kind means, and what it may be at all. What is drawn
 * (`faults.ts`) always lies within; a timetable made by hand may ask for a clock that runs backwards, or for more
 * flipped bits than anyone can wait for. That is refused before anything starts, and the field is named.
 *
 * @module
 */

import { exact, integer, list, oneOf, real, type Shape, ShapeError } from "../runtime/shape.ts";
import { type Fault, FAULT_KINDS, type FaultKind, FAULTS } from "./faults.ts";

/** What an amount is. */
export interface Measure {
  /** For people; empty where the amount means nothing. */
  readonly unit: string;
  /** What it may be at all. */
  readonly range: readonly [least: number, most: number];
}

const ANY = [-Number.MAX_VALUE, Number.MAX_VALUE] as const;
const NOTHING: Measure = { unit: "", range: ANY };
const CHANCE: Measure = { unit: "chance", range: [0, 1] };
const LATE: Measure = { unit: "ms", range: [0, 60_000] };
const WRONG: Measure = { unit: "ms", range: FAULTS["clock-jump"].amount };
const WHOM: Measure = { unit: "0.5: clients too", range: [0, 1] };

/** What the amount of a fault is, by kind. */
export const MEASURES: Readonly<Record<FaultKind, Measure>> = {
  "loss": CHANCE,
  "delay": LATE,
  "duplicate": CHANCE,
  "reorder": CHANCE,
  "reset": CHANCE,
  "one-way": WHOM,
  "two-way": WHOM,
  "majority": NOTHING,
  "ring": NOTHING,
  "bridge": NOTHING,
  "kill": NOTHING,
  "power": NOTHING,
  "all-power": NOTHING,
  "pause": NOTHING,
  "crash": NOTHING,
  "slow-node": { unit: "ms", range: [0, 1_000] },
  "clock-skew": WRONG,
  "clock-jump": WRONG,
  "clock-drift": { unit: "times as fast", range: [0.1, 10] },
  "slow-disk": LATE,
  "no-space": { unit: "bytes left", range: [0, 1e12] },
  "sync-error": CHANCE,
  "write-error": CHANCE,
  "short-write": CHANCE,
  "read-error": CHANCE,
  "bit-flip": CHANCE,
  "misdirected-read": CHANCE,
  "misdirected-write": CHANCE,
  "bit-rot": { unit: "bits", range: [0, 10_000] },
  "wipe": NOTHING,
  "restore": NOTHING,
  "join": NOTHING,
  "stop": NOTHING,
  "leave": NOTHING,
  "force-remove": NOTHING,
  "replace": NOTHING,
  "cancel": NOTHING,
  "succeed": NOTHING,
};

/** A fault that may befall so many machines; `time`: what {@link Fault.atMs} and {@link Fault.lastsMs} may be. */
export function faultShape(machines: number, time: Shape<number>): Shape<Fault> {
  const fields = exact({
    kind: oneOf(...FAULT_KINDS),
    atMs: time,
    lastsMs: time,
    nodes: list(integer(0, machines - 1), machines),
    amount: real(...ANY),
    draw: integer(),
  });
  return (value, path) => {
    const fault = fields(value, path);
    const { kind, nodes, amount } = fault;
    const { unit, range: [least, most] } = MEASURES[kind];
    if (amount < least || amount > most) {
      throw new ShapeError(
        `${path}.amount`,
        `for ${kind} a number from ${least} to ${most} (${unit})`,
        amount,
      );
    }
    if (FAULTS[kind].on !== "all" && nodes.length === 0) {
      throw new ShapeError(`${path}.nodes`, `whom ${kind} befalls`, nodes);
    }
    return fault;
  };
}
