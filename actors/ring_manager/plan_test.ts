import fc from "fast-check";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { type Change, isColocated, plan } from "./plan.ts";
import { checkRing, createRing, type Member, type Ring } from "./ring.ts";

const id = (i: number) => (i * 2654435761 >>> 0).toString(16).padStart(32, "0");

function member(i: number, zone = i % 3): Member {
  return { id: id(i), address: `10.0.0.${i}:3001`, zone: `z${zone}`, weight: 1 };
}

const first = createRing({ clusterId: id(0), cluster: "c", n: 3, partitions: 32, member: member(1) });

function apply(ring: Ring, change: Change) {
  const planned = plan(ring, change);
  assert(planned.ok, JSON.stringify(planned));
  return planned;
}

function grown(size: number): Ring {
  let ring = first;
  for (let i = 2; i <= size; i++) ring = apply(ring, { kind: "join", member: member(i) }).next;
  return ring;
}

function code(ring: Ring, change: Change): string {
  const planned = plan(ring, change);
  return planned.ok ? "ok" : planned.code;
}

Deno.test("plan: any row of changes keeps the ring sound, and moves lead from one ring to the next", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(3), fc.nat(), fc.integer({ min: 2, max: 30 })), { maxLength: 25 }),
      (steps) => {
        let ring = first;
        for (const [kind, pick, i] of steps) {
          const victim = ring.members[pick % ring.members.length]!.id;
          const changes: Change[] = [
            { kind: "join", member: member(i) },
            { kind: "leave", id: victim },
            { kind: "replace", id: victim, member: member(i) },
            { kind: "force-remove", id: victim },
          ];
          const planned = plan(ring, changes[kind]!);
          if (!planned.ok) continue;
          const { next, moves } = planned;
          assertEquals(checkRing(next), null);
          assertEquals(next.epoch, ring.epoch + 1);
          if (kind > 0) {
            assert(next.removed.includes(victim) && !next.members.some((m) => m.id === victim));
          }
          const holders = ring.owners.map((list) => new Set(list.map((o) => ring.members[o]!.id)));
          for (const { partition, from, to } of moves) {
            if (from !== null) assert(holders[partition]!.delete(from));
            holders[partition]!.add(to);
          }
          next.owners.forEach((list, p) => {
            for (const o of list) assert(holders[p]!.has(next.members[o]!.id), "an owner without a copy");
          });
          ring = next;
        }
      },
    ),
  );
});

Deno.test("plan: a replacement takes over exactly what was there", () => {
  const ring = grown(7);
  const gone = ring.members[2]!;
  const { next, moves } = apply(ring, {
    kind: "replace",
    id: gone.id,
    member: member(50, Number(gone.zone[1])),
  });
  const owned = ring.owners.filter((list) => list.includes(2)).length;
  assertEquals(moves.length, owned);
  assert(moves.every(({ from, to }) => from === gone.id && to === id(50)));
  assertEquals(next.removed, [gone.id]);
});

Deno.test("plan: a join moves its fair share and nothing else", () => {
  const { moves, next } = apply(grown(6), { kind: "join", member: member(7) });
  const index = next.members.findIndex((m) => m.id === id(7));
  assertEquals(moves.length, next.owners.filter((list) => list.includes(index)).length);
  assert(moves.every(({ to, from }) => to === id(7) && from !== null));
});

Deno.test("plan: senseless changes are refused with a reason", () => {
  const ring = apply(grown(4), { kind: "leave", id: id(4) }).next;
  assertEquals(code(ring, { kind: "join", member: member(2) }), "already-member");
  assertEquals(code(ring, { kind: "replace", id: id(1), member: member(2) }), "already-member");
  assertEquals(
    code(ring, { kind: "join", member: { ...member(9), address: member(2).address } }),
    "address-taken",
  );
  assertEquals(
    code(ring, {
      kind: "replace",
      id: id(2),
      isGone: true,
      member: { ...member(9), address: member(2).address },
    }),
    "ok",
  );
  assertEquals(
    code(ring, { kind: "replace", id: id(2), member: { ...member(9), address: member(2).address } }),
    "address-taken",
  );
  const begun = apply(ring, { kind: "join", member: member(9) }).begun;
  assertEquals(code(begun, { kind: "leave", id: id(2) }), "change-under-way");
  assertEquals(code(ring, { kind: "leave", id: id(9) }), "not-a-member");
  assertEquals(code(ring, { kind: "force-remove", id: id(9) }), "not-a-member");
  assertEquals(code(ring, { kind: "join", member: { ...member(9), weight: 0 } }), "bad-member");
  assertEquals(code(first, { kind: "leave", id: id(1) }), "last-member");
  const wide = createRing({ ...first, partitions: 65536, member: member(1) });
  const members = Array.from({ length: 64 }, (_, i) => member(i + 1)).sort((a, b) => a.id < b.id ? -1 : 1);
  assertEquals(code({ ...wide, members }, { kind: "join", member: member(99) }), "too-large");
});

Deno.test("FAULTS 57: a removed node returns: refused", () => {
  for (const kind of ["leave", "force-remove"] as const) {
    const ring = apply(grown(4), { kind, id: id(4) }).next;
    assertEquals(code(ring, { kind: "join", member: member(4) }), "was-removed");
    assertEquals(code(ring, { kind: "replace", id: id(2), member: member(4) }), "was-removed");
  }
});

Deno.test("plan: what the next ring falls short of is said", () => {
  assertEquals(apply(first, { kind: "join", member: member(2) }).violations, [
    { code: "under-replicated", members: 2, n: 3 },
  ]);
  assertEquals(apply(grown(2), { kind: "join", member: member(3) }).violations, []);
  assertEquals(apply(grown(2), { kind: "join", member: member(3, 1) }).violations, [
    { code: "too-few-zones", zones: 2, n: 3 },
  ]);
});

Deno.test("plan: replicas are never put together while there are zones enough", () => {
  const members = [1, 2, 3].map((i) => member(i));
  assert(!isColocated({ members, owners: [[0, 1, 2], [2, 1]] }));
  assert(isColocated({ members: [...members, member(4)], owners: [[0, 1, 2], [0, 3, 1]] }));
  assert(!isColocated({ members: members.map((one) => ({ ...one, zone: "z" })), owners: [[0, 1, 2]] }));
});
