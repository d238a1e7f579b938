/**
 * How anything travels from one machine to another: late, not at all, twice, or out of turn.
 *
 * A partition here is what it is to TCP: nothing is lost, everything waits. What arrives while a direction is
 * cut is held and arrives, in order, once it is mended; whoever had to know by then has timed out. Loss,
 * duplicates and reordering are drawn per unit (one `write` call) and are harsher than TCP: they stand for
 * messages that a broken connection, a full buffer or a restarted peer swallowed without a word.
 *
 * @module
 */

import type { Events } from "./events.ts";
import type { SimulatedRandom } from "./random.ts";

/** What goes wrong from one machine to another: rates are probabilities per unit. Change it at any time. */
export interface LinkFaults {
  /** The shortest way. */
  delayMinMs: number;
  /** The longest way, on a good day. */
  delayMaxMs: number;
  /** A unit, and all behind it, comes late: */
  slowRate: number;
  /** by at most this much. */
  slowMs: number;
  /** A unit never arrives. */
  lossRate: number;
  /** A unit arrives twice. */
  duplicateRate: number;
  /** A unit is overtaken by those behind it. */
  reorderRate: number;
  /** The connection breaks instead of carrying the unit. */
  resetRate: number;
}

/** A link with nothing wrong: a local network. */
export function healthyLink(): LinkFaults {
  return {
    delayMinMs: 0.05,
    delayMaxMs: 0.5,
    slowRate: 0,
    slowMs: 0,
    lossRate: 0,
    duplicateRate: 0,
    reorderRate: 0,
    resetRate: 0,
  };
}

/** What travels: `lost` never arrives, `stray` arrives out of turn, `again` is a duplicate; all three are units. */
export type Travelling =
  | "connect"
  | "welcome"
  | "refuse"
  | "unit"
  | "lost"
  | "stray"
  | "again"
  | "end"
  | "reset";

/** One thing on its way from one machine to another, as an observer sees it. Times are true milliseconds. */
export interface SeenMessage {
  /** The connection's number. */
  readonly connection: number;
  /** The machine it is from. */
  readonly from: string;
  /** The machine it is for; the address that was tried, where nobody has ever listened on it. */
  readonly to: string;
  /** What it is. */
  readonly what: Travelling;
  /** A unit's bytes, empty for the rest. Not to be changed: the receiver reads the same ones. */
  readonly bytes: Uint8Array;
  /** When it was sent. */
  readonly sentMs: number;
  /** When it arrived, or what is lost would have; Infinity until then. Filled in later. */
  arrivedMs: number;
  /** Whether a partition held it, for good while it has not arrived. Filled in later. */
  held: boolean;
}

/** What travels in order, one behind the other: one direction of one connection. */
export interface Lane {
  /** The connection's number. */
  readonly connection: number;
  /** Where from. */
  readonly from: string;
  /** Where to. */
  readonly to: string;
  /** When its last unit arrives. */
  lastArrival: number;
}

/** One direction between two machines. */
interface Link {
  faults: LinkFaults | null;
  cut: boolean;
  /** What arrived while it was cut. */
  readonly held: (() => void)[];
  readonly random: SimulatedRandom;
}

/** What there is beside the word for it. */
export interface Detail {
  /** For the trace. */
  readonly label: string;
  /** See {@link SeenMessage.bytes}. */
  readonly bytes: Uint8Array;
}

/** Nothing. */
export const NO_DETAIL: Detail = { label: "", bytes: new Uint8Array(0) };

/** Every direction between every two machines. */
export class Links {
  /** What goes wrong on each link that has no faults of its own. A machine's link to itself is always well. */
  readonly faults: LinkFaults = healthyLink();

  readonly #events: Events;
  readonly #random: SimulatedRandom;
  /** By where from, then by where to. */
  readonly #links = new Map<string, Map<string, Link>>();
  readonly #loopback = healthyLink();
  readonly #onMessage: ((message: SeenMessage) => void) | null;

