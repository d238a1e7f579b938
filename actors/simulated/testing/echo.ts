/**
 * A small workload over the whole simulated environment, for telling two runs apart: three nodes talk, write,
 * sync, crash and come back under every kind of fault.
 *
 * @module
 */

import type { Connection, Environment } from "../../runtime/environment.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";

const NODES = ["n1", "n2", "n3"];

/** What two runs must agree on. */
export interface Outcome {
  readonly traceHash: number;
  readonly eventCount: number;
  readonly disks: readonly number[];
}

/** Run it. */
export async function echoWorkload(
  seed: number,
  watch: Omit<SimulationOptions, "seed"> = {},
): Promise<Outcome> {
  const simulation = new Simulation({ seed, ...watch });
  Object.assign(simulation.network.faults, {
    lossRate: 0.02,
    duplicateRate: 0.02,
    reorderRate: 0.05,
    slowRate: 0.05,
  });
  Object.assign(simulation.network.faults, { slowMs: 50, resetRate: 0.01 });
  for (const node of NODES) {
    Object.assign(simulation.disk(node).faults, {
      bitFlipRate: 0.01,
      shortWriteRate: 0.1,
      syncErrorRate: 0.02,
    });
    simulation.clock(node).rate = simulation.random.between(0.9, 1.1);
    start(simulation.environment(node), NODES.indexOf(node) + 1);
  }
  for (let round = 0; round < 10; round++) {
    await simulation.runFor(200);
    const node = simulation.random.pick(NODES);
    simulation.crashNode(node);
    simulation.network.cut(simulation.random.pick(NODES), simulation.random.pick(NODES));
    await simulation.runFor(100);
    start(simulation.environment(node), NODES.indexOf(node) + 1);
  }
  simulation.heal();
  await simulation.runFor(500);
  const { traceHash, eventCount } = simulation;
  return { traceHash, eventCount, disks: NODES.map((node) => simulation.disk(node).checksum()) };
}

/** A node: it answers what it is sent, writes down what it hears, and talks to somebody every 10 ms. */
function start(environment: Environment, port: number): void {
  const { clock, disk, log, network, random } = environment;
  const file = disk.open("heard", { write: true, create: true });
  const hear = (bytes: Uint8Array) => {
    log.debug("heard", { bytes: bytes.length });
    file.write(bytes, file.size());
    file.sync().catch((error) => log.warn("sync failed", { error }));
  };
  const serve = async () => {
    const listener = await network.listen({ host: "cluster", port });
    for (;;) pump(await listener.accept(), true);
  };
  const pump = async (connection: Connection, answer: boolean) => {
    const into = new Uint8Array(512);
    try {
      for (let count = await connection.read(into); count !== null; count = await connection.read(into)) {
        hear(into.subarray(0, count));
        if (answer) await connection.write(into.slice(0, count));
      }
    } catch (error) {
      log.info("connection lost", { error });
    }
    connection.close();
  };
  const talk = async () => {
    clock.after(10, talk);
    try {
      const connection = await network.connect(
        { host: "cluster", port: 1 + random.integer(NODES.length) },
        50,
      );
      pump(connection, false);
      await connection.write(random.bytes(1 + random.integer(600)));
      clock.after(30, () => connection.close());
    } catch (error) {
      log.info("no talk", { error });
    }
  };
  serve().catch((error) => log.error("no listener", { error }));
  talk();
}
