/**
 * An actor library: typed messages, bounded mailboxes, asks with deadlines, and trees of supervisors that put a
 * fresh actor in the place of one that crashed. Local and remote actors are addressed alike.
 *
 * @example An actor that crashes and comes back
 * ```ts
 * import { type ActorSpec, ActorSystem, AskError, realEnvironment } from "./mod.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * type DividerProtocol = { divide: [{ by: number }, number] };
 *
 * const divider: ActorSpec<DividerProtocol> = {
 *   name: "divider",
 *   start: () => ({
 *     divide({ by }) {
 *       if (by === 0) throw new Error("division by zero");
 *       return 10 / by;
 *     },
 *   }),
 * };
 *
 * const node = "00000000000000000000000000000001";
 * const system = new ActorSystem({ node, environment: realEnvironment({ node, logLevel: "silent" }) });
 * await system.start({
 *   name: "root",
 *   strategy: "one-for-one",
 *   intensity: { restarts: 3, withinMs: 5000 },
 *   children: [divider],
 * });
 * const ref = system.ref<DividerProtocol>("divider");
 * const error = await ref.ask("divide", { by: 0 }, { timeoutMs: 1000 }).catch((error) => error);
 * assert(error instanceof AskError && error.code === "crashed");
 * assertEquals(await ref.ask("divide", { by: 2 }, { timeoutMs: 1000 }), 5);
 * await system.stop();
 * assertEquals(await system.terminated, { reason: "stopped" });
 * ```
 *
 * @module
 */

export type { ActorContext, ActorSpec, AnyActorSpec } from "./actor.ts";
export type { ActorStats } from "./cell.ts";
export * from "./environment.ts";
export * from "./protocol.ts";
export { realEnvironment } from "./real/mod.ts";
export type { LogFormat, LogLevel, RealOptions } from "./real/mod.ts";
export type { Backoff, Intensity, Strategy } from "./restart_policy.ts";
export type { SupervisorSpec } from "./supervisor.ts";
export { ActorSystem, type SystemOptions, type SystemStats } from "./system.ts";
