/**
 * Checkers of what is left once everything has healed: invariants 4, 5, the second half of 6 and of 7 (DESIGN,
 * section 9). Nodes are asked through the doors that operators use, and none is believed for being asked first.
 *
 * @module
 */

import { describe } from "../history.ts";
import type { Case } from "./case.ts";
import type { NodeView, ReplicaState, Violation } from "./evidence.ts";

/** States in which a node does all that it can do in its cluster. */
const SERVING = "serving";
const UNDER_REPLICATED = "under-replicated";

/** Messages that may be waiting, and clients connected, just then: those of whoever is looking. */
const FEW = 8;

/**
 * Invariant 4: all N replicas of a key are there, can say what they hold, and hold the same: clock, siblings and
 * tombstones. Every key was read from all replicas before, so repair had its occasion. That they need no occasion is
 * {@link treesAgree}'s.
 */
export function replicasAgree({ ending, keys, replicas }: Case): Violation[] {
  const violations: Violation[] = [];
  const states = Map.groupBy(ending.replicas, ({ key }) => key);
  for (const key of keys.keys()) {
    const some = states.get(key) ?? [];
    const say = (checker: string) => violations.push({ checker, key, detail: some.map(inWords).join("; ") });
    if (new Set(some.map(({ node }) => node)).size !== replicas) say(`not ${replicas} replicas`);
    if (some.some(({ answer }) => answer !== "found" && answer !== "missing")) say("a replica cannot say");
    if (new Set(some.map(contentOf)).size > 1) say("replicas differ");
  }
  return violations;
}

/**
 * Invariant 4: within a bounded time after faults healed, all owners of a partition hold equal trees, though nobody
 * read anything. And a tree stands for what is held: a node that ever found one of its own to be wrong had a bug, even
 * if that was mended.
 */
export function treesAgree({ ending, replicas }: Case): Violation[] {
  const { nodes, trees } = ending;
  const violations: Violation[] = [];
  for (const view of nodes) {
    const { wrong } = view.status.store.trees;
    if (wrong > 0) violations.push({ checker: "a hash tree was wrong", detail: `${nameOf(view)}: ${wrong}` });
  }
  // A node that shares its partitions with nobody has nobody to agree with.
  const partitions = trees === undefined || replicas === 1 ? 0 : nodes[0]?.ring.owners.length ?? 0;
  const owners = Map.groupBy(trees ?? [], ({ partition }) => partition);
  for (let partition = 0; partition < partitions; partition++) {
    const states = owners.get(partition) ?? [];
    const detail = `partition ${partition}: ` +
      states.map(({ node, keys, digest }) => `${short(node)} ${keys} keys ${digest}`).join("; ");
    const say = (checker: string) => violations.push({ checker, detail });
    if (states.length !== replicas) say(`not ${replicas} hash trees`);
    if (states.some(({ digest }) => digest === null)) say("an owner does not know its hash tree");
    if (new Set(states.map(({ digest }) => digest)).size > 1) say("hash trees differ");
  }
  return violations;
}

/**
 * Invariants 2, 4 and 6: replicas hold what the last read of all of them showed, byte for byte as far as sizes tell,
 * no more tombstones than there were deletes that may have happened, and only siblings that their clock knows of.
 *
 * Assumes that nothing was written since that read. Collection of tombstones takes nothing from this: it bounds
 * them from above.
 */
export function replicasHoldWhatIsRead({ ending, keys }: Case): Violation[] {
  const states = Map.groupBy(ending.replicas, ({ key }) => key);
  return [...states].flatMap(([key, replicas]) => {
    const { reads = [], writes = [] } = keys.get(key) ?? {};
    const last = reads.findLast(({ isFinal }) => isFinal);
    const shown = last && inOrder(last.values.map((value) => sizeOf(value)));
    const deletes = writes.filter(({ kind, outcome }) => kind === "del" && outcome !== "failed").length;
    return replicas.flatMap((replica) => {
      const wrong: string[] = [];
      const { version, siblings } = replica;
      const held = siblings.filter(({ tombstone }) => !tombstone).map(({ sizeBytes }) => sizeBytes);
      if (shown !== undefined && shown !== inOrder(held)) {
        wrong.push("a replica holds other than what is read");
      }
      if (siblings.length - held.length > deletes) wrong.push("more tombstones than deletes");
      const counters = version.map(counted);
      const isKnown = ([actor, counter]: Counted) => counters.some(([a, c]) => a === actor && c >= counter);
      if (!siblings.every(({ dot }) => isKnown(counted(dot)))) wrong.push("a clock lacks a sibling");
      return wrong.map((checker) => ({
        checker,
        key,
        detail: `${inWords(replica)}; ${last ? describe(last) : "never read"}; ${deletes} deletes`,
      }));
    });
  });
}

