/**
 * The claim: which members own which partitions.
 *
 * # The problem
 *
 * Every partition needs k = min(N, S) owners among S members, and the choice is judged by four things, each
 * deciding only what those before it leave open:
 *
 * 1. the owners of a partition are distinct members;
 * 2. they are spread over the zones as evenly as the zones' sizes allow: all in distinct zones where there are
 *    that many, and never one zone more than another that could still take one;
 * 3. members own partitions in proportion to their weights, as nearly as whole numbers and 1 and 2 allow;
 * 4. as few copies as possible move, compared with the owners there were.
 *
 * # The naive attempt
 *
 * Walk the partitions, give each to the least loaded member that fits, and take from the most loaded when
 * someone new arrives. That is what most Dynamo descendants do. It ends in corners: the last partitions find
 * only members they already have, or zones that are full, and every patch for that (riak_core's claim had
 * three versions, the last a tree search) costs evenness, moves or time, and nobody can say how far from the
 * best the result is.
 *
 * # The idea
 *
 * The choice is a minimum-cost flow, for which exact algorithms have been known since the 1950s. k units flow
 * from the source into every partition, on through one of the partition's zones, to a member, at most one
 * unit from a partition to a member (1), and to the sink. An arc costs 0 where the member owned the partition
 * before and 1 where it did not (4). Zones take between `least` and `most` owners of a partition (2), members
 * between `least` and `most` partitions in all (3), and integral capacities give integral flows.
 *
 * What remains is to say what (3) allows. The numbers of partitions that members can have at all are those
 * with sum Qk, no more than Q for a member, and Q times `least` to Q times `most` for a zone: the integral
 * points of a base polytope (the partitions' laminar matroids added up). On such a polytope a separable
 * convex function is minimised by a greedy walk (Federgruen and Groenevelt, "The Greedy Procedure for
 * Resource Allocation Problems", 1986): hand out partitions one by one, each to the member where (2c + 1) /
 * weight is least, c being what it has so far. That minimises the sum of c^2 / weight, is Webster's method of
 * sharing seats among parties, and gives numbers at most one apart where weights are equal and zones do not
 * bind. Members that were only a tie short of one more may be given it, or miss their last, whichever moves
 * less: that is the play between a member's `least` and `most`.
 *
 * Owners of one partition are ordered by a hash of member and partition (Thaler and Ravishankar, "Using
 * Name-Based Mappings to Increase Hit Rates", 1998), so that everyone comes first equally often and two
 * members never change places.
 *
 * @module
 */

import type { NodeId } from "../replica_store/protocol.ts";
import { encodeUtf8 } from "../runtime/bytes.ts";
import { murmur3 } from "../runtime/murmur3.ts";
import { Flow } from "./flow.ts";
import type { Member } from "./ring.ts";

/** An assignment: the members, and per partition the owners as indexes into them. */
export interface Ownership {
  /** The members, sorted by id. */
  readonly members: readonly Member[];
  /** Per partition, the owners. */
  readonly owners: readonly (readonly number[])[];
}

/** What is to be shared among whom. */
export interface ClaimInput {
  /** The members, sorted by id, at least one. */
  readonly members: readonly Member[];
  /** Partitions to assign. */
  readonly partitions: number;
  /** Owners wanted per partition; there will be min(n, members). */
  readonly n: number;
  /** Who owned what before; absent: nobody. Members that are gone, or have no id in common, keep nothing. */
  readonly previous?: Ownership;
}

/** From `least` to `most`, both included. */
type Range = { readonly least: number; readonly most: number };

/**
 * The best owners of every partition, in preference order, as indexes into `members`. The same input gives
 * the same output.
 *
 * @example
 * ```ts
 * import { claim } from "./claim.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const member = (id: string) => ({ id: id.repeat(32), address: `${id}:3001`, zone: "default", weight: 1 });
 * const members = ["a", "b", "c"].map(member);
 * const owners = claim({ members, partitions: 6, n: 2 });
 * assertEquals([0, 1, 2].map((m) => owners.filter((list) => list.includes(m)).length), [4, 4, 4]);
 *
 * // A fourth member takes three copies, and nothing else moves.
 * const more = [...members, member("d")];
 * const after = claim({ members: more, partitions: 6, n: 2, previous: { members, owners } });
 * const moved = after.flatMap((list, p) => list.filter((m) => !owners[p]!.includes(m)));
 * assertEquals(moved, [3, 3, 3]);
 * ```
 */
