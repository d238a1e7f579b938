import fc from "fast-check";
import { equalBytes } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { murmur3 } from "../runtime/murmur3.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "../runtime/testing/assert.ts";
import {
  checkRing,
  createRing,
  effectiveQuorum,
  type Member,
  partitionOf,
  preferenceList,
  type Ring,
  underReplicated,
} from "./ring.ts";
import { decodeRing, encodeRing, ringDigest, sameRing } from "./ring_codec.ts";

const id = (i: number) => i.toString(16).padStart(32, "0");

function member(i: number): Member {
  return { id: id(i), address: `127.0.0.1:${3000 + i}`, zone: `z${i % 3}`, weight: 1 };
}

/** Any sound ring: members in a row, owners by rotation. */
const rings: fc.Arbitrary<Ring> = fc.record({
  size: fc.integer({ min: 1, max: 20 }),
  n: fc.integer({ min: 1, max: 5 }),
  partitions: fc.integer({ min: 1, max: 64 }),
  epoch: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  cluster: fc.string({ minLength: 1, maxLength: 30, unit: "grapheme" }),
  removed: fc.uniqueArray(fc.integer({ min: 100, max: 200 }), { maxLength: 5 }),
}).map(({ size, n, partitions, epoch, cluster, removed }) => ({
  clusterId: "ab".repeat(16),
  cluster,
  epoch,
  n,
  partitions,
  members: Array.from({ length: size }, (_, i) => member(i)),
  owners: Array.from(
    { length: partitions },
    (_, p) => Array.from({ length: Math.min(n, size) }, (_, i) => (p + i) % size),
  ),
  removed: removed.map(id).sort(),
  change: null,
}));

Deno.test("ring: partitions are equal slices of the hash space, every key in one", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 65536 }), (key, partitions) => {
      const partition = partitionOf(key, partitions);
      const twin = Number(BigInt(murmur3(key)) * BigInt(partitions) / 2n ** 32n);
      assertEquals(partition, twin);
      assert(partition >= 0 && partition < partitions);
    }),
  );
});

Deno.test("ring: the preference list is the owners, the same array every time", () => {
  fc.assert(fc.property(rings, fc.nat(), (ring, pick) => {
    const partition = pick % ring.partitions;
    const list = preferenceList(ring, partition);
    assertEquals(list, ring.owners[partition]!.map((index) => ring.members[index]!));
    assertStrictEquals(preferenceList(ring, partition), list);
    assertThrows(() => preferenceList(ring, ring.partitions), RangeError);
  }));
});

Deno.test("ring: quorums shrink with the ring, not with who is alive", () => {
  const ring = createRing({ clusterId: id(9), cluster: "c", n: 3, partitions: 4, member: member(1) });
  assertEquals(effectiveQuorum(ring, 3, 2, 2), { n: 1, r: 1, w: 1 });
  assert(underReplicated(ring));
  const three = { ...ring, members: [1, 2, 3].map(member) };
  assertEquals(effectiveQuorum(three, 3, 2, 2), { n: 3, r: 2, w: 2 });
  assert(!underReplicated(three));
});

Deno.test("ring: what is unsound is named", () => {
  const sound = createRing({ clusterId: id(9), cluster: "c", n: 2, partitions: 2, member: member(1) });
  const two: Ring = { ...sound, members: [member(1), member(2)], owners: [[0, 1], [1, 0]] };
  assertEquals([checkRing(sound), checkRing(two)], [null, null]);
  const wrong: [Partial<Ring>, string][] = [
    [{ clusterId: "x" }, "cluster id"],
    [{ cluster: "" }, "cluster name"],
    [{ cluster: "\ud800" }, "cluster name"],
    [{ cluster: "é".repeat(129) }, "cluster name"],
    [{ epoch: 0 }, "epoch"],
    [{ epoch: 2 ** 53 }, "epoch"],
    [{ n: 0 }, "n 0"],
    [{ n: 17 }, "n 17"],
    [{ partitions: 65537 }, "partitions"],
    [{ partitions: 3 }, "owners for 2 of 3"],
    [{ members: [] }, "0 members"],
    [{ members: [member(2), member(1)] }, "sorted"],
    [{ members: [member(1), member(1)] }, "sorted"],
    [{ members: [member(1), { ...member(2), address: member(1).address }] }, "one address"],
    [{ members: [member(1), { ...member(2), address: "" }] }, "address"],
    [{ members: [member(1), { ...member(2), id: "0A".repeat(16) }] }, "hex"],
    [{ members: [member(1), { ...member(2), weight: NaN }] }, "weight"],
    [{ members: [member(1), { ...member(2), weight: 0 }] }, "weight"],
    [{ members: [member(1), { ...member(2), zone: "z".repeat(257) }] }, "zone"],
    [{ owners: [[0, 1], [0]] }, "partition 1 has 1 owners instead of 2"],
    [{ owners: [[0, 1], [0, 2]] }, "no member as owner 2"],
    [{ owners: [[0, 1], [0, 0.5]] }, "no member"],
    [{ owners: [[0, 0], [0, 1]] }, "twice"],
    [{ removed: [id(5), id(4)] }, "removed ids are not sorted"],
    [{ removed: [id(2)] }, "was removed"],
  ];
  for (const [change, words] of wrong) {
    const fault = checkRing({ ...two, ...change });
    assert(fault !== null && fault.includes(words), `${JSON.stringify(change)}: ${fault}`);
  }
  assertThrows(() => createRing({ ...sound, n: 99, member: member(1) }), RangeError, "n 99");
});

