import fc from "fast-check";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { equalBytes } from "../runtime/bytes.ts";
import {
  cancelChange,
  giveUp,
  incomingOf,
  isGone,
  type MoveReport,
  MOVES_CORE,
  nextRing,
  receiversOf,
  sourcesOf,
} from "./moves.ts";
import { type Change, isColocated, plan } from "./plan.ts";
import { checkRing, createRing, type Member, ownersOf, type Ring } from "./ring.ts";
import { decodeRing, encodeRing } from "./ring_codec.ts";

const id = (i: number) => (i * 2654435761 >>> 0).toString(16).padStart(32, "0");

function member(i: number): Member {
  return { id: id(i), address: `10.0.0.${i}:3001`, zone: `z${i % 3}`, weight: 1 };
}

const first = createRing({ clusterId: id(0), cluster: "c", n: 3, partitions: 8, member: member(1) });

/** What every owner says that has everything and has heard everything, but for whom chance leaves out. */
function reports(ring: Ring, isHeard: (id: string) => boolean): Map<string, MoveReport> {
  const ready = Array.from({ length: ring.partitions }, (_, p) => p);
  const since = ring.change?.since ?? 1;
  return new Map(
    ring.members.filter((m) => isHeard(m.id)).map((m) =>
      [m.id, { epoch: ring.epoch, since, ready, isEmptied: true }] as const
    ),
  );
}

function finish(from: Ring): Ring {
  let ring = from;
  for (let steps = 0; ring.change !== null; steps++) {
    assert(steps < 100, "it never ends");
    ring = nextRing(ring, reports(ring, () => true)) ?? ring;
  }
  return ring;
}

function changeOf(ring: Ring, kind: number, pick: number, i: number): Change {
  const victim = ring.members[pick % ring.members.length]!.id;
  const changes: Change[] = [
    { kind: "join", member: member(i) },
    { kind: "leave", id: victim },
    { kind: "replace", id: victim, member: member(i) },
    { kind: "replace", id: victim, member: member(i), isGone: true },
    { kind: "force-remove", id: victim },
  ];
  return changes[kind]!;
}

/** R of the one list and W of the other have a member in common. */
function meets(r: number, reads: readonly string[], w: number, writes: readonly string[]): boolean {
  const needed = (count: number, list: readonly string[]) => Math.min(count, list.length);
  const shared = reads.filter((one) => writes.includes(one)).length;
  // The read may choose all that the write did not reach: R of them must not fit in.
  const missed = reads.length - shared +
    Math.max(0, shared - Math.max(0, needed(w, writes) - (writes.length - shared)));
  return needed(r, reads) > missed;
}

const ids = (members: readonly Member[]) => members.map((one) => one.id);

