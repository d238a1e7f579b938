/**
 * One side of an exchange on its own: an engine in memory and its hash trees, without a node around them.
 *
 * @module
 */

import type { Body, Reply } from "../../runtime/protocol.ts";
import { encodeUtf8, equalBytes } from "../../runtime/bytes.ts";
import { Simulation } from "../../simulated/simulation.ts";
import { fake } from "../../runtime/testing/fake.ts";
import { assert } from "../../runtime/testing/assert.ts";
import { crc32c } from "../../runtime/crc32c.ts";
import { merge, mint, verifyValues } from "../../replica_store/object.ts";
import { decodeObject, encodeObject } from "../../replica_store/object_codec.ts";
import { objectHash } from "../../replica_store/object_hash.ts";
import type { EncodedObject } from "../../replica_store/protocol.ts";
import { Records } from "../../replica_store/records.ts";
import type { MergeAnswer, TreeProtocol } from "../../replica_store/tree_protocol.ts";
import { changeTree, Trees } from "../../replica_store/trees.ts";
import type { Engine } from "../../../storage/engine.ts";
import { openMemoryEngine } from "../../../storage/memory/engine.ts";
import type { Side } from "../exchange.ts";

/** See the module. */
export class TestSide implements Side {
  /** Its trees. */
  readonly trees: Trees;
  /** Its records. */
  readonly engine: Engine;
  /** What it was asked. */
  readonly asked: string[] = [];
  /** Told of everything that is asked, before it is answered. */
  onAsk: (kind: string) => void | Promise<void> = () => {};

  private constructor(engine: Engine) {
    const { log } = fake().environment;
    const records = new Records(engine, log, verifyValues);
    this.engine = engine;
    this.trees = new Trees({
      core: { objectHash, changeTree },
      engine,
      records,
      log,
      wake: () => {},
      onMet: () => {},
    });
  }

  /** Make one that holds nothing yet, or what an engine holds. */
  static async open(engine?: Engine): Promise<TestSide> {
    const environment = new Simulation({ seed: 1 }).environment("n");
    const options = { ...environment, directory: "d", persist: false, sync: "always" as const };
    return new TestSide(engine ?? await openMemoryEngine(options));
  }

  /** Merge an object into what is held under a key. */
  write(partition: number, key: Uint8Array, object: EncodedObject): void {
    const before = this.read(partition, key);
    const after = before === null ? object : encodeObject(merge(decodeObject(before), decodeObject(object)));
    if (before !== null && equalBytes(before, after)) return;
    void this.engine.write([{ partition, key, record: after }]);
    this.trees.onCommit(partition, key, before, after);
  }

  /** What is held under a key. */
  read(partition: number, key: Uint8Array): EncodedObject | null {
    return this.engine.get(partition, key) as EncodedObject | null;
  }

  /** Survey until nothing is left to do. */
  async settle(): Promise<void> {
    while (await this.trees.survey() === "more");
  }

  /** See {@link Side}. */
  async ask<K extends keyof TreeProtocol & string>(
    kind: K,
    body: Body<TreeProtocol, K>,
  ): Promise<Reply<TreeProtocol, K>> {
    this.asked.push(kind);
    await this.onAsk(kind);
    const { trees } = this;
    const answers: { readonly [K in keyof TreeProtocol]: (body: TreeProtocol[K][0]) => unknown } = {
      treeRoots: ({ partitions }) => ({ ok: true, digests: partitions.map((one) => trees.root(one)) }),
      treePieces: (stretch) => trees.pieces(stretch, stretch.most),
      treeDigests: ({ partition, cuts }) => trees.digests(partition, cuts),
      treeKeys: (stretch) => trees.keys(stretch),
      treeObjects: ({ partition, keys }) => trees.objects(partition, keys, 0),
      treeMerge: ({ partition, entries }): MergeAnswer => {
        for (const { key, object } of entries) this.write(partition, key, object);
        return "taken";
      },
      survey: () => trees.survey(),
    };
    return await answers[kind](body as never) as Reply<TreeProtocol, K>;
  }
}

/** An object of one version; the same for the same numbers. */
export function objectOf(actor: number, counter: number, text = `${actor} ${counter}`): EncodedObject {
  const value = encodeUtf8(text);
  const outcome = mint(null, {
    context: [],
    value,
    crc32c: crc32c(value),
    requestId: `${actor}${`${counter}`.padStart(16, "0")}`.padStart(32, "0"),
    wallMs: 1,
    dot: { actor: `${actor}`.padStart(32, "0"), counter },
  });
  assert(outcome.ok);
  return encodeObject(outcome.object).slice();
}