Deno.test("ring codec: a ring decodes to itself, and the digest tells rings apart", () => {
  fc.assert(fc.property(rings, (ring) => {
    const bytes = encodeRing(ring);
    const decoded = decodeRing(bytes);
    assert(decoded.ok);
    assertEquals(decoded.ring, ring);
    assert(equalBytes(encodeRing(decoded.ring), bytes));
    assert(sameRing(ring, decoded.ring));
    assertEquals(ringDigest(ring), ringDigest(decoded.ring));
    const other: Ring = { ...ring, members: ring.members.map((m, i) => i === 0 ? { ...m, zone: "new" } : m) };
    assert(!sameRing(ring, other));
  }));
});

Deno.test("FAULTS 41, 56: a damaged or forged ring is refused, whatever was done to it", () => {
  fc.assert(fc.property(rings, fc.nat(), fc.integer({ min: 1, max: 255 }), (ring, where, mask) => {
    const bytes = encodeRing(ring);
    const at = where % bytes.length;
    const flipped = bytes.slice();
    flipped[at]! ^= mask;
    assertEquals(decodeRing(flipped).ok, false);
    assertEquals(decodeRing(bytes.subarray(0, at)).ok, false);
    // A forger gets the checksum right: then the contents must be sound, or are refused; nothing throws.
    new DataView(flipped.buffer).setUint32(bytes.length - 4, crc32c(flipped.subarray(0, -4)));
    const forged = decodeRing(flipped);
    if (forged.ok) assert(equalBytes(encodeRing(forged.ring), flipped), "canonical");
  }));
});

Deno.test("FAULTS 47: a ring in a newer format is refused as such", () => {
  const ring = createRing({ clusterId: id(9), cluster: "c", n: 3, partitions: 4, member: member(1) });
  const bytes = encodeRing(ring);
  bytes[0] = 3;
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32c(bytes.subarray(0, -4)));
  const decoded = decodeRing(bytes);
  assert(!decoded.ok && decoded.code === "newer-format");
});

Deno.test("ring codec: a ring of format 1 is read, and written in the present one", () => {
  fc.assert(fc.property(rings, (ring) => {
    const bytes = encodeRing(ring);
    // Of format 1 there were neither numbers before the lists of owners nor changes.
    const lists = ring.owners.length * (1 + 2 * ring.owners[0]!.length);
    const at = bytes.length - 4 - 1 - lists;
    const owners = ring.owners.flatMap((list) => list.flatMap((owner) => [owner >> 8, owner & 0xff]));
    const old = new Uint8Array([...bytes.subarray(0, at), ...owners, 0, 0, 0, 0]);
    old[0] = 1;
    new DataView(old.buffer).setUint32(old.length - 4, crc32c(old.subarray(0, -4)));
    const decoded = decodeRing(old);
    assert(decoded.ok, JSON.stringify(decoded));
    assertEquals(decoded.ring, ring);
  }));
});

Deno.test("ring: what is unsound about a change is named", () => {
  const members = [1, 2, 3].map(member);
  const seed = createRing({ clusterId: id(9), cluster: "c", n: 2, partitions: 2, member: member(1) });
  const change = {
    ...{ since: 4, joining: id(3), leaving: null, gone: [] as string[] },
    motions: [{ partition: 1, phase: "copying" as const, others: [0, 2] }],
  };
  const moving: Ring = { ...seed, epoch: 5, members, owners: [[0, 1], [1, 0]], change };
  assertEquals(checkRing(moving), null);
  const motion = change.motions[0]!;
  const wrong: [Partial<typeof change>, string][] = [
    [{ since: 6 }, "since epoch 6"],
    [{ joining: id(8) }, "joins and is no member"],
    [{ gone: [id(8)] }, "is gone and was no member"],
    [{ gone: [id(2), id(1)] }, "not sorted"],
    [{ motions: [] }, "nothing to move"],
    [{ motions: [motion, motion] }, "out of order"],
    [{ motions: [{ ...motion, partition: 2 }] }, "out of order"],
    [{ motions: [{ ...motion, others: [0] }] }, "1 owners instead of 2"],
    [{ motions: [{ ...motion, others: [0, 3] }] }, "no member as owner 3"],
  ];
  for (const [part, words] of wrong) {
    const fault = checkRing({ ...moving, change: { ...change, ...part } });
    assert(fault !== null && fault.includes(words), `${JSON.stringify(part)}: ${fault}`);
  }
  const leaving = { ...change, joining: null, leaving: id(2) };
  assertMatch(checkRing({ ...moving, change: leaving })!, /partition 0 stays with the member that leaves/);
  const joined = { ...moving, owners: [[0, 1], [1, 2]] };
  assertMatch(checkRing(joined)!, /was the joining member's before it moved/);
});