Deno.test("moves: any way through any change keeps the ring sound, and neighbours' reads meet their writes", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(4), fc.nat(), fc.integer({ min: 2, max: 9 }), fc.infiniteStream(fc.nat(7))), {
        maxLength: 8,
      }),
      (changes) => {
        let ring = first;
        for (const [kind, pick, i, chances] of changes) {
          const planned = plan(ring, changeOf(ring, kind, pick, i));
          if (!planned.ok) continue;
          const path = [ring, planned.begun];
          for (let ends = 0; path.at(-1)!.change !== null; ends++) {
            const now = path.at(-1)!;
            assert(ends < 100, "it never ends");
            const chance = ends > 50 ? 7 : chances.next().value;
            const stepped = chance === 0
              ? cancelled(now)
              : chance === 1
              ? giveUp(now, now.members[pick % now.members.length]!.id)
              : nextRing(
                now,
                reports(now, (one) => !isGone(now, one) && (ends > 50 || chances.next().value > 2)),
              ) ?? (ends > 60 ? cancelled(now) : null);
            if (stepped === null) continue;
            assertEquals(checkRing(stepped), null);
            const bytes = encodeRing(stepped);
            const decoded = decodeRing(bytes);
            assert(decoded.ok && equalBytes(encodeRing(decoded.ring), bytes));
            path.push(stepped);
          }
          for (let at = 1; at < path.length; at++) judgeStep(path[at - 1]!, path[at]!);
          ring = path.at(-1)!;
          assert(
            !isColocated(ring) || path.length > 2,
            "a plan never puts replicas together that need not be",
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});

function cancelled(ring: Ring): Ring | null {
  const outcome = cancelChange(ring);
  return outcome.ok ? outcome.next : null;
}

/** Writes by either ring are met by reads by the other, or nobody goes by the older one any more. */
function judgeStep(before: Ring, after: Ring): void {
  assertEquals(after.epoch, before.epoch + 1);
  const phaseOf = (ring: Ring, p: number) => ring.change?.motions.find((one) => one.partition === p)?.phase;
  for (let p = 0; p < before.partitions; p++) {
    const [a, b] = [ownersOf(before, p), ownersOf(after, p)];
    const isCopied = phaseOf(before, p) === "copying" && phaseOf(after, p) === "settling";
    for (const { r, w } of [{ r: 2, w: 2 }, { r: 1, w: 3 }, { r: 3, w: 1 }]) {
      const met = (reads: typeof a, writes: typeof a) =>
        meets(r, ids(reads.owners), w, ids(writes.owners)) ||
        writes.others.length > 0 && meets(r, ids(reads.owners), w, ids(writes.others));
      assert(met(a, b), `reads by epoch ${before.epoch}, partition ${p}`);
      assert(met(b, a), `reads by epoch ${after.epoch}, partition ${p}, flipped: ${isCopied}`);
    }
  }
}

Deno.test("moves: no step before who matters has said so", () => {
  const three = [2, 3].reduce((ring, i) => {
    const planned = plan(ring, { kind: "join", member: member(i) });
    assert(planned.ok);
    return finish(planned.begun);
  }, first);
  const planned = plan(three, { kind: "join", member: member(4) });
  assert(planned.ok);
  const { begun } = planned;
  assertEquals(nextRing(begun, new Map()), null);
  assertEquals(nextRing(begun, reports(begun, (one) => one !== id(4))), null);
  // Planted bugs: they step where they must not.
  assert(nextRing(begun, new Map(), { ...MOVES_CORE, isCopied: () => true }) !== null);
  const other = new Map([[id(4), {
    epoch: begun.epoch,
    since: begun.epoch - 1,
    ready: [0, 1, 2, 3, 4, 5, 6, 7],
  }]]);
  assertEquals(nextRing(begun, other), null, "a copy for an earlier change is none for this one");
  const flipped = nextRing(begun, reports(begun, (one) => one === id(4)))!;
  assert(flipped.change!.motions.every(({ phase }) => phase === "settling"));
  const old = new Map(
    [...reports(flipped, () => true)].map(([one, said]) => [one, { ...said, epoch: begun.epoch }]),
  );
  assertEquals(nextRing(flipped, old), null, "nobody has heard of the flip");
  assert(nextRing(flipped, old, { ...MOVES_CORE, isSettled: () => true }) !== null);
  assertEquals(finish(flipped).members.length, 4);
});

Deno.test("moves: one that is gone is neither read nor waited for", () => {
  const ring = [2, 3, 4].reduce((before, i) => {
    const planned = plan(before, { kind: "join", member: member(i) });
    assert(planned.ok);
    return finish(planned.begun);
  }, first);
  const planned = plan(ring, { kind: "force-remove", id: id(2) });
  assert(planned.ok);
  let now = planned.begun;
  for (const { partition } of now.change!.motions) {
    assertEquals(sourcesOf(now, partition, id(9)).includes(id(2)), false);
  }
  while (now.change !== null) now = nextRing(now, reports(now, (one) => one !== id(2)))!;
  assertEquals([now.members.length, now.removed], [3, [id(2)]]);
  const leave = plan(ring, { kind: "leave", id: id(2) });
  assert(leave.ok);
  const settling = nextRing(leave.begun, reports(leave.begun, () => true))!;
  assertEquals(nextRing(settling, reports(settling, (one) => one !== id(2))), null, "it is waited for");
  const given = giveUp(settling, id(2))!;
  assertEquals(nextRing(given, reports(given, (one) => one !== id(2)))?.members.length, 3);
});

Deno.test("moves: one that leaves goes when it says that it holds nothing, having heard that all is at rest", () => {
  const ring = [2, 3, 4].reduce((before, i) => {
    const planned = plan(before, { kind: "join", member: member(i) });
    assert(planned.ok);
    return finish(planned.begun);
  }, first);
  const leave = plan(ring, { kind: "leave", id: id(2) });
  assert(leave.ok);
  let now = leave.begun;
  while (now.change!.motions.length > 0) now = nextRing(now, reports(now, () => true))!;
  assertEquals([checkRing(now), now.change!.leaving, now.members.length], [null, id(2), 4]);
  const says = (part: Partial<MoveReport>) => {
    const all = reports(now, () => true);
    return nextRing(now, all.set(id(2), { ...all.get(id(2))!, ...part }));
  };
  assertEquals(says({ isEmptied: false }), null, "it keeps something");
  assertEquals(says({ epoch: now.epoch - 1 }), null, "it has not heard yet, and may be given more");
  assertEquals(says({})?.members.length, 3);
  assert(nextRing(now, new Map(), { ...MOVES_CORE, isEmptied: () => true }) !== null, "a planted bug");
  // It stays after all, with nothing; what has moved stays where it is.
  const stays = cancelChange(now);
  assert(stays.ok && stays.next.change === null && stays.next.members.length === 4);
  const given = giveUp(now, id(2))!;
  assertEquals(nextRing(given, new Map())?.removed, [id(2)]);
  // One that owns nothing is waited for, too: it may keep hints for others.
  const again = plan(stays.next, { kind: "leave", id: id(2) });
  assert(again.ok);
  assertEquals([again.begun.change?.leaving, again.moves], [id(2), []]);
});

Deno.test("moves: what is cancelled before anything flipped is undone, and who was joining is gone for good", () => {
  const planned = plan(first, { kind: "join", member: member(2) });
  assert(planned.ok);
  const undone = cancelChange(planned.begun);
  assert(undone.ok);
  assertEquals([undone.next.owners, undone.next.removed, undone.next.change], [first.owners, [id(2)], null]);
  const flipped = nextRing(planned.begun, reports(planned.begun, () => true))!;
  const late = cancelChange({ ...flipped, owners: flipped.owners.map((list, p) => p === 0 ? [0] : list) });
  assert(!late.ok && late.code === "too-late");
});

Deno.test("moves: where owners get fewer, those that stay copy from those that go (20068)", () => {
  const three = [2, 3].reduce((ring, i) => {
    const planned = plan(ring, { kind: "join", member: member(i) });
    assert(planned.ok);
    return finish(planned.begun);
  }, first);
  const planned = plan(three, { kind: "leave", id: id(2) });
  assert(planned.ok);
  const { begun } = planned;
  const [motion] = begun.change!.motions;
  assertEquals(incomingOf(begun, motion!), []);
  assertEquals(receiversOf(begun, motion!).sort(), [id(1), id(3)].sort());
  assertEquals(nextRing(begun, reports(begun, (one) => one !== id(3))), null);
});

Deno.test("moves: a change does not wait for a member that is lost meanwhile, whatever its part in it (60093)", () => {
  const ring = [2, 3, 4].reduce((before, i) => {
    const planned = plan(before, { kind: "join", member: member(i) });
    assert(planned.ok);
    return finish(planned.begun);
  }, first);
  const planned = plan(ring, { kind: "join", member: member(5) });
  assert(planned.ok);
  const settling = nextRing(planned.begun, reports(planned.begun, () => true))!;
  const undone = cancelChange(settling);
  assert(undone.ok && undone.next.change !== null);
  const others = (one: string) => one !== id(2);
  assertEquals(nextRing(undone.next, reports(undone.next, others))?.change?.motions.length === 0, false);
  let now = giveUp(undone.next, id(2))!;
  while (now.change !== null) now = nextRing(now, reports(now, others))!;
  assertEquals(now.members.length, 5);
  assert(plan(now, { kind: "force-remove", id: id(2) }).ok);
});

Deno.test("moves: one that joins and is lost meanwhile is not waited for: who stays copies what it was to copy", () => {
  const two = plan(first, { kind: "join", member: member(2) });
  assert(two.ok);
  const three = plan(finish(two.begun), { kind: "join", member: member(3) });
  assert(three.ok);
  // Some partitions have three owners already, so that the others cannot stay with two.
  const some = new Map([[id(3), { epoch: three.begun.epoch, since: three.begun.epoch, ready: [0, 1] }]]);
  let now = nextRing(three.begun, some)!;
  assert(!cancelChange(now).ok);
  now = giveUp(now, id(3))!;
  const copying = now.change!.motions.find(({ phase }) => phase === "copying")!;
  assertEquals(receiversOf(now, copying).sort(), [id(1), id(2)].sort());
  assertEquals(nextRing(now, reports(now, (one) => one === id(1))), null, "the other one has to, too");
  while (now.change !== null) now = nextRing(now, reports(now, (one) => one !== id(3)))!;
  assert(plan(now, { kind: "force-remove", id: id(3) }).ok);
});

Deno.test("moves: where all new owners are lost and an old one is not, a partition stays where it is", () => {
  const one = createRing({ clusterId: id(0), cluster: "c", n: 1, partitions: 8, member: member(1) });
  const planned = plan(one, { kind: "join", member: member(2) });
  assert(planned.ok);
  const now = giveUp(planned.begun, id(2))!;
  assertEquals(nextRing(now, reports(now, (one) => one !== id(2))), null);
  const undone = cancelChange(now);
  assert(undone.ok);
  assertEquals([undone.next.members.length, undone.next.owners], [1, one.owners]);
});
