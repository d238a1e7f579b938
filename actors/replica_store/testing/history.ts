/**
 * Histories of one key, lived twice: by replicas that hold objects, and by a dumb twin that remembers every
 * write by name and, of each, everything its writer had seen. What the twin says is current by definition,
 * the objects have to find out from clocks.
 *
 * @module
 */

import fc from "fast-check";
import { crc32c } from "../../runtime/crc32c.ts";
import { type Clock, clockOf, EMPTY_CLOCK } from "../clock.ts";
import { merge, mint, type StoredObject, type Write } from "../object.ts";
import type { ActorId, RequestId } from "../protocol.ts";

/** What is judged; a test plants a bug by substituting a function. */
export interface Core {
  /** See `object.ts`. */
  mint: typeof mint;
  /** See `object.ts`. */
  merge: typeof merge;
  /** What a coordinator sends the others, given its merged object and the write it minted. */
  toSend(merged: StoredObject, write: Write): StoredObject;
  /** What a replica keeps of an object; null: nothing. */
  keep(object: StoredObject): StoredObject | null;
  /** The actor id that a replica mints under after it lost its disk. */
  actorAfterWipe(actor: ActorId, wipes: number): ActorId;
}

/** The real thing. */
export const CORE: Core = {
  mint,
  merge,
  toSend: (merged) => merged,
  keep: (object) => object,
  actorAfterWipe: (_actor, wipes) => `${wipes}`.padStart(2, "0").repeat(16),
};

/** One step of a history. Replicas and contexts are numbers taken modulo how many there are. */
export type Step =
  /** A client writes through replica `at`, with an earlier read's context or none; `to` get it at once. */
  | { kind: "put"; at: number; context: number | null; tombstone: boolean; to: number[] }
  /** A client reads from some replicas. */
  | { kind: "read"; from: number[] }
  /** `to` merges what `from` holds. */
  | { kind: "sync"; from: number; to: number }
  /** A replica loses its disk. */
  | { kind: "wipe"; at: number }
  /** An earlier write is sent again, to replica `at`. */
  | { kind: "retry"; write: number; at: number };

const replica = fc.nat({ max: 3 });
const put = fc.record({
  kind: fc.constant("put" as const),
  at: replica,
  context: fc.option(fc.nat({ max: 30 }), { freq: 3 }),
  tombstone: fc.boolean(),
  to: fc.uniqueArray(replica, { maxLength: 3 }),
});
const read = fc.record({
  kind: fc.constant("read" as const),
  from: fc.uniqueArray(replica, { minLength: 1, maxLength: 3 }),
});
const sync = fc.record({ kind: fc.constant("sync" as const), from: replica, to: replica });
const wipe = fc.record({ kind: fc.constant("wipe" as const), at: replica });
const retry = fc.record({ kind: fc.constant("retry" as const), write: fc.nat({ max: 30 }), at: replica });

/** Histories of up to 40 steps. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: put },
    { weight: 4, arbitrary: read },
    { weight: 3, arbitrary: sync },
    { weight: 1, arbitrary: wipe },
  ),
  { maxLength: 40, size: "max" },
);

/** The same with retries. */
export const stepsWithRetries: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: put },
    { weight: 4, arbitrary: read },
    { weight: 3, arbitrary: sync },
    { weight: 3, arbitrary: retry },
    { weight: 1, arbitrary: wipe },
  ),
  { maxLength: 40, size: "max" },
);

/** A replica, and what the twin says it knows. */
export interface Replica {
  /** What it holds. */
  object: StoredObject | null;
  /** The twin: the writes it knows of. */
  known: ReadonlySet<RequestId>;
  /** Whom it mints as. */
  actor: ActorId;
  /** The last counter it minted. */
  counter: number;
}

/** A client's context, and what the twin says it has seen. */
interface Seen {
  readonly clock: Clock;
  readonly known: ReadonlySet<RequestId>;
}

const NOTHING_SEEN: Seen = { clock: EMPTY_CLOCK, known: new Set() };

/** Four replicas of one key and their clients. */
export class World {
  /** The replicas. */
  readonly replicas: Replica[] = ["c", "a", "d", "b"].map((letter) => ({
    object: null,
    known: new Set(),
    actor: letter.repeat(32),
    counter: 0,
  }));
  /** Requests that were sent again. */
  readonly retried = new Set<RequestId>();
  readonly #core: Core;
  readonly #contexts: Seen[] = [];
  readonly #writes: { readonly write: Omit<Write, "dot">; readonly seen: Seen }[] = [];
  readonly #saw = new Map<RequestId, ReadonlySet<RequestId>>();
  #wipes = 0;

