/**
 * The kinds of fault as a table, for people who choose among them or write a plan by hand.
 *
 * @module
 */

import { MEASURES } from "../../actors/simulated/fault_shape.ts";
import { FAULT_KINDS, FAULTS } from "../../actors/simulated/faults.ts";
import { paint, table } from "../../cli/paint.ts";

const HEADINGS = ["kind", "what", "befalls", "loses data", "amount drawn", "at all", "unit", "for"];
const WHOM = { one: "a node", some: "some nodes", all: "all" } as const;

/** One row for each kind. */
export function faultTable({ coloured }: { readonly coloured: boolean }): string {
  const rows = FAULT_KINDS.map((kind) => {
    const { what, on, loses, amount, lastsMs } = FAULTS[kind];
    const { unit, range } = MEASURES[kind];
    const amounts = unit === "" ? ["-", "-", "-"] : [span(amount), span(range), unit];
    return [kind, what, WHOM[on], loses ? "yes" : "no", ...amounts, `${lastsMs.join(" to ")} ms`];
  });
  return table(paint(coloured), HEADINGS, rows);
}

/** `-3.1536e11 to 3.1536e11`: exact, and short. */
function span(range: readonly [number, number]): string {
  return range.map((n) => Math.abs(n) < 1e6 ? `${n}` : n.toExponential().replace("+", "")).join(" to ");
}
