/**
 * The collection epochs of a node: what it puts on objects that it sends, and what it still takes.
 *
 * Why there are any is told in `actors/repair/collector.ts`. Every object travels with a stamp: the epoch that its
 * sender had **announced** when it read or minted it. A hint store that has **closed** an epoch keeps nothing of a
 * lower stamp, a replica store that has **sealed** one takes nothing of a lower stamp. They only grow, in this order,
 * and are durable before they are in force.
 *
 * A node that is not **sure** of them learns them from somebody who is, or from everybody. It is new in the cluster:
 * then it holds nothing that is older, and whoever sends it anything knows better; only what it mints for others, in
 * its hint store, would be too old. Or its journal may be older than it should be: then it takes nothing at all till
 * then.
 *
 * @module
 */

import type { NodeId } from "./protocol.ts";

/** See the module. */
export interface Epochs {
  /** Put on what is read and minted here. */
  readonly announced: number;
  /** The hint store keeps nothing that is older. */
  readonly closed: number;
  /** The replica store takes nothing that is older. */
  readonly sealed: number;
}

/** What a member says of itself, with every rumour. */
export interface Said extends Epochs {
  /** Whether these are not older than they should be. */
  readonly isSure: boolean;
}

/** See {@link CollectionOptions.trust}. */
export type Trust = "sure" | "new" | "doubted";

/** What {@link Collection} is composed of. */
export interface CollectionOptions {
  /** This node. */
  readonly node: NodeId;
  /** What it remembers. */
  readonly known: Epochs;
  /** Whether that may be relied on; `new`: it has never been told. */
  readonly trust: Trust;
  /** The members now, this node among them. */
  readonly members: () => readonly NodeId[];
  /** Remember; resolves when it is durable. */
  readonly save: (said: Said) => Promise<void>;
}

/** Of a cluster in which nothing was ever collected. */
export const NO_EPOCHS: Epochs = { announced: 0, closed: 0, sealed: 0 };

/** Whether an object may be older than a tombstone that was collected. */
export function isStale(stamp: number, sealed: number): boolean {
  return stamp < sealed;
}

/**
 * See the module.
 *
 * @example
 * ```ts
 * import { Collection, NO_EPOCHS } from "./collection.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const node = "0a".repeat(16);
 * const options = { node, known: NO_EPOCHS, trust: "sure" as const, members: () => [node], save: async () => {} };
 * const collection = new Collection(options);
 * assertEquals(await collection.announce(1), true);
 * assertEquals(await collection.announce(1), false); // an epoch belongs to one round
 * assertEquals(await collection.seal(1), false); // not before it is closed
 * assertEquals([await collection.close(1), await collection.seal(1)], [true, true]);
 * assertEquals(collection.said(), { announced: 1, closed: 1, sealed: 1, isSure: true });
 * ```
 */
export class Collection {
  readonly #options: CollectionOptions;
  #epochs: Epochs;
  #trust: Trust;
  /** What others said while this node was not sure. */
  readonly #heard = new Map<NodeId, Said>();

  /** @param options what is known */
  constructor(options: CollectionOptions) {
    this.#options = options;
    this.#epochs = options.known;
    this.#trust = options.trust;
  }

  /** See {@link Epochs}. */
  get announced(): number {
    return this.#epochs.announced;
  }

  /** See {@link Epochs}. */
  get closed(): number {
    return this.#epochs.closed;
  }

  /** See {@link Epochs}. */
  get sealed(): number {
    return this.#epochs.sealed;
  }

  /** See the module. Who is alone has nobody to ask, and nobody from whom anything old could come. */
  get isSure(): boolean {
    return this.#trust === "sure" || this.#options.members().every((id) => id === this.#options.node);
  }

  /** Whether it may take what is not older than it knows of. */
  get mayTake(): boolean {
    return this.#trust === "new" || this.isSure;
  }

  /** For others. */
  said(): Said {
    return { ...this.#epochs, isSure: this.isSure };
  }

  /** Begin to put an epoch on what is sent. False when a later round has begun, or that cannot be remembered. */
  announce(epoch: number): Promise<boolean> {
    return this.#advance(this.isSure && epoch > this.announced, { announced: epoch });
  }

  /** Take no older hints from now on. For the hint store, which knows that it keeps none. */
  close(epoch: number): Promise<boolean> {
    return this.#advance(this.isSure && epoch === this.announced, { closed: epoch });
  }

  /** Take no older objects from now on. */
  seal(epoch: number): Promise<boolean> {
    return this.#advance(this.isSure && epoch === this.closed, { sealed: epoch });
  }

  /**
   * A member says where it is. Whoever has closed an epoch knows that all members of that round have announced it;
   * whoever has sealed one, that all have closed it. So who hears it for the first time was none of them, or has
   * forgotten, and nothing that it holds is older.
   */
  hear(from: NodeId, said: Said): void {
    if (this.#trust !== "sure") this.#learn(from, said);
    const { announced, closed, sealed } = this.#epochs;
    if (said.closed <= announced && said.sealed <= sealed) return;
    this.#raise({
      announced: Math.max(announced, said.closed, said.sealed),
      closed: Math.max(closed, said.sealed),
      sealed: Math.max(sealed, said.sealed),
    });
  }

  /** A member that has let this node in says where it is. */
  learnFrom(said: Said): void {
    if (this.#trust === "sure" || !said.isSure) return;
    this.#trust = "sure";
    this.#heard.clear();
    this.#raise({
      announced: Math.max(this.announced, said.announced),
      closed: Math.max(this.closed, said.sealed),
      sealed: Math.max(this.sealed, said.sealed),
    });
  }

  /** The node belongs to another cluster now: it holds nothing, and knows nothing. */
  enter(): void {
    this.#epochs = NO_EPOCHS;
    this.#trust = "new";
    this.#heard.clear();
  }

  /** What is known may be older than it should be. */
  doubt(): void {
    this.#trust = "doubted";
    this.#heard.clear();
  }

  #learn(from: NodeId, said: Said): void {
    this.#heard.set(from, said);
    const others = this.#options.members().filter((id) => id !== this.#options.node);
    const heard = others.flatMap((id) => this.#heard.get(id) ?? []);
    if (!heard.some(({ isSure }) => isSure) && heard.length < others.length) return;
    this.#trust = "sure";
    const most = (of: (epochs: Epochs) => number) =>
      heard.reduce((sum, one) => Math.max(sum, of(one)), of(this.#epochs));
    this.#heard.clear();
    const sealed = most((one) => one.sealed);
    this.#raise({
      announced: most((one) => one.announced),
      closed: Math.max(this.closed, sealed),
      sealed,
    });
  }

  /** Higher epochs are safe at once, and remembered as soon as that can be. */
  #raise(epochs: Epochs): void {
    this.#epochs = epochs;
    this.#options.save(this.said()).catch(() => {}); // heard again after the next start
  }

  async #advance(isNext: boolean, epochs: Partial<Epochs>): Promise<boolean> {
    if (!isNext) return false;
    try {
      await this.#options.save({ ...this.said(), ...epochs });
    } catch {
      return false;
    }
    const { announced, closed, sealed } = { ...this.#epochs, ...epochs };
    this.#epochs = {
      announced: Math.max(announced, this.announced),
      closed: Math.max(closed, this.closed),
      sealed: Math.max(sealed, this.sealed),
    };
    return true;
  }
}
