/**
 * `deno task bench trees`: what it takes two owners of a million keys to find the ten that differ: the bytes that go
 * over the wire, frames and all, and what a hash tree costs beside a store.
 *
 * @module
 */

import { exchange, type Side } from "../../actors/repair/exchange.ts";
import { HashTree } from "../../actors/repair/hash_tree.ts";
import { objectOf, TestSide } from "../../actors/repair/testing/side.ts";
import { objectHash } from "../../actors/replica_store/object_hash.ts";
import type { TreeProtocol } from "../../actors/replica_store/tree_protocol.ts";
import { partitionOf } from "../../actors/ring_manager/ring.ts";
import { compareBytes, encodeUtf8, equalBytes } from "../../actors/runtime/bytes.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import type { Body, Envelope } from "../../actors/runtime/protocol.ts";
import { defaulted, parseFlags, toggled } from "../../cli/flags.ts";
import * as kind from "../../cli/kinds.ts";
import type { RealTerminal } from "../../cli/terminal.ts";
import { CONTROL } from "../../net/control.ts";
import { ControlCodec } from "../../net/control_codec.ts";
import { FrameWriter } from "../../net/frame_writer.ts";

const FLAGS = {
  keys: defaulted(kind.integer(1, 10_000_000), 1_000_000, "Keys that both hold"),
  differing: defaulted(kind.integer(0, 100_000), 10, "How many of them differ"),
  partitions: defaulted(kind.integer(1, LIMITS.partitions), 256, "Partitions they lie in"),
  json: toggled(kind.toggle, "Print JSON"),
};

/** What was measured. */
interface Figures {
  readonly keys: number;
  readonly differing: number;
  readonly repaired: number;
  readonly wireBytes: number;
  readonly messages: number;
  readonly leaves: number;
  readonly exchangeMs: number;
  readonly surveyNsPerKey: number;
  readonly hashNs: number;
  readonly changeNs: number;
}

/** Run it; returns the exit code. */
export async function benchTrees(args: readonly string[], terminal: RealTerminal): Promise<number> {
  const parsed = parseFlags([...args], FLAGS);
  if (!parsed.ok) {
    terminal.err(`bench trees: ${parsed.problem}\n`);
    for (const [name, { help }] of Object.entries(FLAGS)) terminal.err(`  --${name}: ${help}\n`);
    return 2;
  }
  const { keys, differing, partitions, json } = parsed.values;
  const figures = await measure(keys, differing, partitions);
  if (json) terminal.out(`${JSON.stringify(figures)}\n`);
  else {
    const { repaired, wireBytes, messages, exchangeMs, leaves, surveyNsPerKey, hashNs, changeNs } = figures;
    terminal.out(
      `${keys} keys in ${partitions} partitions, ${differing} differ\n` +
        `  exchanged   ${wireBytes} bytes in ${messages} messages, ${
          exchangeMs.toFixed(0)
        } ms; ${repaired} repaired\n` +
        `  tree        ${leaves} leaves, ${(keys / leaves).toFixed(1)} keys each\n` +
        `  survey      ${(surveyNsPerKey / 1000).toFixed(2)} us a key\n` +
        `  commit      ${((2 * hashNs + changeNs) / 1000).toFixed(2)} us: two hashes at ${
          hashNs.toFixed(0)
        } ns, ` +
        `a change of the tree at ${changeNs.toFixed(0)} ns\n`,
    );
  }
  return figures.repaired === differing ? 0 : 1;
}

async function measure(keys: number, differing: number, partitions: number): Promise<Figures> {
  const filled = [await TestSide.open(), await TestSide.open()];
  const every = Math.max(1, Math.floor(keys / Math.max(1, differing)));
  for (let n = 0; n < keys; n++) {
    const key = encodeUtf8(`user:${n}`);
    const partition = partitionOf(key, partitions);
    const object = objectOf(1, n + 1);
    const other = n % every === 0 && n / every < differing ? objectOf(2, n + 1) : object;
    void filled[0]!.engine.write([{ partition, key, record: object }]);
    void filled[1]!.engine.write([{ partition, key, record: other }]);
  }
  const startedAt = performance.now();
  const sides = await Promise.all(filled.map(({ engine }) => TestSide.open(engine)));
  for (const side of sides) await side.settle();
  const surveyNsPerKey = (performance.now() - startedAt) * 1e6 / (2 * keys);
  const [mine, theirs] = sides as [TestSide, TestSide];
  const wire = new Wire(theirs);
  const beganAt = performance.now();
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const asked = { epoch: 1, partitions: all };
  const [own, other] = [await mine.ask("treeRoots", asked), await wire.ask("treeRoots", asked)];
  const free = { pause: () => Promise.resolve(), spend: () => Promise.resolve() };
  let repaired = 0;
  for (const partition of all) {
    if (equalBytes(own.digests[partition]!, other.digests[partition]!)) continue;
    const placement = { partition, epoch: 1 };
    const outcome = await exchange({ placement, mine, theirs: wire, ...free });
    if (!outcome.ok) throw new Error(`${outcome.why}`);
    repaired += outcome.repaired;
  }
  const exchangeMs = performance.now() - beganAt;
  const { bytes: wireBytes, messages } = wire;
  const { leaves } = mine.trees.describe();
  return {
    keys,
    differing,
    repaired,
    wireBytes,
    messages,
    leaves,
    exchangeMs,
    surveyNsPerKey,
    ...timeCommit(),
  };
}

/** A side at the other end of a connection: everything goes through the codec, and its bytes are counted. */
class Wire implements Side {
  bytes = 0;
  messages = 0;
  readonly #side: TestSide;
  readonly #codec = new ControlCodec(CONTROL, () => 0);

  constructor(side: TestSide) {
    this.#side = side;
  }

  async ask<K extends keyof TreeProtocol & string>(kind: K, body: Body<TreeProtocol, K>) {
    const to = { node: "b", actor: "replica_store" };
    const from = { node: "a", actor: "anti_entropy" };
    this.#send({ to, from, kind, body, ask: this.messages, deadline: 5_000 });
    const reply = await this.#side.ask(kind, body);
    this.#send({ to: from, from: to, kind: "", body: reply, ask: this.messages });
    return reply;
  }

  #send(envelope: Envelope): void {
    const writer = new FrameWriter(LIMITS.frameBytes, LIMITS.messageBytes);
    if (!this.#codec.encode(writer, envelope)) throw new Error("a message is too large");
    this.bytes += writer.sizeBytes;
    this.messages++;
  }
}

/** What a commit pays: two hashes, of what was there and what is there now, and a change of the tree. */
function timeCommit(): Pick<Figures, "hashNs" | "changeNs"> {
  const rounds = 200_000;
  const tree = new HashTree(true);
  const keys = Array.from({ length: 4_000 }, (_, n) => encodeUtf8(`user:${n}`));
  for (const key of keys) tree.change(key, null, { low: 1, high: 1 });
  tree.learn(null, keys.toSorted(compareBytes).map((key) => ({ key, hash: { low: 1, high: 1 } })), true);
  const record = objectOf(1, 1, "v".repeat(100));
  const each = (task: (n: number) => void) => {
    const startedAt = performance.now();
    for (let n = 0; n < rounds; n++) task(n);
    return (performance.now() - startedAt) * 1e6 / rounds;
  };
  const hashNs = each((n) => objectHash(keys[n % keys.length]!, record));
  const hash = { low: 1, high: 1 };
  const changeNs = each((n) => tree.change(keys[n % keys.length]!, hash, hash));
  return { hashNs, changeNs };
}
