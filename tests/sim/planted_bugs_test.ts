/**
 * Checkers that never find anything prove nothing. Here known mistakes are put into a cluster, one at a time, by
 * substituting a pure function, and the seeds that the honest cluster passes must convict each of them.
 *
 * @module
 */

import { ReadQuorum } from "../../actors/coordinator/read_quorum.ts";
import { WriteQuorum } from "../../actors/coordinator/write_quorum.ts";
import { merge, mint, type StoredObject } from "../../actors/replica_store/object.ts";
import type { NodeId, ReadAnswer } from "../../actors/replica_store/protocol.ts";
import { assert, assertEquals } from "../../actors/runtime/testing/assert.ts";
import { type ScenarioOptions, simulate } from "./scenario.ts";

/** Seeds that a bug has to show itself in. */
const SEEDS = 30;

/** Answers with the first reply alone instead of with all of them merged. */
class FirstReply extends ReadQuorum {
  #first: StoredObject | null | undefined;

  override add(replica: NodeId, answer: ReadAnswer): void {
    super.add(replica, answer);
    if (answer.ok && this.#first === undefined) this.#first = super.response();
  }

  override response(): StoredObject | null {
    return this.#first ?? null;
  }
}

/** A deleted key remembers that it is deleted, and no longer what was. */
function forgetful(object: StoredObject): StoredObject {
  if (!object.siblings.every(({ tombstone }) => tombstone)) return object;
  const clock = object.clock.flatMap(({ actor }) => {
    const counters = object.siblings.filter(({ dot }) => dot.actor === actor).map(({ dot }) => dot.counter);
    return counters.length === 0 ? [] : [{ actor, counter: Math.max(...counters) }];
  });
  return { ...object, clock };
}

function mintForgetful(
  local: StoredObject | null,
  write: Parameters<typeof mint>[1],
): ReturnType<typeof mint> {
  const outcome = mint(local, write);
  return outcome.ok ? { ...outcome, object: forgetful(outcome.object) } : outcome;
}

function mintAlone(local: StoredObject | null, write: Parameters<typeof mint>[1]): ReturnType<typeof mint> {
  const outcome = mint(local, write);
  if (!outcome.ok) return outcome;
  const siblings = outcome.object.siblings.filter(({ dot }) => dot.actor === write.dot.actor)
    .filter(({ dot }) => dot.counter === write.dot.counter);
  return siblings.length === 0 ? outcome : { ...outcome, object: { ...outcome.object, siblings } };
}

function mergeWithoutClock(a: StoredObject, b: StoredObject): StoredObject {
  const merged = merge(a, b);
  const known = [...a.siblings, ...b.siblings];
  const missing = known.filter(({ dot }, index) =>
    known.findIndex((other) => other.dot.actor === dot.actor && other.dot.counter === dot.counter) === index
  );
  const byDot = (x: typeof known[number], y: typeof known[number]) =>
    x.dot.actor < y.dot.actor ? -1 : x.dot.actor > y.dot.actor ? 1 : x.dot.counter - y.dot.counter;
  return { ...merged, siblings: missing.sort(byDot) };
}

/**
 * Every other value that one node mints is damaged in memory after its writer's CRC was checked. That of one node
 * only: of a key whose every copy is damaged there is nothing left to repair it from.
 */
function damagingMint(): typeof mint {
  let count = 0;
  let culprit: string | null = null;
  return (local, write) => {
    culprit ??= write.dot.actor;
    if (write.dot.actor !== culprit || write.value === null || ++count % 2 > 0) return mint(local, write);
    const value = write.value.slice();
    value[0]! ^= 1;
    return mint(local, { ...write, value });
  };
}

const PLANTED: Readonly<Record<string, () => ScenarioOptions>> = {
  "acknowledges before W replicas have it": () => ({
    cores: { coordinator: { writeQuorum: (options) => new WriteQuorum({ ...options, needed: 1 }) } },
  }),
  "answers before R replicas have": () => ({
    cores: { coordinator: { readQuorum: (options) => new ReadQuorum({ ...options, needed: 1 }) } },
  }),
  "answers with one reply instead of merging": () => ({
    cores: { coordinator: { readQuorum: (options) => new FirstReply(options) } },
  }),
  "drops the context": () => ({ cores: { replicaStore: { decodeContext: () => [] } } }),
  "sends the new version alone": () => ({ cores: { replicaStore: { mint: mintAlone } } }),
  "merges without the clock": () => ({ cores: { replicaStore: { merge: mergeWithoutClock } } }),
  "the last merge wins": () => ({ cores: { replicaStore: { merge: (_, incoming) => incoming } } }),
  "forgets what a tombstone replaced": () => ({
    cores: { replicaStore: { mint: mintForgetful, merge: (a, b) => forgetful(merge(a, b)) } },
  }),
  "does not check the CRC": () => ({
    cores: { replicaStore: { mint: damagingMint(), verifyValues: () => true } },
  }),
  "acknowledges before the sync": () => ({ node: { storage: { sync: "never" } } }),
  "uses an actor id again": () => ({ cores: { replicaStore: { newActorId: (_, node) => node } } }),
};

Deno.test("every planted bug is caught by what clients see", async (t) => {
  const table: string[] = [];
  for (const [bug, plant] of Object.entries(PLANTED)) {
    await t.step(bug, async () => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { violations } = await simulate(seed, plant());
        const [first] = violations;
        if (first === undefined) continue;
        table.push(`  ${bug.padEnd(44)} seed ${String(seed).padStart(2)}: ${first.checker}`);
        return;
      }
      table.push(`  ${bug.padEnd(44)} not caught`);
      assert(false, `${SEEDS} seeds did not catch it`);
    });
  }
  Deno.stdout.writeSync(new TextEncoder().encode(`${table.join("\n")}\n`));
});

Deno.test("without a planted bug damaged memory is neither served nor in the way", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { violations } = await simulate(seed, { cores: { replicaStore: { mint: damagingMint() } } });
    const served = violations.filter(({ checker }) => /nobody wrote|unreadable/.test(checker));
    assertEquals(served, []);
  }
});
