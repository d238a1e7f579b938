/**
 * denamo: a leaderless, replicated, always-writeable key-value store, after Amazon's Dynamo (DeCandia et al.,
 * SOSP 2007).
 *
 * {@link Node} runs a node, {@link Client} talks to a cluster, {@link Cluster} runs a whole one inside a test,
 * on the real clock or in a simulation; and the actor library underneath is here too, worth importing alone.
 *
 * @example
 * ```ts
 * import { Client, Cluster } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using cluster = await Cluster.inProcess({ nodes: 3 });
 * await using client = await Client.connect([...cluster.addresses]);
 * await client.put("greeting", "hello");
 * const { values } = await client.get("greeting");
 * assertEquals(new TextDecoder().decode(values[0]), "hello");
 * ```
 *
 * @module
 */

export * from "./actors/runtime/mod.ts";
export { Client, GetResult } from "./net/client.ts";
export type {
  Bytes,
  CallOptions,
  ConnectOptions,
  GetOptions,
  PutOptions,
  UpdateOptions,
} from "./net/client.ts";
export { Cluster, type ClusterOptions } from "./net/cluster.ts";
export { Node, type NodeCores, type NodeOptions, VERSION } from "./net/node.ts";