/**
 * Invariant 5: every member has the same ring, of the same cluster, with the same members, each of them was asked,
 * each is alive in everyone's eyes, and every partition has N distinct owners, or all members where they are fewer.
 * Owners are compared one by one, not believed for having one checksum.
 *
 * Assumes that membership changes were over when the faults healed, and the bounded time for gossip and for the
 * failure detectors to hear of each other has passed. That every partition has its owners at all times, while the
 * ring changes too, is not visible from here: `plan_test.ts` and `commit_test.ts` hold that, and a history feels it
 * when a write cannot find W replicas.
 */
export function ringIsAgreed({ ending: { nodes }, members, replicas }: Case): Violation[] {
  const violations: Violation[] = [];
  const say = (checker: string, detail: string) => violations.push({ checker, detail });
  if (nodes.length === 0) say("nobody was asked", "no node says anything of itself");
  const rings = nodes.map((view) => [nameOf(view), ringOf(view)] as const);
  if (new Set(rings.map(([, ring]) => ring)).size > 1) {
    say("nodes differ about the ring", rings.map(([node, ring]) => `${node}: ${ring}`).join("; "));
  }
  const asked = nodes.map(({ status }) => status.node).sort().join();
  for (const view of nodes) {
    const { state, ring } = view;
    const ids = state.members.map(({ id }) => id).sort();
    if (ids.join() !== asked) say("members are not those that serve", `${nameOf(view)}: ${ids.map(short)}`);
    const lost = state.members.filter(({ liveness }) => liveness !== "alive");
    for (const { id, liveness } of lost) {
      say("a member is not alive in another's eyes", `${nameOf(view)}: ${short(id)} is ${liveness}`);
    }
    const bad = ring.owners.findIndex((owners) =>
      new Set(owners).size !== replicas || owners.length !== replicas ||
      owners.some((owner) => ring.members[owner] === undefined)
    );
    if (bad >= 0) {
      const owners = `${ring.owners[bad]} of ${members} members`;
      say(`a partition has not ${replicas} owners`, `${nameOf(view)}: partition ${bad}: ${owners}`);
    }
    if (state.quorum.n !== replicas) {
      say(`a key has not ${replicas} replicas`, `${nameOf(view)} says ${state.quorum.n}`);
    }
  }
  return violations;
}

/**
 * Invariant 6: after healing every store takes writes and is whole. So damage that was found has been repaired from
 * the others, and what was acknowledged by a store that lost it is there again. What was found wrong in memory or on
 * the way (an alarm: a value that fails its CRC, a version that nobody made) has a cause: there is none when no disk
 * lost anything.
 *
 * Damage that nobody met is not seen from here. A read that meets it shows it in {@link replicasAgree}, or as a value
 * that nobody wrote. Hash trees and scrubbing (issue 5) will meet the rest; then `damage` has to account for every
 * record that was harmed.
 */
export function nodesAreSound({ ending: { nodes }, losses, members, n }: Case): Violation[] {
  const violations: Violation[] = [];
  for (const view of nodes) {
    const { state, store } = view.status;
    const say = (checker: string, detail: string) =>
      violations.push({ checker, detail: `${nameOf(view)}: ${detail}` });
    if (state !== (members < n ? UNDER_REPLICATED : SERVING)) {
      say("a node does not serve after healing", state);
    }
    if (store.notWhole > 0) say("a store is not whole after healing", `${store.notWhole} partitions`);
    const { refusing } = store.engine;
    if (refusing !== null) say("a store takes no writes after healing", refusing);
    if (store.alarms > 0 && !losses) say("an alarm without a cause", `${store.alarms}`);
  }
  return violations;
}