  /**
   * Make one.
   *
   * @param events where things travel
   * @param random decides how
   * @param onMessage is told of everything that is sent
   */
  constructor(events: Events, random: SimulatedRandom, onMessage: ((message: SeenMessage) => void) | null) {
    this.#events = events;
    this.#random = random;
    this.#onMessage = onMessage;
  }

  /** The faults of one direction, its own from now on, to be changed. */
  own(from: string, to: string): LinkFaults {
    return this.#link(from, to).faults ??= { ...this.faults };
  }

  /** What goes wrong from one machine to another. */
  faultsOf(from: string, to: string): Readonly<LinkFaults> {
    return from === to ? this.#loopback : this.#link(from, to).faults ?? this.faults;
  }

  /** Where the dice for one direction are. */
  randomOf(from: string, to: string): SimulatedRandom {
    return this.#link(from, to).random;
  }

  /** Nothing arrives in this direction until it is mended. */
  cut(from: string, to: string): void {
    if (from !== to) this.#link(from, to).cut = true;
  }

  /** What was held arrives now. */
  mend(from: string, to: string): void {
    const link = this.#link(from, to);
    if (!link.cut) return;
    link.cut = false;
    this.#events.schedule(0, null, `mend ${from}>${to}`, () => {
      if (!link.cut) { for (const task of link.held.splice(0)) task(); }
    });
  }

  /** Mend everything; every fault, shared or a link's own, is set back to none. */
  heal(): void {
    Object.assign(this.faults, healthyLink());
    for (const [from, links] of this.#links) {
      for (const [to, link] of links) {
        if (link.faults) Object.assign(link.faults, healthyLink());
        this.mend(from, to);
      }
    }
  }

  /** Let `task` happen at the far end of a lane, behind what already travels there. */
  travel(lane: Lane, what: Travelling, task: () => void, detail: Detail = NO_DETAIL): void {
    const arrival = Math.max(lane.lastArrival, this.#events.now + this.#delayMs(lane));
    lane.lastArrival = arrival;
    this.#arrive(lane, arrival, what, task, detail);
  }

  /** Let `task` happen at the far end of a lane later than need be, and not behind the others. */
  stray(lane: Lane, what: Travelling, task: () => void, detail: Detail): void {
    const delayMs = this.#delayMs(lane) + this.randomOf(lane.from, lane.to).between(0, 20);
    this.#arrive(lane, this.#events.now + delayMs, what, task, detail);
  }

  #arrive(lane: Lane, arrival: number, what: Travelling, task: () => void, detail: Detail): void {
    const { connection, from, to } = lane;
    const link = this.#link(from, to);
    const seen = this.#see(lane, what, detail);
    const arrive = () => {
      if (seen) seen.arrivedMs = this.#events.now;
      task();
    };
    const label = `${from}>${to} #${connection} ${what}${detail.label}`;
    this.#events.schedule(arrival - this.#events.now, null, label, () => {
      if (!link.cut && link.held.length === 0) return arrive();
      link.held.push(arrive);
      if (seen) seen.held = true;
    });
  }

  /** Tell the observer, if there is one; it draws nothing and schedules nothing, so it changes nothing. */
  #see({ connection, from, to }: Lane, what: Travelling, { bytes }: Detail): SeenMessage | null {
    if (this.#onMessage === null) return null;
    const sentMs = this.#events.now;
    const seen = { connection, from, to, what, bytes, sentMs, arrivedMs: Infinity, held: false };
    this.#onMessage(seen);
    return seen;
  }

  #delayMs({ from, to }: Lane): number {
    const { delayMinMs, delayMaxMs, slowRate, slowMs } = this.faultsOf(from, to);
    const random = this.randomOf(from, to);
    const delayMs = random.between(delayMinMs, delayMaxMs);
    if (!random.chance(slowRate)) return delayMs;
    this.#events.inject("delay");
    return delayMs + random.between(0, slowMs);
  }

  #link(from: string, to: string): Link {
    let links = this.#links.get(from);
    if (!links) this.#links.set(from, links = new Map());
    let link = links.get(to);
    if (!link) {
      link = { faults: null, cut: false, held: [], random: this.#random.fork(`link/${from}>${to}`) };
      links.set(to, link);
    }
    return link;
  }
}
