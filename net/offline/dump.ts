/**
 * Everything that stores hold, key by key.
 *
 * @module
 */

import { decodeObject } from "../../actors/replica_store/object_codec.ts";
import { type StoredObject, verifyValues } from "../../actors/replica_store/object.ts";
import { type Damage, type Engine, EngineError } from "../../storage/engine.ts";
import { holding, storesIn, type Tools, withStore } from "./directory.ts";

/** A key of a store, as {@link dumpDirectory} gives it. */
export interface DumpedKey {
  /** Its partition. */
  readonly partition: number;
  /** The key. */
  readonly key: Uint8Array;
  /** What is held under it; why it cannot be told, when the record is damaged. */
  readonly object: StoredObject | { readonly damaged: string };
}

/** A dump reads so many entries, and bytes, at once. */
const PAGE = { limit: 256, limitBytes: 1 << 20 };

/** Every key in a data directory, in order within each partition. Changes nothing. @throws {Refused} */
export async function dumpDirectory(
  tools: Tools,
  path: string,
  partition: number | undefined,
  onPage: (keys: readonly DumpedKey[]) => "go on" | "enough",
): Promise<void> {
  const unread: Damage[] = [];
  const engines = storesIn(tools.disk, path);
  await holding(tools, path, async () => {
    for (const engine of engines) {
      await withStore(tools, path, engine, unread, async (store) => {
        unread.push(...store.damageAtOpen.filter(({ kind }) => kind === "corrupt"));
        for (const each of store.partitions()) {
          if (partition !== undefined && each !== partition) continue;
          const outcome = await dumpPartition(store, each, onPage, ({ message }) => {
            unread.push({ kind: "corrupt", path, offset: 0, detail: message });
          });
          if (outcome === "enough") return;
        }
      });
    }
  });
  if (unread.length > 0) throw new EngineError("corrupt", unread.map(({ detail }) => detail).join("; "));
}

async function dumpPartition(
  store: Engine,
  partition: number,
  onPage: (keys: readonly DumpedKey[]) => "go on" | "enough",
  onDamaged: (error: EngineError) => void,
): Promise<"go on" | "enough"> {
  let after: Uint8Array | undefined;
  while (true) {
    const page = await store.scan({ partition, ...PAGE, ...(after && { after }), onDamaged });
    const keys = page.entries.map(({ key, record }) => ({ partition, key, object: decoded(record) }));
    if (keys.length > 0 && onPage(keys) === "enough") return "enough";
    after = page.entries.at(-1)?.key;
    if (page.done || after === undefined) return "go on";
  }
}

function decoded(record: Uint8Array): DumpedKey["object"] {
  try {
    const object = decodeObject(record);
    return verifyValues(object) ? object : { damaged: "a value does not match its CRC-32C" };
  } catch (error) {
    return { damaged: String(error) };
  }
}
