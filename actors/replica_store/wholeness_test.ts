import * as fc from "fast-check";
import { createRing, type Ring } from "../ring_manager/ring.ts";
import { assert, assertEquals, assertThrows } from "../runtime/testing/assert.ts";
import { Wholeness } from "./wholeness.ts";

const ids = ["a0".repeat(16), "b0".repeat(16)];
const members = ids.map((id) => ({ id, address: "127.0.0.1:1", zone: "z", weight: 1 }));
const ring: Ring = {
  ...createRing({ clusterId: "ef".repeat(16), cluster: "c", n: 2, partitions: 3, member: members[0]! }),
  members,
  owners: [[0, 1], [0, 1], [0, 1]],
};

function wholeness(newLossId: () => string, onNotWhole = () => Promise.resolve()) {
  const options = {
    isOwner: () => true,
    sourcesOf,
    since: () => 1,
    newLossId,
    onNotWhole,
    onWhole: () => {},
  };
  return new Wholeness(options, ring);
}

/** The second member is asked by rings of even epochs, the first by others. */
function sourcesOf({ epoch }: Ring): string[] {
  return [ids[epoch % 2]!];
}

function counting(): () => string {
  let drawn = 0;
  return () => `loss ${++drawn}`;
}

/** Whatever happens between the beginning and the end of a refill, it vouches only for what it began with. */
function vouchesForNothingElse(newLossId: () => string): void {
  const event = fc.constantFrom("begin", "end", "lose", "ring", "start");
  fc.assert(fc.property(fc.array(event, { maxLength: 12 }), (events) => {
    let state = wholeness(newLossId);
    let epoch = 1;
    let begun = "";
    let lostSince = false;
    let isWhole = true;
    for (const what of events) {
      if (what === "begin") {
        begun = state.list().losses.find(({ partition }) => partition === 0)?.lossId ?? "";
        lostSince = false;
      } else if (what === "end") {
        state.regain(0, begun);
        if (!lostSince && begun !== "") isWhole = true;
      } else {
        if (what === "lose") void state.lose(0);
        else if (what === "ring") state.takeRing({ ...ring, epoch: ++epoch });
        else {
          state = wholeness(newLossId);
          state.loseAll();
        }
        if (what !== "ring") isWhole = false;
        lostSince = true;
      }
      assertEquals(state.has(0), !isWhole);
    }
  }));
}

Deno.test("wholeness: a refill vouches for the loss it was begun for and for no other", () => {
  vouchesForNothingElse(counting());
});

Deno.test("wholeness: planted bug, all losses have one id: a refill vouches for what it has not seen", () => {
  assertThrows(() => vouchesForNothingElse(() => "the same"));
});

Deno.test("wholeness: what cannot be remembered must not be lost", async () => {
  assert(await wholeness(counting()).lose(0));
  assert(!await wholeness(counting(), () => Promise.reject(new Error("no disk"))).lose(0));
});

Deno.test("wholeness: a lone node, and one that is no owner, have nobody to ask and miss nothing", async () => {
  const state = wholeness(counting());
  state.loseAll();
  assertEquals(state.size, 3);
  state.takeRing({ ...ring, epoch: 2, members: members.slice(0, 1), owners: [[0], [0], [0]] });
  assertEquals(state.size, 0);
  assert(await state.lose(0));
  assertEquals(state.size, 0);
});

Deno.test("wholeness: a ring in which a partition has the same owners takes nothing from its refill", () => {
  const state = wholeness(counting());
  state.loseAll();
  const [before] = state.list().losses;
  const again = { ...ring, epoch: 2, owners: [[1, 0], [0, 1], [0, 1]] };
  const same = new Wholeness(
    {
      isOwner: () => true,
      sourcesOf: () => ids,
      since: () => 1,
      newLossId: counting(),
      onNotWhole: () => Promise.resolve(),
      onWhole: () => {},
    },
    ring,
  );
  same.loseAll();
  const [lost] = same.list().losses;
  same.takeRing(again);
  assertEquals(same.list().losses[0]!.lossId, lost!.lossId);
  same.takeRing({ ...again, epoch: 9 });
  assert(same.list().losses[0]!.lossId !== lost!.lossId, "nobody knows here what was in between");
  state.takeRing(again);
  assert(state.list().losses[0]!.lossId !== before!.lossId, "other owners have to be asked");
});

Deno.test("wholeness: what is to be this node's is awaited, once for each change, and no loss that counts", () => {
  const state = wholeness(counting());
  const joining = (since: number) => ({
    ...ring,
    epoch: 2 * since,
    change: { since, joining: null, leaving: null, gone: [], motions: [] },
  });
  state.takeRing(joining(1), new Set([2]));
  assertEquals([state.size, state.awaited, state.has(2)], [0, 1, true]);
  state.regain(2, state.list().losses[0]!.lossId);
  state.takeRing(joining(1), new Set([2]));
  assertEquals(state.has(2), false);
  state.takeRing(joining(2), new Set([2]));
  assertEquals([state.awaited, state.has(2)], [1, true], "a copy for an earlier change is none for this one");
});

Deno.test("wholeness: what is copied and owned already goes on counting, unless it is lost meanwhile", async () => {
  const state = wholeness(counting());
  const change = { since: 2, joining: null, leaving: null, gone: [], motions: [] };
  const moving = { ...ring, epoch: 2, change };
  state.takeRing(moving, new Set([0, 1]), new Set());
  assertEquals([state.has(0), state.lacks(0), state.size], [false, true, 0]);
  await state.lose(1);
  assertEquals([state.has(0), state.has(1)], [false, true]);
  state.takeRing({ ...moving, epoch: 3, change: null });
  assertEquals([state.lacks(0), state.has(1)], [false, true]);
});