  /** @param core what is judged */
  constructor(core: Core) {
    this.#core = core;
  }

  /** What is current for one who knows these writes: those that no other known write had seen. */
  current(known: ReadonlySet<RequestId>): RequestId[] {
    return [...known].filter((one) => ![...known].some((other) => this.#saw.get(other)!.has(one))).sort();
  }

  /** Live one step. */
  step(step: Step): void {
    const { replicas } = this;
    if (step.kind === "put") this.#put(step);
    else if (step.kind === "read") this.#read(step.from);
    else if (step.kind === "sync") this.sync(replicas[step.from]!, replicas[step.to]!);
    else if (step.kind === "wipe") this.#wipe(replicas[step.at]!);
    else {
      const earlier = this.#writes[step.write % this.#writes.length];
      if (earlier === undefined) return;
      this.retried.add(earlier.write.requestId);
      this.#mint(replicas[step.at]!, earlier.write, earlier.seen);
    }
  }

  /** `to` merges what `from` holds. */
  sync(from: Replica, to: Replica): void {
    if (from.object === null) return;
    this.#receive(to, from.object, from.known);
  }

  #put({ at, context, tombstone, to }: Step & { kind: "put" }): void {
    const seen = context === null
      ? NOTHING_SEEN
      : this.#contexts[context % this.#contexts.length] ?? NOTHING_SEEN;
    const value = tombstone ? null : new TextEncoder().encode(`value ${this.#writes.length}`);
    const write = {
      context: seen.clock,
      value,
      crc32c: value === null ? 0 : crc32c(value),
      requestId: (0x1000 + this.#writes.length).toString(16).padStart(32, "0"),
      wallMs: this.#writes.length,
    };
    this.#writes.push({ write, seen });
    this.#saw.set(write.requestId, seen.known);
    const coordinator = this.replicas[at]!;
    const sent = this.#mint(coordinator, write, seen);
    if (sent === null) return;
    for (const other of to) if (other !== at) this.#receive(this.replicas[other]!, sent, coordinator.known);
  }

  #mint(coordinator: Replica, unnamed: Omit<Write, "dot">, seen: Seen): StoredObject | null {
    const write = { ...unnamed, dot: { actor: coordinator.actor, counter: ++coordinator.counter } };
    const outcome = this.#core.mint(coordinator.object, write);
    if (!outcome.ok) return null;
    coordinator.object = this.#core.keep(outcome.object);
    coordinator.known = coordinator.known.has(write.requestId)
      ? coordinator.known
      : coordinator.known.union(seen.known).union(new Set([write.requestId]));
    return this.#core.toSend(outcome.object, write);
  }

  #receive(to: Replica, object: StoredObject, known: ReadonlySet<RequestId>): void {
    to.object = this.#core.keep(to.object === null ? object : this.#core.merge(to.object, object));
    to.known = to.known.union(known);
  }

  #read(from: readonly number[]): void {
    let object: StoredObject | null = null;
    let known: ReadonlySet<RequestId> = new Set();
    for (const replica of from.map((n) => this.replicas[n]!)) {
      if (replica.object === null) continue;
      object = object === null ? replica.object : this.#core.merge(object, replica.object);
      known = known.union(replica.known);
    }
    if (object !== null) this.#contexts.push({ clock: object.clock, known });
  }

  #wipe(replica: Replica): void {
    replica.object = null;
    replica.known = new Set();
    replica.counter = 0;
    replica.actor = this.#core.actorAfterWipe(replica.actor, ++this.#wipes);
  }
}

/** A core whose coordinators send the new version alone, with a clock of what it claims. */
export const SENDS_ONLY_THE_NEW_VERSION: Core = {
  ...CORE,
  toSend: (merged, { dot, context }) => ({
    clock: clockOf(...context, dot),
    siblings: merged.siblings.filter((sibling) => sibling.dot === dot),
    replaced: merged.replaced,
  }),
};

/** Objects that occur together in one history. */
export const objectsOfOneKey: fc.Arbitrary<StoredObject[]> = fc.oneof(steps, stepsWithRetries).map(
  (history) => {
    const world = new World(CORE);
    const objects: StoredObject[] = [];
    for (const step of history) {
      world.step(step);
      for (const { object } of world.replicas) {
        if (object !== null && !objects.includes(object)) objects.push(object);
      }
    }
    return objects;
  },
).filter((objects) => objects.length > 0);
