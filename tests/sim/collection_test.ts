/**
 * Tombstones go once nothing older can come back (FAULTS 61), and nothing does (Riak's doomstone).
 *
 * @module
 */

import { COLLECTOR_CORE } from "../../actors/repair/collection_core.ts";
import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assert, assertEquals, assertMatch, fail } from "../../actors/runtime/testing/assert.ts";
import type { Client } from "../../net/client.ts";
import type { NodeCores } from "../../net/node.ts";
import { failureOf, machine, onStage, others, replicasOf, type Stage } from "./stage.ts";

/** Rounds that come often, and do not wait for requests that these tests do not make. */
const SOON: NodeCores = { collector: { everyMs: () => 500, waitMs: () => 2_000 } };
const NODES = 3;

const client = ({ cluster }: Stage, index = 0): Promise<Client> => cluster.connect({ to: [index] });

/** How many replicas hold anything under a key. */
async function held(one: Client, key: string): Promise<number> {
  const { replicas } = await one.admin("explain", { key: encodeUtf8(key), timeoutMs: 1_000 });
  return replicas.filter(({ answer }) => answer !== "missing").length;
}

/** Write keys and delete them with what was read. */
async function bury(one: Client, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await one.put(key, `old ${key}`, { w: 3 });
    const { context } = await one.get(key, { r: 3 });
    await one.del(key, { context });
  }
}

const KEYS = Array.from({ length: 10 }, (_, n) => `k${n}`);

async function areGone(one: Client, keys: readonly string[]): Promise<boolean> {
  for (const key of keys) if (await held(one, key) > 0) return false;
  return true;
}

Deno.test("a deleted key takes no place once all owners have heard of it, and can be written again", () =>
  onStage({ nodes: NODES, cores: SOON }, async (stage) => {
    await using one = await client(stage);
    await bury(one, KEYS);
    await stage.until(() => areGone(one, KEYS));
    const { store, collection } = await one.admin("status", {});
    assertEquals(store.tombstones.known, 0);
    assert(store.tombstones.collected > 0 && collection.sealed > 0 && collection.isSure);
    await one.put("k0", "new", { w: 3 });
    assertEquals((await one.get("k0", { r: 3 })).texts(), ["new"]);
    assertEquals((await one.get("k1", { r: 3 })).texts(), []);
  }));
