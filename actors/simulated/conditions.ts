/**
 * Conditions: how every link, clock and disk has to be while some faults are going on. Pure; of several faults of
 * one kind at once the first counts.
 *
 * @module
 */

import { type DiskFaults, healthyDisk } from "./disk.ts";
import type { Fault, FaultKind } from "./faults.ts";
import { healthyLink, type LinkFaults } from "./links.ts";

/** A direction: from one machine to another. */
export type Way = readonly [from: string, to: string];

/** How bad the fault of this kind is, 0 where there is none. */
export function amountOf(faults: readonly Fault[], kind: FaultKind): number {
  return faults.find((fault) => fault.kind === kind)?.amount ?? 0;
}

/** How all links are. */
export function linkFaults(active: readonly Fault[]): LinkFaults {
  const slowMs = amountOf(active, "delay");
  return {
    ...healthyLink(),
    lossRate: amountOf(active, "loss"),
    duplicateRate: amountOf(active, "duplicate"),
    reorderRate: amountOf(active, "reorder"),
    resetRate: amountOf(active, "reset"),
    slowMs,
    slowRate: slowMs > 0 ? 0.1 : 0,
  };
}

/**
 * How a disk is on which so many bytes are used. One that is full is so from what it held when that began, and a
 * little: from then on `capacityBytes` is what it was set to.
 */
export function diskFaults(own: readonly Fault[], usedBytes: number, capacityBytes: number): DiskFaults {
  const healthy = healthyDisk();
  const slowMs = amountOf(own, "slow-disk");
  const isFull = own.some(({ kind }) => kind === "no-space");
  return {
    ...healthy,
    syncErrorRate: amountOf(own, "sync-error"),
    writeErrorRate: amountOf(own, "write-error"),
    shortWriteRate: amountOf(own, "short-write"),
    readErrorRate: amountOf(own, "read-error"),
    bitFlipRate: amountOf(own, "bit-flip"),
    misdirectedReadRate: amountOf(own, "misdirected-read"),
    misdirectedWriteRate: amountOf(own, "misdirected-write"),
    syncMinMs: slowMs > 0 ? slowMs / 2 : healthy.syncMinMs,
    syncMaxMs: slowMs > 0 ? slowMs : healthy.syncMaxMs,
    capacityBytes: isFull ? Math.min(capacityBytes, usedBytes + amountOf(own, "no-space")) : Infinity,
  };
}

/** How a clock is. */
export function clockFaults(own: readonly Fault[]): { readonly skewMs: number; readonly rate: number } {
  const skewMs = amountOf(own, "clock-jump") + amountOf(own, "clock-skew");
  return { skewMs, rate: amountOf(own, "clock-drift") || 1 };
}

/** Every direction that a fault cuts. `machines`: of all nodes, by index; `guests`: of clients. */
export function cutsOf(
  { kind, nodes, amount, draw }: Fault,
  machines: readonly string[],
  guests: readonly string[],
): Way[] {
  const own = machines.filter((_, index) => nodes.includes(index));
  const others = machines.filter((_, index) => !nodes.includes(index));
  const all = amount < 0.5 ? others : [...others, ...guests];
  switch (kind) {
    case "one-way":
      return draw % 2 === 0 ? between(own, all) : between(all, own);
    case "two-way":
      return [...between(own, all), ...between(all, own)];
    case "majority":
      return [...between(own, others), ...between(others, own)];
    case "bridge": {
      const rest = others.slice(1); // the first of them stays in touch with both sides
      return [...between(own, rest), ...between(rest, own)];
    }
    case "ring":
      return between(machines, machines).filter(([a, b]) => {
        const gap = Math.abs(machines.indexOf(a) - machines.indexOf(b));
        return Math.min(gap, machines.length - gap) > 1;
      });
    default:
      return [];
  }
}

function between(from: readonly string[], to: readonly string[]): Way[] {
  return from.flatMap((a) => to.filter((b) => b !== a).map((b): Way => [a, b]));
}
