import { compareBytes } from "../runtime/bytes.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { fake } from "../runtime/testing/fake.ts";
import { digestOf } from "../replica_store/refill.ts";
import {
  type Absorb,
  NO_DIGEST,
  NO_PAGE,
  type PartitionEntry,
  type PartitionPage,
  type Scan,
} from "../replica_store/protocol.ts";
import { Copies, type CopyContext, type CopyCore } from "./copy.ts";
import { REFILLER_CORE } from "./refiller.ts";

/** Two entries to a page. */
const PER_PAGE = 2;
const TASK = { owner: "them", partition: 0, lossId: "loss", epoch: 1, since: 1 };

/** A partition as a node has it. */
class Side {
  readonly asked: string[] = [];
  /** Bytes that were paid for what it fetched. */
  paid = 0;
  /** What is asked for so many more times is had. */
  patience = Infinity;
  /** Keys that pages leave out: once, by a bug. */
  readonly missing = new Set<number>();
  entries: PartitionEntry[];

  constructor(keys: readonly number[]) {
    this.entries = keys.map((key) => ({ key: Uint8Array.of(key), object: Uint8Array.of(key, key) }));
  }

  page({ after }: Scan): PartitionPage {
    if (--this.patience < 0) return NO_PAGE;
    const rest = this.entries.filter(({ key }) => after === null || compareBytes(key, after) > 0);
    const entries = rest.slice(0, PER_PAGE);
    return { ok: true, entries, next: rest.length > PER_PAGE ? entries.at(-1)!.key : null, stamp: 0 };
  }

  answer(kind: string, body: unknown): unknown {
    const { after } = body as Scan;
    if (kind !== "absorb") this.asked.push(`${kind} ${after?.[0] ?? "-"}`);
    if (kind === "digest") {
      const page = this.page(body as Scan);
      return page.ok ? digestOf(page) : NO_DIGEST;
    }
    if (kind === "scan") {
      const page = this.page(body as Scan);
      const entries = page.entries.filter(({ key }) => !this.missing.delete(key[0]!));
      return { ...page, entries };
    }
    const known = new Map(this.entries.map((entry) => [entry.key[0]!, entry]));
    for (const entry of (body as Absorb).entries) known.set(entry.key[0]!, entry);
    this.entries = [...known.values()].sort((a, b) => a.key[0]! - b.key[0]!);
    return "taken";
  }
}

function copies(theirs: Side, ours: Side, core: Partial<CopyCore> = {}): Copies {
  const ref = (to: unknown) => ({
    ask: (kind: string, body: unknown) =>
      Promise.resolve((typeof to === "string" ? ours : theirs).answer(kind, body)),
  });
  const context = { ref, environment: fake().environment } as unknown as CopyContext;
  return new Copies(context, {
    budget: {
      spend: (bytes) => {
        ours.paid += bytes;
        return Promise.resolve();
      },
    },
    core: { ...REFILLER_CORE, ...core },
  });
}

Deno.test("copy: what is fetched is paid for, and what is only compared is not", async () => {
  const [theirs, ours] = [new Side([1, 2, 3]), new Side([])];
  assert(await copies(theirs, ours).make(TASK));
  assertEquals(ours.paid, 3 * 3); // a key of one byte and an object of two
});

Deno.test("copy: goes on after the last key that was taken when the owner dies", async () => {
  const theirs = new Side([1, 2, 3, 4, 5, 6, 7]);
  const ours = new Side([]);
  const all = copies(theirs, ours);
  theirs.patience = 2;
  assertEquals(await all.make(TASK), false);
  theirs.asked.length = 0;
  theirs.patience = Infinity;
  assertEquals(await all.make(TASK), true);
  assertEquals(theirs.asked, ["scan 4", "scan 6", "digest -", "digest 2", "digest 4", "digest 6"]);
  assertEquals(ours.entries, theirs.entries);
  all.keepOnly(new Set());
  theirs.asked.length = 0;
  assert(await all.make(TASK));
  assertEquals(theirs.asked[0], "scan -", "a loss that is forgotten begins anew");
});

Deno.test("copy: verified before it is done: what a page left out is fetched again", async () => {
  for (const key of [1, 3, 5]) {
    const theirs = new Side([1, 2, 3, 4, 5]);
    theirs.missing.add(key);
    const ours = new Side([9]); // written by a client meanwhile
    assert(await copies(theirs, ours).make(TASK));
    assertEquals(ours.entries.map((entry) => entry.key[0]), [1, 2, 3, 4, 5, 9]);
  }
});

Deno.test("copy: planted bug, it is not verified: what a page left out is missing", async () => {
  const theirs = new Side([1, 2, 3, 4, 5]);
  theirs.missing.add(3);
  const ours = new Side([]);
  assert(await copies(theirs, ours, { isSame: () => true }).make(TASK));
  assertEquals(ours.entries.map((entry) => entry.key[0]), [1, 2, 4, 5]);
});
