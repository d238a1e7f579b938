/**
 * How to test an application on top of denamo, by example: a service that keeps shopping carts, under faults, from
 * seeds. Only `mod.ts` is used, as yours would.
 *
 * The paper's cart (section 4.4) merges siblings by union, and what was removed comes back when a sibling still
 * has it. Here a cart also remembers what was removed from it: a two-phase set (Shapiro, Preguiça, Baquero and
 * Zawirski, "Conflict-free Replicated Data Types", 2011). Every line that is put into a cart has a name of its own,
 * so that none needs to come back.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Client, Cluster, DenamoError, type FaultKind } from "../../mod.ts";

// --- the application ----------------------------------------------------------------------------------------

/** A cart: names of lines that were ever put into it, and of those that were removed. */
interface Cart {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

const encode = (cart: Cart): string => JSON.stringify(cart);
const decode = (bytes: Uint8Array): Cart => JSON.parse(new TextDecoder().decode(bytes));
const union = (sets: readonly (readonly string[])[]): string[] => [...new Set(sets.flat())].sort();

/** Shopping carts, one key each. */
class Carts {
  constructor(protected readonly client: Client) {}

  async add(name: string, line: string): Promise<void> {
    await this.change(name, ({ added, removed }) => ({ added: union([added, [line]]), removed }));
  }

  async remove(name: string, line: string): Promise<void> {
    await this.change(name, ({ added, removed }) => ({ added, removed: union([removed, [line]]) }));
  }

  async list(name: string, r?: number): Promise<string[]> {
    const { values } = await this.client.get(name, r === undefined ? {} : { r });
    const { added, removed } = this.merge(values.map(decode));
    return added.filter((line) => !removed.includes(line));
  }

  /** One cart of what was written concurrently. */
  protected merge(siblings: readonly Cart[]): Cart {
    return {
      added: union(siblings.map(({ added }) => added)),
      removed: union(siblings.map(({ removed }) => removed)),
    };
  }

  protected async change(name: string, how: (cart: Cart) => Cart): Promise<void> {
    await this.client.update(name, (values) => encode(how(this.merge(values.map(decode)))));
  }
}

// --- the test -----------------------------------------------------------------------------------------------

const CARTS = ["ann", "bob", "eve"];
const SHOPPERS = 4;
const STEPS = 30;
const FAULTS: FaultKind[] = ["loss", "two-way", "power", "pause"];

/** What shoppers know of a line: they were told that it is there, or that it is gone, or nothing certain. */
type Known = "there" | "gone" | "unsure";

/** Shoppers at work while things go wrong; then everything heals, and every cart must hold what they know. */
async function shop(seed: number, serve: (client: Client) => Carts, faults = FAULTS): Promise<void> {
  await using cluster = await Cluster.inProcess({ seed, faults, node: { partitions: 16 } });
  const { random } = cluster.simulation!;
  await cluster.run(async () => {
    const lines = new Map<string, Known>();
    const shopper = async (index: number) => {
      const carts = serve(await cluster.connect({ to: [index % 3, (index + 1) % 3, (index + 2) % 3] }));
      for (let step = 0; step < STEPS; step++) {
        await cluster.sleep(random.integer(1_000));
        const name = random.pick(CARTS);
        const mine = [...lines.keys()].filter((key) => key.startsWith(`${name}/${index}.`));
        const isRemoval = mine.length > 0 && random.chance(0.4);
        const key = isRemoval ? random.pick(mine) : `${name}/${index}.${step}`;
        lines.set(key, "unsure");
        try {
          await carts[isRemoval ? "remove" : "add"](name, key.slice(name.length + 1));
          lines.set(key, isRemoval ? "gone" : "there");
        } catch (error) {
          if (!(error instanceof DenamoError)) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: SHOPPERS }, (_, index) => shopper(index)));
    await cluster.heal();
    const carts = serve(await cluster.connect());
    for (const name of CARTS) {
      const listed = await carts.list(name, 3);
      for (const [key, known] of lines) {
        if (!key.startsWith(`${name}/`)) continue;
        const isListed = listed.includes(key.slice(name.length + 1));
        assert(known !== "there" || isListed, `${key} was put into the cart and is lost`);
        assert(known !== "gone" || !isListed, `${key} was removed and is back`);
      }
    }
  });
}

const SEEDS = [1, 2, 3, 4, 5, 6];

for (const seed of SEEDS) {
  Deno.test(`a cart loses nothing and brings nothing back, seed ${seed}`, () =>
    shop(seed, (client) => new Carts(client)));
}

// --- three ways to get it wrong, each of which the test convicts ---------------------------------------------

/** Keeps one of several siblings: the last writer wins, and what the others wrote is lost. */
class LastWriterWins extends Carts {
  protected override merge(siblings: readonly Cart[]): Cart {
    return siblings.at(-1) ?? { added: [], removed: [] };
  }
}

/** Writes without saying what it has read: nothing is ever replaced. */
class WithoutContext extends LastWriterWins {
  protected override async change(name: string, how: (cart: Cart) => Cart): Promise<void> {
    const { values } = await this.client.get(name);
    await this.client.put(name, encode(how(this.merge(values.map(decode)))));
  }
}

/** The cart of the paper: what is removed is simply not there any more, in one sibling of several. */
class UnionOnly extends Carts {
  override async remove(name: string, line: string): Promise<void> {
    await this.change(name, ({ added }) => ({ added: added.filter((one) => one !== line), removed: [] }));
  }
}

for (const Wrong of [LastWriterWins, WithoutContext, UnionOnly]) {
  Deno.test(`the same test convicts ${Wrong.name}`, async () => {
    for (const seed of SEEDS) {
      const convict = () => shop(seed, (client) => new Wrong(client)).then(() => "", String);
      const verdict = await convict();
      if (!/is lost|is back/.test(verdict)) continue;
      assert(
        verdict.startsWith(`AssertionError: seed ${seed}: `) && /\d ms: pause node/.test(verdict),
        verdict,
      );
      assertEquals(await convict(), verdict, "the seed is all that it takes to see it again");
      return;
    }
    assert(false, "no seed did");
  });
}