export function claim(input: ClaimInput): number[][] {
  const { members } = input;
  if (members.length === 0) throw new RangeError("claim: no members");
  const copies = Math.min(input.n, members.length);
  const zones = zonesOf(members);
  const spread = spreadOver(zones.map((zone) => zone.length), copies);
  const counts = shareOut(input, copies, zones, spread);
  const owners = assign(input, copies, zones, rangesAround(input, counts, zones, spread));
  sortByPreference(owners, members);
  return owners;
}

/** How many copies exist in `after` that were not there `before`. */
export function countMoves(before: Ownership, after: Ownership): number {
  const kept = keptBy(after.members, before);
  let moves = 0;
  for (let p = 0; p < after.owners.length; p++) {
    for (const member of after.owners[p]!) if (!kept[p]?.has(member)) moves++;
  }
  return moves;
}

/** Members by zone, as indexes; zones in the order in which they first come. */
function zonesOf(members: readonly Member[]): number[][] {
  const zones = new Map<string, number[]>();
  members.forEach(({ zone }, index) => {
    const known = zones.get(zone);
    if (known === undefined) zones.set(zone, [index]);
    else known.push(index);
  });
  return [...zones.values()];
}

/**
 * How many owners of one partition each zone may have, when owners are dealt to the zones in rounds, one to
 * each that has a member left, until there are enough: all rounds but the last are full.
 */
function spreadOver(sizes: readonly number[], copies: number): Range[] {
  let rounds = 0;
  let dealt = 0;
  while (dealt < copies) {
    rounds++;
    dealt += sizes.filter((size) => size >= rounds).length;
  }
  // An exact deal leaves no play: every zone then has its most.
  const play = dealt === copies ? 0 : 1;
  return sizes.map((size) => ({ least: Math.min(size, rounds - play), most: Math.min(size, rounds) }));
}

/** Partitions that each member may own, and owners that one partition may have in each zone. */
type Shares = { readonly members: readonly Range[]; readonly spread: readonly Range[] };

/** Where a zone's members stand after the greedy walk. */
interface Margin {
  /** The partitions its members have. */
  readonly total: number;
  /** The dearest partition one of them has. */
  readonly last: number;
  /** The cheapest that one of them could have next. */
  readonly next: number;
}

/** What partition number `count` + 1 costs a member. */
function price(count: number, { weight }: Member): number {
  return (2 * count + 1) / weight;
}

/** How many partitions each member has after the greedy walk of the essay, (3). */
function shareOut(
  input: ClaimInput,
  copies: number,
  zones: readonly number[][],
  spread: readonly Range[],
): number[] {
  const { members, partitions } = input;
  const counts = new Array<number>(members.length).fill(0);
  const totals = new Array<number>(zones.length).fill(0);
  // Copies not yet handed out that no zone needs to reach its least.
  let spare = partitions * (copies - spread.reduce((sum, { least }) => sum + least, 0));
  for (let left = partitions * copies; left > 0; left--) {
    let best = -1;
    let bestZone = -1;
    let bestPrice = Infinity;
    for (let z = 0; z < zones.length; z++) {
      const { least, most } = spread[z]!;
      if (totals[z]! >= partitions * (spare > 0 ? most : least)) continue;
      for (const member of zones[z]!) {
        const cost = price(counts[member]!, members[member]!);
        if (counts[member]! === partitions || cost >= bestPrice) continue;
        [best, bestZone, bestPrice] = [member, z, cost];
      }
    }
    if (totals[bestZone]! >= partitions * spread[bestZone]!.least) spare--;
    counts[best]!++;
    totals[bestZone]!++;
  }
  return counts;
}

/**
 * All choices that are as even as `counts`. One partition more or less is free for those whose price is the
 * going one, the multiplier of the constraint that everything be handed out. A zone whose members all pay
 * less is full in every such choice, one whose members all pay more has its least in every one; within it the
 * going price is its own.
 */
