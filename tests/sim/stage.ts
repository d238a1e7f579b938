/**
 * What tests of a whole simulated cluster have in common.
 *
 * @module
 */

import { encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { assertInstanceOf, fail } from "../../actors/runtime/testing/assert.ts";
import type { Simulation } from "../../actors/simulated/simulation.ts";
import type { Client } from "../../net/client.ts";
import { DenamoError } from "../../net/client_errors.ts";
import { Cluster, type ClusterOptions } from "../../net/cluster.ts";

/** A simulated cluster, and what it takes to play tricks on it. */
export interface Stage {
  /** The cluster. */
  readonly cluster: Cluster;
  /** Its world. */
  readonly world: Simulation;
  /** Let simulated time pass. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Wait until something holds; fails the test when it does not within 30 simulated seconds. */
  readonly until: (condition: () => Promise<boolean> | boolean) => Promise<void>;
}

/**
 * Run `play` in a simulated cluster of 16 partitions; on the memory engine, whose one journal these tests take apart,
 * unless they say which. Histories (`deno task sim`) are on the default engine.
 */
export async function onStage(
  options: Omit<ClusterOptions, "seed"> & { readonly seed?: number },
  play: (stage: Stage) => Promise<void>,
): Promise<void> {
  const node = {
    partitions: 16,
    storage: { engine: "memory" as const },
    ...options.node,
  };
  const cluster = await Cluster.inProcess({ seed: 1, ...options, node });
  const world = cluster.simulation!;
  const { clock } = world.environment("harness");
  const sleep = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
  const until = async (condition: () => Promise<boolean> | boolean) => {
    for (let tries = 0; tries < 600; tries++) {
      if (await condition()) return;
      await sleep(50);
    }
    fail("it never came to hold");
  };
  await cluster.run(() => play({ cluster, world, sleep, until }));
  world.heal();
  await cluster[Symbol.asyncDispose]();
}

/** The failure that a call ends with; fails the test when it does not fail. */
export async function failureOf(call: Promise<unknown>): Promise<DenamoError> {
  const error = await call.then(() => fail("the call was expected to fail"), (error: unknown) => error);
  assertInstanceOf(error, DenamoError);
  return error;
}

/** Indexes of the nodes that hold replicas of a key, in order of preference. */
export async function replicasOf(client: Client, key: string): Promise<number[]> {
  const { replicas } = await client.admin("explain", { key: encodeUtf8(key), timeoutMs: 1_000 });
  return replicas.map(({ address }) => indexOf(address));
}

/** The index of the node at an address of a simulated cluster. */
export function indexOf(address: string): number {
  return Number(address.split(":")[1]) - 3001;
}

/** The name of a node's machine. */
export function machine(index: number): string {
  return `node${index + 1}`;
}

/** All indexes of `count` nodes but these. */
export function others(count: number, ...these: readonly number[]): number[] {
  return Array.from({ length: count }, (_, index) => index).filter((index) => !these.includes(index));
}
