/**
 * The load: a process of its own, so that what it costs is not taken from a node's time. It keeps so many
 * requests under way on so many connections, and writes one line of JSON per scenario to standard output.
 *
 * A put makes a key that was not there, because a put over an old key without its context would be concurrent
 * with what is there, and its siblings would pile up. An update is what a client does with an old key: it reads
 * it and writes it back with the context it was given; its latency is that of both.
 *
 * @module
 */

import type { GetSuccess, PutSuccess } from "../../actors/coordinator/protocol.ts";
import { Slab } from "../../actors/runtime/slab.ts";
import { Client } from "../../net/client.ts";
import type { ClientFailure } from "../../net/client_errors.ts";
import { Histogram } from "./histogram.ts";

/** What is asked of the cluster. */
export type Operation = "put" | "get" | "update";

/** One measurement. */
export interface Scenario {
  /** What is asked. */
  readonly operation: Operation;
  /** Connections, spread over the nodes. */
  readonly connections: number;
  /** Requests under way on each. */
  readonly pipeline: number;
}

/** All that a load process is told, as JSON in its first argument. */
export interface LoadPlan {
  /** `host:port` of every node. */
  readonly addresses: readonly string[];
  /** Keys written beforehand, which gets and updates choose from. */
  readonly keys: number;
  /** Size of every value. */
  readonly valueBytes: number;
  /** How long each scenario is measured, after as long a warm-up as {@link WARM_UP_S} says. */
  readonly seconds: number;
  /** What to measure, in this order. */
  readonly scenarios: readonly Scenario[];
}

/** What came of a scenario. Latencies are milliseconds. */
export interface Measured extends Scenario {
  /** Requests answered per second. */
  readonly perSecond: number;
  /** Median. */
  readonly p50: number;
  /** 99th percentile. */
  readonly p99: number;
  /** 99.9th percentile. */
  readonly p999: number;
  /** Requests that failed, by code. */
  readonly failed: Readonly<Record<string, number>>;
}

/** Before the clock starts: connections are made, code is compiled. */
const WARM_UP_S = 1;
/** After a failure a stream pauses, or an overloaded cluster would be asked in a tight loop. */
const PAUSE_MS = 10;

const KEY = new TextEncoder().encode("key-00000000");

type Done = (outcome: GetSuccess | PutSuccess | ClientFailure) => void;

/** Keys and values to ask for. */
class Material {
  readonly value: Uint8Array;
  readonly #slab = new Slab(64 * 1024, KEY.length);
  #fresh = 0;
  #state = 0x2545f491;

  constructor(readonly plan: LoadPlan) {
    this.value = crypto.getRandomValues(new Uint8Array(plan.valueBytes));
  }

  /** A key that was never given out. */
  fresh(): Uint8Array {
    return this.#key(this.#fresh++);
  }

  /** Any of the keys written beforehand (Marsaglia's xorshift). */
  existing(): Uint8Array {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#key((this.#state >>> 0) % this.plan.keys);
  }

  #key(n: number): Uint8Array {
    const key = this.#slab.take(KEY.length);
    key.set(KEY);
    for (let at = key.length - 1; n > 0; at--, n = Math.floor(n / 10)) key[at] = 48 + n % 10;
    return key;
  }
}

/** How to send one request of each kind. */
const SEND: Readonly<Record<Operation, (client: Client, material: Material, done: Done) => void>> = {
  put: (client, material, done) => client.submitPut(material.fresh(), material.value, {}, done),
  get: (client, material, done) => client.submitGet(material.existing(), {}, done),
  update(client, material, done) {
    const key = material.existing();
    client.submitGet(key, {}, (got) => {
      if (!got.ok) return done(got);
      client.submitPut(key, material.value, { context: got.context }, done);
    });
  },
};

/** What the streams of one scenario have in common. */
class Run {
  latencies = new Histogram();
  failed: Record<string, number> = {};
  over = false;

  /** A stream: one request after the other. Resolves when the last one is answered. */
  stream(send: (done: Done) => void): Promise<void> {
    return new Promise((resolve) => {
      let startedAt = 0;
      const next = () => {
        if (this.over) return resolve();
        startedAt = performance.now();
        send(done);
      };
      const done: Done = (outcome) => {
        if (outcome.ok) this.latencies.add(performance.now() - startedAt);
        else this.failed[outcome.code] = (this.failed[outcome.code] ?? 0) + 1;
        if (outcome.ok) next();
        else setTimeout(next, PAUSE_MS);
      };
      next();
    });
  }
}

async function measure(scenario: Scenario, material: Material): Promise<Measured> {
  const { operation, connections, pipeline } = scenario;
  const clients = await connect(material.plan, connections);
  const run = new Run();
  const streams = clients.flatMap((client) =>
    Array.from({ length: pipeline }, () => run.stream((done) => SEND[operation](client, material, done)))
  );
  await sleep(WARM_UP_S);
  const latencies = run.latencies = new Histogram();
  run.failed = {};
  const startedAt = performance.now();
  await sleep(material.plan.seconds);
  run.latencies = new Histogram();
  const seconds = (performance.now() - startedAt) / 1000;
  run.over = true;
  await Promise.all(streams);
  for (const client of clients) await client.close();
  return {
    ...scenario,
    perSecond: Math.round(latencies.count / seconds),
    p50: latencies.quantile(0.5),
    p99: latencies.quantile(0.99),
    p999: latencies.quantile(0.999),
    failed: run.failed,
  };
}

function connect({ addresses }: LoadPlan, connections: number): Promise<Client[]> {
  const turned = (index: number) => [...addresses.slice(index), ...addresses.slice(0, index)];
  return Promise.all(
    Array.from({ length: connections }, (_, index) => Client.connect(turned(index % addresses.length))),
  );
}

/** Write every key that gets and updates choose from. */
async function prepare(material: Material): Promise<void> {
  const clients = await connect(material.plan, material.plan.addresses.length);
  const run = new Run();
  let left = material.plan.keys;
  const send = (client: Client) => (done: Done) => {
    if (--left <= 0) run.over = true;
    SEND.put(client, material, done);
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: 64 }, () => run.stream(send(client)))));
  for (const client of clients) await client.close();
  const [code] = Object.keys(run.failed);
  if (code !== undefined) throw new Error(`the keys could not be written: ${code}`);
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

if (import.meta.main) {
  const plan: LoadPlan = JSON.parse(Deno.args[0]!);
  const material = new Material(plan);
  await prepare(material);
  for (const scenario of plan.scenarios) {
    const line = `${JSON.stringify(await measure(scenario, material))}\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(line));
  }
}