function rangesAround(
  { members, partitions }: ClaimInput,
  counts: readonly number[],
  zones: readonly number[][],
  spread: readonly Range[],
): Shares {
  const last = (member: number) =>
    counts[member] === 0 ? -Infinity : price(counts[member]! - 1, members[member]!);
  const next = (member: number) =>
    counts[member] === partitions ? Infinity : price(counts[member]!, members[member]!);
  const margins: Margin[] = zones.map((zone) => ({
    total: zone.reduce((sum, member) => sum + counts[member]!, 0),
    last: Math.max(...zone.map(last)),
    next: Math.min(...zone.map(next)),
  }));
  const growing = margins.filter(({ total }, z) => total < partitions * spread[z]!.most);
  const shrinking = margins.filter(({ total }, z) => total > partitions * spread[z]!.least);
  const going = growing.length > 0
    ? Math.min(...growing.map((margin) => margin.next))
    : Math.max(0, ...shrinking.map((margin) => margin.last));
  const ranges = new Array<Range>(members.length);
  const fixed = zones.map((zone, z) => {
    const margin = margins[z]!;
    const own = Math.min(Math.max(going, margin.last), margin.next);
    for (const member of zone) {
      const count = counts[member]!;
      ranges[member] = {
        least: last(member) === own ? count - 1 : count,
        most: next(member) === own ? count + 1 : count,
      };
    }
    const { least, most } = spread[z]!;
    return own < going ? { least: most, most } : own > going ? { least, most: least } : { least, most };
  });
  return { members: ranges, spread: fixed };
}

/** The flow of the essay: owners per partition, in no particular order. */
function assign(input: ClaimInput, copies: number, zones: readonly number[][], shares: Shares): number[][] {
  const { members, partitions } = input;
  const kept = input.previous === undefined ? [] : keptBy(members, input.previous);
  // Nodes: source, sink, members, then per partition itself and its zones.
  const [source, sink, firstMember, firstPartition] = [0, 1, 2, 2 + members.length];
  const stride = 1 + zones.length;
  const flow = new Flow(
    firstPartition + stride * partitions,
    2 * members.length + partitions * (1 + 2 * zones.length + members.length),
  );
  // What lies above a `least` costs more than all moves together, so that every `least` is met first.
  const above = 1 + partitions * copies;
  const between = (from: number, to: number, { least, most }: Range) => {
    if (least > 0) flow.arc(from, to, least, 0);
    if (most > least) flow.arc(from, to, most - least, above);
  };
  shares.members.forEach((range, member) => between(firstMember + member, sink, range));
  const arcs: { partition: number; member: number; arc: number }[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const node = firstPartition + stride * partition;
    flow.arc(source, node, copies, 0);
    zones.forEach((zone, z) => {
      between(node, node + 1 + z, shares.spread[z]!);
      for (const member of zone) {
        const cost = kept[partition]?.has(member) ? 0 : 1;
        arcs.push({ partition, member, arc: flow.arc(node + 1 + z, firstMember + member, 1, cost) });
      }
    });
  }
  if (flow.send(source, sink) !== partitions * copies) throw new Error("claim: no assignment");
  const owners: number[][] = Array.from({ length: partitions }, () => []);
  for (const { partition, member, arc } of arcs) if (flow.carried(arc) === 1) owners[partition]!.push(member);
  return owners;
}

/** Per partition, those of `members` that owned it before. */
function keptBy(members: readonly Member[], previous: Ownership): Set<number>[] {
  const indexes = new Map<NodeId, number>(members.map(({ id }, index) => [id, index]));
  return previous.owners.map((owners) => {
    const kept = new Set<number>();
    for (const owner of owners) {
      const index = indexes.get(previous.members[owner]!.id);
      if (index !== undefined) kept.add(index);
    }
    return kept;
  });
}

/** Put each partition's owners in order of a hash of partition and owner, the greatest first. */
function sortByPreference(owners: readonly number[][], members: readonly Member[]): void {
  const ids = members.map(({ id }) => encodeUtf8(id));
  owners.forEach((list, partition) => {
    const hash = new Map(list.map((member) => [member, murmur3(ids[member]!, partition)]));
    list.sort((a, b) => hash.get(b)! - hash.get(a)! || a - b);
  });
}
