/**
 * The time per layer: each piece of the request path by itself, in one process.
 *
 * @module
 */

import { encodeContext } from "../../actors/replica_store/context.ts";
import { merge, mint, type StoredObject, verifyValues } from "../../actors/replica_store/object.ts";
import { decodeObject, encodeObject } from "../../actors/replica_store/object_codec.ts";
import { partitionOf } from "../../actors/ring_manager/ring.ts";
import { crc32c } from "../../actors/runtime/crc32c.ts";
import type { Environment } from "../../actors/runtime/environment.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { type ActorSpec, ActorSystem } from "../../actors/runtime/mod.ts";
import { realEnvironment } from "../../actors/runtime/real/mod.ts";
import { macrotask } from "../../actors/runtime/real/turn.ts";
import { FrameReader } from "../../net/frame_reader.ts";
import { FrameWriter } from "../../net/frame_writer.ts";
import { type Message, readMessage, writeMessage } from "../../net/messages/message.ts";
import { READ, READ_ANSWER, WRITE } from "../../net/messages/replicas.ts";
import { GET, GOT, PUT } from "../../net/messages/requests.ts";
import type { SyncPolicy } from "../../storage/engine.ts";
import { openMemoryEngine } from "../../storage/memory/engine.ts";
import { QuorumRig } from "./quorum_rig.ts";
import { time, timeAsync } from "./stopwatch.ts";

/** One row of the table. */
export interface Layer {
  /** Which layer. */
  readonly layer: string;
  /** What is timed. */
  readonly step: string;
  /** Nanoseconds for one. */
  readonly ns: number;
}

/** What is measured together before it is divided. */
const BATCH = 1000;
const ACTOR = "a1".repeat(16);
const OTHER = "b2".repeat(16);
const KEY = new TextEncoder().encode("key-00000042");

/** Measure every layer. `onLayer` hears of each as it is begun; `directory` is written to. */
export async function timeLayers(
  valueBytes: number,
  directory: string,
  onLayer: (layer: string) => void,
): Promise<Layer[]> {
  const value = new Uint8Array(valueBytes).fill(7);
  const environment = realEnvironment({ node: "bench", logLevel: "error" });
  const layers: Record<string, () => Row[] | Promise<Row[]>> = {
    bytes: () => timeBytes(),
    frame: () => timeFrames(value),
    codec: () => timeMessages(value),
    object: () => timeObjects(value),
    actor: () => timeHops(environment),
    quorum: () => timeQuorum(),
    store: () => timeStore(environment, directory, value),
    disk: () => timeDisk(environment, directory),
  };
  const rows: Layer[] = [];
  for (const [layer, measure] of Object.entries(layers)) {
    onLayer(layer);
    rows.push(...(await measure()).map(([step, ns]) => ({ layer, step, ns })));
  }
  return rows;
}

type Row = [step: string, ns: number];

function timeBytes(): Row[] {
  const [small, page] = [new Uint8Array(100).fill(3), new Uint8Array(4096).fill(3)];
  return [
    ["crc32c of 100 B", time(() => crc32c(small))],
    ["crc32c of 4 KiB", time(() => crc32c(page))],
    ["partition of a key", time(() => partitionOf(KEY, 256))],
  ];
}

/** A connection without a socket: what a writer wrote, a reader reads. */
class Wire {
  readonly #writer = new FrameWriter(LIMITS.frameBytes);
  readonly #reader = new FrameReader(LIMITS.frameBytes);