/**
 * Invariant 7: with all calls ended nothing is under way any more, nobody waits in a mailbox, and what could pile up
 * has not: connections, keys, and entries of version vectors. A vector has one entry for each actor that wrote the
 * key, and a store takes a new actor id when it starts; where disks lose what they held, also when it finds that out.
 *
 * Assumes that nobody but the checker is a client by then. How much waited while faults were on is not visible from
 * here: mailboxes are bounded where they are made, `mailbox_test.ts`, and hint stores in `hints_test.ts`. Hints have
 * been given back by then, and take no room any more: everybody they are for is there. Work in the background has been
 * paid for, but for a little that goes on for ever.
 */
export function nothingPilesUp(
  { ending: { nodes, replicas }, keys, losses, members, starts }: Case,
): Violation[] {
  const violations: Violation[] = [];
  for (const view of nodes) {
    const { coordinator, actors, connections, store, hints, background } = view.status;
    const say = (checker: string, detail: string) =>
      violations.push({ checker, detail: `${nameOf(view)}: ${detail}` });
    if (coordinator.inFlight > 0) say("requests are under way after all ended", `${coordinator.inFlight}`);
    if (hints.count > 0) say("hints are not given back", `${hints.count}`);
    else if (hints.bytes > 0) say("room is kept for hints that are gone", `${hints.bytes} bytes`);
    if (background.waiting > FEW) say("work in the background piles up", `${background.waiting} wait`);
    for (const { name, waiting } of actors) {
      if (waiting > FEW) say("a mailbox does not empty", `${name}: ${waiting} messages`);
    }
    if (connections.clients > FEW) say("connections pile up", `${connections.clients} clients`);
    if (connections.peers >= members) say("connections pile up", `${connections.peers} peers`);
    if (store.engine.keys > keys.size) say("more keys than were ever written", `${store.engine.keys}`);
  }
  const writers = new Set(replicas.flatMap(({ version }) => version.map((entry) => counted(entry)[0])));
  const most = starts * (losses ? 2 : 1);
  if (writers.size > most) {
    const detail = `${writers.size} actors in version vectors, ${starts} starts`;
    violations.push({ checker: "version vectors grow", detail });
  }
  return violations;
}

type Counted = readonly [actor: string, counter: number];

/** `actor:counter`. */
function counted(entry: string): Counted {
  const [actor = "", counter] = entry.split(":");
  return [actor, Number(counter)];
}

const UTF8 = new TextEncoder();

function sizeOf(value: string): number {
  return UTF8.encode(value).length;
}

function inOrder(sizes: readonly number[]): string {
  return [...sizes].sort((a, b) => a - b).join();
}

function contentOf({ version, siblings }: ReplicaState): string {
  return JSON.stringify([version, siblings]);
}

function inWords({ node, answer, version, siblings }: ReplicaState): string {
  const each = siblings.map(({ dot, sizeBytes, tombstone }) =>
    `${dot} ${tombstone ? "tombstone" : sizeBytes}`
  );
  return `${short(node)} ${answer} (${version}) [${each.join(", ")}]`;
}

function ringOf({ state, ring }: NodeView): string {
  const { clusterId, ring: { epoch, checksum }, members } = state;
  const own = ring.epoch === epoch && ring.checksum === checksum ? "" : ` but shows ${ring.epoch}`;
  const owners = ring.owners.map((owners) => owners.map((index) => short(ring.members[index]?.id ?? "?")));
  return `cluster ${short(clusterId)} epoch ${epoch}${own} checksum ${checksum} members ${
    members.map(({ id }) => short(id)).sort()
  } owners ${owners.map((some) => some.join("+"))}`;
}

function nameOf({ status }: NodeView): string {
  return short(status.node);
}

function short(id: string): string {
  return id.slice(0, 8);
}