  /** One message there and back. */
  carry<T>(message: Message<T>, body: T): T {
    writeMessage(this.#writer, message, { number: 1, remainingMs: 5000 }, body);
    this.#move();
    return readMessage(message, this.#reader.next()!);
  }

  /** One frame that holds `bytes` and nothing else. */
  carryFrame(bytes: Uint8Array): Uint8Array {
    this.#writer.begin(1, 1, 5000);
    this.#writer.bytes(bytes);
    this.#writer.end();
    this.#move();
    return this.#reader.next()!.rest();
  }

  #move(): void {
    for (const chunk of this.#writer.take()) {
      this.#reader.space().set(chunk);
      this.#reader.fed(chunk.length);
    }
    this.#writer.written();
  }
}

function timeFrames(value: Uint8Array): Row[] {
  const wire = new Wire();
  return [[`write and read one, ${value.length} B`, time(() => wire.carryFrame(value))]];
}

function timeMessages(value: Uint8Array): Row[] {
  const wire = new Wire();
  const object = encodeObject(written(value));
  const place = { partition: 7, epoch: 4, key: KEY };
  const crc = crc32c(value);
  const requestId = "0f".repeat(16);
  const put = { key: KEY, value, crc32c: crc, context: null, w: 0, requestId, forwarded: false };
  const context = encodeContext([{ actor: ACTOR, counter: 1 }], KEY, "c0".repeat(16));
  const got = { ok: true, values: [{ value, crc32c: crc }], context } as const;
  return [
    ["put, client to node", time(() => wire.carry(PUT, put))],
    ["get, client to node", time(() => wire.carry(GET, { key: KEY, r: 0 }))],
    ["got, node to client", time(() => wire.carry(GOT, got))],
    ["write, node to node", time(() => wire.carry(WRITE, { ...place, stamp: 0, object }))],
    ["read, node to node", time(() => wire.carry(READ, place))],
    ["read-answer, node to node", time(() => wire.carry(READ_ANSWER, { ok: true, object }))],
  ];
}

/** An object with one sibling. */
function written(value: Uint8Array, actor = ACTOR): StoredObject {
  const minted = mint(null, write(value, actor, 1));
  if (!minted.ok) throw new Error(minted.message);
  return minted.object;
}

function write(value: Uint8Array, actor: string, counter: number) {
  const dot = { actor, counter };
  return { context: [], value, crc32c: crc32c(value), requestId: "0f".repeat(16), wallMs: 1, dot };
}

function timeObjects(value: Uint8Array): Row[] {
  const [mine, theirs] = [written(value), written(value, OTHER)];
  const bytes = encodeObject(mine);
  const replacing = { ...write(value, ACTOR, 2), context: mine.clock, requestId: "1f".repeat(16) };
  return [
    ["mint a new key", time(() => mint(null, write(value, ACTOR, 1)))],
    ["mint over a value seen", time(() => mint(mine, replacing))],
    ["encode", time(() => encodeObject(mine))],
    ["decode", time(() => decodeObject(bytes))],
    ["merge two", time(() => merge(mine, theirs))],
    ["verify the CRC-32C", time(() => verifyValues(mine))],
    ["encode the context", time(() => encodeContext(mine.clock, KEY, "c0".repeat(16)))],
  ];
}

type CounterProtocol = { add: [{ amount: number }, void]; total: [Record<never, never>, number] };

async function timeHops(environment: Environment): Promise<Row[]> {
  let total = 0;
  const counter: ActorSpec<CounterProtocol> = {
    name: "counter",
    start: () => ({ add: ({ amount }) => void (total += amount), total: () => total }),
  };
  const system = new ActorSystem({ node: "bench", environment });
  const intensity = { restarts: 0, withinMs: 1000 };
  await system.start({ name: "root", strategy: "one-for-one", intensity, children: [counter] });
  const ref = system.ref<CounterProtocol>("counter");
  const tell = await timeAsync(BATCH, async () => {
    for (let i = 0; i < BATCH; i++) ref.tell("add", { amount: 1 });
    await macrotask(); // handled before that
  });
  const ask = await timeAsync(
    BATCH,
    () => Promise.all(Array.from({ length: BATCH }, () => ref.ask("total", {}, { timeoutMs: 1000 }))),
  );
  await system.stop();
  return [["tell and handle", tell], ["ask, handle and answer", ask]];
}

async function timeQuorum(): Promise<Row[]> {
  const rig = await QuorumRig.start();
  const rows: Row[] = [
    [`put on all three nodes, ${BATCH} at once`, await timeAsync(BATCH, () => rig.put(BATCH))],
    [`get on all three nodes, ${BATCH} at once`, await timeAsync(BATCH, () => rig.get(BATCH))],
  ];
  await rig.stop();
  return rows;
}

async function timeStore(environment: Environment, directory: string, value: Uint8Array): Promise<Row[]> {
  const record = encodeObject(written(value)).slice();
  const open = (name: string, sync: SyncPolicy, persist = true) =>
    openMemoryEngine({ ...environment, directory: `${directory}/${name}`, sync, persist });
  const keys = Array.from({ length: BATCH }, (_, n) => new TextEncoder().encode(`key-${n}`));
  const [volatile, unsynced, synced] = [
    await open("volatile", "never", false),
    await open("unsynced", "never"),
    await open("synced", "always"),
  ];
  const write = (engine: typeof synced, count: number) => () => {
    let durable: Promise<void> | undefined;
    for (let i = 0; i < count; i++) durable = engine.write([{ partition: i & 255, key: keys[i]!, record }]);
    return durable!;
  };
  const rows: Row[] = [
    ["write, memory alone", await timeAsync(BATCH, write(volatile, BATCH))],
    ["get", time(() => void volatile.get(42, keys[42]!))],
    ["write, journal not synced", await timeAsync(BATCH, write(unsynced, BATCH))],
    [`write, journal synced, ${BATCH} at once`, await timeAsync(BATCH, write(synced, BATCH))],
    ["write, journal synced, 16 at once", await timeAsync(16, write(synced, 16))],
    ["write, journal synced, one by one", await timeAsync(1, write(synced, 1))],
  ];
  for (const engine of [volatile, unsynced, synced]) await engine.close();
  return rows;
}

async function timeDisk({ disk }: Environment, directory: string): Promise<Row[]> {
  const file = disk.open(`${directory}/sync`, { create: true, write: true });
  const page = new Uint8Array(4096);
  let position = 0;
  const append = () => position += file.write(page, position % (1 << 20));
  const rows: Row[] = [
    ["write 4 KiB", time(append)],
    [
      "write 4 KiB and fdatasync",
      await timeAsync(1, () => {
        append();
        return file.sync();
      }),
    ],
  ];
  file.close();
  return rows;
}
